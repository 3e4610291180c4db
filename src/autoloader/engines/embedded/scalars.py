"""The contract for one text and one scalar type: which form it must have, its typed value, and why it is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.embedded import decimals, shortcuts
from autoloader.engines.embedded.sql import literal, matches
from autoloader.engines.forms import (
    DAY_AFTER_LAST,
    DECIMAL_FORM,
    FIRST_DAY,
    INSTANT_FORMS,
    INTEGER_FORM,
    TIMESTAMP_FORM,
    TIMESTAMP_NTZ_FORM,
)
from autoloader.schema.types import Decimal, Scalar

if TYPE_CHECKING:
    from autoloader.engines.options import ValueOptions
    from autoloader.engines.patterns import TextPattern


def typed(column_type: Scalar | Decimal, text: str, options: ValueOptions) -> str:
    """SQL of the typed value; NULL for NULL and for texts the cast refuses. Never raises."""
    match column_type:
        case Decimal(precision, scale):
            return decimals.typed(text, precision, scale)
        case Scalar.STRING:
            return text
        case Scalar.INT | Scalar.BIGINT | Scalar.FLOAT | Scalar.DOUBLE:
            return f"try_cast({text} AS {_CAST[column_type]})"
        case Scalar.BOOLEAN:
            return f"CASE lower({text}) WHEN 'true' THEN true WHEN 'false' THEN false END"
        case Scalar.BINARY:
            return f"try(from_base64({text}))"
        case Scalar.DATE | Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
            return _instant(column_type, text, _pattern(column_type, options))


_CAST = {
    Scalar.INT: "INTEGER",
    Scalar.BIGINT: "BIGINT",
    Scalar.FLOAT: "FLOAT",
    Scalar.DOUBLE: "DOUBLE",
    Scalar.DATE: "DATE",
    Scalar.TIMESTAMP: "TIMESTAMPTZ",
    Scalar.TIMESTAMP_NTZ: "TIMESTAMP",
}


def _pattern(column_type: Scalar, options: ValueOptions) -> TextPattern | None:
    return options.date_format if column_type is Scalar.DATE else options.timestamp_format


def _instant(column_type: Scalar, text: str, pattern: TextPattern | None) -> str:
    """Without a zone a TIMESTAMP is UTC: the session's time zone is."""
    if pattern is None:
        return f"try_cast({text} AS {_CAST[column_type]})"
    for expression, replacement in pattern.rewrites:
        text = f"regexp_replace({text}, {literal(expression)}, {literal(replacement)})"
    return f"try_cast(try_strptime({text}, {literal(pattern.strptime)}) AS {_CAST[column_type]})"


def is_bad(column_type: Scalar | Decimal, text: str, value: str, options: ValueOptions) -> str:
    """SQL, true when the text is refused, else false; ``value`` is SQL of its typed value."""
    judged = f"{_judged(column_type, text, value, options)} IS NOT NULL"
    clears = None if _has_pattern(column_type, options) else shortcuts.clears(column_type, text, value)
    return f"CASE WHEN {clears} THEN false ELSE {judged} END" if clears else f"({judged})"


def reason(column_type: Scalar | Decimal, text: str, options: ValueOptions) -> str:
    """SQL of the reason code, or NULL where the text is accepted or NULL."""
    return _judged(column_type, text, typed(column_type, text, options), options)


def _judged(column_type: Scalar | Decimal, text: str, value: str, options: ValueOptions) -> str:
    cases = [f"WHEN {text} IS NULL THEN NULL", *_cases(column_type, text, value, options)]
    return f"CASE {' '.join(cases)} END"


def _has_pattern(column_type: Scalar | Decimal, options: ValueOptions) -> bool:
    return isinstance(column_type, Scalar) and column_type in INSTANT_FORMS and bool(_pattern(column_type, options))


def _cases(  # noqa: PLR0911  one return for each kind of type
    column_type: Scalar | Decimal, text: str, value: str, options: ValueOptions
) -> list[str]:
    match column_type:
        case Decimal(_, scale):
            return [
                _unless(matches(text, DECIMAL_FORM), "not_decimal"),
                _unless(decimals.keeps_digits(text, scale), "would_round"),
                _unless(f"{value} IS NOT NULL", "out_of_range"),
            ]
        case Scalar.STRING:
            return ["ELSE NULL"]
        case Scalar.INT | Scalar.BIGINT:
            code = "not_int" if column_type is Scalar.INT else "not_bigint"
            return [_unless(matches(text, INTEGER_FORM), code), _unless(f"{value} IS NOT NULL", "out_of_range")]
        case Scalar.FLOAT | Scalar.DOUBLE:
            code = "not_float" if column_type is Scalar.FLOAT else "not_double"
            return [
                f"WHEN {matches(text, '(?i)[+-]?(?:nan|inf|infinity)')} THEN 'not_finite'",
                _unless(matches(text, DECIMAL_FORM), code),
                _unless(f"isfinite({value})", "out_of_range"),
            ]
        case Scalar.BOOLEAN:
            return [_unless(f"{value} IS NOT NULL", "not_boolean")]
        case Scalar.BINARY:
            return [_unless(f"coalesce(to_base64({value}) = {text}, false)", "not_base64")]
        case Scalar.DATE | Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
            return _instant_cases(column_type, text, value, _pattern(column_type, options))


def _unless(good: str, code: str) -> str:
    return f"WHEN NOT ({good}) THEN {literal(code)}"


def _instant_cases(column_type: Scalar, text: str, value: str, pattern: TextPattern | None) -> list[str]:
    code = "not_date" if column_type is Scalar.DATE else "not_timestamp"
    form = pattern.regex if pattern else INSTANT_FORMS[column_type]
    first, after = (f"{_CAST[column_type]} {literal(day)}" for day in (FIRST_DAY, DAY_AFTER_LAST))
    cases = [
        _unless(f"{matches(text, form)} AND {value} IS NOT NULL", code),
        _unless(f"{value} >= {first} AND {value} < {after}", "out_of_range"),
    ]
    if column_type is not Scalar.TIMESTAMP_NTZ or (pattern and not pattern.zoned):
        return cases
    if pattern:
        return [cases[0], "ELSE 'has_zone'"]
    with_zone = f"{matches(text, TIMESTAMP_FORM)} AND NOT {matches(text, TIMESTAMP_NTZ_FORM)}"
    return [f"WHEN {with_zone} THEN 'has_zone'", *cases]
