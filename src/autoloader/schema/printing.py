"""A Schema as text: Spark's StructType JSON for programs, DDL for people. Both can be parsed again."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, assert_never

from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoloader.schema.types import Column, DataType, Schema

_JSON_NAMES = {Scalar.INT: "integer", Scalar.BIGINT: "long"}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def to_json(schema: Schema) -> str:
    """Spark's StructType JSON, compact, as ``schema.json()`` writes it."""
    return json.dumps(_json_struct(schema.columns), separators=(",", ":"), ensure_ascii=False)


def to_ddl(schema: Schema) -> str:
    """``id BIGINT, meta STRUCT<ip: STRING>``; names that are more than a word stand in backquotes."""
    return ", ".join(f"{_name(column.name)} {type_ddl(column.type)}" for column in schema.columns)


def type_ddl(column_type: DataType) -> str:
    """One type as DDL: ``ARRAY<DECIMAL(10,2)>``."""
    match column_type:
        case Scalar():
            return column_type.value
        case Decimal(precision, scale):
            return f"DECIMAL({precision},{scale})"
        case Array(element):
            return f"ARRAY<{type_ddl(element)}>"
        case Map(key, value):
            return f"MAP<{type_ddl(key)}, {type_ddl(value)}>"
        case Struct(columns):
            return f"STRUCT<{', '.join(f'{_name(c.name)}: {type_ddl(c.type)}' for c in columns)}>"
        case _:
            assert_never(column_type)


def _name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def _json_struct(columns: Iterable[Column]) -> dict[str, object]:
    fields = [{"name": c.name, "type": _json_type(c.type), "nullable": True, "metadata": {}} for c in columns]
    return {"type": "struct", "fields": fields}


def _json_type(column_type: DataType) -> object:
    match column_type:
        case Scalar():
            return _JSON_NAMES.get(column_type, column_type.value.lower())
        case Decimal(precision, scale):
            return f"decimal({precision},{scale})"
        case Array(element):
            return {"type": "array", "elementType": _json_type(element), "containsNull": True}
        case Map(key, value):
            return {
                "type": "map",
                "keyType": _json_type(key),
                "valueType": _json_type(value),
                "valueContainsNull": True,
            }
        case Struct(columns):
            return _json_struct(columns)
        case _:
            assert_never(column_type)
