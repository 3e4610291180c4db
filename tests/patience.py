"""Waiting for what another process or thread does, by asking for it."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")
PATIENCE_SECONDS = 90.0
PAUSE_SECONDS = 0.03
"""Between two questions: without it they would take the processor from those who are waited for."""


def eventually(there: Callable[[], Answer | None], what: str) -> Answer:
    """Ask until the answer is true.

    Raises:
        AssertionError: it was not, for a minute and a half.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    nobody = Event()
    while not (found := there()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_SECONDS:.0f} s: {what}")
        nobody.wait(PAUSE_SECONDS)
    return found
