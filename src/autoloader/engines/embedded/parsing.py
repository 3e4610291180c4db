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
from autoloader.engines.embedded.sql import literal
from autoloader.engines.embedded.statement import (
    BAD_VALUE,
    Judgement,
    csv_source,
    kept,
    longest_line,
    ndjson_source,
    wide_source,
)
from autoloader.engines.embedded.strict_json import UNKNOWN_FIELD, blame
from autoloader.engines.options import CsvOptions
from autoloader.engines.tolerance import FIRST_SHOWN
from autoloader.errors import AutoloaderError, BadRecord, FileError
from autoloader.model import UnknownFields
from autoloader.scratch import full

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

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
        self._rejecting = tools.rejecting
        self._kept = kept(tools.schema, tools.unknown_fields, tags)
        mode = tools.unknown_fields
        unknown = None if mode is UnknownFields.IGNORE else tags.unknown
        self._judgement = Judgement(self._kept, options, unknown=unknown, refuses=mode is UnknownFields.FAIL)
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
        parts = [] if bare is None else [self._judgement.good_bare([bare.path], bare.longest, self._tags)]
        texts = self._source(batch, without=bare)
        parts += [self._judgement.good(texts)] if texts else []
        if batch.sieved:
            paths = [segment.path for segment in batch.sieved]
            sieved = ndjson_source(paths, longest_line(batch.sieved), self._kept, self._tags)
            parts.append(self._judgement.sieved(sieved))
        return " UNION ALL ".join(parts)

    def _source(self, batch: Batch, without: Segment | None = None) -> str:
        """Every leaf of every record as text; empty where nothing is left."""
        sources = []
        ndjson = [segment for segment in batch.ndjson if segment is not without]
        if ndjson:
            paths = [segment.path for segment in ndjson]
            sources.append(ndjson_source(paths, longest_line(ndjson), self._kept, self._tags))
        for layout, segment in batch.plain.items():
            if layout in {NDJSON, BARE}:
                continue
            schema, unknown = self._tools.schema, self._tools.unknown_fields
            if isinstance(self._options, CsvOptions):
                sources.append(csv_source(segment, layout, schema, self._options, unknown))
            else:
                sources.append(wide_source(segment, layout, schema, self._tags, unknown))
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
        if self._rejecting.tolerant:
            self._drop(batch, batch.files.values())
            return
        failed = [intake for intake in batch.files.values() if intake.error is not None]
        self._settle([intake for intake in failed if intake.slices], batch)

    def _drop(self, batch: Batch, intakes: Iterable[Intake]) -> None:
        """Take out the files that failed, or have more bad records than they may have."""
        for intake in intakes:
            if intake.error is None and intake.rejected and (why := self._rejecting.exceeded(intake)):
                intake.error = BadRecord(why, code="too_many")
            if intake.error is not None:
                batch.blank(intake)

    def _settle(self, suspects: Iterable[Intake], batch: Batch) -> None:
        """Read the suspects exactly, blame those with a bad record, and take the others up again."""
        second = Batch({intake.ordinal: intake for intake in suspects}, self._tags, self._tools)
        for intake in second.files.values():
            self._read_again(intake, batch, second)
        second.close()
        if second.canonical is None:
            return
        if self._rejecting.tolerant:
            self._sieve(second)
            batch.adopt(second.canonical)
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

    def _sieve(self, second: Batch) -> None:
        """Write the bad records down; too many of them fail their file."""
        if second.canonical is None or self._judgement.bad == "false":
            return
        target, segment = self._tools.new_path(), second.canonical
        source = ndjson_source([segment.path], segment.longest, self._kept, self._tags, raw=True)
        bad = f"COPY ({self._judgement.all_bad(source)}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
        try:
            self._tools.connection.execute(bad).fetchall()
        except duckdb.IOException as error:
            raise full(target.parent, error) or error from None
        for ordinal, rows, first in self._counted(target):
            intake = second.files[ordinal]
            intake.records -= rows
            unit = intake.reader.unit
            intake.refuse(
                rows, [(r["line"], blame(unit, r["line"], r["column"], r["shown"], r["reason"])) for r in first]
            )
        self._drop(second, second.files.values())
        if self._rejecting.keeps:
            self._rejecting.adopt(target, next(iter(second.files.values())).reader.unit)
        else:
            target.unlink()

    def _counted(self, spilled: Path) -> list[tuple[int, int, list[dict[str, Any]]]]:
        """By file, how many bad records there are, and the first of them."""
        told = "{'line': line, 'column': \"column\", 'shown': shown, 'reason': reason}"
        counted = f"SELECT ordinal, count(*), min({told}, {FIRST_SHOWN}) FROM read_parquet({literal(str(spilled))})"
        return self._tools.connection.execute(f"{counted} GROUP BY ordinal").fetchall()

    def _first_bad(self, second: Batch) -> dict[int, BadRecord]:
        rows = self._tools.connection.execute(self._judgement.first_bad(self._source(second))).fetchall()
        return {row[0]: self._blame(row, second.files[row[0]]) for row in rows}

    def _blame(self, row: tuple[Any, ...], intake: Intake) -> BadRecord:
        _, line, *pairs = row
        names = self._kept.names
        at = next(at for at in range(len(names)) if pairs[2 * at] is not None)
        code, raw = pairs[2 * at], pairs[2 * at + 1]
        column = raw if code == UNKNOWN_FIELD else names[at]
        message = blame(intake.reader.unit, line, column, raw, code)
        return BadRecord(message, code=code, line=line, column=column, raw=raw)


def _raw_message(error: Exception) -> bytes:
    """An error that quotes bad bytes arrives as UnicodeDecodeError, with the message inside."""
    return error.object if isinstance(error, UnicodeDecodeError) else str(error).encode()
