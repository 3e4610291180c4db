"""The clock of the database, carried on by the monotonic clock of this machine, whose wall clock may say anything."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Clock:
    """Tells the time by a clock that was read a moment ago.

    Args:
        read: what it said.
    """

    def __init__(self, read: datetime) -> None:
        self._read = read
        self._began = time.monotonic()

    def now(self) -> datetime:
        """What it says now."""
        return self._read + timedelta(seconds=time.monotonic() - self._began)
