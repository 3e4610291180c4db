"""Parquet: footers are checked against the schema, and only Iceberg's promotions are cast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.engines.embedded.parquet_names import FILE, called_otherwise, clash, require_unambiguous
from autoloader.engines.embedded.sql import literal, quote
from autoloader.engines.embedded.strict_json import UNKNOWN_FIELD
from autoloader.engines.embedded.typed_unknown import unknown_json
from autoloader.engines.embedded.values import final_type
from autoloader.engines.footers import check_columns, first_unknown, unknown_columns
from autoloader.errors import FileError, FileUnreadable, TypeMismatch
from autoloader.model import UnknownFields
from autoloader.scratch import room

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from io import BufferedWriter
    from pathlib import Path

    from autoloader.engines.embedded.fetch import Block
    from autoloader.engines.embedded.tools import Tools
    from autoloader.engines.embedded.writing import Written
    from autoloader.model import ClaimedFile
    from autoloader.schema.types import Schema

NOTHING = "NULL::VARCHAR"
_ROW = "s"


@dataclass(slots=True)
class ParquetIntake:
    """One Parquet file in the spool.

    Attributes:
        found: for each column of the schema, the name of the file's column, None where it has none.
        unknown: SQL of the text about the fields that the schema does not know.
    """

    file: ClaimedFile
    ordinal: int
    path: Path
    records: int = 0
    rejected: int = 0
    bytes_read: int = 0
    seconds: float = 0.0
    error: FileError | None = None
    found: tuple[str | None, ...] = ()
    unknown: str = NOTHING


class Convert(Protocol):
    """Writes a file of another format down as Parquet, in bounded memory."""

    def __call__(self, source: Path, target: Path, schema: Schema, *, every: bool) -> None:
        """Write the columns of ``source`` into ``target``: those that the schema asks for, or every one.

        Raises:
            FileUnreadable: it is not of the format, or is broken or truncated.
            TypeMismatch: the type of a column cannot become that of the schema without loss.
            SpoolFull: no room on the disk.
        """
        ...


class ParquetRoute:
    """Spools Parquet files as they are, and files of a format that can be converted as Parquet.

    Args:
        tools: of the load.
        convert: from the format to Parquet; None: they are Parquet.
        source_row: whether each row is to be numbered.
    """

    def __init__(self, tools: Tools, convert: Convert | None = None, *, source_row: bool) -> None:
        self._tools = tools
        self._convert = convert
        self._source_row = source_row

    def spool(self, files: Sequence[tuple[int, ClaimedFile]], fetched: Callable[[int], None]) -> SpooledParquet:
        """Fetch some files and check their footers."""
        intakes = {ordinal: ParquetIntake(file, ordinal, self._tools.new_path()) for ordinal, file in files}
        open_files: dict[int, BufferedWriter] = {}
        try:
            for block in self._tools.fetcher.blocks(files, _whole):
                self._write(intakes[block.ordinal], block, open_files)
                fetched(block.bytes_read)
        finally:
            for file in open_files.values():
                file.close()
        for intake in intakes.values():
            self._check(intake)
        return SpooledParquet(list(intakes.values()), self._tools, source_row=self._source_row)

    def _write(self, intake: ParquetIntake, block: Block, open_files: dict[int, BufferedWriter]) -> None:
        intake.bytes_read += block.bytes_read
        intake.seconds = block.seconds
        if block.error is not None:
            if not isinstance(block.error, FileError):
                raise block.error
            intake.error = block.error
        with room(intake.path.parent):
            if block.ordinal not in open_files:
                open_files[block.ordinal] = intake.path.open("wb")
            open_files[block.ordinal].write(block.data)
            if block.last:
                open_files.pop(block.ordinal).close()

    def _check(self, intake: ParquetIntake) -> None:
        if intake.error is not None or intake.path.stat().st_size == 0:
            return
        try:
            self._take_up(intake)
            with pq.ParquetFile(intake.path) as parquet:
                columns, intake.records = parquet.schema_arrow, parquet.metadata.num_rows
            self._look_at(intake, columns)
        except (pa.ArrowException, OSError) as error:
            intake.error = FileUnreadable(f"the file is not Parquet, or is broken or truncated: {_first_line(error)}")
        except FileError as error:
            intake.error = error

    def _look_at(self, intake: ParquetIntake, columns: pa.Schema) -> None:
        """Match the file's columns with those of the schema, under names that DuckDB keeps apart."""
        schema, every = self._tools.schema, self._tools.unknown_fields is not UnknownFields.IGNORE
        require_unambiguous(columns, None if every else {name.casefold() for name in schema.names})
        names = check_columns(columns, schema)
        called: dict[str, str] = {}
        if clash(columns.names):
            source, intake.path = intake.path, self._tools.new_path()
            called = called_otherwise(source, intake.path)
            source.unlink()
        self._look_for_unknown(intake, columns, names, called)
        intake.found = tuple(None if name is None else called.get(name, name) for name in names)

    def _look_for_unknown(
        self, intake: ParquetIntake, columns: pa.Schema, found: Sequence[str | None], called: Mapping[str, str]
    ) -> None:
        """The file says itself what its fields are, so where unknown ones are to fail it does so as a whole."""
        schema, mode = self._tools.schema, self._tools.unknown_fields
        if mode is UnknownFields.FAIL and (path := first_unknown(columns, schema, found)) is not None:
            raise TypeMismatch(f'the field "{path}" of the file is not in the schema ({UNKNOWN_FIELD})')
        if mode.keeps:
            if self._tools.newcomers is not None:
                names = unknown_columns(columns, found)
                self._tools.newcomers.see_typed(columns.field(name) for name in names)
            intake.unknown = unknown_json(columns, schema, found, _ROW, called) or NOTHING

    def _take_up(self, intake: ParquetIntake) -> None:
        """The file as Parquet, in place of what it was."""
        if self._convert is None:
            return
        source, intake.path = intake.path, self._tools.new_path()
        try:
            every = self._tools.unknown_fields is not UnknownFields.IGNORE
            self._convert(source, intake.path, self._tools.schema, every=every)
        finally:
            source.unlink()


