"""Date and time patterns: Spark's letters, told once as the regular expression a text must match and as strptime.

DuckDB's strptime is lenient (blanks around, fewer digits, any case), so the expression decides what is accepted and
strptime only converts. https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from autoloader.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_SHORT_MONTHS = "|".join(month[:3] for month in _MONTHS.split("|"))


def _offset(between: str, *, minutes_needed: bool) -> str:
    """Up to 18 hours, as Java has it."""
    some = "" if minutes_needed else "?"
    return f"[+-](?:(?:0[0-9]|1[0-7])(?:{between}[0-5][0-9]){some}|18(?:{between}00){some})"


_HOURS, _BASIC, _EXTENDED = (
    _offset("", minutes_needed=False),
    _offset("", minutes_needed=True),
    _offset(":", minutes_needed=True),
)
_FIELDS = {
    "yyyy": ("%Y", "[0-9]{4}"),
    "uuuu": ("%Y", "[0-9]{4}"),
    "yy": ("%Y", "[0-9]{2}"),
    "MMMM": ("%B", _MONTHS),
    "MMM": ("%b", _SHORT_MONTHS),
    "MM": ("%m", "[0-9]{2}"),
    "M": ("%-m", "[0-9]{1,2}"),
    "dd": ("%d", "[0-9]{2}"),
    "d": ("%-d", "[0-9]{1,2}"),
    "HH": ("%H", "[0-9]{2}"),
    "H": ("%-H", "[0-9]{1,2}"),
    "hh": ("%I", "[0-9]{2}"),
    "h": ("%-I", "[0-9]{1,2}"),
    "mm": ("%M", "[0-9]{2}"),
    "m": ("%-M", "[0-9]{1,2}"),
    "ss": ("%S", "[0-9]{2}"),
    "s": ("%-S", "[0-9]{1,2}"),
    "a": ("%p", "AM|PM"),
    "X": ("%z", f"Z|{_HOURS}"),
    "XX": ("%z", f"Z|{_BASIC}"),
    "XXX": ("%z", f"Z|{_EXTENDED}"),
    "x": ("%z", _HOURS),
    "xx": ("%z", _BASIC),
    "xxx": ("%z", _EXTENDED),
    "Z": ("%z", _BASIC),
    "ZZZZZ": ("%z", f"Z|{_EXTENDED}"),
}
_UTC_OFFSETS = {"X": "+00", "XX": "+0000", "XXX": "+00:00", "ZZZZZ": "+00:00"}
_FRACTION_DIGITS_KEPT = 6
_MOST_FRACTION_DIGITS = 9
_RESERVED = frozenset("[]{}#")
_TOKEN = re.compile(r"(?P<letters>([A-Za-z])\2*)|'(?P<quoted>(?:[^']|'')*)'|(?P<other>[^'A-Za-z])", re.DOTALL)
_PARTS = {"y": "year", "u": "year", "M": "month", "d": "day", "H": "hour", "h": "half-day hour"}


@dataclass(frozen=True, slots=True)
class TextPattern:
    """One pattern, ready for DuckDB.

    Attributes:
        spark: as the user wrote it.
        strptime: the format for ``try_strptime``.
        regex: what a whole text must match, in RE2's syntax, without anchors.
        rewrites: (regular expression, replacement) applied before strptime: what it cannot read.
        zoned: whether the texts carry an offset.
    """

    spark: str
    strptime: str
    regex: str
    rewrites: tuple[tuple[str, str], ...]
    zoned: bool


@dataclass(frozen=True, slots=True)
class _Piece:
    strptime: str
    regex: str
    letters: str = ""


def parse_pattern(text: str, *, option: str) -> TextPattern:
    """Translate a Spark pattern such as ``dd/MM/yyyy HH:mm:ss``.

    Args:
        text: the pattern.
        option: name of the format option, for the error.

    Raises:
        UsageError: a letter that cannot be honoured, an open quote, or a pattern that does not tell a whole date.
    """
    pieces = _pieces(text, option)
    _check_whole(text, [piece.letters for piece in pieces if piece.letters], option)
    _check_widths(text, pieces, option)
    return TextPattern(
        spark=text,
        strptime="".join(piece.strptime for piece in pieces),
        regex="".join(f"(?:{piece.regex})" for piece in pieces),
        rewrites=tuple(_rewrites(pieces)),
        zoned=any(piece.strptime == "%z" for piece in pieces),
    )


def _pieces(text: str, option: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _refused(text, option, f"the quote at position {position + 1} is never closed")
        pieces.append(_piece(match, text, option))
        position = match.end()
    return pieces


def _piece(match: re.Match[str], text: str, option: str) -> _Piece:
    letters = match["letters"]
    if not letters:
        plain = match["other"] or (match["quoted"].replace("''", "'") or "'")
        if match["other"] in _RESERVED or not (plain.isascii() and plain.isprintable()):
            raise _refused(text, option, f"{plain!r} is not supported")
        return _Piece(plain.replace("%", "%%"), re.escape(plain))
    if letters[0] == "S" and len(letters) <= _MOST_FRACTION_DIGITS:
        return _Piece("%f", f"[0-9]{{{len(letters)}}}", letters)
    if letters not in _FIELDS:
        raise _refused(text, option, f"{letters!r} is not supported; known: {', '.join(_FIELDS)}, S to SSSSSSSSS")
    return _Piece(*_FIELDS[letters], letters)


def _check_whole(text: str, letters: list[str], option: str) -> None:
    parts = [_PARTS.get(run[0], run[0]) for run in letters]
    for part in ("year", "month", "day"):
        if part not in parts:
            raise _refused(text, option, f"it has no {part}")
    twice = sorted({part for part in parts if parts.count(part) > 1})
    if twice:
        raise _refused(text, option, f"it names the {twice[0]} twice")
    if ("half-day hour" in parts) != ("a" in parts) or ("hour" in parts and "a" in parts):
        raise _refused(text, option, "'h' and 'a' (AM, PM) belong together; without 'a' write 'H'")


def _check_widths(text: str, pieces: list[_Piece], option: str) -> None:
    for piece, following in itertools.pairwise(pieces):
        if piece.strptime.startswith(("%-", "%f")) and following.regex.startswith("[0-9]"):
            raise _refused(text, option, f"{following.letters!r} follows {piece.letters!r} with nothing between")


def _rewrites(pieces: list[_Piece]) -> Iterator[tuple[str, str]]:
    """The zone ``Z`` as an offset, a fraction cut to microseconds, two digits of a year in full (20xx, as in Spark)."""
    pieces = list(pieces)
    for at, piece in enumerate(pieces):
        cut = len(piece.letters) - _FRACTION_DIGITS_KEPT
        if piece.letters in _UTC_OFFSETS:
            yield _around(pieces, at, "Z"), rf"\1{_UTC_OFFSETS[piece.letters]}\2"
        elif piece.strptime == "%f" and cut > 0:
            yield _around(pieces, at, f"([0-9]{{6}})[0-9]{{{cut}}}"), r"\1\2\3"
            pieces[at] = replace(piece, regex="[0-9]{6}")
        elif piece.letters == "yy":
            yield _around(pieces, at, "([0-9]{2})"), r"\120\2\3"
            pieces[at] = replace(piece, regex="[0-9]{4}")


def _around(pieces: list[_Piece], at: int, middle: str) -> str:
    """A regular expression for a whole text in which ``middle`` stands at one piece, what is around it in groups."""
    before, after = ("".join(f"(?:{piece.regex})" for piece in side) for side in (pieces[:at], pieces[at + 1 :]))
    return f"^({before}){middle}({after})$"


def _refused(text: str, option: str, why: str) -> UsageError:
    return UsageError(
        f"{option}: the pattern {text!r} cannot be used: {why}. Example: dd/MM/yyyy HH:mm:ss",
        field=f"format_options.{option}",
    )
