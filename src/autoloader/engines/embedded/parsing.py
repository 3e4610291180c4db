"""From a spool full of records to data files: one statement, and when that refuses, who is to blame.

The statement fails as a whole. Then the files at fault are found: all with bad values in one more statement, one with a
duplicate key by the tag in DuckDB's message. They are read exactly, blamed with the line or taken up again, and the
statement runs once more.

Where bad records are tolerated the statement leaves them out and tells their lines, which are taken out of the spool
and read exactly: a file is not read again for one bad record.
"""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any

import duckdb

from autoloader.engines.embedded.batch import Batch
from autoloader.engines.embedded.blaming import comes_first, first_bad, raw_message
from autoloader.engines.embedded.readers import BARE, NDJSON
from autoloader.engines.embedded.sql import literal, rows
from autoloader.engines.embedded.statement import (
    BAD_VALUE,
    Judgement,
    csv_source,
    longest_line,
    ndjson_source,
    wide_source,
    with_unknown_column,
)
from autoloader.engines.embedded.strict_json import blame
from autoloader.engines.embedded.unknown import told
from autoloader.engines.options import CsvOptions
from autoloader.engines.tolerance import FIRST_SHOWN
from autoloader.errors import AutoloaderError, BadRecord
from autoloader.model import UnknownFields
from autoloader.scratch import full

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from autoloader.engines.embedded.batch import Intake
    from autoloader.engines.embedded.spool import Segment
    from autoloader.engines.embedded.tags import Tags
    from autoloader.engines.embedded.tools import Tools
    from autoloader.engines.embedded.writing import Written
    from autoloader.engines.options import Options

