"""What the watcher of a run is told, from what its counters say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from autoloader.control.watching import watch
from autoloader.engines import Progress
from autoloader.model import Run, RunStatus, RunTrigger

if TYPE_CHECKING:
    from autoloader.model import ListingCounts

AT = datetime(2024, 1, 15, tzinfo=UTC)
RUN = Run(
    id=1,
    ingestion_id=1,
    tenant_id="default",
    cluster_id=None,
    trigger=RunTrigger.MANUAL,
    status=RunStatus.QUEUED,
    since=None,
    max_files=None,
    started_at=None,
    ended_at=None,
    duration_seconds=None,
    listed_at=None,
    files_discovered=0,
    files_processed=0,
    files_succeeded=0,
    files_failed=0,
    files_skipped=0,
    records_ingested=0,
    records_rejected=0,
    bytes_read=0,
    errors=(),
    created_at=AT,
)
GOING = replace(RUN, status=RunStatus.RUNNING, started_at=AT)


@dataclass
class Told:
    """A watcher that remembers."""

    queues: int = 0
    listings: list[int] = field(default_factory=list)
    to_load: list[tuple[int, int]] = field(default_factory=list)
    done: Progress = field(default_factory=Progress)

    def queued(self) -> None:
        self.queues += 1

    def listing(self, counts: ListingCounts) -> None:
        self.listings.append(counts.new)

    def waiting(self, files: int, size_bytes: int) -> None:
        self.to_load.append((files, size_bytes))

    def progress(self, done: Progress) -> None:
        self.done = Progress(
            files=self.done.files + done.files,
            bytes=self.done.bytes + done.bytes,
            records=self.done.records + done.records,
        )


def watched(states: list[Run]) -> tuple[Run, Told]:
    told, rest = Told(), iter(states[1:])
    return watch(states[0], lambda: next(rest), told, Event()), told


def test_a_run_is_told_from_the_queue_to_its_end() -> None:
    listed = replace(GOING, listed_at=AT, files_discovered=9, files_skipped=1)
    half = replace(listed, files_processed=4, records_ingested=40, bytes_read=400)
    end = replace(listed, status=RunStatus.SUCCESS, files_processed=8, records_ingested=80, bytes_read=800)

    ended, told = watched([RUN, RUN, GOING, replace(GOING, files_discovered=5), listed, half, end])

    assert ended == end
    assert (told.queues, told.listings, told.to_load) == (2, [0, 5], [(8, 0)])
    assert told.done == Progress(files=8, bytes=800, records=80)


def test_a_run_that_has_ended_is_not_asked_about() -> None:
    ended, _ = watched([replace(GOING, status=RunStatus.FAILED)])

    assert ended.status is RunStatus.FAILED


def test_whoever_stops_watching_has_the_run_as_it_was() -> None:
    stopping = Event()
    stopping.set()

    assert watch(RUN, lambda: GOING, Told(), stopping) == RUN


@given(st.lists(st.tuples(*[st.integers(0, 10**9)] * 3), min_size=1, max_size=3))
def test_the_parts_that_are_told_add_up_to_the_last_counters(counters: list[tuple[int, int, int]]) -> None:
    states = [
        replace(GOING, listed_at=AT, files_processed=files, bytes_read=size, records_ingested=records)
        for files, size, records in counters
    ]
    _, told = watched([*states[:-1], replace(states[-1], status=RunStatus.SUCCESS)])

    assert (told.done.files, told.done.bytes, told.done.records) == counters[-1]