def _whole(stream: Iterator[bytes]) -> Iterator[bytes]:
    return stream


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


class SpooledParquet:
    """Parquet files on disk."""

    def __init__(self, intakes: list[ParquetIntake], tools: Tools, *, source_row: bool) -> None:
        self._intakes = intakes
        self._source_row = source_row
        self._tools = tools

    def parse(self) -> Written | None:
        """Write all good files; when that fails each is read alone, to find the broken ones."""
        good = self._good()
        if not good:
            return None
        try:
            return self._tools.writer.write(self._select(good))
        except (duckdb.Error, UnicodeDecodeError) as failure:
            broken = [intake for intake in good if self._broken(intake)]
            if not broken:
                raise failure from None
            return self.parse()

    def _good(self) -> list[ParquetIntake]:
        return [intake for intake in self._intakes if intake.error is None and intake.records]

    def _broken(self, intake: ParquetIntake) -> bool:
        every = ", ".join(f"typed{at}" for at in range(len(self._tools.schema.columns)))
        try:
            # A count would be told from the statistics: only a hash has every value read.
            self._tools.connection.execute(f"SELECT bit_xor(hash({every})) FROM ({self._select([intake])})").fetchall()
        except (duckdb.Error, UnicodeDecodeError) as error:
            intake.error = FileUnreadable(f"the file has a good footer but cannot be read: {_first_line(error)}")
        return intake.error is not None

    def _select(self, intakes: Sequence[ParquetIntake]) -> str:
        """One read for each group of files that have the same columns."""
        groups: dict[tuple[tuple[str | None, ...], str], list[ParquetIntake]] = {}
        for intake in intakes:
            groups.setdefault((intake.found, intake.unknown), []).append(intake)
        return " UNION ALL ".join(self._group(found, unknown, same) for (found, unknown), same in groups.items())

    def _group(self, found: tuple[str | None, ...], unknown: str, intakes: Sequence[ParquetIntake]) -> str:
        values = ", ".join(
            f"CAST({'NULL' if name is None else f'{_ROW}.{quote(name)}'} AS {final_type(column.type)}) AS typed{at}"
            for at, (name, column) in enumerate(zip(found, self._tools.schema.columns, strict=True))
        )
        if self._tools.unknown_fields is not UnknownFields.IGNORE:
            values += f", {unknown} AS typed{len(found)}"
        line, numbered = ("s.file_row_number + 1", "file_row_number = true, ") if self._source_row else ("NULL", "")
        listed = ", ".join(literal(str(intake.path)) for intake in intakes)
        ordinals = ", ".join(f"({literal(str(intake.path))}, {intake.ordinal})" for intake in intakes)
        return (
            f"SELECT o.ordinal, {line} AS line, {values} FROM read_parquet([{listed}], filename = {literal(FILE)}, "
            f"{numbered}union_by_name = true) s JOIN (VALUES {ordinals}) o(path, ordinal) ON s.{FILE} = o.path"
        )

    def verdicts(self) -> Sequence[ParquetIntake]:
        """Every file of the batch."""
        return self._intakes

    def remove(self) -> None:
        """Give the room back."""
        for intake in self._intakes:
            intake.path.unlink(missing_ok=True)
