"""Blocks on their way through the screens: grouped, looked at in another thread, given back in order.

To compile the expression of a screen takes milliseconds, so small blocks are looked at together. Arrow matches without
Python's lock: meanwhile the next blocks are taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from autoloader.engines.embedded.readers import BARE, NDJSON, Piece
from autoloader.engines.embedded.sifting import Sieve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor, Future

    from autoloader.engines.embedded.readers import Layout, RecordReader

_AT_ONCE = 4 * 1024**2
_GROUPS = 1
"""So many groups wait while one is looked at: what they hold is memory."""

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Owner]):
    owner: Owner
    reader: RecordReader
    data: bytes
    last: bool


class Screening(Generic[Owner]):
    """Screens blocks, each for an owner.

    Args:
        pool: where the screens run.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._group: list[_Waiting[Owner]] = []
        self._group_bytes = 0
        self._odd = False
        self._under_way: deque[tuple[list[_Waiting[Owner]], Future[list[list[Piece]]]]] = deque()

    def add(self, owner: Owner, reader: RecordReader, data: bytes, *, last: bool) -> None:
        """Take a block; ``last`` is handed through."""
        self._group.append(_Waiting(owner, reader, data, last))
        self._group_bytes += len(data)
        if self._group_bytes >= _AT_ONCE:
            self._send()

    def done(self) -> Iterator[tuple[Owner, bytes, bool, list[Piece]]]:
        """The blocks that were looked at, in order, each with its pieces."""
        while self._under_way and (len(self._under_way) > _GROUPS or self._under_way[0][1].done()):
            yield from self._next()

    def all(self) -> Iterator[tuple[Owner, bytes, bool, list[Piece]]]:
        """The same of all blocks: waits for those that are under way."""
        self._send()
        while self._under_way:
            yield from self._next()

    def _send(self) -> None:
        if self._group:
            self._under_way.append((self._group, self._pool.submit(self._pieces, self._group)))
            self._group, self._group_bytes = [], 0

    def _next(self) -> Iterator[tuple[Owner, bytes, bool, list[Piece]]]:
        group, looked_at = self._under_way.popleft()
        for waiting, pieces in zip(group, looked_at.result(), strict=True):
            yield waiting.owner, waiting.data, waiting.last, pieces

    def _pieces(self, group: Sequence[_Waiting[Owner]]) -> list[list[Piece]]:
        """How each block can be read without a look at its records: as a whole, or where it can be cut, in pieces.

        Where the last blocks had to be cut these are cut at once.
        """
        whole: list[Layout | None] = [None] * len(group) if self._odd else _layouts(group)
        pieces = [[Piece(waiting.data, layout)] for waiting, layout in zip(group, whole, strict=True)]
        refused = [at for at, waiting in enumerate(group) if whole[at] is None and waiting.reader.independent]
        for reader in {id(group[at].reader.screen): group[at].reader for at in refused}.values():
            alike = [at for at in refused if group[at].reader.screen is reader.screen]
            for at, found in zip(alike, Sieve([group[at].data for at in alike]).sorted(reader), strict=True):
                pieces[at] = found
        cut = [each for each in pieces if len(each) != 1 or each[0].layout not in {BARE, NDJSON}]
        self._odd = len(cut) == len(group) and all(waiting.reader.independent for waiting in group)
        return pieces


def _layouts(group: Sequence[_Waiting[Owner]]) -> list[Layout | None]:
    """How each block can be read as a whole without a look at its records; None where it cannot."""
    answers: list[Layout | None] = [None] * len(group)
    for reader in {(id(w.reader.screen), w.reader.layout): w.reader for w in group}.values():
        alike = [
            at for at, w in enumerate(group) if w.reader.screen is reader.screen and w.reader.layout == reader.layout
        ]
        for screen, layout in ((reader.bare, BARE), (reader.screen, reader.layout)):
            left = [at for at in alike if answers[at] is None]
            if screen is not None and left:
                for at, plain in zip(left, screen.plain([group[at].data for at in left]), strict=True):
                    answers[at] = layout if plain else None
    return answers
