"""Progress bars on stderr: a run's files, bytes, rows, rate and the time that is left; how far other jobs are."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from autoloader.cli.output import size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader import engines
    from autoloader.model import ListingCounts, Reading

LONG_SECONDS = 10
STEPS = {
    "queued": "Queued",
    "ledger": "Reading the ledger",
    "bucket": "Listing the bucket",
    "table": "Counting rows",
    "storage": "Looking for leftovers",
    "files": "Reading files",
}


class RunProgress:
    """A ``Watcher`` that draws what it sees."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._lock = threading.Lock()
        self._listing = bars.add_task("Listing", total=None, details="")
        self._loading: TaskID | None = None
        self._files = self._bytes = self._records = self._all_files = self._all_bytes = 0
        self._queued_at: float | None = None
        self._told = False

    def queued(self) -> None:
        """The run still waits for a worker; after a while a person is told that there may be none."""
        self._bars.update(self._listing, details="waiting for a worker")
        if self._queued_at is None:
            self._queued_at = time.monotonic()
        elif not self._told and time.monotonic() - self._queued_at > LONG_SECONDS:
            self._told = True
            click.echo("No worker has taken the run up yet: `autoloader worker` starts one.", err=True)

    def listing(self, counts: ListingCounts) -> None:
        """So much of the bucket is recorded."""
        details = f"{counts.listed:,} files seen · {counts.new:,} new · {counts.changed:,} changed"
        if not counts.listed:
            details = f"{counts.new:,} files new or changed"
        self._bars.update(self._listing, details=details)

    def waiting(self, files: int, size_bytes: int) -> None:
        """So much is to be loaded."""
        self._bars.update(self._listing, total=1, completed=1)
        self._all_files, self._all_bytes = files, size_bytes
        self._loading = self._bars.add_task("Loading", total=max(size_bytes or files, 1), details=f"{files:,} files")

    def progress(self, done: engines.Progress) -> None:
        """So much was read since the last call."""
        with self._lock:
            self._files += done.files
            self._bytes += done.bytes
            self._records += done.records
            if self._loading is None:
                return
            elapsed = self._bars.tasks[self._loading].elapsed or 0
            rate = (
                f" · {self._files / elapsed:,.0f} files/s · {size(round(self._bytes / elapsed))}/s" if elapsed else ""
            )
            details = f"{self._files:,}/{self._all_files:,} files · {self._records:,} rows · {size(self._bytes)}{rate}"
            self._bars.update(self._loading, completed=self._bytes if self._all_bytes else self._files, details=details)


class JobProgress:
    """Draws how far a verification or a validation is."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskID] = {}

    def queued(self) -> None:
        """It still waits for a worker."""
        self._task("queued", "waiting for a worker")

    def reading(self, seen: Reading) -> None:
        """It has come so far."""
        of = "" if seen.total is None else f" of {seen.total:,}"
        task = self._task(seen.what, f"{seen.done:,}{of}")
        self._bars.update(task, total=seen.total, completed=seen.done)

    def _task(self, what: str, details: str) -> TaskID:
        with self._lock:
            if what not in self._tasks:
                for before in self._tasks.values():
                    self._bars.update(before, total=1, completed=1)
                self._tasks[what] = self._bars.add_task(STEPS[what], total=None, details=details)
            self._bars.update(self._tasks[what], details=details)
            return self._tasks[what]


@contextmanager
def progress(*, quiet: bool) -> Iterator[RunProgress]:
    """Draw a run's progress while the block goes on; nothing is drawn for programs or where stderr is no terminal."""
    with _bars(quiet=quiet) as bars:
        yield RunProgress(bars)


@contextmanager
def job_progress(*, quiet: bool) -> Iterator[JobProgress]:
    """Likewise a verification's or a validation's."""
    with _bars(quiet=quiet) as bars:
        yield JobProgress(bars)


@contextmanager
def _bars(*, quiet: bool) -> Iterator[Progress]:
    screen = Console(stderr=True, quiet=quiet)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[details]}"),
        TimeRemainingColumn(compact=True),
        console=screen,
        transient=True,
        disable=quiet or not screen.is_terminal,
    )
    with bars:
        yield bars
