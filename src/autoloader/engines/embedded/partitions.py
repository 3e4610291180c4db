"""Iceberg's partition transforms as SQL for DuckDB, so that each data file holds one partition."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

# The pure function behind bucket[N] (murmur3 over Iceberg's binary forms) comes with PyIceberg: two of them in one
# program would be one too many, and this module touches no catalog and no table.
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import (
    BinaryType,
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    StringType,
    TimestampType,
    TimestamptzType,
)

from autoloader.engines.embedded.sql import literal, quote
from autoloader.engines.embedded.values import final_type
from autoloader.errors import TableMismatch
from autoloader.schema.types import Decimal, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable

    import duckdb
    from pyiceberg.types import PrimitiveType

    from autoloader.schema.table import PartitionField
    from autoloader.schema.types import DataType

_ICEBERG: dict[DataType, PrimitiveType] = {
    Scalar.STRING: StringType(),
    Scalar.INT: IntegerType(),
    Scalar.BIGINT: LongType(),
    Scalar.TIMESTAMP: TimestamptzType(),
    Scalar.TIMESTAMP_NTZ: TimestampType(),
    Scalar.DATE: DateType(),
    Scalar.BINARY: BinaryType(),
}
_DAYS = "date_diff('day', DATE '1970-01-01', CAST({0} AS DATE))"
_YEARS = "(year({0}) - 1970)"
_CALENDAR = {
    "year": _YEARS,
    "month": f"({_YEARS} * 12 + month({{0}}) - 1)",
    "day": _DAYS,
    "hour": f"({_DAYS} * 24 + hour({{0}}))",
}
_WITH_WIDTH = re.compile(r"(bucket|truncate)\[([0-9]+)\]")


def partition_value(
    field: PartitionField, column_type: DataType, value: str, connection: duckdb.DuckDBPyConnection
) -> str:
    """SQL of a partition field's value.

    Args:
        field: of the table's spec.
        column_type: type of its source column.
        value: SQL of the typed source value.
        connection: gets the function for ``bucket``.

    Raises:
        TableMismatch: a transform that we do not know, or one that does not take this type.
    """
    if field.transform == "identity":
        return value
    if field.transform in _CALENDAR:
        return f"CAST({_CALENDAR[field.transform].format(value)} AS INTEGER)"
    width = _WITH_WIDTH.fullmatch(field.transform)
    if width is None:
        raise TableMismatch(
            f"The partition field {field.name} has the transform {field.transform}, which is not known."
        )
    if width[1] == "bucket":
        return f"{_bucket(field, column_type, int(width[2]), connection)}({value})"
    return _truncated(field, column_type, value, int(width[2]))


def _truncated(field: PartitionField, column_type: DataType, value: str, width: int) -> str:
    match column_type:
        case Scalar.STRING:
            return f"left({value}, {width})"
        case Scalar.BINARY:
            return f"unhex(left(hex({value}), {2 * width}))"
        case Scalar.INT | Scalar.BIGINT:
            kind = "INTEGER" if column_type is Scalar.INT else "BIGINT"
            wide = f"CAST({value} AS HUGEINT)"
            return f"CAST({wide} - ((({wide} % {width}) + {width}) % {width}) AS {kind})"
        case Decimal(precision, scale):
            unit = f"CAST({literal(f'{width}e-{scale}')} AS DECIMAL(38,{scale}))"
            wide = f"CAST({value} AS DECIMAL(38,{scale}))"
            return f"CAST({wide} - ((({wide} % {unit}) + {unit}) % {unit}) AS DECIMAL({precision},{scale}))"
        case _:
            raise _does_not_take(field, column_type)


def _bucket(field: PartitionField, column_type: DataType, buckets: int, connection: duckdb.DuckDBPyConnection) -> str:
    """Register a vectorised function for this type and number of buckets, once; its name as SQL."""
    source = _iceberg_type(column_type)
    if source is None:
        raise _does_not_take(field, column_type)
    name = f"bucket_{buckets}_of_{field.column}"
    known = connection.execute("SELECT count(*) FROM duckdb_functions() WHERE function_name = ?", [name]).fetchone()
    if known == (0,):
        _register(connection, name, column_type, BucketTransform(num_buckets=buckets).pyarrow_transform(source))
    return quote(name)


def _iceberg_type(column_type: DataType) -> PrimitiveType | None:
    if isinstance(column_type, Decimal):
        return DecimalType(column_type.precision, column_type.scale)
    return _ICEBERG.get(column_type)


def _register(
    connection: duckdb.DuckDBPyConnection, name: str, column_type: DataType, transform: Callable[[Any], Any]
) -> None:
    def bucket(values: pa.ChunkedArray[Any]) -> pa.Array[Any] | pa.ChunkedArray[Any]:
        buckets: pa.Array[Any] | pa.ChunkedArray[Any] = transform(values)
        return buckets.cast(pa.int32())

    connection.create_function(
        name,
        bucket,
        [final_type(column_type)],
        "INTEGER",
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )


def _does_not_take(field: PartitionField, column_type: DataType) -> TableMismatch:
    return TableMismatch(f'The transform {field.transform} cannot take column "{field.column}" of type {column_type}.')
