"""COPY into Parquet: one file, or one for each partition, with the partition's values told from what was written."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from autoloader.engines.embedded.partitions import partition_value
from autoloader.engines.embedded.sql import literal, quote
from autoloader.engines.embedded.statement import PARTITION
from autoloader.errors import SpoolFull
from autoloader.model import DataFile

if TYPE_CHECKING:
    import pyarrow as pa

    from autoloader.engines.embedded.statement import TableColumns
    from autoloader.schema.table import TableShape

_LARGEST_FILE = "480MB"
"""DuckDB looks at the size between row groups: a little under the 512 MB that a data file may have."""


@dataclass(frozen=True, slots=True)
class Written:
    """What one COPY left behind."""

    files: list[DataFile]
    records: int


class ParquetWriter:
    """Writes the data files of one load.

    Args:
        connection: to DuckDB; bucket functions are registered with it.
        shape: of the table.
        columns: what is written.
        folder: where the files go until they are put.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, shape: TableShape, columns: TableColumns, folder: Path
    ) -> None:
        self._connection = connection
        self._columns = columns
        self._folder = folder
        self._numbers = itertools.count()
        types = {column.name: column.type for column in shape.schema.columns}
        self._keys = [
            partition_value(part, types[part.column], quote(part.column), connection) for part in shape.partition
        ]

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
        options = f"FORMAT parquet, COMPRESSION zstd, RETURN_STATS, FIELD_IDS {self._columns.field_ids}"
        if self._keys:
            select = f"SELECT *, hash({', '.join(self._keys)}) AS {PARTITION} FROM ({select})"
            options += f", PARTITION_BY ({PARTITION}), WRITE_PARTITION_COLUMNS false"
        return f"COPY ({select}) TO {literal(str(target))} ({options}, FILE_SIZE_BYTES '{_LARGEST_FILE}')"

    def _copied(self, statement: str, target: Path) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(statement).fetchall()
        except duckdb.IOException as error:
            if "No space left" in str(error):
                raise SpoolFull(f"No room left in {self._folder} for the data files: free some.") from None
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
        lows = ", ".join(f"min({key}) AS k{at}" for at, key in enumerate(self._keys))
        one = " AND ".join(
            f"min({key}) IS NOT DISTINCT FROM max({key}) AND count({key}) IN (0, count(*))" for key in self._keys
        )
        listed = ", ".join(map(literal, names))
        read = (
            f"SELECT filename, {one} AS single, {lows} FROM read_parquet([{listed}], filename = true) GROUP BY filename"
        )
        reader: pa.RecordBatchReader = self._connection.sql(read).to_arrow_reader()
        found: dict[str, tuple[Any, ...]] = {}
        for row in reader.read_all().to_pylist():
            if not row["single"]:
                raise AssertionError(f"two partitions share the hash of {row['filename']}")
            found[row["filename"]] = tuple(row[f"k{at}"] for at in range(len(self._keys)))
        return found


def _remove(folder: Path) -> None:
    for below, _, names in os.walk(folder):
        for name in names:
            Path(below, name).unlink()
