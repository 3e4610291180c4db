"""Workers in threads: many at once, one that died, and such as are told to stop."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url
from sqlalchemy.event import listen
from tests.patience import eventually

from autoloader.ledger import loads
from autoloader.ledger.database import transaction
from autoloader.model import FileStatus, Outcome, RunStatus
from autoloader.objects import Whole
from autoloader.plan import Lease, LoadLimits
from autoloader.workers import work_forever

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from tests.conftest import Databases
    from tests.workers.conftest import Queue

    from autoloader.model import Ingestion, SourceObject
    from autoloader.objects import ObjectStore

FILES = 60


def test_ten_workers_on_one_ingestion_load_each_file_once(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=FILES)
    run = queue.enqueue(ingestion)
    one, two = (queue.parts(limits=LoadLimits(max_files=5)) for _ in range(2))
    with queue.working(one, concurrency=5), queue.working(two, concurrency=5):
        ended = queue.ended(run)
    assert (ended.status, ended.files_succeeded, ended.records_ingested) == (RunStatus.SUCCESS, FILES, FILES)
    assert queue.rows(ingestion) == (FILES, FILES)
    assert queue.sql("SELECT count(*) FROM outcomes") == [(FILES,)]


def test_many_ingestions_at_once_are_all_served(queue: Queue) -> None:
    made = [queue.ingestion(f"events_{number}", files=2) for number in range(8)]
    queued = [queue.enqueue(ingestion) for ingestion in made]
    with queue.working(queue.parts()):
        ended = [queue.ended(run) for run in queued]
    assert {(run.status, run.files_succeeded) for run in ended} == {(RunStatus.SUCCESS, 2)}


def test_a_load_that_was_lost_is_recovered_while_the_workers_are_busy_or_idle(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=3)
    run, parts = queue.enqueue(ingestion), queue.parts(lease=Lease(duration=timedelta(seconds=3)))
    assert queue.turn(parts)
    with transaction(queue.runtime.database) as connection:
        died = Lease(duration=timedelta(milliseconds=1))
        loads.claim(connection, run, worker="died", lease=died, limits=LoadLimits(), table_name=ingestion.table_name)
    with queue.working(parts):
        ended = queue.ended(run)
    assert (ended.status, ended.files_succeeded) == (RunStatus.SUCCESS, 3)
    assert queue.rows(ingestion) == (3, 3)
    assert queue.sql("SELECT DISTINCT retry_count FROM processed_files") == [(0,)]


def test_a_run_whose_lost_load_nobody_can_decide_is_failed_once_nothing_else_is_left(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=20)
    run = queue.enqueue(ingestion)
    queue.turns(queue.parts())
    queue.arrive("events/more", 1)
    again, parts = queue.enqueue(ingestion), queue.parts()
    assert queue.turn(parts)
    with transaction(queue.runtime.database) as connection:
        died = Lease(duration=timedelta(milliseconds=1))
        claimed = loads.claim(
            connection, again, worker="died", lease=died, limits=LoadLimits(), table_name=ingestion.table_name
        )
        assert claimed is not None
        load, files = claimed
        outcomes = [Outcome(file_id=file.file_id, status=FileStatus.SUCCESS) for file in files]
        loads.store_outcomes(connection, load.id, outcomes)
    table = queue.catalog.load_table(f"{ingestion.database}.{ingestion.table}")
    oldest = table.metadata.snapshots[0]
    table.maintenance.expire_snapshots().by_id(oldest.snapshot_id).commit()
    queue.sql("UPDATE loads SET started_at = '2001-01-01' WHERE worker = 'died'")
    with queue.working(parts):
        failed = queue.ended(again)
    assert (queue.run(run).status, failed.status) == (RunStatus.SUCCESS, RunStatus.FAILED)
    (error,) = failed.errors
    assert error.type == "HistoryTooShort"
    assert f"table {ingestion.table_name}" in error.message
    assert queue.sql("SELECT state FROM loads WHERE worker = 'died'") == [("LOST",)]


def test_workers_outlive_an_outage_of_the_ledger(queue: Queue, databases: Databases, database_url: str) -> None:
    ingestion = queue.ingestion("events", files=2)
    run, parts = queue.enqueue(ingestion), queue.parts()
    name = make_url(database_url).database
    attempted = threading.Event()
    listen(queue.runtime.database, "do_connect", lambda *_: attempted.set())
    databases._admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
    databases._admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
    with queue.working(parts):
        assert attempted.wait(30)
        databases._admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        ended = queue.ended(run)
    assert (ended.status, ended.files_succeeded) == (RunStatus.SUCCESS, 2)


class Endless:
    """A bucket whose files do not come to an end before the test is over."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.reading = threading.Event()
        self.over = threading.Event()

    def pages(self, prefix: str) -> Iterator[list[SourceObject]]:
        for page in self.store.pages(prefix):
            yield list(page)

    def read(self, path: str, etag: str, *, start: int = 0) -> Iterator[bytes]:
        self.reading.set()
        self.over.wait()
        yield from self.store.read(path, etag, start=start)

    def read_small(self, versions: Sequence[tuple[str, str]]) -> Generator[Sequence[Whole]]:
        yield [Whole(position, None, 0) for position in range(len(versions))]


def test_workers_end_within_their_grace_even_if_a_bucket_does_not_answer(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)
    run = queue.enqueue(ingestion)
    assert queue.turn(queue.parts())
    stopping = threading.Event()
    opened: list[Endless] = []

    @contextmanager
    def endless(ingestion: Ingestion) -> Iterator[ObjectStore]:
        with queue.runtime.open_store(ingestion) as store:
            opened.append(Endless(store))
            yield opened[-1]

    left: list[int] = []
    parts = queue.parts(open_store=endless)
    thread = threading.Thread(
        target=lambda: left.append(work_forever(parts, concurrency=1, stopping=stopping, grace=timedelta(seconds=1.5)))
    )
    thread.start()
    eventually(lambda: queue.counts(ingestion).get(FileStatus.PROCESSING) and opened[0].reading.is_set(), "it reads")
    began = time.monotonic()
    stopping.set()
    thread.join()
    assert time.monotonic() - began < 6
    assert left == [1]
    opened[0].over.set()
    eventually(lambda: queue.counts(ingestion) == {FileStatus.DISCOVERED: 2}, "its files are put back")
    queue.turns(queue.parts())
    assert queue.run(run).files_succeeded == 2
    assert queue.rows(ingestion) == (2, 2)
