"""Values so plain that DuckDB reads them typed with exactly the result of the contract: nothing is left to judge.

Reading every value as text and judging it costs a third more than reading it typed. Most files hold numbers, booleans
and instants in one plain form. A second, stricter screen finds the blocks in which all of them have it; only there are
these columns read typed. What the screen cannot see, an impossible date, shows as a cast that failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.engines.embedded import values
from autoloader.engines.embedded.screen import loose_forms, ndjson_pattern
from autoloader.engines.forms import TIME, ZONE
from autoloader.schema.types import Decimal, Scalar

if TYPE_CHECKING:
    from autoloader.engines.options import Options, ValueOptions
    from autoloader.schema.types import DataType, Schema

_DATE = "[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
"""Years 1000 to 2999: no zone can carry them out of those that the contract takes."""
_DOUBLE_DIGITS = 15
"""So many digits survive the detour through a double that DuckDB's reader makes (IEEE 754)."""
_FORMS = {
    Scalar.INT: "-?[1-9][0-9]{0,8}|0",
    Scalar.BIGINT: "-?[1-9][0-9]{0,17}|0",
    # Not -0: as a whole number it loses its sign.
    Scalar.DOUBLE: r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,30}|-?[1-9][0-9]{0,14}|0",
    Scalar.BOOLEAN: "true|false",
}
_INSTANTS = {
    Scalar.DATE: f'"{_DATE}"',
    Scalar.TIMESTAMP: f'"{_DATE}(?:[T ]{TIME}{ZONE}?)?"',
    Scalar.TIMESTAMP_NTZ: f'"{_DATE}(?:[T ]{TIME})?"',
}


@dataclass(frozen=True, slots=True)
class BareColumn:
    """How one column is read where every value of the block is bare.

    Attributes:
        name: of the column.
        read_as: the DuckDB type it is read as.
        typed: SQL of its value, over ``raw0, raw1, …``.
        bad: SQL, true where the contract refuses the value; over ``raw0, typed0, …``.
    """

    name: str
    read_as: str
    typed: str
    bad: str


def bare_pattern(schema: Schema, options: ValueOptions) -> str | None:
    """The stricter screen; None where no column of the schema gains by it."""
    if not any(_form(column.type, options) for column in schema.columns):
        return None

    def forms(column_type: DataType) -> tuple[str, ...]:
        form = _form(column_type, options)
        return loose_forms(column_type) if form is None else ("null", form)

    return ndjson_pattern(schema, forms)


def bare_columns(schema: Schema, options: Options) -> list[BareColumn]:
    """How the columns of a bare block are read, in the order of the schema."""
    return [_column(at, column.name, column.type, options) for at, column in enumerate(schema.columns)]


def _column(at: int, name: str, column_type: DataType, options: Options) -> BareColumn:
    raw, typed = f"raw{at}", f"typed{at}"
    if _form(column_type, options) is None:
        judged = values.is_bad(column_type, raw, options, value=typed)
        return BareColumn(name, values.text_type(column_type), values.typed(column_type, raw, options), judged)
    if isinstance(column_type, Scalar) and column_type in _INSTANTS:
        failed = f"({raw} IS NOT NULL AND {typed} IS NULL)"
        return BareColumn(name, "VARCHAR", values.typed(column_type, raw, options), failed)
    return BareColumn(name, values.final_type(column_type), raw, "false")


def _form(column_type: DataType, options: ValueOptions) -> str | None:
    """The bare form of a value as it stands in JSON, or None."""
    match column_type:
        case Decimal(precision, scale):
            whole = min(precision, _DOUBLE_DIGITS) - scale
            fraction = rf"(?:\.[0-9]{{1,{scale}}})?" if scale else ""
            return rf"-?(?:0|[1-9][0-9]{{0,{whole - 1}}}){fraction}" if whole > 0 else None
        case Scalar.DATE:
            return None if options.date_format else _INSTANTS[column_type]
        case Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
            return None if options.timestamp_format else _INSTANTS[column_type]
        case Scalar():
            return _FORMS.get(column_type)
        case _:
            return None
