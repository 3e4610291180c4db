"""From the text a person gives as ``schema_json`` to a Schema that every part of the service can keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.errors import UsageError
from autoloader.model import METADATA_COLUMNS, SOURCE_ROW
from autoloader.schema.ddl import parse_ddl
from autoloader.schema.names import FIELD, HINTS
from autoloader.schema.structtype import parse_structtype
from autoloader.schema.types import Array, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader.schema.types import Column, DataType

_DEEPEST = 50
"""More than any data needs, and little enough for every part that walks a type."""


def parse_schema(text: str) -> Schema:
    """Spark's StructType JSON, or a DDL string such as ``id BIGINT, at TIMESTAMP``.

    Raises:
        UsageError: with the field ``schema_json``: text that cannot be understood, and what ``check_schema`` refuses.
    """
    if not text.strip():
        raise UsageError("schema: it is empty; write for instance: id BIGINT, at TIMESTAMP", field=FIELD)
    try:
        schema = Schema(parse_structtype(text) if text.lstrip().startswith("{") else parse_ddl(text))
        check_schema(schema)
    except RecursionError:
        raise _too_deep() from None
    return schema


def parse_hints(text: str) -> Schema:
    """Types of some columns, for a schema that is inferred: as for ``parse_schema``.

    Raises:
        UsageError: likewise, with the field ``schema_hints``.
    """
    try:
        return parse_schema(text)
    except UsageError as error:
        raise UsageError(f"schema_hints: {str(error).removeprefix('schema: ')}", field=HINTS) from None


def check_schema(schema: Schema) -> None:
    """Refuse what no table can keep.

    Raises:
        UsageError: no columns, types nested too deeply, an empty name, a name used twice (case folded, at any level),
            a name of the metadata columns, or a map whose keys are no scalars.
    """
    reserved = {name.casefold() for name in (*METADATA_COLUMNS, SOURCE_ROW)}
    for column in schema.columns:
        if column.name.casefold() in reserved:
            raise UsageError(
                f"schema: the column {column.name} is written by the service on every row; choose another name",
                field=FIELD,
            )
    seen: dict[str, str] = {}
    for path in _struct_paths(Struct(schema.columns), "", 0):
        folded = path.casefold()
        if folded in seen:
            raise UsageError(
                f"schema: two columns are named {seen[folded]} and {path}; names must differ by more than case",
                field=FIELD,
            )
        seen[folded] = path


def _too_deep() -> UsageError:
    return UsageError(f"schema: types are nested more than {_DEEPEST} deep", field=FIELD)


def _struct_paths(struct: Struct, path: str, depth: int) -> Iterator[str]:
    """The path of every column at any level, as Iceberg writes it."""
    if not struct.columns:
        where = f"the struct {path[:-1]}" if path else "it"
        raise UsageError(f"schema: {where} has no columns", field=FIELD)
    for column in struct.columns:
        _check_name(column, path)
        yield path + column.name
        yield from _inner_paths(column.type, path + column.name, depth + 1)


def _inner_paths(column_type: DataType, path: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        raise _too_deep()
    match column_type:
        case Struct():
            yield from _struct_paths(column_type, f"{path}.", depth)
        case Array(element):
            yield from _inner_paths(element, f"{path}.element", depth + 1)
        case Map(key, value):
            if not isinstance(key, (Scalar, Decimal)):
                raise UsageError(f"schema: the keys of the map {path} must be of a simple type", field=FIELD)
            yield from _inner_paths(value, f"{path}.value", depth + 1)
        case Scalar() | Decimal():
            return


def _check_name(column: Column, path: str) -> None:
    if not column.name.strip():
        where = f" in {path[:-1]}" if path else ""
        raise UsageError(f"schema: a column{where} has an empty name", field=FIELD)
    if "\0" in column.name:
        raise UsageError(f"schema: the column {path}{column.name!r} has a NUL character in its name", field=FIELD)
