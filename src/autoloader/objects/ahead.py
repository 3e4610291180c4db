"""An iterator worked by a thread of its own, a few items ahead of the one who consumes them."""

from __future__ import annotations

import threading
from queue import Empty, Queue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Item = TypeVar("Item")
DEPTH = 2


class _End:
    """The last thing in the queue, with the error that ended the iterator, if one did."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


def fetch_ahead(items: Iterator[Item], name: str) -> Iterator[Item]:
    """The same items, fetched up to ``DEPTH`` ahead; errors come where they would have come.

    Closed early, it does not wait for the item under way: its thread ends by itself when that has come.
    """
    queue: Queue[Item | _End] = Queue(DEPTH)
    stopped = threading.Event()

    def work() -> None:
        error: Exception | None = None
        try:
            for item in items:
                queue.put(item)
                if stopped.is_set():
                    break
        except Exception as caught:  # noqa: BLE001  raised again by the consumer
            error = caught
        queue.put(_End(error))

    threading.Thread(target=work, name=name, daemon=True).start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
    finally:
        stopped.set()
        _empty(queue)
    if item.error is not None:
        raise item.error


def _empty(queue: Queue[Item | _End]) -> None:
    """Make room for what the thread still puts: at most one item and the end."""
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return
