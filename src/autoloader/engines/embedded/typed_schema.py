"""The schema that typed files (Parquet, Avro, ORC) tell, in our types, where every value has a place in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.errors import FileUnreadable, UsageError
from autoloader.schema.names import FIELD, MOST_DIGITS
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Column, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from autoloader.schema.types import DataType

_SCALARS = {
    pa.int8(): Scalar.INT,
    pa.int16(): Scalar.INT,
    pa.int32(): Scalar.INT,
    pa.uint8(): Scalar.INT,
    pa.uint16(): Scalar.INT,
    pa.uint32(): Scalar.BIGINT,
    pa.int64(): Scalar.BIGINT,
    pa.float32(): Scalar.FLOAT,
    pa.float64(): Scalar.DOUBLE,
    pa.bool_(): Scalar.BOOLEAN,
    pa.string(): Scalar.STRING,
    pa.large_string(): Scalar.STRING,
    pa.binary(): Scalar.BINARY,
    pa.large_binary(): Scalar.BINARY,
    pa.date32(): Scalar.DATE,
}
_WIDER = {(Scalar.INT, Scalar.BIGINT), (Scalar.FLOAT, Scalar.DOUBLE)}
_KEPT_UNITS = ("s", "ms", "us")


def schema_of_typed(samples: Sequence[Path], columns_of: Callable[[Path], pa.Schema], kind: str) -> Schema:
    """The columns of all files, each as wide as the widest; a file that is not of the format is passed over.

    Args:
        columns_of: what a file says of itself; raises FileUnreadable.
        kind: name of the format, for messages.

    Raises:
        UsageError: a type that has no column type (uint64, time, a union, …), or two files that contradict each other;
            the message names the column and the types.
    """
    found: dict[str, DataType] = {}
    for sample in samples:
        try:
            fields = columns_of(sample)
        except FileUnreadable:
            continue
        for field in fields:
            column_type = our_type(field.type, field.name, kind)
            found[field.name] = widest(found.get(field.name, column_type), column_type, field.name)
    return Schema(tuple(Column(name, column_type) for name, column_type in found.items()))


def parquet_columns(sample: Path) -> pa.Schema:
    """What the footer of a Parquet file says.

    Raises:
        FileUnreadable: it has none.
    """
    try:
        return pq.read_schema(sample)
    except (pa.ArrowException, OSError) as error:
        raise FileUnreadable(f"the file is not Parquet, or is broken or truncated: {error}") from None


def our_type(  # noqa: PLR0911  one return for each kind of type
    arrow: pa.DataType, path: str, kind: str
) -> DataType:
    """Our type for a type of a file.

    Raises:
        UsageError: there is none.
    """
    if arrow in _SCALARS:
        return _SCALARS[arrow]
    match arrow:
        case pa.DictionaryType():
            return our_type(arrow.value_type, path, kind)
        case pa.TimestampType() if arrow.unit in _KEPT_UNITS:
            return Scalar.TIMESTAMP if arrow.tz else Scalar.TIMESTAMP_NTZ
        case pa.FixedSizeBinaryType() if not pa.types.is_decimal(arrow):
            return Scalar.BINARY
        case pa.ListType() | pa.LargeListType():
            return Array(our_type(arrow.value_type, f"{path}.element", kind))
        case pa.MapType():
            return Map(our_type(arrow.key_type, f"{path}.key", kind), our_type(arrow.item_type, f"{path}.value", kind))
        case pa.StructType():
            fields = [arrow.field(at) for at in range(arrow.num_fields)]
            return Struct(tuple(Column(f.name, our_type(f.type, f"{path}.{f.name}", kind)) for f in fields))
        case _ if pa.types.is_decimal(arrow) and 0 <= arrow.scale <= arrow.precision <= MOST_DIGITS:
            return Decimal(arrow.precision, arrow.scale)
    raise UsageError(
        f"no schema: the column {path} has the {kind} type {arrow}, which no column type holds without loss: write "
        "the files with another type, or a schema_json without the column",
        field=FIELD,
    )


def widest(one: DataType, other: DataType, path: str) -> DataType:
    """The type that holds both, by Iceberg's promotions only."""
    if one == other or (other, one) in _WIDER:
        return one
    if (one, other) in _WIDER:
        return other
    match one, other:
        case Decimal(p, s), Decimal(q, t) if s == t:
            return Decimal(max(p, q), s)
    raise UsageError(
        f"no schema: the column {path} is {type_ddl(one)} in one file and {type_ddl(other)} in another: write a "
        "schema_json, the files that do not fit it will be FAILED with the reason",
        field=FIELD,
    )
