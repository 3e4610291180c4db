"""Fields of a record that the schema does not know: found, and written down as one text.

What is found is the record with everything left out that the schema knows, so it says where each field stood:
{"id": 1, "page": {"path": "/", "title": "x"}, "new": 5} with ``id BIGINT, page STRUCT<path: STRING>`` leaves
{"new": 5, "page": {"title": "x"}}. Elements of an array in which nothing is unknown are null, so that the others keep
their places. A field that is null is as good as absent. Names are sorted, so that one record gives one text.
"""

from __future__ import annotations

from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded.strict_json import compact
from autoloader.engines.options import reads_lines
from autoloader.model import UnknownFields
from autoloader.schema.types import Array, DataType, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autoloader.engines.options import Options
    from autoloader.schema.types import Column

    Find = Callable[[Any], Any]
    Told = Callable[[dict[str, Any]], str | None]


def told(mode: UnknownFields, options: Options) -> bool:
    """Whether there is a column for the text about unknown fields while records are judged.

    Where they are ignored it tells no more than that a key comes twice in one, which only the fast reader of NDJSON
    leaves to be seen.
    """
    return mode is not UnknownFields.IGNORE or reads_lines(options)


def teller(columns: Sequence[Column], mode: UnknownFields) -> Told:
    """A function from a parsed record to the text about its unknown fields; None where it has none.

    The text is the JSON of what is unknown, or where a record fails by it the path of the first such field.
    """
    find = _in_struct(columns)
    if mode is UnknownFields.FAIL:
        return lambda record: None if (found := find(record)) is None else first_path(found, columns)
    return lambda record: None if (found := find(record)) is None else compact(found)


def with_unknown(write: Callable[[dict[str, Any]], str], tell: Told, key: str) -> Callable[[dict[str, Any]], str]:
    """A writer of canonical records that adds, under ``key``, the text about unknown fields."""
    return lambda record: joined(write(record), key, tell(record))


def joined(record: str, key: str, told: str | None) -> str:
    """A canonical record with the text about its unknown fields."""
    if told is None:
        return record
    return f"{record[:-1]}{'' if record == '{}' else ','}{quoted(key)}:{quoted(told)}}}"


def flat_text(fields: Mapping[str, str], mode: UnknownFields) -> str | None:
    """The text about unknown fields that are texts by their names."""
    if not fields:
        return None
    if mode is UnknownFields.FAIL:
        return min(fields)
    return compact(dict(sorted(fields.items())))


def first_path(found: Any, columns: Sequence[Column]) -> str:  # noqa: ANN401  JSON is any value
    """The path of the first unknown field, with points between its keys; those of maps are left out."""
    types: dict[str, DataType] = {column.name: column.type for column in columns}
    name = min(found)
    if name not in types:
        return str(name)
    return f"{name}.{_inner_path(found[name], types[name])}"


def _inner_path(found: Any, kind: DataType) -> str:  # noqa: ANN401  likewise
    match kind:
        case Struct(columns):
            return first_path(found, columns)
        case Array(element):
            return _inner_path(next(each for each in found if each is not None), element)
        case Map(_, value):
            return _inner_path(found[min(found)], value)
        case _:
            return str(min(found))


def _finder(kind: DataType) -> Find | None:
    """What finds the unknown in a value of this type; None where there can be nothing unknown."""
    match kind:
        case Struct(columns):
            return _in_struct(columns)
        case Array(element) if (each := _finder(element)) is not None:
            return lambda value: _in_list(value, each)
        case Map(_, inner) if (every := _finder(inner)) is not None:
            return lambda value: _in_map(value, every)
        case _:
            return None


def _in_struct(columns: Sequence[Column]) -> Find:
    names = frozenset(column.name for column in columns)
    within = [(column.name, find) for column in columns if (find := _finder(column.type)) is not None]

    def found(record: Any) -> Any:  # noqa: ANN401  likewise
        if not isinstance(record, dict):
            return None
        parts = {}
        if not names.issuperset(record):
            parts = {name: value for name, value in record.items() if name not in names and value is not None}
        for name, find in within:
            value = record.get(name)
            if value is not None and (inner := find(value)) is not None:
                parts[name] = inner
        return dict(sorted(parts.items())) if parts else None

    return found


def _in_list(value: Any, find: Find) -> Any:  # noqa: ANN401  likewise
    if not isinstance(value, list):
        return None
    found = [find(each) for each in value]
    return found if any(each is not None for each in found) else None


def _in_map(value: Any, find: Find) -> Any:  # noqa: ANN401  likewise
    if not isinstance(value, dict):
        return None
    found = {name: inner for name, each in sorted(value.items()) if (inner := find(each)) is not None}
    return found or None
