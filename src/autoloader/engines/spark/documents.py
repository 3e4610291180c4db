"""JSON documents (``multiLine``): each is one text, parsed as an array of records, then judged as NDJSON is.

What makes a document doubtful makes its whole file so. So it is looked at before its elements are parted, while the
text is at hand once and not once for each element.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.forms import DEEPEST, RECORD_LIMIT_BYTES
from autoloader.engines.spark import ndjson, unknown, values
from autoloader.engines.spark.sql import either, from_json, literal, matches, quote

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.schema.types import Column, Schema

_BLANKS = literal(" \t\r\n")
_DECIMALS = r"[:\[,][ \t\r\n]*-?[0-9]+[.eE]"
"""Some number in the text goes through a double. What looks so within a string does no harm."""

_MINUS_ZERO = r"[:\[,][ \t\r\n]*-0"
_PASSED = ("path", "modified_at", "doubtful", "decimals", "zeros")


def elements(texts: DataFrame, schema: Schema, *, wary: bool) -> DataFrame:
    """From ``value``, a document a row, to ``r``, one record a row; with what is known of the document as a whole.

    Args:
        wary: a field that the schema does not know makes a document doubtful.
    """
    kind = f"r ARRAY<{ndjson.record_type(schema)}>, e BOOLEAN"
    array = "CASE WHEN left(text, 1) = '[' THEN text ELSE concat('[', text, ']') END"
    wrapped = """concat('{"r":', whole, ',"e":true}')"""
    parsed = (
        texts.selectExpr("path", "modified_at", "value", f"btrim(value, {_BLANKS}) AS text")
        .selectExpr("*", f"{array} AS whole")
        .selectExpr("*", f"{from_json(wrapped, kind, 'c')} AS j")
    )
    known = parsed.selectExpr(
        "path",
        "modified_at",
        "j.r AS records",
        f"({_doubtful(schema, wary=wary)}) AS doubtful",
        f"text RLIKE {literal(_DECIMALS)} AS decimals",
        f"text RLIKE {literal(_MINUS_ZERO)} AS zeros",
    )
    return known.selectExpr(*_PASSED, "explode(records) AS r")


def suspicious(schema: Schema) -> str:
    """SQL over ``elements``: the record is not surely one whose leaves came through unchanged."""
    floats = either(values.floats(c.type, f"r.{quote(c.name)}", "{} = '0'") for c in schema.columns)
    changed = [_changed(column) for column in schema.columns]
    return either(["doubtful", changed_floats(floats), *changed])


def changed_floats(floats: str) -> str:
    """SQL: a zero may have had a sign."""
    return "false" if floats == "false" else f"(zeros AND ({floats}))"


def _changed(column: Column) -> str:
    """SQL for the texts of a column: one may be a number that was written in another way, or JSON with such numbers."""
    number = f"decimals AND {matches('{}', ndjson.BY_A_DOUBLE)}"
    nested = "(decimals OR zeros) AND left({}, 1) IN ('{', '[')"
    condition = f"({number}) OR (zeros AND {{}} = '0') OR ({nested})"
    return values.strings(column.type, f"r.{quote(column.name)}", condition)


def _doubtful(schema: Schema, *, wary: bool) -> str:
    """SQL: not surely one good array of objects, or one object.

    Wrapped as the value of a key it cannot be two values with a comma, as an element of an array it cannot go on with a
    key: what is valid in both is one value. The second parser refuses duplicate keys as well.
    """
    good = [
        "j.c IS NULL",
        "j.r IS NOT NULL",
        "j.e",
        "NOT exists(j.r, each -> each IS NULL)",
        "(left(text, 1) = '[' OR size(j.r) = 1)",
        f"octet_length(value) <= {RECORD_LIMIT_BYTES}",
        "is_valid_utf8(value)",
        f"NOT ({ndjson.lone_surrogates()})",
        # One is the array of the records.
        f"NOT ({ndjson.deep('whole', DEEPEST + 1)})",
        "try_parse_json(concat('[', whole, ']')) IS NOT NULL",
    ]
    digits = [f"NOT value RLIKE {literal(ndjson.MANY_DIGITS)}"] if ndjson.may_round(schema) else []
    known = [_all_known(schema)] if wary else []
    return f"NOT coalesce({' AND '.join([*good, *digits, *known])}, false)"


def _all_known(schema: Schema) -> str:
    """SQL: no object of the document has a field that the schema does not know."""
    looked = f"NOT {unknown.in_records(schema.columns, 'whole')}"
    fields = ndjson.fields_of(schema.columns, "each")
    if fields is None:
        return looked
    present = f"aggregate(j.r, 0, (sum, each) -> sum + {ndjson.present(fields)})"
    return f"CASE WHEN {ndjson.as_many_keys('whole', present)} THEN true ELSE {looked} END"
