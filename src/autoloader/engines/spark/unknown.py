"""Whether a JSON text may have a field that the schema does not know: then the exact engine judges its file.

A key is enough for the doubt, also one whose value is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.spark.sql import either, literal
from autoloader.schema.types import Array, DataType, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.schema.types import Column

_OBJECT, _ARRAY = "MAP<STRING, STRING>", "ARRAY<STRING>"


def in_record(columns: Sequence[Column], text: str, depth: int = 0) -> str:
    """SQL: the text of an object may have such a field at some depth; never NULL where it is an object."""
    members = f"from_json({text}, '{_OBJECT}')"
    names = ", ".join(literal(column.name) for column in columns)
    own = f"size(array_except(map_keys({members}), array({names}))) > 0"
    inner = (_in_value(c.type, f"try_element_at({members}, {literal(c.name)})", depth) for c in columns)
    return f"({either([f'coalesce({own}, false)', *inner])})"


def in_records(columns: Sequence[Column], array: str) -> str:
    """SQL: the same of the text of an array of objects."""
    return f"exists(from_json({array}, '{_ARRAY}'), each -> {in_record(columns, 'each')})"


def _in_value(kind: DataType, text: str, depth: int) -> str:
    item = f"t{depth}"
    match kind:
        case Struct(columns):
            return in_record(columns, text, depth)
        case Array(element):
            inside = _in_value(element, item, depth + 1)
            every = f"from_json({text}, '{_ARRAY}')"
        case Map(_, value):
            inside = _in_value(value, item, depth + 1)
            every = f"map_values(from_json({text}, '{_OBJECT}'))"
        case _:
            return "false"
    return "false" if inside == "false" else f"coalesce(exists({every}, {item} -> {inside}), false)"
