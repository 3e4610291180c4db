"""Fetch the files of a load ahead of the parser, many at once, in blocks that a byte budget holds back."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from queue import SimpleQueue
from typing import TYPE_CHECKING

from autoloader.errors import AutoloaderError
from autoloader.objects import SMALL_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future, ThreadPoolExecutor

    from autoloader.model import ClaimedFile
    from autoloader.objects import ObjectStore

_BUDGET_BYTES = 24 * 1024**2
_TOGETHER_BYTES = 512 * 1024
"""Blocks of small files are handed on together: to wake the thread that takes them costs as much as a file."""


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
    """Reads small files many at a time, and larger ones through a pool of threads.

    Args:
        store: where they are.
        pool: its size is how many larger files are read at once.
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
        fetching = _Fetching(self._store, self._pool, cut)
        fetching.begin(files)
        try:
            waiting = len(files)
            while waiting:
                for block in fetching.arrived():
                    waiting -= block.last
                    yield block
                    fetching.budget.give(len(block.data))
        finally:
            fetching.stop()


class _Fetching:
    """Some files on their way."""

    def __init__(
        self, store: ObjectStore, pool: ThreadPoolExecutor, cut: Callable[[Iterator[bytes]], Iterator[bytes]]
    ) -> None:
        self._store = store
        self._pool = pool
        self._cut = cut
        self.budget = _Budget(_BUDGET_BYTES)
        self._arrived: SimpleQueue[Sequence[Block] | BaseException] = SimpleQueue()
        self._pending: list[Future[None]] = []

    def begin(self, files: Sequence[tuple[int, ClaimedFile]]) -> None:
        """Start with all of them."""
        small = [numbered for numbered in files if numbered[1].size_bytes <= SMALL_BYTES]
        if small:
            self._submit(self._read_small, small)
        for numbered in files:
            if numbered[1].size_bytes > SMALL_BYTES:
                self._submit(self._read, *numbered)

    def arrived(self) -> Sequence[Block]:
        """Wait for the next blocks.

        Raises:
            BaseException: what nobody foresaw.
        """
        blocks = self._arrived.get()
        if isinstance(blocks, BaseException):
            raise blocks
        return blocks

    def stop(self) -> None:
        """Nobody wants the rest, if there is any."""
        self.budget.close()
        for future in self._pending:
            future.cancel()

    def _submit(self, work: Callable[..., None], *arguments: object) -> None:
        self._pending.append(self._pool.submit(self._told, work, *arguments))

    def _told(self, work: Callable[..., None], *arguments: object) -> None:
        try:
            if not self.budget.closed:
                work(*arguments)
        except BaseException as broken:  # noqa: BLE001  it is raised again where the blocks are taken
            self._arrived.put(broken)

    def _pass_on(self, blocks: list[Block]) -> bool:
        """Whether more is wanted. Files that came together are put in order: the same few give the same rows."""
        blocks.sort(key=lambda block: block.ordinal)
        wanted = self.budget.take(sum(len(block.data) for block in blocks))
        self._arrived.put(blocks)
        return wanted

    def _read_small(self, files: Sequence[tuple[int, ClaimedFile]]) -> None:
        """Files that come whole; what did not come, or fails, is read like a large one."""
        together, size = list[Block](), 0
        with closing(self._store.read_small([(file.path, file.etag) for _, file in files])) as groups:
            for whole in chain.from_iterable(groups):
                ordinal, file = files[whole.position]
                if whole.body is None:
                    self._submit(self._read, ordinal, file)
                    continue
                for block in self._blocks(ordinal, iter([whole.body] if whole.body else []), whole.seconds):
                    together.append(block)
                    size += len(block.data)
                    if size > _TOGETHER_BYTES:
                        if not self._pass_on(together):
                            return
                        together, size = [], 0
        self._pass_on(together)

    def _read(self, ordinal: int, file: ClaimedFile) -> None:
        for block in self._blocks(ordinal, self._store.read(file.path, file.etag)):
            if not self._pass_on([block]):
                return

    def _blocks(self, ordinal: int, chunks: Iterator[bytes], seconds: float = 0.0) -> Iterator[Block]:
        """The blocks of a file from its bytes, the last one with the error that ended it, if one did.

        Args:
            ordinal: of the file in its load.
            chunks: its bytes.
            seconds: since it was asked for.
        """
        began, count = time.monotonic() - seconds, _Count()
        held: bytes | None = None
        error: AutoloaderError | None = None

        def block(data: bytes, *, last: bool) -> Block:
            return Block(ordinal, data, last, count.taken(), time.monotonic() - began, error)

        try:
            for data in self._cut(count.over(chunks)):
                if held is not None:
                    yield block(held, last=False)
                held = data
        except AutoloaderError as refused:
            error, held = refused, b""
        yield block(held or b"", last=True)
