"""Our column types and Iceberg's, both ways. Every field we make is optional: any file may lack any column."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, assert_never

from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    PrimitiveType,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
)

from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ICEBERG: dict[Scalar, PrimitiveType] = {
    Scalar.STRING: StringType(),
    Scalar.INT: IntegerType(),
    Scalar.BIGINT: LongType(),
    Scalar.FLOAT: FloatType(),
    Scalar.DOUBLE: DoubleType(),
    Scalar.BOOLEAN: BooleanType(),
    Scalar.TIMESTAMP: TimestamptzType(),
    Scalar.TIMESTAMP_NTZ: TimestampType(),
    Scalar.DATE: DateType(),
    Scalar.BINARY: BinaryType(),
}
_OURS: dict[PrimitiveType, Scalar] = {iceberg: ours for ours, iceberg in _ICEBERG.items()}


def iceberg_schema(schema: Schema) -> IcebergSchema:
    """The schema with provisional field ids; the catalog gives the final ones when it makes the table."""
    ids = count(1)
    return IcebergSchema(*_fields(schema.columns, ids))


def iceberg_type(data_type: DataType, ids: Iterator[int]) -> IcebergType:
    """One type; ``ids`` numbers the fields inside it."""
    match data_type:
        case Scalar():
            return _ICEBERG[data_type]
        case Decimal(precision, scale):
            return DecimalType(precision, scale)
        case Array(element):
            return ListType(element_id=next(ids), element_type=iceberg_type(element, ids), element_required=False)
        case Map(key, value):
            return MapType(
                key_id=next(ids),
                key_type=iceberg_type(key, ids),
                value_id=next(ids),
                value_type=iceberg_type(value, ids),
                value_required=False,
            )
        case Struct(columns):
            return StructType(*_fields(columns, ids))
        case _:
            assert_never(data_type)


def _fields(columns: Sequence[Column], ids: Iterator[int]) -> list[NestedField]:
    return [
        NestedField(field_id=next(ids), name=column.name, field_type=iceberg_type(column.type, ids), required=False)
        for column in columns
    ]


def our_type(iceberg: IcebergType) -> DataType | None:  # noqa: PLR0911  one return for each kind of type
    """Our type for Iceberg's, or None when it holds one that we cannot write (uuid, time, fixed, …)."""
    match iceberg:
        case DecimalType():
            return Decimal(iceberg.precision, iceberg.scale)
        case ListType():
            element = our_type(iceberg.element_type)
            return None if element is None else Array(element)
        case MapType():
            key, value = our_type(iceberg.key_type), our_type(iceberg.value_type)
            return None if key is None or value is None else Map(key, value)
        case StructType():
            columns = [(field.name, our_type(field.field_type)) for field in iceberg.fields]
            if any(inner is None for _, inner in columns):
                return None
            return Struct(tuple(Column(name, inner) for name, inner in columns if inner is not None))
        case PrimitiveType():
            return _OURS.get(iceberg)
        case _:
            return None


def fits(ours: IcebergType, theirs: IcebergType) -> bool:
    """Whether every value of the primitive ``ours`` can be written as ``theirs``: the same, or Iceberg's promotion."""
    if isinstance(ours, DecimalType) and isinstance(theirs, DecimalType):
        return ours.scale == theirs.scale and ours.precision <= theirs.precision
    promoted = {(IntegerType(), LongType()), (FloatType(), DoubleType())}
    return ours == theirs or (ours, theirs) in promoted
