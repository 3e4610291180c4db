"""NDJSON lines as texts of every leaf, and whether a line is surely good.

Spark's JSON parser is more lenient than the contract: it drops what follows an object, takes duplicate keys, replaces
lone surrogates, and turns a number with a point or an exponent into a double before it becomes text. So a line is
wrapped, numbers of that kind are quoted first, and whatever is left in doubt makes the line suspicious.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.spark import values
from autoloader.engines.spark.sql import either, literal, quote

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.schema.types import Schema

_STRING = r'"(?:[^"\\]++|\\.)*+"'
_INTEGER = r"-?(?:[1-9][0-9]*+|(?<!-)0)(?![.eE0-9])"
_EXACT = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+(?=[ \t\r\n,}\]])"
_NUMBER = rf"\G((?:[^\"0-9-]++|{_STRING}|{_INTEGER})*+)({_EXACT})"
"""A number that a double may change, and all that stands between it and the one before; ``-0`` is one of them."""

_MAYBE_NUMBER = r"[0-9][.eE][0-9+-]|-0[ \t\r,}\]]"
_MOST_ESCAPES = 2000
"""Java's regular expressions recurse at every escape: a line with more of them is left to the exact path."""

_OPTIONS = {
    "columnNameOfCorruptRecord": "c",
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}
_HIGH, _LOW, _HEX = r"\\u[dD][89abAB]", r"\\u[dD][c-fC-F]", "[0-9a-fA-F]"
_LONE = rf"{_HIGH}{_HEX}{{2}}(?!{_LOW}{_HEX}{{2}})|(?<!{_HIGH}{_HEX}{{2}}){_LOW}"
_NESTED = "left({}, 1) IN ('{', '[') AND try_parse_json({}) IS NOT NULL"


def parsed(lines: DataFrame, schema: Schema, kind: str = "STRUCT") -> DataFrame:
    """``lines`` (with the column ``value``) with ``plain``, the text that was parsed, and ``j``, what came of it."""
    leaves = ", ".join(f"{quote(column.name)}: {values.text_type(column.type)}" for column in schema.columns)
    record = f"STRUCT<{leaves}>" if kind == "STRUCT" else f"ARRAY<STRUCT<{leaves}>>"
    options = ", ".join(f"{literal(name)}, {literal(value)}" for name, value in _OPTIONS.items())
    wrapped = """concat('{"r":', plain, ',"e":true}')"""
    return lines.selectExpr("*", f"{_quoted('value')} AS plain").selectExpr(
        "*", f"from_json({wrapped}, {literal(f'r {record}, e BOOLEAN, c STRING')}, map({options})) AS j"
    )


def suspicious(schema: Schema, record: str = "j.r") -> str:
    """SQL over ``parsed``: the text is not surely one good JSON value, or a STRING would not be its exact text."""
    nested = either(values.strings(c.type, f"{record}.{quote(c.name)}", _NESTED) for c in schema.columns)
    return either([unsure(), f"(plain <> value AND ({nested}))" if nested != "false" else "false"])


def unsure() -> str:
    """SQL over ``parsed``: the text is not surely one good JSON value."""
    wrapped = """concat('{"r":', value, ',"e":true}')"""
    lone = f"value RLIKE {literal(_LONE)} OR (instr(value, {literal(chr(92) * 2)}) > 0 AND value RLIKE {literal(_LOW)})"
    good = [
        "j.c IS NULL",
        "j.r IS NOT NULL",
        "j.e",
        f"octet_length(value) <= {RECORD_LIMIT_BYTES}",
        "is_valid_utf8(value)",
        f"try_parse_json({wrapped}) IS NOT NULL",
        f"NOT (instr(value, {literal(chr(92) + 'u')}) > 0 AND ({lone}))",
        f"({_escapes('value')} < {_MOST_ESCAPES})",
    ]
    return f"NOT coalesce({' AND '.join(good)}, false)"


def _quoted(text: str) -> str:
    quoted = literal('$1"$2"')
    return (
        f"CASE WHEN {text} RLIKE {literal(_MAYBE_NUMBER)} AND {_escapes(text)} < {_MOST_ESCAPES} "
        f"THEN regexp_replace({text}, {literal(_NUMBER)}, {quoted}) ELSE {text} END"
    )


def _escapes(text: str) -> str:
    backslash = literal(chr(92))
    return f"(length({text}) - length(replace({text}, {backslash}, '')))"
