"""Cheap tests that clear most texts of suspicion; only what they do not clear is judged by its form.

A regular expression over every value of a file costs more than its conversion. Where the cast succeeded, what is left
are the ways in which DuckDB's cast is more lenient than the contract, and some can be excluded by comparisons.
Each test here may miss a good text, but never clear a bad one (tried exhaustively on short texts and at random).
"""

from __future__ import annotations

from autoloader.schema.types import Decimal, Scalar

_CAST_STRIPS = (32, 9, 10, 11, 12, 13)
"""Characters around a number that the cast to DOUBLE ignores."""


def clears(column_type: Scalar | Decimal, text: str, value: str) -> str | None:
    """SQL, true only for a text that the contract accepts by its default forms; None where nothing is cheap enough.

    Instants have no shortcut: the cast takes so much between the marks (``. NZ``, ``:1.Z``, a tab before the hour) that
    excluding it costs what the regular expression costs.
    """
    match column_type:
        case Scalar.INT | Scalar.BIGINT | Decimal():
            return f"{value}::VARCHAR = {text}"
        case Scalar.FLOAT | Scalar.DOUBLE:
            return _finite(text, value)
        case Scalar.BOOLEAN | Scalar.STRING:
            return f"{value} IS NOT NULL"
        case Scalar.DATE:
            return f"{value}::VARCHAR = {text} AND {value} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
        case Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ | Scalar.BINARY:
            return None


def _finite(text: str, value: str) -> str:
    """A minus, a point and the digits sort behind the blanks and the plus, after which the cast takes another sign."""
    blank_behind = " OR ".join(f"suffix({text}, chr({code}))" for code in _CAST_STRIPS)
    return f"isfinite({value}) AND {text} >= '-' AND NOT (contains({text}, '_') OR {blank_behind})"
