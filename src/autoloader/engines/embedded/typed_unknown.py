"""What of a typed file (Parquet, Avro, ORC) the schema does not know, as SQL of the same JSON that texts have.

Values are written so that the contract reads them again: decimals with every digit, instants in ISO 8601, bytes in
base64. What JSON has no number for (NaN, infinities) is a string.
"""

from __future__ import annotations

from json.encoder import encode_basestring as quoted
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from autoloader.engines.embedded.sql import field, literal, quote
from autoloader.engines.footers import unknown_columns
from autoloader.schema.types import Array, DataType, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoloader.schema.types import Schema

NOTHING: Mapping[str, str] = MappingProxyType({})


def unknown_json(
    found: pa.Schema, schema: Schema, names: Sequence[str | None], row: str, called: Mapping[str, str] = NOTHING
) -> str | None:
    """SQL of the JSON text about what is unknown in a row, NULL where that is nothing; None where it never is.

    Args:
        row: name of the relation that holds the file's columns.
        called: what columns are called there, where it is not their name.
    """
    tops = unknown_columns(found, names)
    members = [(name, _json(found.field(name).type, f"{row}.{quote(called.get(name, name))}", 0)) for name in tops]
    for name, column in zip(names, schema.columns, strict=True):
        if name is None:
            continue
        inside = _left(found.field(name).type, column.type, f"{row}.{quote(called.get(name, name))}", 0)
        if inside is not None:
            members.append((name, inside))
    return _members(sorted(members)) if members else None


def _left(found: pa.DataType, wanted: DataType, value: str, depth: int) -> str | None:
    """SQL of the JSON of what ``wanted`` does not know; None where it knows all."""
    item = f"u{depth}"
    match found, wanted:
        case pa.StructType(), Struct(columns):
            types = {column.name: column.type for column in columns}
            members = []
            for inner in sorted(found, key=lambda each: each.name):
                part = field(value, inner.name)
                if inner.name not in types:
                    members.append((inner.name, _json(inner.type, part, depth)))
                elif (left := _left(inner.type, types[inner.name], part, depth)) is not None:
                    members.append((inner.name, left))
            return _members(members) if members else None
        case ((pa.ListType() | pa.LargeListType()), Array(element)):
            inside = _left(found.value_type, element, item, depth + 1)
            if inside is None:
                return None
            each = f"list_transform({value}, lambda {item}: {inside})"
            some = f"len(list_filter({each}, lambda f{depth}: f{depth} IS NOT NULL)) > 0"
            return f"CASE WHEN {some} THEN {_listed(each, depth)} END"
        case pa.MapType(), Map(_, inner_wanted):
            inside = _left(found.item_type, inner_wanted, f"{item}.value", depth + 1)
            return None if inside is None else _entries(value, inside, item, depth, empty="NULL")
        case _:
            return None


def _json(found: pa.DataType, value: str, depth: int) -> str:
    """SQL of a value as JSON text; NULL for NULL."""
    item = f"u{depth}"
    match found:
        case pa.DictionaryType():
            return _json(found.value_type, value, depth)
        case pa.StructType():
            members = "".join(
                f" || {literal(('' if at == 0 else ',') + quoted(inner.name) + ':')} || "
                f"coalesce({_json(inner.type, field(value, inner.name), depth)}, 'null')"
                for at, inner in enumerate(found)
            )
            return f"CASE WHEN {value} IS NOT NULL THEN '{{'{members} || '}}' END"
        case pa.ListType() | pa.LargeListType() | pa.FixedSizeListType():
            each = f"list_transform({value}, lambda {item}: {_json(found.value_type, item, depth + 1)})"
            return f"CASE WHEN {value} IS NOT NULL THEN {_listed(each, depth)} END"
        case pa.MapType():
            inside = f"coalesce({_json(found.item_type, f'{item}.value', depth + 1)}, 'null')"
            return _entries(value, inside, item, depth, empty="'{}'")
        case _:
            return _scalar(found, value)


def _scalar(found: Any, value: str) -> str:  # noqa: ANN401  pyarrow's predicates are not typed for narrowing
    text = f"CAST({value} AS VARCHAR)"
    if pa.types.is_integer(found) or pa.types.is_boolean(found) or pa.types.is_decimal(found):
        return text
    if pa.types.is_floating(found):
        return f"CASE WHEN isfinite({value}) THEN {text} ELSE CAST(to_json({text}) AS VARCHAR) END"
    if pa.types.is_binary(found) or pa.types.is_large_binary(found) or pa.types.is_fixed_size_binary(found):
        text = f"to_base64(CAST({value} AS BLOB))"
    return f"CAST(to_json({text}) AS VARCHAR)"


def _members(members: Iterable[tuple[str, str]]) -> str:
    """SQL of an object of those members that are not NULL; NULL where none is left."""
    named = [f"{literal(f'{quoted(name)}:')} || {value}" for name, value in members]
    return f"'{{' || nullif(concat_ws(',', {', '.join(named)}), '') || '}}'"


def _listed(values: str, depth: int) -> str:
    return f"'[' || array_to_string(list_transform({values}, lambda j{depth}: coalesce(j{depth}, 'null')), ',') || ']'"


def _entries(value: str, inside: str, item: str, depth: int, *, empty: str) -> str:
    """SQL of an object of a map's entries, those that are NULL left out."""
    key = f"CAST(to_json(CAST({item}.key AS VARCHAR)) AS VARCHAR)"
    every = f"list_transform(map_entries({value}), lambda {item}: {key} || ':' || {inside})"
    kept = f"list_sort(list_filter({every}, lambda e{depth}: e{depth} IS NOT NULL))"
    joined = f"'{{' || nullif(array_to_string({kept}, ','), '') || '}}'"
    return f"CASE WHEN {value} IS NOT NULL THEN coalesce({joined}, {empty}) END"
