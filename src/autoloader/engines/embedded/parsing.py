"""From a spool full of records to data files: one statement, and when that refuses, who is to blame.

The statement fails as a whole. Then the files at fault are found: all with bad values in one more statement, one with a
duplicate key by the tag in DuckDB's message. They are read exactly, blamed with the line or taken up again, and the
statement runs once more.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import duckdb

from autoloader.engines.embedded.batch import Batch
from autoloader.engines.embedded.readers import BARE, NDJSON
from autoloader.engines.embedded.statement import BAD_VALUE, Judgement, csv_source, longest_line, ndjson_source
from autoloader.engines.embedded.strict_json import said
from autoloader.engines.options import CsvOptions
from autoloader.errors import AutoloaderError, BadRecord, FileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoloader.engines.embedded.batch import Intake
    from autoloader.engines.embedded.spool import Segment
    from autoloader.engines.embedded.tags import Tags
    from autoloader.engines.embedded.tools import Tools
    from autoloader.engines.embedded.writing import Written
    from autoloader.engines.options import Options

_SINGLE_BLAMES = 3
"""After so many files were blamed one by one, the whole batch is read exactly: many bad files must end soon too."""


class Parser:
    """Parses the batches of one load.

    Args:
        tools: of the load; the connection is for this thread alone.
        options: of the ingestion.
        tags: of the load.
    """

    def __init__(self, tools: Tools, options: Options, tags: Tags) -> None:
        self._tools = tools
        self._options = options
        self._tags = tags
        self._judgement = Judgement(tools.schema, options)
        self._tag = re.compile(rb'"%s":(\d+)' % tags.file.encode())

    def parse(self, batch: Batch) -> Written | None:
        """Write the records of every good file; the bad ones have their ``error`` set. None when nothing is left.

        Raises:
            SpoolFull: no room on the disk.
        """
        self._drop_failed(batch)
        blames = 0
        while any(intake.records for intake in batch.files.values()):
            try:
                written = self._tools.writer.write(self._good(batch))
            except duckdb.OutOfMemoryException:
                raise
            except (duckdb.Error, UnicodeDecodeError) as error:
                self._settle(self._suspects(batch, error, blames), batch)
                blames += 1
                continue
            self._check(batch, written)
            return written
        return None

    def _check(self, batch: Batch, written: Written) -> None:
        expected = sum(intake.records for intake in batch.files.values())
        if written.records != expected:
            found = f"{written.records} rows were written where the files hold {expected}"
            raise AutoloaderError(f"{found}: nothing is loaded. This is a bug, please report it.")

    def _good(self, batch: Batch) -> str:
        """The records of the batch, each part of it read the cheapest way that is exact."""
        bare = batch.plain.get(BARE)
        if bare is None:
            return self._judgement.good(self._source(batch))
        typed = self._judgement.good_bare([bare.path], bare.longest, self._tags)
        texts = self._source(batch, without=bare)
        return f"{typed} UNION ALL {self._judgement.good(texts)}" if texts else typed

    def _source(self, batch: Batch, without: Segment | None = None) -> str:
        """Every leaf of every record as text; empty where nothing is left."""
        sources = []
        ndjson = [segment for segment in batch.ndjson if segment is not without]
        if ndjson:
            paths = [segment.path for segment in ndjson]
            sources.append(ndjson_source(paths, longest_line(ndjson), self._tools.schema, self._tags))
        for layout, segment in batch.plain.items():
            if layout not in {NDJSON, BARE} and isinstance(self._options, CsvOptions):
                sources.append(csv_source([segment.path], layout, segment.longest, self._tools.schema, self._options))
        return " UNION ALL ".join(sources)

    def _suspects(self, batch: Batch, error: Exception, blames: int) -> list[Intake]:
        """Which files to read exactly after the statement failed.

        Raises:
            duckdb.Error: there is nobody left to blame: it was not the files.
        """
        if BAD_VALUE in str(error):
            try:
                rows = self._tools.connection.execute(self._judgement.bad_files(self._source(batch))).fetchall()
            except (duckdb.Error, UnicodeDecodeError) as worse:
                return self._suspects(batch, worse, blames)
            return [batch.files[ordinal] for (ordinal,) in rows]
        tagged = self._tag.search(_raw_message(error))
        if tagged and blames < _SINGLE_BLAMES:
            return [batch.files[int(tagged[1])]]
        suspects = [i for i in batch.files.values() if any(not part.canonical for part in i.slices)]
        if not suspects:
            raise error
        return suspects

    def _drop_failed(self, batch: Batch) -> None:
        """Take the failed files out. One that has good records before its bad one may hold an earlier bad value."""
        failed = [intake for intake in batch.files.values() if intake.error is not None]
        self._settle([intake for intake in failed if intake.slices], batch)

    def _settle(self, suspects: Iterable[Intake], batch: Batch) -> None:
        """Read the suspects exactly, blame those with a bad record, and take the others up again."""
        second = Batch({intake.ordinal: intake for intake in suspects}, self._tags, self._tools)
        for intake in second.files.values():
            self._read_again(intake, batch, second)
        second.close()
        if second.canonical is None:
            return
        for ordinal, error in self._first_bad(second).items():
            second.files[ordinal].error = error
        for intake in second.files.values():
            if intake.error is not None:
                second.blank(intake)
        batch.adopt(second.canonical)

    def _read_again(self, intake: Intake, batch: Batch, second: Batch) -> None:
        parts = [(part, part.read()) for part in intake.slices]
        batch.blank(intake)
        try:
            for part, data in parts:
                if part.canonical:
                    second.copy_canonical(intake, data)
                else:
                    untagged = intake.reader.untag(data, intake.ordinal)
                    second.read_exactly(intake, untagged, part.line, last=False)
        except FileError as error:
            intake.error = error

    def _first_bad(self, second: Batch) -> dict[int, BadRecord]:
        rows = self._tools.connection.execute(self._judgement.first_bad(self._source(second))).fetchall()
        return {row[0]: self._blame(row, second.files[row[0]]) for row in rows}

    def _blame(self, row: tuple[Any, ...], intake: Intake) -> BadRecord:
        _, line, *pairs = row
        names = self._tools.schema.names
        at = next(at for at in range(len(names)) if pairs[2 * at] is not None)
        code, raw = pairs[2 * at], pairs[2 * at + 1]
        shown = raw if len(raw) <= 100 else f"{raw[:100]}…"  # noqa: PLR2004  what fits on a line
        shown = shown if raw[:1] in {"[", "{"} else f'"{shown}"'
        message = f'{intake.reader.unit} {line}, column "{names[at]}": {shown} {said(code)} ({code})'
        return BadRecord(message, code=code, line=line, column=names[at], raw=raw)


def _raw_message(error: Exception) -> bytes:
    """An error that quotes bad bytes arrives as UnicodeDecodeError, with the message inside."""
    return error.object if isinstance(error, UnicodeDecodeError) else str(error).encode()
