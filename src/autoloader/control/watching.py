"""What others work on, watched from afar: asked about again and again until it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from autoloader.control.refusals import error_named
from autoloader.engines import Progress
from autoloader.errors import Interrupted
from autoloader.model import ListingCounts, RunStatus, VerificationStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from autoloader.control import JobWatcher, Watcher
    from autoloader.model import Reading, Run

Report_co = TypeVar("Report_co", covariant=True)

SHORTEST_POLL, LONGEST_POLL = 0.1, 1.0
"""Seconds between two looks: a run that finds nothing new is over in a fraction of one."""
ACTIVE = frozenset({RunStatus.QUEUED, RunStatus.RUNNING})
GOING_ON = frozenset({VerificationStatus.QUEUED, VerificationStatus.RUNNING})


def watch(run: Run, again: Callable[[], Run], watcher: Watcher, stopping: Event) -> Run:
    """Tell the watcher of a run what its counters say until it has ended, or ``stopping`` is set.

    Args:
        run: as it is now.
        again: asks how it is.

    Returns:
        The run as it was last seen.
    """
    seen, poll = _Seen(watcher), SHORTEST_POLL
    seen.tell(run)
    while run.status in ACTIVE and not stopping.wait(poll):
        run, poll = again(), min(poll * 1.5, LONGEST_POLL)
        seen.tell(run)
    return run


class Watched(Protocol[Report_co]):
    """A verification or a validation as it was last seen."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def status(self) -> VerificationStatus:
        """Whether it goes on."""

    @property
    def reading(self) -> Reading | None:
        """How far it is."""

    @property
    def report(self) -> Report_co | None:
        """What it found."""

    @property
    def error_type(self) -> str | None:
        """Why it could not look, as a stable name."""

    @property
    def error_message(self) -> str | None:
        """The same as a sentence."""


def report_of(
    begun: Watched[Report_co], again: Callable[[], Watched[Report_co]], watcher: JobWatcher, stopping: Event
) -> Report_co:
    """What a verification or a validation found, once it has ended; its watcher is told how far it is.

    Raises:
        Interrupted: ``stopping`` was set; it goes on.
        AutoloaderError: it could not look, for the reason that the service tells.
    """
    seen, poll = begun, SHORTEST_POLL
    while seen.status in GOING_ON:
        if seen.reading is not None:
            watcher.reading(seen.reading)
        elif seen.status is VerificationStatus.QUEUED:
            watcher.queued()
        if stopping.wait(poll):
            raise Interrupted(f"the service goes on with it (number {begun.id}); ask again to see what it found")
        seen, poll = again(), min(poll * 1.5, LONGEST_POLL)
    if seen.report is None:
        raise error_named(seen.error_type or "", seen.error_message or "it failed")
    return seen.report


class _Seen:
    """What the watcher was told already: it asks for what came since."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._to_load: int | None = None
        self._files = self._bytes = self._records = 0

    def tell(self, run: Run) -> None:
        if run.status is RunStatus.QUEUED:
            self._watcher.queued()
        elif run.listed_at is None:
            self._watcher.listing(ListingCounts(new=run.files_discovered))
        else:
            self._tell_loading(run)

    def _tell_loading(self, run: Run) -> None:
        to_load = max(run.files_discovered - run.files_skipped, 0)
        if self._to_load is None:
            self._to_load = to_load
            self._watcher.waiting(to_load, 0)
        # A counter may fall: it is worked out anew when the run ends, each file once.
        done = Progress(
            files=run.files_processed - self._files,
            bytes=run.bytes_read - self._bytes,
            records=run.records_ingested - self._records,
        )
        self._files, self._bytes, self._records = run.files_processed, run.bytes_read, run.records_ingested
        self._watcher.progress(done)
