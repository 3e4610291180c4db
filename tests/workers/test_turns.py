"""What one turn of a worker does, step by step."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from tests.patience import eventually

from autoloader.errors import CatalogUnavailable, SourceUnavailable
from autoloader.ledger.database import transaction
from autoloader.ledger.listing import record_listing
from autoloader.ledger.queue import next_task
from autoloader.model import FileStatus, RunStatus
from autoloader.objects import Whole
from autoloader.plan import Lease, LoadLimits
from autoloader.turns import ATTEMPTS
from autoloader.workers import Unwatched, take_turn

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from contextlib import AbstractContextManager

    from pyiceberg.table import Table
    from tests.workers.conftest import Queue

    from autoloader.model import Ingestion
    from autoloader.objects import ObjectStore


def test_a_queued_run_is_listed_loaded_and_ended_turn_by_turn(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=15)
    run, parts = queue.enqueue(ingestion), queue.parts()
    assert queue.turn(parts)
    assert (queue.run(run).listed_at is not None, queue.run(run).files_discovered) == (True, 15)
    assert queue.turn(parts)
    assert queue.run(run).files_succeeded == 10
    assert queue.turn(parts)
    assert not queue.turn(parts)
    ended = queue.run(run)
    assert (ended.status, ended.files_succeeded, ended.records_ingested) == (RunStatus.SUCCESS, 15, 15)
    assert queue.rows(ingestion) == (15, 15)


def test_a_run_looks_only_at_what_it_was_asked_for_whoever_leads_it(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=5)
    run = queue.enqueue(ingestion, max_files=2)
    queue.turns(queue.parts())
    assert queue.run(run).files_succeeded == 2
    waits = queue.enqueue(ingestion, max_files=1)
    led = queue.runtime.run(ingestion, max_files=5, observer=Unwatched(), stopping=Event())
    assert (led.id, led.max_files, led.files_succeeded) == (waits.id, 1, 1)
    nothing = queue.enqueue(ingestion, since=datetime.now(UTC) + timedelta(hours=1))
    queue.turns(queue.parts())
    assert (queue.run(nothing).status, queue.run(nothing).files_discovered) == (RunStatus.SUCCESS, 0)
    queue.enqueue(ingestion, since=datetime.now(UTC) - timedelta(hours=1))
    queue.turns(queue.parts())
    assert queue.rows(ingestion) == (5, 5)


def test_what_a_leader_found_before_it_died_counts_for_the_next_one(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=5)
    with queue.runtime.open_store(ingestion) as store:
        found = [each for page in store.pages(f"{queue.landing.prefix}events/") for each in page]
    run = queue.enqueue(ingestion, max_files=3)
    with transaction(queue.runtime.database) as connection:
        assert next_task(connection, "died", Lease()) is not None
        record_listing(connection, ingestion, run.id, found, worker="died", at_most=2)
    queue.sql("UPDATE runs SET lease_until = now() - interval '1 second'")
    queue.turns(queue.parts())
    ended = queue.run(run)
    assert (ended.status, ended.max_files, ended.files_succeeded) == (RunStatus.SUCCESS, 3, 3)
    assert queue.rows(ingestion) == (3, 3)


def test_nothing_new_is_success_in_one_turn(queue: Queue) -> None:
    run = queue.enqueue(queue.ingestion("events"))
    assert queue.turn(queue.parts())
    assert queue.run(run).status is RunStatus.SUCCESS


def test_no_one_waits_for_all_files_of_another(queue: Queue) -> None:
    large, small = queue.ingestion("large", files=40), queue.ingestion("small", files=1)
    first, second = queue.enqueue(large), queue.enqueue(small)
    parts = queue.parts()
    for _ in range(4):
        assert queue.turn(parts)
    assert queue.run(second).status is RunStatus.SUCCESS
    assert queue.run(first).files_succeeded == 10
    queue.turns(parts)
    assert queue.run(first).files_succeeded == 40


def test_loads_are_short_while_others_wait() -> None:
    assert LoadLimits().shared == LoadLimits(max_files=1_000, max_bytes=128 * 1024**2)
    assert LoadLimits(max_files=7, max_bytes=9).shared == LoadLimits(max_files=7, max_bytes=9)


class Flaky:
    """A catalog that does not answer the first few times."""

    def __init__(self, queue: Queue, failures: int) -> None:
        self.queue = queue
        self.failures = failures

    def __call__(self, ingestion: Ingestion) -> Table:
        if self.failures:
            self.failures -= 1
            raise CatalogUnavailable("the catalog does not answer: try again later")
        return self.queue.runtime.lake.ensure_table(ingestion)


def test_a_reason_that_may_pass_postpones_the_run_and_is_not_counted_against_its_files(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=3, max_retries=0)
    run = queue.enqueue(ingestion)
    parts = queue.parts(ensure_table=Flaky(queue, failures=ATTEMPTS - 1))
    for failures in range(1, ATTEMPTS):
        assert queue.turn(parts)
        assert not queue.turn(parts), "the run is left alone for a while"
        assert queue.sql("SELECT failures, again_at > now() FROM runs") == [(failures, True)]
        queue.pass_pause()
    queue.turns(parts)
    ended = queue.run(run)
    assert (ended.status, ended.files_succeeded, ended.errors) == (RunStatus.SUCCESS, 3, ())
    assert queue.sql("SELECT DISTINCT retry_count FROM processed_files") == [(0,)]
    assert queue.rows(ingestion) == (3, 3)


def test_a_load_that_found_no_catalog_puts_its_files_back_at_once(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=3)
    run, parts = queue.enqueue(ingestion), queue.parts()
    assert queue.turn(parts)
    assert queue.turn(queue.parts(ensure_table=Flaky(queue, failures=1)))
    assert queue.counts(ingestion) == {FileStatus.DISCOVERED: 3}
    queue.pass_pause()
    queue.turns(parts)
    assert queue.run(run).files_succeeded == 3


def test_a_reason_that_does_not_pass_ends_the_run_after_so_many_times_and_the_next_run_loads(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=3)
    run = queue.enqueue(ingestion)
    parts = queue.parts(ensure_table=Flaky(queue, failures=ATTEMPTS))
    for _ in range(ATTEMPTS):
        assert queue.turn(parts)
        queue.pass_pause()
    failed = queue.run(run)
    assert (failed.status, [error.type for error in failed.errors]) == (RunStatus.FAILED, ["CatalogUnavailable"])
    again = queue.enqueue(ingestion)
    queue.turns(parts)
    assert queue.run(again).files_succeeded == 3


def test_a_bucket_that_is_not_there_ends_the_run_at_once_with_its_name(queue: Queue) -> None:
    run = queue.enqueue(queue.ingestion("events", source_path="s3://no-such-bucket-here/x/"))
    assert queue.turn(queue.parts())
    failed = queue.run(run)
    assert (failed.status, failed.errors[0].type) == (RunStatus.FAILED, "BucketNotFound")
    assert "no-such-bucket-here" in failed.errors[0].message


def test_a_throttled_bucket_is_listed_again_later_by_whoever_is_free(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)
    run = queue.enqueue(ingestion)

    def throttled(_: Ingestion) -> AbstractContextManager[ObjectStore]:
        raise SourceUnavailable("s3://landing: SlowDown")

    assert queue.turn(queue.parts(open_store=throttled))
    assert queue.run(run).status is RunStatus.RUNNING
    queue.pass_pause()
    queue.turns(queue.parts())
    assert queue.run(run).files_succeeded == 2


def test_a_defect_in_one_run_is_told_and_stops_no_other(queue: Queue) -> None:
    broken, whole = queue.ingestion("broken", files=1), queue.ingestion("whole", files=1)
    first, second = queue.enqueue(broken), queue.enqueue(whole)

    def ensure(ingestion: Ingestion) -> Any:
        if ingestion.name == "broken":
            raise ZeroDivisionError
        return queue.runtime.lake.ensure_table(ingestion)

    queue.turns(queue.parts(ensure_table=ensure))
    failed = queue.run(first)
    assert (failed.status, failed.errors[0].type) == (RunStatus.FAILED, "Defect")
    assert "ZeroDivisionError" in failed.errors[0].message
    assert queue.run(second).status is RunStatus.SUCCESS


def test_a_listing_that_is_stopped_is_taken_up_by_another_worker_at_once(queue: Queue) -> None:
    run = queue.enqueue(queue.ingestion("events", files=2))
    stopping = Event()
    stopping.set()
    assert take_turn(queue.parts(), stopping)
    assert queue.run(run).status is RunStatus.RUNNING
    assert queue.run(run).listed_at is None
    queue.turns(queue.parts())
    assert queue.run(run).files_succeeded == 2


def test_a_load_that_is_stopped_puts_its_files_back_and_its_run_goes_on_elsewhere(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2, max_retries=0)
    run = queue.enqueue(ingestion)
    assert queue.turn(queue.parts())
    stopping = Event()
    stopping.set()
    assert take_turn(queue.parts(), stopping)
    assert queue.counts(ingestion) == {FileStatus.DISCOVERED: 2}
    queue.turns(queue.parts())
    assert queue.run(run).files_succeeded == 2
    assert queue.rows(ingestion) == (2, 2)


def test_a_run_cancelled_between_loads_keeps_what_it_loaded_and_leaves_the_rest_to_the_next(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=15)
    run, parts = queue.enqueue(ingestion), queue.parts()
    assert queue.turn(parts)
    assert queue.turn(parts)
    assert queue.cancel(run)
    assert not queue.turn(parts)
    assert queue.counts(ingestion) == {FileStatus.SUCCESS: 10, FileStatus.DISCOVERED: 5}
    again = queue.enqueue(ingestion)
    queue.turns(parts)
    assert queue.run(run).status is RunStatus.CANCELLED
    assert queue.run(again).files_succeeded == 5
    assert queue.rows(ingestion) == (15, 15)


class Slow:
    """A bucket whose files arrive only when the worker has renewed its lease after the run was cancelled."""

    def __init__(self, queue: Queue, store: ObjectStore) -> None:
        self.queue = queue
        self.store = store

    def pages(self, prefix: str) -> Any:
        return self.store.pages(prefix)

    def read(self, path: str, etag: str, *, start: int = 0) -> Iterator[bytes]:
        (before,) = self.queue.sql("SELECT max(lease_until) FROM loads")
        self.queue.sql("UPDATE runs SET status = 'CANCELLED', ended_at = now() WHERE status = 'RUNNING'")
        eventually(lambda: self.queue.sql("SELECT max(lease_until) FROM loads") != [before], "the lease is renewed")
        yield from self.store.read(path, etag, start=start)

    def read_small(self, versions: Sequence[tuple[str, str]]) -> Generator[Sequence[Whole]]:
        yield [Whole(position, None, 0) for position in range(len(versions))]


def test_a_load_whose_run_is_cancelled_is_interrupted_and_its_files_wait_for_the_next_run(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=3, max_retries=0)
    run = queue.enqueue(ingestion)
    assert queue.turn(queue.parts())

    @contextmanager
    def slow(ingestion: Ingestion) -> Iterator[ObjectStore]:
        with queue.runtime.open_store(ingestion) as store:
            yield Slow(queue, store)

    assert queue.turn(queue.parts(open_store=slow))
    assert queue.run(run).status is RunStatus.CANCELLED
    assert queue.counts(ingestion) == {FileStatus.DISCOVERED: 3}
    assert queue.sql("SELECT state, error_type FROM loads") == [("FAILED", "Interrupted")]
    again = queue.enqueue(ingestion)
    queue.turns(queue.parts())
    assert queue.run(again).files_succeeded == 3
    assert queue.rows(ingestion) == (3, 3)


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_worker_that_died_after_its_last_load_leaves_the_end_of_the_run_to_another(queue: Queue, mode: str) -> None:
    ingestion = queue.ingestion("events", files=2, write_mode=mode)
    run, parts = queue.enqueue(ingestion), queue.parts()
    assert queue.turn(parts)
    assert queue.turn(parts)
    queue.sql("UPDATE runs SET status = 'RUNNING', ended_at = NULL WHERE id = :id", id=run.id)
    assert queue.turn(queue.parts())
    assert queue.run(run).status is RunStatus.SUCCESS
