"""NDJSON with keys that the schema does not know, and yet so plain that the fast reader can be trusted with it.

The keys are learnt from the blocks that the screen refused. A wider screen takes lines in which they have a plain
value: a string without escapes, a number that DuckDB gives back as it is written, a literal, an array of these, or an
object of all that. A key that comes twice in such an object, which DuckDB takes, is found by the statement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from autoloader.engines.embedded.readers import Layout
from autoloader.engines.embedded.screen import Screen, wider_pattern, writes_as_it_is

if TYPE_CHECKING:
    from autoloader.schema.types import Schema

_KEY = re.compile(rb'"([^"\\\x00-\x1f]+)"[ \t]*:')
_MOST_KEYS = 50
_MOST_IN_VAIN = 8
"""After so many blocks in a row that the wider screen refused as well, it is not asked any more."""


class Wider:
    """The wider screen of one load. It grows with every key that is seen.

    Args:
        schema: of the records.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._taken = {name.casefold() for name in schema.names}
        self._keys: list[str] = []
        self._screen: Screen | None = None
        self._in_vain = 0

    def layout(self, block: bytes) -> Layout | None:
        """How a block can be read that the narrow screen refused; None where it must be read exactly."""
        if self._in_vain >= _MOST_IN_VAIN:
            return None
        if self._is_plain(block) or (self._learns(block) and self._is_plain(block)):
            self._in_vain = 0
            return Layout("ndjson", unknown=tuple(self._keys))
        self._in_vain += 1
        return None

    def _is_plain(self, block: bytes) -> bool:
        return self._screen is not None and self._screen.plain([block])[0]

    def _learns(self, block: bytes) -> bool:
        """Take up the keys of a block, also those of objects within its records; whether there were new ones."""
        before = len(self._keys)
        for key in sorted(set(_KEY.findall(block))):
            try:
                name = key.decode()
            except UnicodeDecodeError:
                return False
            if name.casefold() in self._taken or not writes_as_it_is(name):
                continue
            if len(self._keys) == _MOST_KEYS:
                return False
            self._keys.append(name)
            self._taken.add(name.casefold())
        if len(self._keys) > before:
            self._screen = Screen(wider_pattern(self._schema, self._keys))
        return len(self._keys) > before
