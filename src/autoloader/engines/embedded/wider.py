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
    from collections.abc import Iterable, Sequence

    from autoloader.schema.types import Schema

_KEY = re.compile(rb'"([^"\\\x00-\x1f]+)"[ \t]*:')
_MOST_KEYS = 50
_MOST_IN_VAIN = 8
"""After so many groups of blocks in a row that the wider screen refused as well, it is not asked any more."""


class Wider:
    """The wider screen of one load. It grows with every key that is seen. For one thread.

    Args:
        schema: of the records.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._taken = {name.casefold() for name in schema.names}
        self._keys: list[str] = []
        self._screen: Screen | None = None
        self._in_vain = 0

    def layouts(self, blocks: Sequence[bytes]) -> list[Layout | None]:
        """How blocks can be read that the narrow screen refused; None where one must be read exactly."""
        if self._in_vain >= _MOST_IN_VAIN:
            return [None] * len(blocks)
        plain = self._plain(blocks)
        refused = [at for at, known in enumerate(plain) if not known]
        if self._learn(blocks[at] for at in refused):
            for at, known in zip(refused, self._plain([blocks[at] for at in refused]), strict=True):
                plain[at] = known
        self._in_vain = 0 if any(plain) else self._in_vain + 1
        layout = Layout("ndjson", unknown=tuple(self._keys))
        return [layout if known else None for known in plain]

    def _plain(self, blocks: Sequence[bytes]) -> list[bool]:
        return [False] * len(blocks) if self._screen is None else self._screen.plain(blocks)

    def _learn(self, blocks: Iterable[bytes]) -> bool:
        """Take up the keys of blocks, also those of objects within their records; whether there were new ones."""
        before = len(self._keys)
        for block in blocks:
            for key in sorted(set(_KEY.findall(block))):
                self._take(key)
        if len(self._keys) > before:
            self._screen = Screen(wider_pattern(self._schema, self._keys))
        return len(self._keys) > before

    def _take(self, key: bytes) -> None:
        name = key.decode(errors="replace")
        if name.casefold() in self._taken or not writes_as_it_is(name) or len(self._keys) == _MOST_KEYS:
            return
        self._keys.append(name)
        self._taken.add(name.casefold())
