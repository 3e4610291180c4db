"""Spark's names of types, read from text: ``bigint``, ``DECIMAL(10,2)``, ``varchar(20)``."""

from __future__ import annotations

from autoloader.errors import UsageError
from autoloader.schema.types import Decimal, Scalar

FIELD = "schema_json"
"""The field of an ingestion that every error of this package names."""

HINTS = "schema_hints"
"""The field that gives types for an inferred schema."""
MOST_DIGITS = 38
_DEFAULT_DECIMAL = (10, 0)
_DECIMALS = frozenset({"DECIMAL", "DEC", "NUMERIC"})
_TEXTS = frozenset({"CHAR", "CHARACTER", "VARCHAR"})
_SCALARS = {
    **{scalar.value: scalar for scalar in Scalar},
    "TINYINT": Scalar.INT,  # Iceberg's smallest integer has 32 bits: what is narrower is widened
    "SMALLINT": Scalar.INT,
    "BYTE": Scalar.INT,
    "SHORT": Scalar.INT,
    "INTEGER": Scalar.INT,
    "LONG": Scalar.BIGINT,
    "REAL": Scalar.FLOAT,
    "TIMESTAMP_LTZ": Scalar.TIMESTAMP,
}
_KNOWN = ", ".join([*(scalar.value for scalar in Scalar), "DECIMAL(p,s)", "ARRAY", "MAP", "STRUCT"])


def simple_type(name: str, numbers: tuple[int, ...], where: str) -> Scalar | Decimal:
    """The type with this name and these numbers in parentheses.

    Args:
        name: in any case.
        numbers: what stood in parentheses, in order.
        where: of the column, for errors: ``column a.b``.

    Raises:
        UsageError: no such type, one that Iceberg cannot keep, or numbers that make no sense.
    """
    upper = name.upper()
    if upper in _DECIMALS:
        return _decimal(numbers, where)
    if upper in _TEXTS and len(numbers) == 1:
        return Scalar.STRING
    if upper not in _SCALARS:
        raise UsageError(f"schema: {where} has the unknown type {name!r}; known: {_KNOWN}", field=FIELD)
    if numbers:
        raise UsageError(f"schema: {where}: {upper} takes no numbers in parentheses", field=FIELD)
    return _SCALARS[upper]


def _decimal(numbers: tuple[int, ...], where: str) -> Decimal:
    precision, scale = (*numbers, *_DEFAULT_DECIMAL[len(numbers) :])[:2]
    if not 1 <= precision <= MOST_DIGITS or not 0 <= scale <= precision or len(numbers) > len(_DEFAULT_DECIMAL):
        written = ",".join(map(str, numbers))
        raise UsageError(
            f"schema: {where}: DECIMAL({written}) cannot be: 1 to {MOST_DIGITS} digits, of them 0 or more behind the "
            "point, as in DECIMAL(10,2)",
            field=FIELD,
        )
    return Decimal(precision, scale)