_LINE_BLAMES = 16
"""So many lines with a key twice are set apart one by one: the statement begins anew for each."""
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
        self._kept = with_unknown_column(tools.schema, tags) if told(tools.unknown_fields, options) else tools.schema
        unknown = None if self._kept is tools.schema else tags.unknown
        refuses = tools.unknown_fields is UnknownFields.FAIL
        self._judgement = Judgement(self._kept, options, unknown=unknown, refuses=refuses)
        self._tag = re.compile(rb'"%s":(\d+)' % tags.file.encode())
        # A record of plain CSV does not carry its line: nobody could say which one is bad.
        self._sieves = tools.rejecting.tolerant and not isinstance(options, CsvOptions)

    def parse(self, batch: Batch) -> Written | None:
        """Write the records of every good file; the bad ones have their ``error`` set. None when nothing is left.

        Raises:
            SpoolFull: no room on the disk.
        """
        self._drop_failed(batch)
        blames = 0
        while records := sum(intake.records for intake in batch.files.values()):
            if self._sieves:
                self._tools.left_out.begin(records)
            try:
                written = self._tools.writer.write(self._good(batch))
            except duckdb.OutOfMemoryException:
                raise
            except (duckdb.Error, UnicodeDecodeError) as error:
                self._doubt(batch, error, blames)
                blames += 1
                continue
            if self._set_apart(batch, written):
                written.remove()
                continue
            self._check(batch, written)
            return written
        return None

    def _doubt(self, batch: Batch, error: Exception, blames: int) -> None:
        """The statement failed: read exactly what may be at fault."""
        named = self._tags.numbers.search(raw_message(error)) if self._sieves and blames < _LINE_BLAMES else None
        if named:
            self._read_apart({int(named[1]): array("q", [int(named[2])])}, batch)
        else:
            self._settle(self._suspects(batch, error, blames), batch)

    def _set_apart(self, batch: Batch, written: Written) -> bool:
        """Tell the bad records that were left out; whether others must be written than those that were."""
        missing = sum(intake.records for intake in batch.files.values()) - written.records
        if not missing or not self._sieves:
            return False
        found = _by_ordinal(self._tools.left_out.places())
        return sum(map(len, found.values())) == missing and self._read_apart(found, batch)

    def _read_apart(self, found: Mapping[int, array[int]], batch: Batch) -> bool:
        """Read some lines exactly, by ordinal; whether anything of them is good, or a file fails by too many."""
        second = Batch({ordinal: batch.files[ordinal] for ordinal in found}, self._tags, self._tools)
        rest = sum(second.take_apart(intake, found[ordinal]) for ordinal, intake in second.files.items())
        second.close()
        self._sieve(second)
        if second.canonical is not None:
            batch.adopt(second.canonical)
        again = sum(intake.records for intake in second.files.values()) > rest
        self._drop(second, second.files.values())
        return again or any(intake.error is not None for intake in second.files.values())

    def _check(self, batch: Batch, written: Written) -> None:
        expected = sum(intake.records for intake in batch.files.values())
        if written.records != expected:
            found = f"{written.records} rows were written where the files hold {expected}"
            raise AutoloaderError(f"{found}: nothing is loaded. This is a bug, please report it.")

    def _good(self, batch: Batch) -> str:
        """The records of the batch, each part of it read the cheapest way that is exact."""
        bare = batch.plain.get(BARE)
        judge = self._judgement
        of_bare, of_texts = (judge.sieved_bare, judge.sieved) if self._sieves else (judge.good_bare, judge.good)
        parts = [] if bare is None else [of_bare(bare, self._tags)]
        texts = self._source(batch, without=bare)
        parts += [of_texts(texts)] if texts else []
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
                found = self._tools.connection.execute(self._judgement.bad_files(self._source(batch))).fetchall()
            except (duckdb.Error, UnicodeDecodeError) as worse:
                return self._suspects(batch, worse, blames)
            return [batch.files[ordinal] for (ordinal,) in found]
        tagged = self._tag.search(raw_message(error))
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
            self._read_again(intake, second)
        second.close()
        if second.canonical is None:
            return
        if self._rejecting.tolerant:
            self._sieve(second)
            batch.adopt(second.canonical)
            return
        found = self._tools.connection.execute(self._judgement.first_bad(self._source(second))).fetchall()
        for ordinal, error in first_bad(found, second.files, self._kept.names).items():
            if not comes_first(second.files[ordinal].error, error):
                second.files[ordinal].error = error
        for intake in second.files.values():
            if intake.error is not None:
                second.blank(intake)
        batch.adopt(second.canonical)

    def _read_again(self, intake: Intake, second: Batch) -> None:
        """Slices that begin before a record that was refused are still read: they may hold an earlier one."""
        parts = intake.slices
        refused_at: int | None = None
        intake.slices, intake.records = [], 0
        for part in parts:
            data = part.read()
            part.blank()
            if refused_at is not None and part.line > refused_at:
                continue
            try:
                if part.canonical:
                    second.copy_canonical(intake, data, part.line)
                else:
                    untagged = intake.reader.untagged(data, intake.ordinal, part.line)
                    second.read_exactly(intake, untagged, last=False)
            except BadRecord as error:
                if not comes_first(intake.error, error):
                    intake.error = error
                refused_at = error.line if refused_at is None else min(refused_at, error.line or 0)

    def _sieve(self, second: Batch) -> None:
        """Write the bad records down and take them out; too many of them fail their file."""
        if second.canonical is None or self._judgement.bad == "false":
            return
        target, segment = self._tools.new_path(), second.canonical
        source = ndjson_source([segment.path], segment.longest, self._kept, self._tags, raw=True)
        bad = f"COPY ({self._judgement.all_bad(source)}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
        try:
            self._tools.connection.execute(bad).fetchall()
        except duckdb.IOException as error:
            raise full(target.parent, error) or error from None
        places = f"SELECT ordinal, line FROM read_parquet({literal(str(target))}) ORDER BY ordinal, line"
        for ordinal, lines in _by_ordinal(rows(self._tools.connection, places)).items():
            for part in second.files[ordinal].slices:
                if part.segment is segment:
                    part.take_out(lines, self._tags.opening(ordinal), self._tags.numbers)
        for ordinal, count, first in self._counted(target):
            intake = second.files[ordinal]
            intake.records -= count
            unit = intake.reader.unit
            intake.refuse(
                count, [(r["line"], blame(unit, r["line"], r["column"], r["shown"], r["reason"])) for r in first]
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


def _by_ordinal(places: Iterable[tuple[int, int]]) -> dict[int, array[int]]:
    """By ordinal, the lines of bad records; in ascending order, as they come."""
    found: dict[int, array[int]] = {}
    for ordinal, line in places:
        found.setdefault(ordinal, array("q")).append(line)
    return found
