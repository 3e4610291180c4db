"""Fetch the files of a load ahead of the parser, many at once, in blocks that a byte budget holds back."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING

from autoloader.errors import AutoloaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from autoloader.model import ClaimedFile
    from autoloader.objects import ObjectStore

_BUDGET_BYTES = 24 * 1024**2
_TASK_FILES = 16
_TASK_BYTES = 1024**2
"""Small files share a task of the pool: a future for each of 10,000 took a second of processor."""

Cut = "Callable[[Iterator[bytes]], Iterator[bytes]]"


@dataclass(frozen=True, slots=True)
class Block:
    """Some bytes of one file.

    Attributes:
        ordinal: of the file in its load.
        data: the bytes, as the format's cut gives them.
        last: whether the file ends, or failed, here.
        bytes_read: from the store since the block before; compressed as they came.
        seconds: since the file was asked for.
        error: why it ended before its time.
    """

    ordinal: int
    data: bytes
    last: bool
    bytes_read: int
    seconds: float
    error: AutoloaderError | None = None


class _Budget:
    """How many bytes may be on their way at once; one block larger than all of it passes alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._changed = threading.Condition()
        self.closed = False

    def take(self, size: int) -> bool:
        """Wait for room; False when nobody wants the bytes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._used == 0 or self._used + size <= self._limit)
            self._used += size
            return not self.closed

    def give(self, size: int) -> None:
        """Make room."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def close(self) -> None:
        """Let go of everyone who waits."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()


class _Count:
    """Counts the bytes that pass."""

    def __init__(self) -> None:
        self.bytes = 0

    def over(self, stream: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in stream:
            self.bytes += len(chunk)
            yield chunk

    def taken(self) -> int:
        taken, self.bytes = self.bytes, 0
        return taken


class Fetcher:
    """Reads files through a pool of threads.

    Args:
        store: where they are.
        pool: its size is how many requests are under way at once.
    """

    def __init__(self, store: ObjectStore, pool: ThreadPoolExecutor) -> None:
        self._store = store
        self._pool = pool

    def blocks(
        self, files: Sequence[tuple[int, ClaimedFile]], cut: Callable[[Iterator[bytes]], Iterator[bytes]]
    ) -> Iterator[Block]:
        """Every block of every file; those of one file in order, files as they come.

        Args:
            files: with their ordinals.
            cut: turns the bytes of an object into blocks; runs in the pool.
        """
        arrived: SimpleQueue[Block | BaseException] = SimpleQueue()
        budget = _Budget(_BUDGET_BYTES)
        pending = [self._pool.submit(self._fetch_all, task, cut, arrived, budget) for task in _tasks(files)]
        try:
            waiting = len(files)
            while waiting:
                block = arrived.get()
                if isinstance(block, BaseException):
                    raise block
                waiting -= block.last
                yield block
                budget.give(len(block.data))
        finally:
            budget.close()
            for future in pending:
                future.cancel()

    def _fetch_all(
        self,
        files: Sequence[tuple[int, ClaimedFile]],
        cut: Callable[[Iterator[bytes]], Iterator[bytes]],
        arrived: SimpleQueue[Block | BaseException],
        budget: _Budget,
    ) -> None:
        for ordinal, file in files:
            self._fetch(ordinal, file, cut, arrived, budget)

    def _fetch(
        self,
        ordinal: int,
        file: ClaimedFile,
        cut: Callable[[Iterator[bytes]], Iterator[bytes]],
        arrived: SimpleQueue[Block | BaseException],
        budget: _Budget,
    ) -> None:
        if budget.closed:
            return
        began, count = time.monotonic(), _Count()
        held: bytes | None = None
        error: AutoloaderError | None = None

        def pass_on(data: bytes, *, last: bool) -> bool:
            wanted = budget.take(len(data))
            seconds = time.monotonic() - began
            arrived.put(Block(ordinal, data, last, count.taken(), seconds, error))
            return wanted

        try:
            for data in cut(count.over(self._store.read(file.path, file.etag))):
                if held is not None and not pass_on(held, last=False):
                    return
                held = data
        except AutoloaderError as refused:
            error, held = refused, b""
        except BaseException as broken:  # noqa: BLE001  it is raised again where the blocks are taken
            arrived.put(broken)
            return
        pass_on(held or b"", last=True)


def _tasks(files: Sequence[tuple[int, ClaimedFile]]) -> Iterator[list[tuple[int, ClaimedFile]]]:
    task: list[tuple[int, ClaimedFile]] = []
    size = 0
    for ordinal, file in files:
        if task and (len(task) == _TASK_FILES or size + file.size_bytes > _TASK_BYTES):
            yield task
            task, size = [], 0
        task.append((ordinal, file))
        size += file.size_bytes
    if task:
        yield task
