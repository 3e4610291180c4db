"""COPY into Parquet: one file, or one for each partition, with the partition's values told from what was written."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from autoloader.engines.embedded.partitions import PartitionKey, bucket_of, partition_keys, with_buckets
from autoloader.engines.embedded.sql import begin, literal, quote
from autoloader.engines.embedded.statement import PARTITION
from autoloader.model import DataFile
from autoloader.scratch import full

if TYPE_CHECKING:
    from autoloader.engines.embedded.table_columns import TableColumns
    from autoloader.schema.table import TableShape

_BUCKETED = "autoloader_bucketed"
_ROWS_AT_ONCE = 32_768
_PARTITIONED = f"PARTITION_BY ({PARTITION}), WRITE_PARTITION_COLUMNS false"
_REPEATS = 15
"""A column gets a dictionary where each value comes so often in a row group, on average. DuckDB is content with five:
to find out that a column has even more values took an eighth of the time of writing. Between the two a column of text
takes a tenth more room."""
_LARGEST_FILE = "480MB"
"""DuckDB looks at the size between row groups: a little under the 512 MB that a data file may have."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one COPY left behind."""

    files: list[DataFile]
    records: int

    def remove(self) -> None:
        """Take the files away: others will be written in their place."""
        for made in self.files:
            Path(made.location).unlink()


class ParquetWriter:
    """Writes the data files of one load.

    Args:
        connection: to DuckDB; bucket functions are registered with it.
        shape: of the table.
        columns: what is written.
        folder: where the files go until they are put.
        row_group: rows of one row group.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        shape: TableShape,
        columns: TableColumns,
        folder: Path,
        row_group: int,
    ) -> None:
        self._connection = connection
        self._columns = columns
        self._folder = folder
        self._row_group = row_group
        self._numbers = itertools.count()
        self._keys = partition_keys(shape.partition, {column.name: column.type for column in shape.schema.columns})

    def write(self, good: str) -> Written:
        """Run the statement over typed, good records.

        Raises:
            SpoolFull: no room for the Parquet files.
            duckdb.Error: a record is bad or malformed; nothing is left behind.
        """
        target = self._folder / f"out-{next(self._numbers)}"
        stats = self._copied(self._statement(good, target), target)
        files = [(str(name), int(count)) for name, count, *_ in stats if count]
        for name, count, *_ in stats:
            if not count:
                Path(name).unlink()
        return Written(self._data_files(files), sum(count for _, count in files))

    def _statement(self, good: str, target: Path) -> str:
        select = self._columns.select(good)
        options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {self._row_group}, RETURN_STATS"
        options += f", DICTIONARY_SIZE_LIMIT {self._row_group // _REPEATS}"
        options += f", FIELD_IDS {self._columns.field_ids}"
        if self._keys:
            select, options = self._partitioned(select), f"{options}, {_PARTITIONED}"
        return f"COPY ({select}) TO {literal(str(target))} ({options}, FILE_SIZE_BYTES '{_LARGEST_FILE}')"

    def _partitioned(self, select: str) -> str:
        """The rows with the column that files are split by: a hash, for paths must not hold what values may."""
        names = [key.sql for key in self._keys if key.bucket is not None]
        left_out = f" EXCLUDE ({', '.join(names)})" if names else ""
        if names:
            # Another connection to the same database reads, so that this one is free to write.
            begin(reading := self._connection.cursor())
            rows = reading.sql(select).to_arrow_reader(_ROWS_AT_ONCE)
            self._connection.register(_BUCKETED, with_buckets(rows, self._keys))
            select = f"SELECT * FROM {_BUCKETED}"
        split = f"hash({', '.join(key.sql for key in self._keys)}) AS {PARTITION}"
        return f"SELECT *{left_out}, {split} FROM ({select})"

    def _copied(self, statement: str, target: Path) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement).fetchall()
        except duckdb.IOException as error:
            if (no_room := full(self._folder, error)) is not None:
                raise no_room from None
            raise
        except duckdb.Error:
            _remove(target)
            raise

    def _data_files(self, files: list[tuple[str, int]]) -> list[DataFile]:
        if not self._keys or not files:
            return [DataFile(location=Path(name), records=count) for name, count in files]
        partitions = self._partitions([name for name, _ in files])
        return [DataFile(location=Path(name), records=count, partition=partitions[name]) for name, count in files]

    def _partitions(self, names: list[str]) -> dict[str, tuple[Any, ...]]:
        """The partition of each file, read back from its rows: exact whatever the values look like as text."""
        found = self._read_back(names)
        columns = [
            found.column(f"k{at}").combine_chunks() if key.bucket is None else _buckets(key, found.column(f"k{at}"))
            for at, key in enumerate(self._keys)
        ]
        if not all(found.column("single").to_pylist()):
            raise AssertionError("two partitions have the same hash")
        partitions = zip(*(column.to_pylist() for column in columns), strict=True)
        return dict(zip(map(str, found.column("filename").to_pylist()), partitions, strict=True))

    def _read_back(self, names: list[str]) -> pa.Table:
        known = [key.sql for key in self._keys if key.bucket is None]
        single = " AND ".join(map(_one_value, known)) or "true"
        values = ", ".join(
            f"any_value({key.sql if key.bucket is None else quote(key.column)}) AS k{at}"
            for at, key in enumerate(self._keys)
        )
        files = f"read_parquet([{', '.join(map(literal, names))}], filename = true)"
        read = f"SELECT filename, {single} AS single, {values} FROM {files} GROUP BY filename"
        reader: pa.RecordBatchReader = self._connection.sql(read).to_arrow_reader()
        return reader.read_all()


def _one_value(sql: str) -> str:
    return f"min({sql}) IS NOT DISTINCT FROM max({sql}) AND count({sql}) IN (0, count(*))"


def _buckets(key: PartitionKey, values: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    whole: pa.Array[Any] = pa.concat_arrays(values.chunks) if values.num_chunks else pa.nulls(0)
    return bucket_of(key, whole)


def _remove(folder: Path) -> None:
    for below, _, names in os.walk(folder):
        for name in names:
            Path(below, name).unlink()
