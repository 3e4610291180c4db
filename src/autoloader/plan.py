"""Pure decisions: batch limits, lease times, backoff, which engine suits a load, and which name a person meant."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

from autoloader.errors import NotKnown

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadLimits:
    """How much one load may take; a single file larger than ``max_bytes`` makes a load of its own.

    Attributes:
        at_once: loads of one ingestion that may be under way, over all workers; None: as many as there are workers.
    """

    max_files: int = 10_000
    max_bytes: int = 2 * 1024**3
    at_once: int | None = None

    @property
    def shared(self) -> LoadLimits:
        """The limits while other runs wait: a load then takes about a second, so that all get their turn soon."""
        return replace(self, max_files=min(self.max_files, 1_000), max_bytes=min(self.max_bytes, 128 * 1024**2))


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """How long a worker may be silent before its load counts as lost."""

    duration: timedelta = timedelta(seconds=60)

    @property
    def renew_every(self) -> timedelta:
        """A third of the duration: two renewals may fail before the lease passes.

        Every 2 s at least, as a renewal also tells a worker that its run was cancelled.
        """
        return min(self.duration / 3, timedelta(seconds=2))


def backoff(failures: int, *, longest: timedelta = timedelta(seconds=30)) -> timedelta:
    """How long to wait after so many failures in a row, before jitter: 1 s, 2 s, 4 s, … up to ``longest``."""
    return min(timedelta(seconds=2 ** (failures - 1)), longest)


SPARK_BYTES = 1024**3
"""A load of less takes the embedded engine some ten seconds: what Spark needs to begin and to end is half of that."""
SPARK_MEAN_BYTES = 1024**2
"""A file costs Spark 5 ms beside its bytes, the embedded engine less than 1 ms. A MiB takes 10 ms and more to parse."""


def is_for_spark(files: int, size_bytes: int) -> bool:
    """Whether a cluster suits a load better than this process: it is large, and its files are not small.

    Args:
        files: how many of them are not empty.
        size_bytes: of all of them, as they are stored.
    """
    return size_bytes >= SPARK_BYTES and size_bytes >= files * SPARK_MEAN_BYTES


def unknown_name(name: str, known: Sequence[str]) -> NotKnown:
    """The error for a name that no ingestion has; its message offers names that look like it."""
    close = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known[:10]) or 'none yet'}"
    return NotKnown(f"there is no ingestion named {name!r}; {hint}", field="name")
