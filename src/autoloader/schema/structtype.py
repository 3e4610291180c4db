"""Spark's StructType JSON: ``{"type": "struct", "fields": [{"name": "id", "type": "long", …}]}``."""

from __future__ import annotations

import json
import re

from autoloader.errors import UsageError
from autoloader.schema.names import FIELD, simple_type
from autoloader.schema.types import Array, Column, DataType, Map, Struct

_SIMPLE = re.compile(r"\s*(\w+)\s*(?:\(\s*([0-9]{1,9})\s*(?:,\s*([0-9]{1,9})\s*)?\)\s*)?")


def parse_structtype(text: str) -> tuple[Column, ...]:
    """The columns of StructType JSON. ``nullable`` and ``metadata`` are left out: every column may be NULL.

    Raises:
        UsageError: not JSON, not a struct, or a part of it that cannot be understood, with its path.
    """
    try:
        document = json.loads(text)
        return _fields(document, "")
    except json.JSONDecodeError as error:
        raise UsageError(
            f"schema: not JSON at line {error.lineno}, column {error.colno}: {error.msg}", field=FIELD
        ) from None


def _fields(struct: object, path: str) -> tuple[Column, ...]:
    where = f"column {path[:-1]}" if path else "the schema"
    if not isinstance(struct, dict) or struct.get("type") != "struct" or not isinstance(struct.get("fields"), list):
        raise UsageError(
            f'schema: {where} is not {{"type": "struct", "fields": [...]}}, as Spark\'s schema.json() writes it',
            field=FIELD,
        )
    return tuple(_column(entry, path, number) for number, entry in enumerate(struct["fields"], start=1))


def _column(entry: object, path: str, number: int) -> Column:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or "type" not in entry:
        within = f" of {path[:-1]}" if path else ""
        raise UsageError(f"schema: field {number}{within} needs a name and a type", field=FIELD)
    name: str = entry["name"]
    return Column(name, _type(entry["type"], path + name))


def _type(written: object, path: str) -> DataType:
    match written:
        case str():
            return _simple(written, path)
        case {"type": "struct"}:
            return Struct(_fields(written, f"{path}."))
        case {"type": "array", "elementType": element}:
            return Array(_type(element, f"{path}.element"))
        case {"type": "map", "keyType": key, "valueType": value}:
            return Map(_type(key, f"{path}.key"), _type(value, f"{path}.value"))
        case _:
            shown = json.dumps(written)[:80]
            raise UsageError(f"schema: column {path} has a type that is not known: {shown}", field=FIELD)


def _simple(written: str, path: str) -> DataType:
    match = _SIMPLE.fullmatch(written)
    if match is None:
        raise UsageError(f"schema: column {path} has the unknown type {written!r}", field=FIELD)
    numbers = tuple(int(digits) for digits in match.groups()[1:] if digits is not None)
    return simple_type(match[1], numbers, f"column {path}")
