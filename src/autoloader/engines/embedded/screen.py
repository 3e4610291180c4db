"""The screen: one regular expression, made from the schema, that says whether bytes are plain enough to be trusted.

It is a whitelist. Bytes that match it are read by DuckDB with exactly the values and the refusals of the contract;
whatever does not match takes the exact path. So a gap in the expression costs time and never a value.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

UTF8 = (
    r"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    r"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
"""A well-formed character beyond ASCII (RFC 3629): neither overlong nor a surrogate nor past U+10FFFF."""

_HEX = "[0-9a-fA-F]"
_PAIR = rf"[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}"
_ESCAPE = rf'\\(?:["\\/bfnrt]|u(?:[0-9a-cefA-CEF]{_HEX}{{3}}|[dD][0-7]{_HEX}{{2}}|{_PAIR}))'
_STRING = rf'"(?:[\x20\x21\x23-\x5b\x5d-\x7f]|{UTF8}|{_ESCAPE})*"'
_BARE_STRING = rf'"(?:[\x20\x21\x23-\x5b\x5d-\x7f]|{UTF8})*"'
_BLANK = r"[ \t]*"

# Numbers by what DuckDB's detour through a double does to them: nothing that the column would show.
_INTEGER = r"0|-?[1-9][0-9]{0,39}"
_AS_WRITTEN = (
    rf"{_INTEGER}"
    r"|-?[1-9][0-9]{0,11}\.(?:0|[0-9]{0,1}[1-9])"
    r"|-?[1-9][0-9]{0,7}\.[0-9]{0,5}[1-9]"
    r"|-?[1-9][0-9]{0,2}\.[0-9]{0,10}[1-9]"
    r"|-?0\.0{0,2}[1-9](?:[0-9]{0,9}[1-9])?"
)
_SHORT_AS_WRITTEN = (
    r"0|-?[1-9][0-9]{0,17}|-?[1-9][0-9]{0,7}\.(?:0|[0-9]{0,5}[1-9])|-?0\.0{0,2}[1-9](?:[0-9]{0,3}[1-9])?"
)
"""Some of them, in a short expression: RE2 is twenty times slower over one that is too large for its automaton."""
_WHOLE = r"-?(?:0|[1-9][0-9]{0,39})(?:\.0{1,9})?"
_EXPONENT = r"[eE][+-]?[0-9]{1,2}"
_SHORT = (
    rf"{_INTEGER}|-?(?:0|[1-9][0-9]{{0,7}})(?:\.[0-9]{{1,6}}(?:{_EXPONENT})?|{_EXPONENT})"
    r"|-?(?:0|[1-9][0-9]{0,11})\.[0-9]{1,2}|-?(?:0|[1-9][0-9]{0,2})\.[0-9]{1,11}"
)
_DOUBLE = rf"{_INTEGER}|-?(?:0|[1-9][0-9]{{0,29}})(?:\.[0-9]{{1,30}}(?:{_EXPONENT})?|{_EXPONENT})"
_LARGEST_REPEAT = 1000  # of RE2
_SCALARS = {
    Scalar.STRING: f"true|false|{_AS_WRITTEN}",
    Scalar.INT: _WHOLE,
    Scalar.BIGINT: _WHOLE,
    Scalar.FLOAT: _SHORT,
    Scalar.DOUBLE: _DOUBLE,
    Scalar.BOOLEAN: "true|false",
}


class Screen:
    """Whether blocks of bytes are plain lines as a whole, each with its line end, and whether single lines are.

    Args:
        line: of a plain line without its line end, in RE2's syntax, over bytes.
    """

    def __init__(self, line: str) -> None:
        self._line = rf"\A(?:{line})\z"
        self._lines = rf"\A(?:(?:{line})\n)*\z"

    def plain(self, blocks: Sequence[bytes]) -> list[bool]:
        """One answer for each block. The expression is compiled once a call: pass some MB at a time.

        A schema so wide that the expression is over RE2's size makes every block suspicious.
        """
        values = pa.array(blocks, pa.large_binary())
        try:
            answers = pc.match_substring_regex(values, self._lines).to_pylist()
        except pa.ArrowInvalid:
            return [False] * len(blocks)
        return [bool(answer) for answer in answers]

    def plain_lines(self, lines: pa.Array[Any]) -> pa.Array[Any]:
        """One answer for each line, of which its line end is no part."""
        kernels: Any = pc  # whose types know no bytes
        try:
            answers: pa.Array[Any] = kernels.match_substring_regex(lines, self._line)
        except pa.ArrowInvalid:
            return pa.repeat(pa.scalar(value=False), len(lines))
        return answers


def loose_forms(column_type: DataType) -> tuple[str, ...]:
    """Every form of a value that DuckDB, reading it as text, gives back as the contract wants it."""
    match column_type:
        case Scalar():
            return (_STRING, "null", *([_SCALARS[column_type]] if column_type in _SCALARS else []))
        case Decimal():
            return (_STRING, "null", _SHORT)
        case Array(element):
            return ("null", rf"\[{_BLANK}{_list_of(_either(*loose_forms(element)))}\]")
        case Map(_, value):
            entry = f"{_STRING}{_BLANK}:{_BLANK}{_either(*loose_forms(value))}"
            return ("null", rf"\{{{_BLANK}{_list_of(entry)}\}}")
        case Struct(columns):
            return ("null", _object(columns))


def ndjson_pattern(schema: Schema, forms: Callable[[DataType], tuple[str, ...]] = loose_forms) -> str:
    """A line that holds one object, with keys of the schema only, or nothing.

    Args:
        schema: the columns.
        forms: the patterns of a top-level value of this type.
    """
    return rf"(?:{_object(schema.columns, forms)}{_BLANK})?\r?"


def wider_pattern(schema: Schema, more: Sequence[str]) -> str:
    """The same with further keys, whose values are plain: read as JSON, DuckDB gives them back as they are written."""
    plain = _either(_BARE_STRING, "null|true|false", _SHORT_AS_WRITTEN)
    array = rf"\[{_BLANK}{_list_of(plain)}\]"
    member = rf"{_BARE_STRING}{_BLANK}:{_BLANK}{_either(plain, array)}"
    value = _either(plain, array, rf"\{{{_BLANK}{_list_of(member)}\}}")
    return rf"(?:{_object(schema.columns, loose_forms, dict.fromkeys(more, (value,)))}{_BLANK})?\r?"


def _object(
    columns: Sequence[Column],
    forms: Callable[[DataType], tuple[str, ...]] = loose_forms,
    more: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> str:
    """An object whose keys are those of ``columns``.

    A form stands there once, whatever the number of keys whose values may have it, and keys once for all their common
    forms: RE2 is slow where an expression is large.

    Args:
        columns: at this level.
        forms: the patterns of a value of this type.
        more: further keys, each with the patterns of its values.
    """
    named = dict(more) | {c.name: forms(c.type) for c in columns if writes_as_it_is(c.name)}
    keys: dict[str, list[str]] = {}
    for name, own in named.items():
        for form in own:
            keys.setdefault(form, []).append(re.escape(name))
    shared: dict[tuple[str, ...], list[str]] = {}
    for form, names in keys.items():
        shared.setdefault(tuple(names), []).append(form)
    members = [f'"{_either(*names)}"{_BLANK}:{_BLANK}{_either(*own)}' for names, own in shared.items()]
    return rf"\{{{_BLANK}{_list_of(_either(*members)) if members else ''}\}}"


def writes_as_it_is(name: str) -> bool:
    """A key that JSON must escape is left to the exact path."""
    return name.isprintable() and not {'"', "\\"} & set(name)


def _list_of(item: str) -> str:
    return f"(?:{item}{_BLANK}(?:,{_BLANK}{item}{_BLANK})*)?"


def _either(*options: str) -> str:
    return f"(?:{'|'.join(options)})"


def csv_pattern(fields: int, *, sep: str, quote: str | None, escape: str | None, comment: str | None) -> str | None:
    """A line of exactly ``fields`` fields, none with a line end inside; None where no expression is worth its size."""
    special = [character for character in (sep, quote, escape, comment) if character]
    if fields > _LARGEST_REPEAT or any(not character.isascii() for character in special):
        return None
    bare = _characters(without=[sep, quote])
    first = _characters(without=[sep, quote, comment])
    forms = [f"{first}{bare}*"] if fields == 1 else [f"(?:{first}{bare}*)?"]
    others = [f"{bare}*"]
    if quote:
        inner = _characters(without=[quote, escape])
        doubled = f"|{re.escape(quote) * 2}" if escape == quote else ""
        quoted = f"{re.escape(quote)}(?:{inner}{doubled})*{re.escape(quote)}"
        forms.append(quoted)
        others.append(quoted)
    return rf"{_either(*forms)}(?:{re.escape(sep)}{_either(*others)}){{{fields - 1}}}\r?"


def _characters(without: Iterable[str | None]) -> str:
    left_out = {character for character in without if character}
    kept = "".join(rf"\x{code:02x}" for code in (9, *range(0x20, 0x7F)) if chr(code) not in left_out)
    return f"(?:[{kept}]|{UTF8})"
