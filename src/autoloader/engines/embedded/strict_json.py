"""JSON by RFC 8259 and no more, with every number kept as its text; and records made canonical for DuckDB.

In a canonical record every scalar is a JSON string that holds its exact text, so that no reader can change it on the
way. A key that the schema does not know is left out.
"""

from __future__ import annotations

import json
import re
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any, NoReturn

from autoloader.engines.embedded.streams import excerpt
from autoloader.engines.forms import DEEPEST
from autoloader.errors import BadRecord
from autoloader.schema.types import Array, Column, DataType, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Write = Callable[[Any], str]

UNKNOWN_FIELD = "unknown_field"
"""The reason code of a record with a field that the schema does not know, where that is refused."""

_SHOWN = 100
"""Characters of a value that fit on a line."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Number(str):
    """The text of a JSON number, to be told from a JSON string."""

    __slots__ = ()


class NotJson(ValueError):  # noqa: N818  it never leaves the readers, who add the place and raise BadRecord
    """The text is not JSON; ``str()`` says why."""


class Mismatch(ValueError):  # noqa: N818  likewise
    """An array where an object belongs, or the like.

    Attributes:
        code: the reason code.
        value: the value found.
    """

    def __init__(self, code: str, value: object) -> None:
        super().__init__(code)
        self.code = code
        self.value = value
        self.column: str | None = None


def _no_constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is not a JSON value")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # add returns None on purpose: false
        raise NotJson(f"the key {json.dumps(twice)} comes twice")
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_no_constant)
"""Raises ValueError (json's own or NotJson) or RecursionError."""


def parsed(text: str) -> Any:  # noqa: ANN401  JSON is any value
    """The value of one JSON text.

    Raises:
        NotJson: with the reason.
    """
    try:
        value = DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg.removesuffix(' at')} at character {error.pos + 1}") from None
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    if too_deep(text, value):
        raise NotJson("it is nested too deeply")
    refuse_lone_surrogates(text, value)
    return value


def too_deep(text: str, value: object) -> bool:
    """Whether more than ``DEEPEST`` objects and arrays are within each other.

    Args:
        text: that holds the value; few brackets in it are an answer already.
        value: parsed.
    """
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    level = [value]
    for _ in range(DEEPEST):
        nested = [each for each in level if isinstance(each, (dict, list))]
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, (dict, list)) for each in level)


def refuse_lone_surrogates(text: str, value: object) -> None:
    """Python reads a lone surrogate; UTF-8 cannot hold it, and the contract refuses it.

    Raises:
        NotJson: there is one.
    """
    if "\\u" in text and _SURROGATE.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise NotJson("a lone surrogate stands in a string") from None


def canonical_record(columns: Sequence[Column]) -> Callable[[dict[str, Any]], str]:
    """A function from a parsed record to its canonical text. It raises Mismatch with the column's name."""
    return _struct(columns)


def _writer(column_type: DataType) -> Write:
    match column_type:
        case Struct(columns):
            return _checked(dict, "not_struct", _struct(columns))
        case Array(element):
            item = _writer(element)
            return _checked(list, "not_array", lambda values: f"[{','.join([item(value) for value in values])}]")
        case Map(_, value_type):
            entry = _writer(value_type)
            return _checked(
                dict,
                "not_map",
                lambda values: f"{{{','.join([f'{quoted(k)}:{entry(v)}' for k, v in values.items()])}}}",
            )
        case _:
            return _leaf


def _checked(kind: type, code: str, write: Write) -> Write:
    def of_kind(value: object) -> str:
        if value is None:
            return "null"
        if not isinstance(value, kind):
            raise Mismatch(code, value)
        return write(value)

    return of_kind


def _struct(columns: Sequence[Column]) -> Write:
    writers = [(column.name, f"{quoted(column.name)}:", _writer(column.type)) for column in columns]

    def written(record: dict[str, Any]) -> str:
        members: list[str] = []
        for name, key, write in writers:
            value = record.get(name)
            if value is not None:
                try:
                    members.append(key + write(value))
                except Mismatch as mismatch:
                    mismatch.column = name if mismatch.column is None else f"{name}.{mismatch.column}"
                    raise
        return f"{{{','.join(members)}}}"

    return written


def _leaf(value: object) -> str:
    """A scalar as a JSON string of its text; an object or array as one of its compact JSON."""
    if isinstance(value, str):
        return quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return '"true"' if value else '"false"'
    return quoted(compact(value))


def compact(value: object) -> str:
    """Compact JSON with every number as it was written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "{" + ",".join([f"{quoted(name)}:{compact(inner)}" for name, inner in value.items()]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([compact(item) for item in value]) + "]"
    return json.dumps(value, ensure_ascii=False)


def canonical_or_bad(
    write: Callable[[dict[str, Any]], str], record: object, *, unit: str, number: int, raw: str
) -> str:
    """The canonical text of a parsed record.

    Args:
        write: made by ``canonical_record``.
        record: what was parsed.
        unit: ``line`` or ``element``.
        number: which one.
        raw: the record's text.

    Raises:
        BadRecord: it is not an object, or a column holds another kind of value than its type takes.
    """
    if not isinstance(record, dict):
        raise malformed("it is not a JSON object", unit=unit, number=number, raw=excerpt(raw))
    try:
        return write(record)
    except Mismatch as mismatch:
        shown = compact(mismatch.value)[:100]
        message = _blame(unit, number, mismatch.column, shown, mismatch.code)
        raise BadRecord(message, code=mismatch.code, line=number, column=mismatch.column, raw=excerpt(raw)) from None
    except RecursionError:
        raise malformed("it is nested too deeply", unit=unit, number=number, raw=excerpt(raw)) from None


def blame(unit: str, number: int, column: str, shown: str, code: str) -> str:
    """What is wrong with a value, for people.

    Args:
        unit: ``line`` or ``element``.
        number: which one.
        column: at fault.
        shown: the text of the value.
        code: the reason code.
    """
    if code == UNKNOWN_FIELD:
        return f'{unit} {number}: the field "{column}" is not in the schema ({code})'
    cut = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
    return _blame(unit, number, column, cut if shown[:1] in {"[", "{"} else f'"{cut}"', code)


def _blame(unit: str, number: int, column: str | None, shown: str, code: str) -> str:
    return f'{unit} {number}, column "{column}": {shown} {said(code)} ({code})'


_IN_WORDS = {
    "duplicate_key": "has a key twice",
    "has_zone": "has a zone",
    "not_finite": "is not finite",
    "would_round": "would be rounded",
}


def said(code: str) -> str:
    """A reason code in words: ``not_bigint`` is "is not a BIGINT"."""
    if code in _IN_WORDS:
        return _IN_WORDS[code]
    if not code.startswith("not_"):
        return f"is {code.replace('_', ' ')}"
    kind = code.removeprefix("not_").upper()
    return f"is not {'an' if kind[0] in 'AEIOU' else 'a'} {kind}"


def malformed(why: str, *, unit: str, number: int, raw: str) -> BadRecord:
    """A record that is not what its format says."""
    return BadRecord(f"{unit} {number}: the record is malformed: {why}", code="malformed", line=number, raw=raw)
