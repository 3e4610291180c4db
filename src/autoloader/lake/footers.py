"""From a Parquet footer to the entry that a manifest keeps of the file: counts, bounds, sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.io.pyarrow import (
    MetricModeTypes,
    MetricsMode,
    StatisticsCollector,
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
)
from pyiceberg.manifest import DataFile as DataFileEntry
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.types import StringType

from autoloader.errors import TableMismatch
from autoloader.lake.types import our_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pyarrow.parquet import FileMetaData
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.typedef import Record

FIELD_ID = b"PARQUET:field_id"
"""Where pyarrow keeps a Parquet field id in the metadata of a field."""


def entry(
    metadata: TableMetadata, footer: FileMetaData, *, location: str, size_bytes: int, spec_id: int, partition: Record
) -> DataFileEntry:
    """The manifest entry of a Parquet file.

    Args:
        metadata: of the table that takes the file.
        footer: the file's own.
        location: where readers will find it.
        size_bytes: of the whole file.
        spec_id: the partition spec that ``partition`` follows.
        partition: the file's partition values.

    Raises:
        TableMismatch: a column of the file has no field id, or a required column holds NULL.
    """
    ids = dict(_leaf_ids(footer.schema.to_arrow_schema(), location))
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=footer, stats_columns=_plan(metadata, ids), parquet_column_mapping=ids
    )
    _check_required(metadata, statistics.null_value_counts, statistics.record_count, set(ids.values()))
    made = DataFileEntry.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=partition,
        file_size_in_bytes=size_bytes,
        sort_order_id=None,
        spec_id=spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )
    made.spec_id = spec_id
    return made


def _plan(metadata: TableMetadata, ids: dict[str, int]) -> dict[int, StatisticsCollector]:
    planned = compute_statistics_plan(metadata.schema(), metadata.properties)
    counts, nothing = MetricsMode(MetricModeTypes.COUNTS), MetricsMode(MetricModeTypes.NONE)
    plan = {
        # Bounds of types that we do not write (fixed, uuid, …) are left out: the library fails on some of them.
        field_id: collector if our_type(collector.iceberg_type) is not None else replace(collector, mode=counts)
        for field_id, collector in planned.items()
    }
    for path, field_id in ids.items():  # a column that was dropped since the file was written
        plan.setdefault(field_id, StatisticsCollector(field_id, StringType(), nothing, path))
    return plan


def _check_required(metadata: TableMetadata, nulls: dict[int, int], rows: int, present: set[int]) -> None:
    for field in metadata.schema().fields:
        if not field.required or not field.field_type.is_primitive:
            continue
        missing = nulls.get(field.field_id, 0) if field.field_id in present else rows
        if missing:
            raise TableMismatch(f"The table requires a value in {field.name}, and {missing} rows have none.")


def _leaf_ids(schema: pa.Schema, location: str) -> Iterator[tuple[str, int]]:
    for field in schema:
        yield from _leaves(field.name, field, location)


def _leaves(path: str, field: pa.Field[Any], location: str) -> Iterator[tuple[str, int]]:
    """Field ids by Parquet path, as pyarrow and DuckDB lay out lists and maps."""
    data_type = field.type
    if pa.types.is_struct(data_type):
        for inner in data_type:
            yield from _leaves(f"{path}.{inner.name}", inner, location)
    elif pa.types.is_map(data_type):
        yield from _leaves(f"{path}.key_value.key", data_type.key_field, location)
        yield from _leaves(f"{path}.key_value.value", data_type.item_field, location)
    elif pa.types.is_list(data_type) or pa.types.is_large_list(data_type):
        yield from _leaves(f"{path}.list.element", data_type.value_field, location)
    else:
        yield path, field_id(field, location)


def field_id(field: pa.Field[Any], location: str) -> int:
    """The field id that the file itself gives the column.

    Raises:
        TableMismatch: it gives none; readers would not find the column.
    """
    given = (field.metadata or {}).get(FIELD_ID)
    if given is None:
        raise TableMismatch(f"The column {field.name} of {location} has no Iceberg field id.")
    return int(given)
