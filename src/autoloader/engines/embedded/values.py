"""What each column type accepts, as SQL for DuckDB: the one definition of the strict contract.

A value is judged by its text. DuckDB's casts take more than the contract (``1.5`` as 2, ``1_000``, blanks, ``24:00``,
``yes``), so a regular expression decides the form and the cast only the range. Every column is read as text
(``text_type``): nested ones as a STRUCT, list or MAP whose leaves are text. The connection must have run
``sql.SESSION``. ``docs/reference/values.md`` says the same for people; a slow Python twin in the tests checks both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from autoloader.engines.embedded import scalars
from autoloader.engines.embedded.sql import field, pack, quote
from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from autoloader.engines.options import ValueOptions
    from autoloader.schema.types import DataType

_FINAL = {
    Scalar.STRING: "VARCHAR",
    Scalar.INT: "INTEGER",
    Scalar.BIGINT: "BIGINT",
    Scalar.FLOAT: "FLOAT",
    Scalar.DOUBLE: "DOUBLE",
    Scalar.BOOLEAN: "BOOLEAN",
    Scalar.TIMESTAMP: "TIMESTAMPTZ",
    Scalar.TIMESTAMP_NTZ: "TIMESTAMP",
    Scalar.DATE: "DATE",
    Scalar.BINARY: "BLOB",
}


def final_type(column_type: DataType) -> str:
    """The DuckDB type that becomes exactly this column in Parquet."""
    return _duckdb_type(column_type, text=False)


def text_type(column_type: DataType) -> str:
    """The DuckDB type to read a column as, so that nothing is converted yet."""
    return _duckdb_type(column_type, text=True)


def _duckdb_type(column_type: DataType, *, text: bool) -> str:
    match column_type:
        case Scalar():
            return "VARCHAR" if text else _FINAL[column_type]
        case Decimal(precision, scale):
            return "VARCHAR" if text else f"DECIMAL({precision},{scale})"
        case Array(element):
            return f"{_duckdb_type(element, text=text)}[]"
        case Map(key, value):
            return f"MAP({_duckdb_type(key, text=text)}, {_duckdb_type(value, text=text)})"
        case Struct(columns):
            fields = (f"{quote(column.name)} {_duckdb_type(column.type, text=text)}" for column in columns)
            return f"STRUCT({', '.join(fields)})"
        case _:
            assert_never(column_type)


def typed(column_type: DataType, text: str, options: ValueOptions) -> str:
    """SQL of the typed value of the SQL ``text``; NULL for NULL, and for some texts that are bad. Never raises."""
    return _typed(column_type, text, options, depth=0)


def is_bad(column_type: DataType, text: str, options: ValueOptions, *, value: str | None = None) -> str:
    """SQL, true when the contract refuses the text, else false (never NULL); meant for every row of every file.

    Args:
        column_type: the column's type.
        text: SQL of the text, or of the nested value with texts at its leaves.
        options: date and time patterns.
        value: SQL of ``typed(…)`` where it is already at hand, best as a column of a subquery: nothing is cast twice.
    """
    if _all_text(column_type):
        return "false"
    if isinstance(column_type, (Scalar, Decimal)):
        return scalars.is_bad(column_type, text, value or scalars.typed(column_type, text, options), options)
    return f"({reason(column_type, text, options)} IS NOT NULL)"


def reason(column_type: DataType, text: str, options: ValueOptions) -> str:
    """SQL of the reason code why the contract refuses the text (nested: of the first bad text inside), or NULL."""
    return _reason(column_type, text, options, depth=0)


def csv_text(column_type: DataType, text: str) -> str:
    """SQL of a CSV field's text: a quoted empty field is the empty string for STRING and NULL for any other type."""
    return text if column_type is Scalar.STRING else f"nullif({text}, '')"


def _all_text(column_type: DataType) -> bool:
    """Whether text and typed value are the same thing."""
    return text_type(column_type) == final_type(column_type)


def _typed(column_type: DataType, text: str, options: ValueOptions, *, depth: int) -> str:
    if _all_text(column_type):
        return text
    item = f"v{depth}"
    match column_type:
        case Scalar() | Decimal():
            return scalars.typed(column_type, text, options)
        case Array(element):
            return f"list_transform({text}, lambda {item}: {_typed(element, item, options, depth=depth + 1)})"
        case Map(key, value):
            entry = pack(
                [
                    ("key", _typed(key, f"{item}.key", options, depth=depth + 1)),
                    ("value", _typed(value, f"{item}.value", options, depth=depth + 1)),
                ]
            )
            return f"try(map_from_entries(list_transform(map_entries({text}), lambda {item}: {entry})))"
        case Struct(columns):
            fields = pack(
                (column.name, _typed(column.type, field(text, column.name), options, depth=depth)) for column in columns
            )
            return f"CASE WHEN {text} IS NOT NULL THEN {fields} END"
        case _:
            assert_never(column_type)


def _reason(column_type: DataType, text: str, options: ValueOptions, *, depth: int) -> str:
    if _all_text(column_type):
        return "NULL::VARCHAR"
    item = f"v{depth}"
    match column_type:
        case Scalar() | Decimal():
            return scalars.reason(column_type, text, options)
        case Array(element):
            return _first(text, item, _reason(element, item, options, depth=depth + 1))
        case Map(key, value):
            entry = _either(
                [
                    _reason(key, f"{item}.key", options, depth=depth + 1),
                    _reason(value, f"{item}.value", options, depth=depth + 1),
                ]
            )
            one_value = _typed(column_type, text, options, depth=depth)
            twice = f"CASE WHEN {text} IS NOT NULL AND {one_value} IS NULL THEN 'duplicate_key' END"
            inside = _first(f"map_entries({text})", item, entry)
            return inside if _all_text(key) else _either([inside, twice])
        case Struct(columns):
            fields = [_reason(c.type, field(text, c.name), options, depth=depth) for c in columns]
            return _either(fields)
        case _:
            assert_never(column_type)


def _first(items: str, item: str, item_reason: str) -> str:
    return f"list_filter(list_transform({items}, lambda {item}: {item_reason}), lambda r: r IS NOT NULL)[1]"


def _either(reasons: list[str]) -> str:
    return f"coalesce({', '.join(reasons)})"
