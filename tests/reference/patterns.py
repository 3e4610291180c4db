"""``dateFormat`` and ``timestampFormat``, as docs/reference/values.md describes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.reference.scalars import AFTER_LAST_US, DAY_US, FIRST_US, Refused, days_of, offset_us

from autoloader.schema.types import Scalar

_SHORT = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_RESTS = ("uary", "ruary", "ch", "il", "", "e", "y", "ust", "tember", "ober", "ember", "ember")
_MONTHS = [short + rest for short, rest in zip(_SHORT, _RESTS, strict=True)]
_ONE_OR_TWO = "[0-9]{1,2}"
_LETTERS = {
    "yyyy": ("year", "[0-9]{4}"),
    "uuuu": ("year", "[0-9]{4}"),
    "yy": ("short_year", "[0-9]{2}"),
    "MMMM": ("month_name", "|".join(_MONTHS)),
    "MMM": ("month_name", "|".join(_SHORT)),
    "MM": ("month", "[0-9]{2}"),
    "M": ("month", _ONE_OR_TWO),
    "dd": ("day", "[0-9]{2}"),
    "d": ("day", _ONE_OR_TWO),
    "HH": ("hour", "[0-9]{2}"),
    "H": ("hour", _ONE_OR_TWO),
    "hh": ("half", "[0-9]{2}"),
    "h": ("half", _ONE_OR_TWO),
    "a": ("noon", "AM|PM"),
    "mm": ("minute", "[0-9]{2}"),
    "m": ("minute", _ONE_OR_TWO),
    "ss": ("second", "[0-9]{2}"),
    "s": ("second", _ONE_OR_TWO),
    "XXX": ("zone", "Z|[+-][0-9]{2}:[0-9]{2}"),
    "XX": ("zone", "Z|[+-][0-9]{4}"),
    "X": ("zone", "Z|[+-][0-9]{2}(?:[0-9]{2})?"),
    "xxx": ("zone", "[+-][0-9]{2}:[0-9]{2}"),
    "xx": ("zone", "[+-][0-9]{4}"),
    "x": ("zone", "[+-][0-9]{2}(?:[0-9]{2})?"),
    "ZZZZZ": ("zone", "Z|[+-][0-9]{2}:[0-9]{2}"),
    "Z": ("zone", "[+-][0-9]{4}"),
} | {"S" * width: ("fraction", f"[0-9]{{{width}}}") for width in range(1, 10)}
_PART = re.compile(r"''|'((?:[^']|'')*)'|([A-Za-z])\2*|[\s\S]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern, as an expression with named groups."""

    form: re.Pattern[str]


def pattern(text: str) -> Pattern:
    """What a pattern in Spark's letters takes."""
    form = ""
    for part in _PART.finditer(text):
        if part[0] == "''":
            form += "'"
        elif part[1] is not None:
            form += re.escape(part[1].replace("''", "'"))
        elif part[2]:
            name, letters = _LETTERS[part[0]]
            form += f"(?P<{name}>{letters})"
        else:
            form += re.escape(part[0])
    return Pattern(re.compile(form))


def by_pattern(form: Pattern, kind: Scalar, text: str) -> object:
    """Days or microseconds since 1970, or why the text is refused."""
    no = Refused("not_date" if kind is Scalar.DATE else "not_timestamp")
    match = form.form.fullmatch(text)
    if match is None:
        return no
    part = {name: found for name, found in match.groupdict().items() if found is not None}
    days = days_of(_year(part), _month(part), int(part["day"]))
    hour, minute, second = _hour(part), int(part.get("minute", 0)), int(part.get("second", 0))
    zone_us = offset_us(part.get("zone"))
    if days is None or hour is None or hour > 23 or minute > 59 or second > 59 or zone_us is None:
        return no
    if kind is Scalar.DATE:
        return days if days * DAY_US >= FIRST_US else Refused("out_of_range")
    if "zone" in part and kind is Scalar.TIMESTAMP_NTZ:
        return Refused("has_zone")
    micros = int(part.get("fraction", "").ljust(6, "0")[:6])
    instant = days * DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros - zone_us
    return instant if FIRST_US <= instant < AFTER_LAST_US else Refused("out_of_range")


def _year(part: dict[str, str]) -> int:
    return int(part["year"]) if "year" in part else 2000 + int(part["short_year"])


def _month(part: dict[str, str]) -> int:
    return int(part["month"]) if "month" in part else _SHORT.index(part["month_name"][:3]) + 1


def _hour(part: dict[str, str]) -> int | None:
    if "half" not in part:
        return int(part.get("hour", 0))
    half = int(part["half"])
    return half % 12 + (12 if part.get("noon") == "PM" else 0) if 1 <= half <= 12 else None
