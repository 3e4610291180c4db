"""JSON documents whose records stand in an array within them (``recordPath``), such as ``Records`` of CloudTrail.

A document is walked as its text comes in: what lies beside the path is checked to be JSON and dropped, a value at a
time, and the elements of the array are read as those of a document that is an array. So its size does not matter.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from autoloader.engines.embedded.documents import BLANKS, DocumentReader
from autoloader.engines.embedded.strict_json import Number

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from typing import Any

    from autoloader.errors import BadRecord

_NUMBER_MAY_GO_ON = re.compile(r"[0-9.eE+-]*\Z")
_MOST_KEYS = 100_000
"""All keys of an object around the records are remembered, as none may come twice."""


class PathReader(DocumentReader):
    """Reads the records at a path of one JSON document, or of several one after the other.

    The value at the path is an array of records, one record, or null. An array of objects on the way is looked through,
    object by object. A document without the path is malformed: silence would look like an empty file.

    Args:
        write: canonical text of a record, from ``canonical_record``.
        path: the keys that lead to the records; at least one.
    """

    def __init__(self, write: Callable[[dict[str, Any]], str], path: Sequence[str]) -> None:
        super().__init__(write)
        self._path = path
        self._walk = self._documents()
        self._reached = 0

    def _on_element(self) -> bool:
        """Walk to the next record, unless the one at hand was not read yet; whether there is one."""
        if self._reached > self._elements:
            return True
        if next(self._walk, False):
            self._reached = self._elements + 1
            return True
        return False

    def _end(self) -> None:
        """Nothing to check: the walk itself says what is missing."""

    def _documents(self) -> Generator[bool]:
        """Gives true where a record stands, to be read before it goes on; false where more text is needed."""
        while (mark := (yield from self._mark())) != "":
            if mark == "[":
                yield from self._array(0)
            else:
                yield from self._object(0)

    def _mark(self) -> Generator[bool, None, str]:
        """The next character that is no blank; none at the end of the file."""
        while True:
            self._at = BLANKS.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches the empty text
            if self._at < len(self._text):
                return self._text[self._at]
            if self._last:
                return ""
            yield False

    def _object(self, depth: int) -> Generator[bool]:
        """An object that so many keys of the path lead to."""
        if (yield from self._mark()) != "{":
            raise self._lacking(depth)
        self._at += 1
        keys: set[str] = set()
        if (yield from self._mark()) == "}":
            raise self._lacking(depth)
        while True:
            key = yield from self._key(keys)
            if key == self._path[depth]:
                yield from self._on_path(depth + 1)
            else:
                yield from self._passed_over()
            if (yield from self._closed("}")):
                break
        if self._path[depth] not in keys:
            raise self._lacking(depth)

    def _key(self, keys: set[str]) -> Generator[bool, None, str]:
        """The key at hand, and on to its value; it is added to the others."""
        if (mark := (yield from self._mark())) != '"':
            raise self._bad(f"a key in double quotes belongs where {json.dumps(mark)} stands")
        key = str((yield from self._passed_over()))
        if key in keys:
            raise self._bad(f"the key {json.dumps(key)} comes twice")
        keys.add(key)
        if len(keys) > _MOST_KEYS:
            raise self._bad(f"the object around the records has over {_MOST_KEYS:,} keys")
        if (mark := (yield from self._mark())) != ":":
            raise self._bad(f"a colon belongs where {json.dumps(mark)} stands")
        self._at += 1
        yield from self._mark()
        return key

    def _on_path(self, depth: int) -> Generator[bool]:
        """The value of a key of the path."""
        mark = yield from self._mark()
        if mark == "[":
            yield from self._array(depth)
        elif depth < len(self._path):
            yield from self._object(depth)
        elif mark == "{":
            yield True
        elif (yield from self._passed_over()) is not None:
            raise self._bad(f"the value at {self._named(depth)} is no array of records")

    def _array(self, depth: int) -> Generator[bool]:
        self._at += 1
        if (yield from self._mark()) == "]":
            self._at += 1
            return
        while True:
            if depth == len(self._path):
                yield from self._mark()
                yield True
            else:
                yield from self._object(depth)
            if (yield from self._closed("]")):
                return

    def _closed(self, bracket: str) -> Generator[bool, None, bool]:
        """Step over the comma or the bracket after a member; whether it was the bracket."""
        mark = yield from self._mark()
        if mark == "":
            raise self._bad(f"a {bracket} is missing: the file is truncated")
        if mark not in {",", bracket}:
            raise self._bad(f"a comma or {bracket} is missing before {json.dumps(mark)}")
        self._at += 1
        return mark == bracket

    def _passed_over(self) -> Generator[bool, None, Any]:
        """The value at hand, checked and stepped over. A number at the end of the text may go on."""
        while True:
            found = self._value_at_hand()
            if found is not None:
                value, end = found
                if self._last or not (isinstance(value, Number) and _NUMBER_MAY_GO_ON.match(self._text, end)):
                    self._at = end
                    return value
            yield False

    def _lacking(self, depth: int) -> BadRecord:
        return self._bad(f"the document has no {self._named(depth + 1)}: see the option recordPath")

    def _named(self, depth: int) -> str:
        return json.dumps(".".join(self._path[:depth]), ensure_ascii=False)
