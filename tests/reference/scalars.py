"""The strict contract once more, in slow and plain Python: a twin that shares nothing with the SQL it checks."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from autoloader.schema.types import Decimal, Scalar


@dataclass(frozen=True)
class Refused:
    code: str


NUMBER = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?")
INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
DAY_US = 86_400_000_000
FIRST_US = (date(1, 1, 1) - date(1970, 1, 1)).days * DAY_US
AFTER_LAST_US = ((date(9999, 12, 31) - date(1970, 1, 1)).days + 1) * DAY_US


def judge(  # noqa: PLR0911  one return for each kind of type
    column_type: Scalar | Decimal, text: str
) -> object:
    """The typed value (instants as microseconds, dates as days, both since 1970), or why it is refused."""
    if isinstance(column_type, Decimal):
        return _decimal(text, column_type)
    match column_type:
        case Scalar.STRING:
            return text
        case Scalar.INT | Scalar.BIGINT:
            return _integer(text, column_type)
        case Scalar.FLOAT | Scalar.DOUBLE:
            return _floating(text, column_type)
        case Scalar.BOOLEAN:
            return {"true": True, "false": False}.get(text.lower(), Refused("not_boolean"))
        case Scalar.BINARY:
            return _binary(text)
        case Scalar.DATE:
            return _date(text)
        case Scalar.TIMESTAMP | Scalar.TIMESTAMP_NTZ:
            return _instant(text, column_type)


def _integer(text: str, column_type: Scalar) -> object:
    match = re.fullmatch(r"([+-]?[0-9]+)(\.0+)?", text)
    if not match:
        return Refused(f"not_{column_type.lower()}")
    bits = 31 if column_type is Scalar.INT else 63
    number = int(match[1])
    return number if -(2**bits) <= number < 2**bits else Refused("out_of_range")


def _scientific(text: str) -> tuple[int, int] | None:
    """(digits, exponent) of digits x 10^exponent."""
    match = NUMBER.fullmatch(text)
    if not match or not (match[2] or match[3]):
        return None
    fraction = match[3] or ""
    digits = int(match[2] + fraction) * (-1 if match[1] == "-" else 1)
    return digits, int(match[4] or "0") - len(fraction)


def _decimal(text: str, column_type: Decimal) -> object:
    parts = _scientific(text)
    if parts is None:
        return Refused("not_decimal")
    digits, exponent = parts
    if digits == 0:
        return Fraction(0)
    if abs(exponent) > 1000:
        return Refused("out_of_range" if exponent > 0 else "would_round")
    unscaled = Fraction(digits) * Fraction(10) ** (exponent + column_type.scale)
    if unscaled.denominator != 1:
        return Refused("would_round")
    if abs(unscaled) >= 10**column_type.precision:
        return Refused("out_of_range")
    return unscaled / 10**column_type.scale


def _floating(text: str, column_type: Scalar) -> object:
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity") and len(text) - len(text.lstrip("+-")) < 2:
        return Refused("not_finite")
    parts = _scientific(text)
    if parts is None:
        return Refused(f"not_{column_type.lower()}")
    nearest = float(text)
    if column_type is Scalar.FLOAT and abs(nearest) != float("inf"):
        nearest = _single(nearest, parts)
    return Refused("out_of_range") if abs(nearest) == float("inf") else nearest


def _single(near: float, parts: tuple[int, int]) -> float:
    """The single nearest to the exact decimal; ties go to the even one."""
    digits, exponent = parts
    if digits == 0 or exponent < -1000:
        return near * 0.0 if exponent < -1000 and not near else near
    exact = Fraction(digits) * Fraction(10) ** exponent
    try:
        bits = struct.unpack("<I", struct.pack("<f", near))[0]
    except OverflowError:
        bits = struct.unpack("<I", struct.pack("<f", 3.4028234663852886e38 if near > 0 else -3.4028234663852886e38))[0]
        limit = Fraction(2**128 - 2**103)
        if abs(exact) >= limit:
            return float("inf")
    around = [bits + step for step in (-1, 0, 1) if 0 <= (bits + step) & 0x7FFFFFFF < 0x7F800000 and bits + step >= 0]
    singles = [(struct.unpack("<f", struct.pack("<I", found))[0], found) for found in around]
    nearest: float = min(singles, key=lambda one: (abs(Fraction(one[0]) - exact), one[1] % 2))[0]
    return nearest


def _binary(text: str) -> object:
    try:
        found = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return Refused("not_base64")
    return found if base64.b64encode(found).decode() == text else Refused("not_base64")


def days_of(year: int, month: int, day: int) -> int | None:
    """Days since 1970, also for the year 0, which Python's dates do not have: 400 years are always 146,097 days."""
    shift = 400 if year < 400 else 0
    try:
        return (date(year + shift, month, day) - date(1970, 1, 1)).days - (146_097 if shift else 0)
    except ValueError:
        return None


def _date(text: str) -> object:
    match = re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text)
    days = days_of(*map(int, match.groups())) if match else None
    if days is None:
        return Refused("not_date")
    return days if days * DAY_US >= FIRST_US else Refused("out_of_range")


def _instant(text: str, column_type: Scalar) -> object:
    match = INSTANT.fullmatch(text)
    if not match:
        return Refused("not_timestamp")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    zone_us = offset_us(match[8])
    days = days_of(year, month, day)
    if zone_us is None:
        return Refused("not_timestamp")
    whole_time = hour < 24 and minute < 60 and second < 60
    if match[8] and column_type is Scalar.TIMESTAMP_NTZ and whole_time:
        return Refused("has_zone")
    if days is None or not whole_time:
        return Refused("not_timestamp")
    micros = int((match[7] or "").ljust(6, "0")[:6])
    instant = days * DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros - zone_us
    return instant if FIRST_US <= instant < AFTER_LAST_US else Refused("out_of_range")


def offset_us(zone: str | None) -> int | None:
    if zone in (None, "Z"):
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if minutes > 59 or hours * 60 + minutes > 18 * 60:
        return None
    return (hours * 60 + minutes) * 60_000_000 * (-1 if zone[0] == "-" else 1)
