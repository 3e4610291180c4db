"""JSON documents (``multiLine``): an array of objects, one object or several, cut into elements in bounded memory."""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING

from autoloader.engines.embedded.readers import Found, Unscreened
from autoloader.engines.embedded.streams import RAW_BYTES, excerpt
from autoloader.engines.embedded.strict_json import (
    DECODER,
    NotJson,
    canonical_or_bad,
    malformed,
    refuse_lone_surrogates,
    too_deep,
)
from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.errors import BadRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


_LENIENT = json.JSONDecoder()
"""Finds the end of an element that our decoder refuses: a key comes twice, NaN."""
BLANKS = re.compile(r"[ \t\r\n]*")


class DocumentReader(Unscreened):
    """Reads one JSON document. Records are counted as elements, from 1.

    Args:
        write: canonical text of a record, from ``canonical_record``.
    """

    unit = "element"
    independent = False
    settled = False

    def __init__(self, write: Callable[[dict[str, Any]], str]) -> None:
        self._write = write
        self._decode = codecs.getincrementaldecoder("utf-8")("strict").decode
        self._text = ""
        self._at = 0
        self._elements = 0
        self._in_array = False
        self._comma_due = False
        self._value_due = False
        self._worth_a_try = 0
        self._last = False

    def exact(self, block: bytes, line: int, *, last: bool) -> Iterator[Found]:  # noqa: ARG002  elements count
        """The elements that end in this block, each with its number."""
        try:
            self._text = self._text[self._at :] + self._decode(block, last)
        except UnicodeDecodeError:
            raise self._bad("it is not UTF-8") from None
        self._at, self._last = 0, last
        while self._on_element():
            element = self._element()
            if element is None:
                return
            yield element
        if last:
            self._end()

    def _end(self) -> None:
        """The file ends here."""
        if self._in_array:
            raise self._bad("the array is not closed: the file is truncated")

    def _bad(self, why: str) -> BadRecord:
        raw = excerpt(self._text[self._at : self._at + RAW_BYTES])
        return malformed(why, unit="element", number=self._elements + 1, raw=raw)

    def _on_element(self) -> bool:
        """Step over blanks, brackets and commas; whether an element stands next."""
        while True:
            self._at = BLANKS.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches the empty text
            if self._at == len(self._text):
                return False
            if not self._step(self._text[self._at]):
                return True
            self._at += 1

    def _step(self, mark: str) -> bool:
        """Whether ``mark`` is punctuation between elements."""
        if not self._in_array:
            self._in_array = mark == "["
            return self._in_array
        if mark == "]" and not self._value_due:
            self._in_array = self._comma_due = False
            return True
        if self._comma_due:
            if mark != ",":
                raise self._bad(f"a comma or ] is missing before {json.dumps(mark)}")
            self._comma_due, self._value_due = False, True
            return True
        return False

    def _element(self) -> Found | None:
        """The element at hand, good or bad; None when more bytes are needed to tell."""
        found = self._decoded()
        if found is None:
            return None
        value, end = found
        number, text = self._elements + 1, self._text[self._at : end]
        judged = self._judged(value, text, number)
        self._at, self._elements = end, number
        self._comma_due, self._value_due = self._in_array, False
        return judged

    def _value_at_hand(self) -> tuple[Any, int] | None:
        """The value at hand, checked, and where it ends; None when more bytes are needed to tell."""
        found = self._decoded()
        if found is None:
            return None
        value, end = found
        try:
            if isinstance(value, NotJson):
                raise value
            refuse_lone_surrogates(self._text[self._at : end], value)
        except NotJson as error:
            raise self._bad(str(error)) from None
        self._too_large(end - self._at)
        return value, end

    def _decoded(self) -> tuple[Any, int] | None:
        """The value at hand, or why it is JSON only by its brackets, and where it ends; None: more bytes are needed."""
        ahead = len(self._text) - self._at
        if not self._last and ahead < self._worth_a_try:
            return None
        try:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
                found = value
            except NotJson as error:
                found, end = _LENIENT.raw_decode(self._text, self._at)
                value = error
        except json.JSONDecodeError as error:
            self._wait_or_refuse(f"{error.msg} after {error.pos - self._at} characters", ahead)
            return None
        except RecursionError:
            raise self._bad("it is nested too deeply") from None
        if too_deep(self._text[self._at : end], found):
            raise self._bad("it is nested too deeply")
        self._worth_a_try = 0
        return value, end

    def _judged(self, value: Any, text: str, number: int) -> Found:  # noqa: ANN401  JSON is any value
        if isinstance(value, NotJson) or len(text) > RECORD_LIMIT_BYTES:
            why = str(value) if isinstance(value, NotJson) else "it is over 16 MiB; split it"
            return malformed(why, unit="element", number=number, raw=excerpt(text))
        try:
            refuse_lone_surrogates(text, value)
            written = canonical_or_bad(self._write, value, unit="element", number=number, raw=text)
        except NotJson as error:
            return malformed(str(error), unit="element", number=number, raw=excerpt(text))
        except BadRecord as error:
            return error
        return number, written, text

    def _wait_or_refuse(self, why: str, ahead: int) -> None:
        """A text that is not JSON may only be cut off: wait until twice as much is there, up to the record limit."""
        self._too_large(ahead)
        if self._last:
            raise self._bad(why)
        self._worth_a_try = 2 * ahead

    def _too_large(self, characters: int) -> None:
        if characters > RECORD_LIMIT_BYTES:
            raise self._bad("it is not JSON, or over 16 MiB")
