"""Blocks on their way through the screens: grouped, looked at in another thread, given back in order.

To compile the expression of a screen takes milliseconds, so small blocks are looked at together. Arrow matches without
Python's lock: meanwhile the next blocks are taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from autoloader.engines.embedded.readers import BARE

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
        self._under_way: deque[tuple[list[_Waiting[Owner]], Future[list[Layout | None]]]] = deque()

    def add(self, owner: Owner, reader: RecordReader, data: bytes, *, last: bool) -> None:
        """Take a block; ``last`` is handed through."""
        self._group.append(_Waiting(owner, reader, data, last))
        self._group_bytes += len(data)
        if self._group_bytes >= _AT_ONCE:
            self._send()

    def done(self) -> Iterator[tuple[Owner, bytes, bool, Layout | None]]:
        """The blocks that were looked at, in order, with how each can be read; None where it must be read exactly."""
        while self._under_way and (len(self._under_way) > _GROUPS or self._under_way[0][1].done()):
            yield from self._next()

    def all(self) -> Iterator[tuple[Owner, bytes, bool, Layout | None]]:
        """The same of all blocks: waits for those that are under way."""
        self._send()
        while self._under_way:
            yield from self._next()

    def _send(self) -> None:
        if self._group:
            self._under_way.append((self._group, self._pool.submit(_layouts, self._group)))
            self._group, self._group_bytes = [], 0

    def _next(self) -> Iterator[tuple[Owner, bytes, bool, Layout | None]]:
        group, looked_at = self._under_way.popleft()
        for waiting, layout in zip(group, looked_at.result(), strict=True):
            yield waiting.owner, waiting.data, waiting.last, layout


def _layouts(group: Sequence[_Waiting[Owner]]) -> list[Layout | None]:
    """How each block can be read without a look at its records; None where it cannot."""
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
    for wide in {id(w.reader.wide): w.reader.wide for w in group}.values():
        left = [at for at, w in enumerate(group) if answers[at] is None and w.reader.wide is wide]
        if wide is not None and left:
            for at, layout_or_none in zip(left, wide.layouts([group[at].data for at in left]), strict=True):
                answers[at] = layout_or_none
    return answers
