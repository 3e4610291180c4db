"""One data file written again without some of its rows: streamed, with the same columns, field ids and partition."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyiceberg.manifest import FileFormat

from autoloader.errors import TableMismatch
from autoloader.lake.answers import translated
from autoloader.lake.footers import FIELD_ID, entry
from autoloader.model import LOAD_ID, SOURCE_FILE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.table import Table

_BATCH_ROWS = 16_384
_BATCH_BYTES = 16 * 1024**2
_ROW_GROUP_BYTES = 64 * 1024**2


class Leaving(Protocol):
    """Which rows must leave, told by two columns."""

    def among(self, source_file: pa.Array[Any], load_id: pa.Array[Any]) -> pa.BooleanArray:
        """True for each row that must leave."""
        ...


class RowsOf:
    """All rows of some source files.

    Args:
        paths: of the files.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = pa.array(sorted(paths), pa.string())

    def among(self, source_file: pa.Array[Any], load_id: pa.Array[Any]) -> pa.BooleanArray:  # noqa: ARG002
        """True for each row that must leave."""
        return pc.is_in(source_file.cast(pa.string()), value_set=self._paths)


class OldRows:
    """Which rows must leave: those of some paths that were brought by some loads.

    Args:
        replaced: loads by path; a row leaves when its ``_source_file`` is there and its ``_load_id`` among its loads.
    """

    def __init__(self, replaced: Mapping[str, frozenset[UUID]]) -> None:
        self._pairs = pa.array([f"{load}/{path}" for path, loads in replaced.items() for load in loads], pa.string())

    def among(self, source_file: pa.Array[Any], load_id: pa.Array[Any]) -> pa.BooleanArray:
        """True for each row that must leave."""
        joined = (load_id.cast(pa.string()), source_file.cast(pa.string()), pa.scalar("/"))
        pairs = pc.binary_join_element_wise(*joined)  # type: ignore[call-overload]  # the stubs know no scalar here
        return cast("pa.BooleanArray", pc.fill_null(pc.is_in(pairs, value_set=self._pairs), False))


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of one data file that readers see, and how many of them must leave."""

    live: int
    leaving: int


class OldFile:
    """A data file of the base snapshot that may hold old rows.

    Args:
        table: the base.
        data_file: its entry.
        deletes: position delete files of other engines that apply to it.
    """

    def __init__(self, table: Table, data_file: DataFileEntry, deletes: frozenset[DataFileEntry]) -> None:
        self._table = table
        self._entry = data_file
        self._gone = self._positions(deletes)

    def count(self, old: Leaving) -> Count:
        """Look at two columns only.

        Raises:
            TableMismatch: the file is not Parquet.
        """
        live = leaving = 0
        with self._opened() as file:
            columns = self._identifying(file.schema_arrow)
            if columns is None:
                return Count(file.metadata.num_rows - len(self._gone), 0)
            for batch in self._live(file, list(columns)):
                live += batch.num_rows
                leaving += old.among(batch.column(columns[0]), batch.column(columns[1])).true_count
        return Count(live, leaving)

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Every row that readers see, all columns.

        Raises:
            TableMismatch: the file is not Parquet.
        """
        with self._opened() as file:
            yield from self._live(file, None)

    def identities(self) -> Iterator[pa.RecordBatch | int]:
        """``_source_file`` and ``_load_id`` of every row that readers see; how many there are, without such columns.

        Raises:
            TableMismatch: the file is not Parquet.
        """
        with self._opened() as file:
            columns = self._identifying(file.schema_arrow)
            if columns is None:
                yield file.metadata.num_rows - len(self._gone)
                return
            for batch in self._live(file, list(columns)):
                yield batch.select(columns)

    def rewrite(self, old: Leaving, location: str) -> DataFileEntry:
        """Write the rows that stay to ``location``; memory is bounded by a row group of the source.

        Raises:
            TableMismatch: the file cannot be described as one of this table's.
        """
        with self._opened() as file, translated(f"writing {location}"):
            columns = self._identifying(file.schema_arrow)
            if columns is None:
                raise TableMismatch(f"{self._entry.file_path} has no {SOURCE_FILE}: it holds nothing to take out.")
            output = self._table.io.new_output(location)
            with output.create(overwrite=True) as stream:
                footer = self._written(file, columns, old, cast("IO[Any]", stream))
        return entry(
            self._table.metadata,
            footer,
            location=location,
            size_bytes=len(output.to_input_file()),
            spec_id=self._entry.spec_id,
            partition=self._entry.partition,
        )

    def _written(
        self, file: pq.ParquetFile, columns: tuple[str, str], old: Leaving, stream: IO[Any]
    ) -> pq.FileMetaData:
        with pq.ParquetWriter(stream, file.schema_arrow, compression="zstd") as writer:
            waiting: list[pa.RecordBatch] = []
            for batch in self._live(file, None):
                waiting.append(batch.filter(pc.invert(old.among(batch.column(columns[0]), batch.column(columns[1])))))
                if sum(kept.nbytes for kept in waiting) >= _ROW_GROUP_BYTES:
                    writer.write_table(pa.Table.from_batches(waiting))
                    waiting = []
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting))
        return writer.writer.metadata

    def _live(self, file: pq.ParquetFile, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        start = 0
        for batch in file.iter_batches(batch_size=_batch_rows(file), columns=columns, use_threads=False):
            end = start + batch.num_rows
            gone = self._gone[bisect_left(self._gone, start) : bisect_left(self._gone, end)]
            yield _without(batch, {position - start for position in gone}) if gone else batch
            start = end

    @contextmanager
    def _opened(self) -> Iterator[pq.ParquetFile]:
        path = self._entry.file_path
        if self._entry.file_format != FileFormat.PARQUET:
            raise TableMismatch(f"{path} is {self._entry.file_format}: rows can only be taken out of Parquet files.")
        with translated(f"reading {path}"), self._table.io.new_input(path).open() as stream:
            # INT96 instants, which older Spark writes, would come back as nanoseconds that Iceberg does not read.
            yield pq.ParquetFile(cast("IO[Any]", stream), buffer_size=1024**2, coerce_int96_timestamp_unit="us")

    def _identifying(self, schema: pa.Schema) -> tuple[str, str] | None:
        """The file's own names of ``_source_file`` and ``_load_id``; None when it has none: then no row is ours."""
        names = [self._name_in(schema, column) for column in (SOURCE_FILE, LOAD_ID)]
        return (names[0], names[1]) if names[0] is not None and names[1] is not None else None

    def _name_in(self, schema: pa.Schema, column: str) -> str | None:
        wanted = str(self._table.schema().find_field(column, case_sensitive=False).field_id).encode()
        return next((field.name for field in schema if (field.metadata or {}).get(FIELD_ID) == wanted), None)

    def _positions(self, deletes: frozenset[DataFileEntry]) -> array[int]:
        """Row numbers of this file that other engines deleted, in order."""
        found = array("q")
        for delete in deletes:
            found.extend(self._positions_in(delete))
        return array("q", sorted(set(found)))

    def _positions_in(self, delete: DataFileEntry) -> list[int]:
        if delete.file_format != FileFormat.PARQUET:
            raise TableMismatch(f"The deletes in {delete.file_path} cannot be read: compact the table first.")
        mine = pc.field("file_path") == self._entry.file_path
        with translated(f"reading {delete.file_path}"), self._table.io.new_input(delete.file_path).open() as stream:
            read = pq.read_table(cast("IO[Any]", stream), columns=["pos"], filters=mine)
        return [position for position in read.column("pos").to_pylist() if position is not None]


def _batch_rows(file: pq.ParquetFile) -> int:
    """How many rows are read at once: fewer where rows are wide."""
    groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
    widest = max((group.total_byte_size // max(group.num_rows, 1) for group in groups), default=0)
    return max(1, min(_BATCH_ROWS, _BATCH_BYTES // max(widest, 1)))


def _without(batch: pa.RecordBatch, gone: set[int]) -> pa.RecordBatch:
    return batch.take(pa.array([row for row in range(batch.num_rows) if row not in gone], pa.int64()))
