"""What each column type accepts, as SQL for Spark, in the forms that all engines share.

Spark only has to know a good value when it sees one: whatever is not surely good makes its file suspicious, and the
embedded engine judges that file record by record. So a gap here costs time and never a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from autoloader.engines.forms import DECIMAL_FORM, FIRST_DAY, INSTANT_FORMS, LAST_DAY
from autoloader.engines.spark.sql import either, literal, matches, quote
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from autoloader.engines.options import ValueOptions
    from autoloader.engines.patterns import TextPattern
    from autoloader.schema.types import DataType

_WHOLE = "[+-]?[0-9]+"
"""Not with a point: ``1.0`` may be all that a double left of ``1e0``, which no integer is."""

_SHORT_SCIENTIFIC = r"[+-]?[0-9](?:\.[0-9]{1,14})?E-?[0-9]{1,2}"
"""At most 15 digits: two decimals of that length that are the same double are the same number."""

_INFINITY = "CAST('Infinity' AS DOUBLE)"


def text_type(column_type: DataType) -> str:
    """The Spark type to read a column as, so that nothing is converted yet."""
    match column_type:
        case Scalar() | Decimal():
            return "STRING"
        case Array(element):
            return f"ARRAY<{text_type(element)}>"
        case Map(_, value):
            return f"MAP<STRING, {text_type(value)}>"
        case Struct(columns):
            return f"STRUCT<{', '.join(f'{quote(c.name)}: {text_type(c.type)}' for c in columns)}>"
        case _:
            assert_never(column_type)


def typed(column_type: DataType, text: str, options: ValueOptions, *, depth: int = 0) -> str:
    """SQL of the typed value of the SQL ``text``; NULL for NULL and for texts that are bad. Never raises."""
    item = f"v{depth}"
    match column_type:
        case Scalar() | Decimal():
            return _typed_scalar(column_type, text, options)
        case Array(Scalar.STRING):
            return text
        case Array(element):
            return f"transform({text}, {item} -> {typed(element, item, options, depth=depth + 1)})"
        case Map(Scalar.STRING, value):
            return f"transform_values({text}, (k{depth}, {item}) -> {typed(value, item, options, depth=depth + 1)})"
        case Map(key, value):
            inner = [typed(part, f"{item}.{name}", options, depth=depth + 1) for part, name in _entry(key, value)]
            entries = f"transform(map_entries({text}), {item} -> struct({', '.join(inner)}))"
            keys_bad = _any_bad(f"map_keys({text})", key, options, depth)
            return f"CASE WHEN NOT {keys_bad} THEN map_from_entries({entries}) END"
        case Struct(columns):
            fields = (
                f"{literal(c.name)}, {typed(c.type, _field(text, c.name), options, depth=depth)}" for c in columns
            )
            return f"CASE WHEN {text} IS NOT NULL THEN named_struct({', '.join(fields)}) END"
        case _:
            assert_never(column_type)


def is_bad(column_type: DataType, text: str, options: ValueOptions, *, value: str | None = None, depth: int = 0) -> str:
    """SQL, true unless the text is NULL or surely good; never NULL.

    Args:
        value: SQL of ``typed(…)`` where it is already at hand.
    """
    item = f"v{depth}"
    match column_type:
        case Scalar.STRING:
            return "false"
        case Scalar() | Decimal():
            good = _good(column_type, text, value or _typed_scalar(column_type, text, options), options)
            return f"({text} IS NOT NULL AND NOT coalesce({good}, false))"
        case Array(element):
            return _any_bad(text, element, options, depth)
        case Map(key, value_type):
            parts = [is_bad(part, f"{item}.{name}", options, depth=depth + 1) for part, name in _entry(key, value_type)]
            inside = _exists(f"map_entries({text})", item, either(parts))
            if key is Scalar.STRING:
                return inside
            fewer = f"size({typed(column_type, text, options, depth=depth)}) < size({text})"
            return f"({inside} OR coalesce({fewer}, {text} IS NOT NULL))"
        case Struct(columns):
            return f"({either(is_bad(c.type, _field(text, c.name), options, depth=depth) for c in columns)})"
        case _:
            assert_never(column_type)


def strings(column_type: DataType, text: str, condition: str) -> str:
    """SQL: some STRING in the value meets ``condition``, in which ``{}`` stands for its text; never NULL."""
    return _some(column_type, text, condition, frozenset({Scalar.STRING}), 0)


def floats(column_type: DataType, text: str, condition: str) -> str:
    """SQL: the text of some FLOAT or DOUBLE in the value meets ``condition``; as for ``strings``."""
    return _some(column_type, text, condition, frozenset({Scalar.FLOAT, Scalar.DOUBLE}), 0)


def _some(column_type: DataType, text: str, condition: str, kinds: frozenset[Scalar], depth: int) -> str:
    item = f"v{depth}"
    match column_type:
        case Scalar() if column_type in kinds:
            return f"coalesce({condition.replace('{}', text)}, false)"
        case Array(element):
            return _exists(text, item, _some(element, item, condition, kinds, depth + 1))
        case Map(_, value):
            return _exists(f"map_values({text})", item, _some(value, item, condition, kinds, depth + 1))
        case Struct(columns):
            inside = either(_some(c.type, _field(text, c.name), condition, kinds, depth) for c in columns)
            return inside if inside == "false" else f"({inside})"
        case _:
            return "false"


def conformed(ours: DataType, theirs: DataType | None, value: str, *, depth: int = 0) -> str:
    """SQL of the value as the table's type: fields of structs by name, numbers widened."""
    item = f"w{depth}"
    if ours == theirs:
        return value
    match ours, theirs:
        case _, None:
            return value
        case Struct(columns), Struct(wanted):
            by_name = {c.name.casefold(): c for c in columns}
            fields = []
            for field in wanted:
                own = by_name.get(field.name.casefold())
                given = (
                    f"CAST(NULL AS {type_ddl(field.type)})"
                    if own is None
                    else conformed(own.type, field.type, _field(value, own.name), depth=depth)
                )
                fields.append(f"{literal(field.name)}, {given}")
            return f"CASE WHEN {value} IS NOT NULL THEN named_struct({', '.join(fields)}) END"
        case Array(element), Array(wanted_element):
            return f"transform({value}, {item} -> {conformed(element, wanted_element, item, depth=depth + 1)})"
        case Map(_, inner), Map(_, wanted_inner):
            given = conformed(inner, wanted_inner, item, depth=depth + 1)
            return f"transform_values({value}, (k{depth}, {item}) -> {given})"
        case _:
            return f"CAST({value} AS {type_ddl(theirs)})"


