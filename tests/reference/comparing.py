"""Values as pyarrow reads them back from data files, and as the reference has them, in one form to be compared."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal as Number
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EPOCH, _DAY = datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1)


def row_text(row: Mapping[str, Any], columns: Sequence[Column]) -> str:
    """A row as text: the same only for the same values, of the same kinds."""
    return repr({column.name: plain(row[column.name], column.type) for column in columns})


def plain(  # noqa: PLR0911  one return for each kind of type
    value: Any, kind: DataType
) -> object:
    """A value with instants as microseconds, dates as days, decimals as fractions, maps sorted."""
    if value is None:
        return None
    match kind:
        case Struct(columns):
            return {column.name: plain(value[column.name], column.type) for column in columns}
        case Array(element):
            return [plain(each, element) for each in value]
        case Map(key, inner):
            return sorted(((plain(k, key), plain(v, inner)) for k, v in value), key=repr)
        case Decimal():
            assert isinstance(value, (Number, Fraction))
            return Fraction(value)
        case Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ if isinstance(value, datetime):
            assert (value.tzinfo is None) == (kind is Scalar.TIMESTAMP_NTZ)
            since = value.replace(tzinfo=UTC) - _EPOCH
            return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        case Scalar.DATE if isinstance(value, date):
            return (value - _DAY).days
        case Scalar.FLOAT | Scalar.DOUBLE:
            assert isinstance(value, float)
            assert math.isfinite(value)
    return value
