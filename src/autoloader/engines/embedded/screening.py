"""Blocks on their way through the screens: grouped, looked at in other threads, given back in order.

To compile the expression of a screen takes milliseconds, so small blocks are looked at together. Arrow matches without
Python's lock: meanwhile the next blocks are taken.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Generic, TypeVar

from autoloader.engines.embedded.readers import BARE
from autoloader.engines.embedded.sifting import Block, Counted, Sieve

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Executor, Future

    from autoloader.engines.embedded.readers import Layout, RecordReader
    from autoloader.engines.embedded.sifting import Sifted

_AT_ONCE = 4 * 1024**2
_GROUPS = 2
"""So many groups wait or are looked at besides the next one: what they hold is memory."""

Owner = TypeVar("Owner", bound=Counted)


@dataclass(slots=True)
class Screens:
    """What all batches of a load have in common.

    Attributes:
        pool: where the screens run.
        odd: whether the last blocks had to be cut: those of the next batch are likely to be alike.
    """

    pool: Executor
    odd: bool = False


class Screening(Generic[Owner]):
    """Screens blocks, each for an owner.

    Args:
        screens: of the load.
    """

    def __init__(self, screens: Screens) -> None:
        self._screens = screens
        self._group: list[Block[Owner]] = []
        self._group_bytes = 0
        self._counted = Event()
        self._counted.set()
        self._under_way: deque[Future[Sifted[Owner]]] = deque()

    def add(self, owner: Owner, reader: RecordReader, data: bytes, *, last: bool) -> None:
        """Take a block; its lines are counted by the owner when its turn has come."""
        self._group.append(Block(owner, reader, data, last))
        self._group_bytes += len(data)
        if self._group_bytes >= _AT_ONCE:
            self._send()

    def done(self) -> Iterator[Sifted[Owner]]:
        """What became of blocks that were looked at, group by group, in order."""
        while self._under_way and (len(self._under_way) > _GROUPS or self._under_way[0].done()):
            yield self._under_way.popleft().result()

    def all(self) -> Iterator[Sifted[Owner]]:
        """The same of all blocks: waits for those that are under way."""
        self._send()
        while self._under_way:
            yield self._under_way.popleft().result()

    def _send(self) -> None:
        if self._group:
            before, self._counted = self._counted, Event()
            self._under_way.append(self._screens.pool.submit(self._sifted, self._group, before, self._counted))
            self._group, self._group_bytes = [], 0

    def _sifted(self, group: Sequence[Block[Owner]], before: Event, counted: Event) -> Sifted[Owner]:
        """Blocks as a whole, or line by line where they can be cut: at once where the last ones had to be.

        Args:
            group: the blocks.
            before: set when the lines of the group before it are counted.
            counted: to be set when those of this one are.
        """
        try:
            sieve = Sieve(group)
            before.wait()
            sieve.count()
        finally:
            counted.set()
        sifted = sieve.sifted([None] * len(group) if self._screens.odd else _layouts(group))
        self._screens.odd = sifted.all_cut
        return sifted


def _layouts(group: Sequence[Block[Owner]]) -> list[Layout | None]:
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
