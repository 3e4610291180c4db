"""Whether the columns of a typed file (Parquet, Avro, ORC) fit the schema: exactly, or by Iceberg's promotions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from autoloader.errors import TypeMismatch
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoloader.schema.types import DataType, Schema

_TEXT = (pa.types.is_string, pa.types.is_large_string)
_BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)
_SMALL = (pa.types.is_int8, pa.types.is_int16, pa.types.is_int32, pa.types.is_uint8, pa.types.is_uint16)
_ACCEPTED: dict[Scalar, tuple[Callable[[pa.DataType], bool], ...]] = {
    Scalar.STRING: _TEXT,
    Scalar.INT: _SMALL,
    Scalar.BIGINT: (*_SMALL, pa.types.is_uint32, pa.types.is_int64),
    Scalar.FLOAT: (pa.types.is_float32,),
    Scalar.DOUBLE: (pa.types.is_float32, pa.types.is_float64),
    Scalar.BOOLEAN: (pa.types.is_boolean,),
    Scalar.TIMESTAMP: (lambda t: pa.types.is_timestamp(t) and t.tz is not None,),
    Scalar.TIMESTAMP_NTZ: (lambda t: pa.types.is_timestamp(t) and t.tz is None,),
    Scalar.DATE: (pa.types.is_date32,),
    Scalar.BINARY: _BYTES,
}


def asked_for(names: Sequence[str], schema: Schema, *, every: bool = False) -> list[str]:
    """Those of a file's columns that the schema asks for, by name, or by name but for case.

    Args:
        every: all columns of the file, as what the schema does not know is kept as well.

    Raises:
        TypeMismatch: there is none: its columns have other names, and every value would be NULL.
    """
    found = [name for name in _matched(names, schema) if name is not None]
    if not found:
        listed = ", ".join(json.dumps(name, ensure_ascii=False) for name in names[:10]) or "none at all"
        raise TypeMismatch(f"the file has none of the columns of the schema; it has {listed}")
    return list(names) if every else found


def _matched(names: Sequence[str], schema: Schema) -> list[str | None]:
    exact, loose = set(names), {name.casefold(): name for name in names}
    return [c.name if c.name in exact else loose.get(c.name.casefold()) for c in schema.columns]


def check_columns(found: pa.Schema, schema: Schema) -> tuple[str | None, ...]:
    """The file's column for each column of the schema, matched by name, then by name but for case.

    Raises:
        TypeMismatch: a type cannot become the column's without loss; the message names the column and both types.
    """
    names = _matched(found.names, schema)
    for column, name in zip(schema.columns, names, strict=True):
        if name is not None and not fits(_plain(found.field(name).type), column.type):
            raise TypeMismatch(
                f'column "{column.name}" is {found.field(name).type} in the file, which cannot become '
                f"{type_ddl(column.type)} without loss"
            )
    return tuple(names)


def unknown_columns(found: pa.Schema, names: Sequence[str | None]) -> list[str]:
    """The file's columns that no column of the schema takes its values from, sorted.

    Args:
        found: what the file says of itself.
        names: the file's column for each column of the schema, from ``check_columns``.
    """
    return sorted(set(found.names) - {name for name in names if name is not None})


def first_unknown(found: pa.Schema, schema: Schema, names: Sequence[str | None]) -> str | None:
    """The path of one field that the schema does not know; None where there is none."""
    tops = unknown_columns(found, names)
    if tops:
        return tops[0]
    known = [(name, column.type) for name, column in zip(names, schema.columns, strict=True) if name is not None]
    inner = ((name, _first_inside(found.field(name).type, kind)) for name, kind in sorted(known, key=lambda k: k[0]))
    return next((f"{name}.{path}" for name, path in inner if path is not None), None)


def _first_inside(found: pa.DataType, wanted: DataType) -> str | None:
    match found, wanted:
        case pa.StructType(), Struct(columns):
            types = {column.name: column.type for column in columns}
            for name in sorted(each.name for each in found):
                if name not in types:
                    return name
                if (inner := _first_inside(found.field(name).type, types[name])) is not None:
                    return f"{name}.{inner}"
            return None
        case ((pa.ListType() | pa.LargeListType()), Array(element)):
            return _first_inside(found.value_type, element)
        case pa.MapType(), Map(_, value):
            return _first_inside(found.item_type, value)
        case _:
            return None


def fits(found: pa.DataType, wanted: DataType) -> bool:
    """Whether every value of ``found`` is a value of ``wanted``."""
    match wanted:
        case Decimal(precision, scale):
            return pa.types.is_decimal(found) and found.scale == scale and found.precision <= precision
        case Array(element):
            return isinstance(found, (pa.ListType, pa.LargeListType)) and fits(found.value_type, element)
        case Map(key, value):
            return isinstance(found, pa.MapType) and fits(found.key_type, key) and fits(found.item_type, value)
        case Struct(columns):
            fields = [found.field(at) for at in range(found.num_fields)] if pa.types.is_struct(found) else []
            inner = {field.name: field.type for field in fields}
            return all(c.name in inner and fits(inner[c.name], c.type) for c in columns)
        case _:
            return any(accepts(found) for accepts in _ACCEPTED[wanted])


def _plain(found: pa.DataType) -> pa.DataType:
    """How a column is encoded says nothing of its values."""
    return found.value_type if isinstance(found, pa.DictionaryType) else found