def _entry(key: DataType, value: DataType) -> tuple[tuple[DataType, str], tuple[DataType, str]]:
    return (key, "key"), (value, "value")


def _field(struct: str, name: str) -> str:
    return f"{struct}.{quote(name)}"


def _any_bad(items: str, element: DataType, options: ValueOptions, depth: int) -> str:
    return _exists(items, f"v{depth}", is_bad(element, f"v{depth}", options, depth=depth + 1))


def _exists(items: str, item: str, condition: str) -> str:
    return "false" if condition in {"false", "(false)"} else f"coalesce(exists({items}, {item} -> {condition}), false)"


def _typed_scalar(column_type: Scalar | Decimal, text: str, options: ValueOptions) -> str:
    match column_type:
        case Scalar.STRING:
            return text
        case Scalar.INT | Scalar.BIGINT:
            return f"try_cast({text} AS {column_type.value})"
        case Scalar.FLOAT | Scalar.DOUBLE | Decimal():
            return f"try_cast({text} AS {type_ddl(column_type)})"
        case Scalar.BOOLEAN:
            return f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END"
        case Scalar.BINARY:
            return f"try_to_binary({text}, 'base64')"
        case Scalar.DATE | Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
            pattern = _pattern(column_type, options)
            given = text if pattern is None else f"try_to_timestamp({text}, {literal(pattern.spark)})"
            return f"try_cast({given} AS {column_type.value})"
        case _:
            assert_never(column_type)


def _pattern(column_type: Scalar, options: ValueOptions) -> TextPattern | None:
    return options.date_format if column_type is Scalar.DATE else options.timestamp_format


def _good(  # noqa: PLR0911  one return for each kind of type
    column_type: Scalar | Decimal, text: str, value: str, options: ValueOptions
) -> str:
    match column_type:
        case Scalar.STRING:
            return "true"
        case Decimal(_, scale):
            kept = rf"[+-]?(?:[0-9]+(?:\.[0-9]{{0,{scale}}}0*)?|\.[0-9]{{0,{scale}}}0*)"
            plain = f"({matches(text, DECIMAL_FORM)} AND {matches(text, kept)})"
            short = f"({matches(text, _SHORT_SCIENTIFIC)} AND CAST({value} AS DOUBLE) = try_cast({text} AS DOUBLE))"
            return f"{value} IS NOT NULL AND ({_same(value, text)} OR {plain} OR {short})"
        case Scalar.INT | Scalar.BIGINT:
            return f"{value} IS NOT NULL AND ({_same(value, text)} OR {matches(text, _WHOLE)})"
        case Scalar.FLOAT | Scalar.DOUBLE:
            return f"abs({value}) < {_INFINITY} AND ({_same(value, text)} OR {matches(text, DECIMAL_FORM)})"
        case Scalar.BOOLEAN:
            return f"{value} IS NOT NULL"
        case Scalar.BINARY:
            return f"base64({value}) = {text}"
        case Scalar.DATE | Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
            return _good_instant(column_type, text, value, _pattern(column_type, options))
        case _:
            assert_never(column_type)


def _same(value: str, text: str) -> str:
    """Cheaper than a regular expression, and true for most."""
    return f"CAST({value} AS STRING) = {text}"


def _good_instant(column_type: Scalar, text: str, value: str, pattern: TextPattern | None) -> str:
    if pattern and pattern.zoned and column_type is Scalar.TIMESTAMP_NTZ:
        return "false"
    form = pattern.regex if pattern else INSTANT_FORMS[column_type]
    first, last_day = (f"CAST({literal(day)} AS {column_type.value})" for day in (FIRST_DAY, LAST_DAY))
    # Texts of year 10000 have no form; by an offset an instant may get there.
    last = f"{value} <= {last_day}" if column_type is Scalar.DATE else f"{value} < {last_day} + INTERVAL 1 DAY"
    return f"{matches(text, form)} AND {value} >= {first} AND {last}"
