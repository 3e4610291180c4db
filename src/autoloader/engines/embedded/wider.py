"""NDJSON with keys that the schema does not know, and yet so plain that the fast reader can be trusted with it.

The keys are learnt from the blocks that the screen refused. A wider screen takes lines in which they have a plain
value: a string without escapes, a number that DuckDB gives back as it is written, a literal, an array of these, or an
object of all that. A key that comes twice in such an object, which DuckDB takes, is found by the statement.
"""

from __future__ import annotations

import re
from threading import Lock
from typing import TYPE_CHECKING

from autoloader.engines.embedded.readers import Layout
from autoloader.engines.embedded.screen import Screen, wider_pattern, writes_as_it_is
from autoloader.schema.types import Array, Map, Struct

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from autoloader.schema.types import DataType, Schema

_KEY = re.compile(rb'"([^"\\\x00-\x1f]+)"[ \t]*:')
_MOST_KEYS = 50
_MOST_IN_VAIN = 8
"""After so many groups of blocks in a row that the wider screen refused as well, it is not asked any more."""


class Wider:
    """The wider screen of one load. It grows with every key that is seen.

    Args:
        schema: of the records.

    Attributes:
        turn: held by the thread that uses it.
        screen: of the keys that are known by now; None as long as there are none.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._taken = {name.casefold() for name in schema.names}
        self._nested = {name.casefold() for column in schema.columns for name in _names_within(column.type)}
        self._keys: list[str] = []
        self.screen: Screen | None = None
        self._in_vain = 0
        self.turn = Lock()

    def layouts(self, blocks: Sequence[bytes]) -> list[Layout | None]:
        """How blocks can be read that the narrow screen refused; None where one must be read exactly."""
        if self._in_vain >= _MOST_IN_VAIN:
            return [None] * len(blocks)
        plain = self.plain(blocks)
        # A name of a field within a column is that field, most likely: every key that is known costs time.
        for without in (self._nested, frozenset[str]()):
            refused = [at for at, known in enumerate(plain) if not known]
            if self._learn((blocks[at] for at in refused), without):
                for at, known in zip(refused, self.plain([blocks[at] for at in refused]), strict=True):
                    plain[at] = known
        self._in_vain = 0 if any(plain) else self._in_vain + 1
        return [self.layout if known else None for known in plain]

    @property
    def layout(self) -> Layout | None:
        """Of what ``plain`` takes by now; None as long as that is nothing."""
        return Layout("ndjson", unknown=tuple(self._keys)) if self._keys else None

    def plain(self, blocks: Sequence[bytes]) -> list[bool]:
        """Which blocks the wider screen takes by the keys that it knows."""
        return [False] * len(blocks) if self.screen is None else self.screen.plain(blocks)

    def _learn(self, blocks: Iterable[bytes], without: Container[str]) -> bool:
        """Take up the keys of blocks, also those of objects within their records; whether there were new ones."""
        before = len(self._keys)
        for block in blocks:
            for key in sorted(set(_KEY.findall(block))):
                self._take(key, without)
        if len(self._keys) > before:
            self.screen = Screen(wider_pattern(self._schema, self._keys))
        return len(self._keys) > before

    def _take(self, key: bytes, without: Container[str]) -> None:
        name = key.decode(errors="replace")
        folded = name.casefold()
        if folded in self._taken or folded in without or not writes_as_it_is(name) or len(self._keys) == _MOST_KEYS:
            return
        self._keys.append(name)
        self._taken.add(folded)


def _names_within(kind: DataType) -> Iterator[str]:
    match kind:
        case Struct(columns):
            for column in columns:
                yield column.name
                yield from _names_within(column.type)
        case Array(inner) | Map(_, inner):
            yield from _names_within(inner)
        case _:
            pass
