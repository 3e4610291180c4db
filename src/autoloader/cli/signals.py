"""Ctrl-C and SIGTERM as an event that work looks at."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signals(told: str = "Stopping cleanly; once more stops at once.") -> Iterator[Event]:
    """An event that Ctrl-C or SIGTERM sets, so that the work can stop cleanly; a second one stops at once.

    The event is set by a thread that reads what the interpreter notes of signals (``signal.set_wakeup_fd``). A handler
    must not set it: it runs in the main thread, which may hold the lock of the very event, and only once that thread
    gets to run, which a signal that reached another thread does not wake.

    Args:
        told: what the person is told at the first one.
    """
    stopping = Event()
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        if len(heard) > 1:
            raise KeyboardInterrupt

    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    listener = Thread(target=_listen, args=(reader, stopping, told), name="signals", daemon=True)
    listener.start()
    noted_at = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(noted_at)
        os.close(writer)
        listener.join()
        os.close(reader)


def _listen(reader: int, stopping: Event, told: str) -> None:
    """Set the event at the first of our signals; ends when nothing can come any more."""
    while number := os.read(reader, 1):
        if number[0] in SIGNALS and not stopping.is_set():
            click.echo(told, err=True)
            stopping.set()
