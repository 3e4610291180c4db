"""Verifications while runs go on, and verifications that workers do: nothing that is on its way is taken for wrong."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.patience import eventually

from autoloader.errors import CatalogUnavailable, Interrupted, TableMismatch
from autoloader.lake.data_files import Uploader
from autoloader.ledger import loads, verifications
from autoloader.ledger.database import transaction
from autoloader.ledger.jobs import KEPT
from autoloader.model import DifferenceKind, VerificationStatus
from autoloader.plan import Lease, LoadLimits
from autoloader.verifying import Asked, Unseen
from autoloader.verifying.jobs import take_turn
from autoloader.verifying.verification import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from pyiceberg.table import Table
    from tests.workers.conftest import Queue

    from autoloader.model import Difference, Ingestion, Reading, SourceObject, Verification, VerificationReport
    from autoloader.objects import ObjectStore, Whole
    from autoloader.verifying import Sides

LEASE = Lease(duration=timedelta(minutes=1))


class Verifier:
    """Somebody who verifies one ingestion, while something else happens at a moment of their choice."""

    def __init__(self, queue: Queue, ingestion: Ingestion) -> None:
        self.queue = queue
        self.ingestion = ingestion

    def sees(self, *, before_table: Callable[[], object] = lambda: None) -> tuple[VerificationReport, list[Difference]]:
        """What a verification finds.

        Args:
            before_table: done when the ledger and the bucket were read, and the table was not.
        """

        def open_table(name: str) -> Table | None:
            before_table()
            return self.queue.runtime.lake.open_table(name)

        found: list[Difference] = []
        sides = replace(self.queue.runtime._sides(), open_table=open_table)
        asked = Asked(ingestion=self.ingestion, tell=found.append, watcher=Unseen(), stopping=lambda: False)
        return verify(sides, asked), found

    def is_clean(self, **moment: Any) -> VerificationReport:
        report, found = self.sees(**moment)
        assert found == []
        return report


def loaded(queue: Queue, files: int = 3, **fields: Any) -> Verifier:
    """An ingestion with some files in its table."""
    ingestion = queue.ingestion("events", files=files, **fields)
    run_all(queue, ingestion)
    return Verifier(queue, ingestion)


def run_all(queue: Queue, ingestion: Ingestion) -> None:
    queue.enqueue(ingestion)
    queue.turns(queue.parts())


def change(queue: Queue, *names: int) -> None:
    """New versions of files, of two rows each."""
    for number in names:
        queue.landing.put(f"events/{number:04}.json", json.dumps({"id": 7}) + "\n" + json.dumps({"id": 8}) + "\n")


@contextmanager
def forgotten(queue: Queue) -> Iterator[None]:
    """What is loaded in the block is in the table, and the ledger still takes its last load for open."""
    yield
    queue.sql(
        "UPDATE processed_files SET status = 'PROCESSING' WHERE load_id IN "
        "(SELECT id FROM loads ORDER BY started_at DESC LIMIT 1)"
    )
    queue.sql(
        "UPDATE loads SET state = 'RUNNING', ended_at = NULL, snapshot_id = NULL, lease_until = now() + '1 hour' "
        "WHERE id IN (SELECT id FROM loads ORDER BY started_at DESC LIMIT 1)"
    )


def test_files_in_an_open_load_are_processing_and_their_rows_are_not_judged(queue: Queue) -> None:
    verifier = loaded(queue)
    queue.arrive("events", 5)
    queue.landing.put("events/new.json", '{"id": 9}\n')
    with forgotten(queue):
        run_all(queue, verifier.ingestion)

    report = verifier.is_clean()

    assert (report.loads_open, report.waiting["processing"]) == (1, 3)
    assert report.listed == report.loaded + sum(report.waiting.values())


def test_an_open_load_that_landed_may_have_taken_away_older_rows_of_its_files(queue: Queue) -> None:
    verifier = loaded(queue)
    change(queue, 0, 1)
    with forgotten(queue):
        run_all(queue, verifier.ingestion)

    assert verifier.is_clean().waiting == {"processing": 2}


def test_an_open_load_that_did_not_land_leaves_older_rows_where_they_are(queue: Queue) -> None:
    verifier = loaded(queue)
    change(queue, 0)
    run = queue.enqueue(verifier.ingestion)
    assert queue.turn(queue.parts())
    with transaction(queue.runtime.database) as connection:
        assert loads.claim(
            connection,
            queue.run(run),
            worker="w",
            lease=LEASE,
            limits=LoadLimits(),
            table_name=verifier.ingestion.table_name,
        )

    report = verifier.is_clean()

    assert (report.waiting, report.tables[0].rows_found) == ({"processing": 1}, 3)


def test_loads_that_began_after_the_ledger_was_read_are_not_seen(queue: Queue) -> None:
    verifier = loaded(queue)

    def meanwhile() -> None:
        change(queue, 0, 2)
        queue.landing.put("events/new.json", '{"id": 9}\n')
        run_all(queue, verifier.ingestion)

    report = verifier.is_clean(before_table=meanwhile)

    assert (report.loaded, report.tables[0].rows_found) == (3, 3)
    assert verifier.is_clean().tables[0].rows_found == 6


def test_an_overwriting_load_that_began_meanwhile_removes_nothing_that_is_claimed(queue: Queue) -> None:
    verifier = loaded(queue, write_mode="overwrite")

    def meanwhile() -> None:
        queue.landing.put("events/new.json", '{"id": 9}\n')
        run_all(queue, verifier.ingestion)

    assert verifier.is_clean(before_table=meanwhile).tables[0].rows_found == 3
    assert verifier.is_clean().tables[0].rows_found == 1


def test_an_overwriting_load_that_landed_and_is_open_removes_nothing_that_is_claimed(queue: Queue) -> None:
    verifier = loaded(queue, write_mode="overwrite")
    queue.landing.put("events/new.json", '{"id": 9}\n')
    with forgotten(queue):
        run_all(queue, verifier.ingestion)

    assert verifier.is_clean().tables[0].rows_found == 3


def test_the_moment_may_be_that_of_an_empty_table(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=2)

    report = Verifier(queue, ingestion).is_clean(before_table=lambda: run_all(queue, ingestion))

    assert (report.waiting, report.tables[0].snapshot_id) == ({"new": 2}, None)


def test_a_moment_whose_snapshot_was_expired_meanwhile_is_looked_for_again_later(queue: Queue) -> None:
    verifier = loaded(queue)

    def meanwhile() -> None:
        table = queue.catalog.load_table(f"{queue.namespace}.events")
        before = table.snapshots()[-1].snapshot_id
        queue.landing.put("events/new.json", '{"id": 9}\n')
        run_all(queue, verifier.ingestion)
        queue.catalog.load_table(f"{queue.namespace}.events").maintenance.expire_snapshots().by_id(before).commit()

    with pytest.raises(CatalogUnavailable, match="verify it again"):
        verifier.sees(before_table=meanwhile)


def test_data_files_of_an_open_load_are_its_own_and_those_of_one_that_failed_long_ago_are_orphaned(
    queue: Queue,
) -> None:
    verifier = loaded(queue)
    queue.landing.put("events/new.json", '{"id": 9}\n')
    run = queue.enqueue(verifier.ingestion)
    assert queue.turn(queue.parts())
    with transaction(queue.runtime.database) as connection:
        claimed = loads.claim(
            connection,
            queue.run(run),
            worker="w",
            lease=LEASE,
            limits=LoadLimits(),
            table_name=verifier.ingestion.table_name,
        )
    assert claimed is not None
    load, _ = claimed
    table = queue.runtime.lake.open_table(verifier.ingestion.table_name)
    assert table is not None
    location = f"{Uploader(table, load.id)._location}/{uuid.uuid4()}.parquet"
    with table.io.new_output(location).create() as output:
        output.write(b"PAR1")
    verifier.is_clean()

    with transaction(queue.runtime.database) as connection:
        loads.fail(connection, load.id, "CatalogUnavailable", "no answer")
    verifier.is_clean()
    queue.sql("UPDATE loads SET ended_at = now() - interval '2 minutes' WHERE state = 'FAILED'")

    _, found = verifier.sees()
    assert [(each.kind, each.file_path) for each in found] == [(DifferenceKind.ORPHANED_DATA_FILE, location)]


def test_a_load_that_the_ledger_takes_for_failed_but_landed_is_named_with_its_rows(queue: Queue) -> None:
    verifier = loaded(queue, files=1)
    queue.sql("UPDATE loads SET state = 'FAILED'")
    queue.sql("UPDATE outcomes SET status = 'DISCOVERED', records_ingested = 0")
    queue.sql("UPDATE processed_files SET status = 'DISCOVERED', load_id = NULL, snapshot_id = NULL")

    _, found = verifier.sees()

    assert [each.kind for each in found] == [DifferenceKind.SNAPSHOT_UNRECORDED, DifferenceKind.ROWS_UNRECORDED]


def test_a_load_that_two_snapshots_brought_landed_twice(queue: Queue) -> None:
    verifier = loaded(queue)
    table = queue.catalog.load_table(f"{queue.namespace}.events")
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    marks = {k: v for k, v in snapshot.summary.additional_properties.items() if k.startswith("autoloader.")}
    table.append(table.scan().to_arrow(), snapshot_properties=marks)

    _, found = verifier.sees()

    assert {each.kind for each in found} == {DifferenceKind.LANDED_TWICE, DifferenceKind.ROWS_TOO_MANY}


def test_deletes_of_other_engines_that_cannot_be_followed_are_an_error_and_no_guess(queue: Queue) -> None:
    verifier = loaded(queue)

    def unreadable(name: str) -> Table | None:
        raise TableMismatch(f"{name} holds equality deletes")

    sides = replace(queue.runtime._sides(), open_table=unreadable)
    asked = Asked(ingestion=verifier.ingestion, tell=lambda _: None, watcher=Unseen(), stopping=lambda: False)
    with pytest.raises(TableMismatch):
        verify(sides, asked)
    assert list(sides.spool.iterdir()) == []


def job(queue: Queue, ingestion: Ingestion) -> Verification:
    with transaction(queue.runtime.database) as connection:
        return verifications.enqueue(connection, ingestion.id)[0]


def state(queue: Queue, of: Verification) -> Verification:
    with transaction(queue.runtime.database) as connection:
        return verifications.get(connection, of.tenant_id, of.ingestion_id, of.id)


def turn(queue: Queue, sides: Sides | None = None, worker: str = "v") -> bool:
    return take_turn(sides or queue.runtime._sides(), worker, LEASE, threading.Event())


def test_workers_do_verifications_beside_their_runs(queue: Queue) -> None:
    verifier = loaded(queue)
    queued = job(queue, verifier.ingestion)
    assert (queued.status, queued.report) == (VerificationStatus.QUEUED, None)

    with queue.working(queue.parts()):
        eventually(lambda: state(queue, queued).ended_at, "the verification ends")

    ended = state(queue, queued)
    assert (ended.status, ended.report, ended.reading) == (VerificationStatus.SUCCESS, ended.report, None)
    assert ended.report is not None
    assert (ended.report.is_clean, ended.report.loaded, ended.report.tables[0].rows_found) == (True, 3, 3)


def test_a_verification_that_cannot_look_fails_with_the_reason(queue: Queue) -> None:
    ingestion = queue.ingestion("events", source_path="s3://no-such-bucket-here/x/")
    queued = job(queue, ingestion)

    assert turn(queue)

    ended = state(queue, queued)
    assert (ended.status, ended.error_type) == (VerificationStatus.FAILED, "BucketNotFound")
    assert "no-such-bucket-here" in (ended.error_message or "")
    assert not turn(queue)


def test_a_verification_whose_worker_fell_silent_is_begun_anew_and_after_three_it_is_left(queue: Queue) -> None:
    verifier = loaded(queue)
    queued = job(queue, verifier.ingestion)
    for number in range(3):
        with transaction(queue.runtime.database) as connection:
            taken = verifications.take_up(connection, f"dead-{number}", Lease(duration=timedelta(0)))
            assert taken is not None
    assert turn(queue)

    assert (state(queue, queued).status, state(queue, queued).error_type) == (VerificationStatus.FAILED, "WorkerLost")


def test_a_worker_that_lost_a_verification_writes_nothing_about_it(queue: Queue) -> None:
    verifier = loaded(queue, files=1)
    table = queue.catalog.load_table(f"{queue.namespace}.events")
    table.delete("id = 0")
    queued = job(queue, verifier.ingestion)

    def taken_over(name: str) -> Table | None:
        queue.sql("UPDATE verifications SET lease_until = now()")
        with transaction(queue.runtime.database) as connection:
            assert verifications.take_up(connection, "another", LEASE)
        return queue.runtime.lake.open_table(name)

    assert turn(queue, replace(queue.runtime._sides(), open_table=taken_over))

    assert state(queue, queued).status is VerificationStatus.RUNNING
    assert queue.sql("SELECT count(*) FROM verification_differences") == [(0,)]


def test_a_worker_that_is_told_to_stop_leaves_its_verification_to_the_next_one(queue: Queue) -> None:
    verifier = loaded(queue)
    queued, stopping = job(queue, verifier.ingestion), threading.Event()

    class Stopping:
        def pages(self, prefix: str) -> Iterator[Sequence[SourceObject]]:
            stopping.set()
            with queue.runtime.open_store(verifier.ingestion) as store:
                yield from store.pages(prefix)

        def read(self, path: str, etag: str, *, start: int = 0) -> Iterator[bytes]:
            raise AssertionError(path, etag, start)

        def read_small(self, versions: Sequence[tuple[str, str]]) -> Generator[Sequence[Whole]]:
            raise AssertionError(versions)

    @contextmanager
    def open_store(_: Ingestion) -> Iterator[ObjectStore]:
        yield Stopping()

    assert take_turn(replace(queue.runtime._sides(), open_store=open_store), "v", LEASE, stopping)
    assert state(queue, queued).status is VerificationStatus.RUNNING

    assert turn(queue, worker="next")
    assert state(queue, queued).status is VerificationStatus.SUCCESS


def test_of_very_many_differences_the_first_are_kept_and_all_are_counted(queue: Queue) -> None:
    ingestion = queue.ingestion("events", files=1)
    run_all(queue, ingestion)
    queue.sql(
        "INSERT INTO processed_files (ingestion_id, run_id, file_path, file_size_bytes, file_modified_at, file_etag, "
        "status, ever_loaded, discovered_at, load_id, snapshot_id, records_ingested) "
        "SELECT ingestion_id, run_id, file_path || n, 1, now(), 'e', 'SUCCESS', true, now(), load_id, snapshot_id, 2 "
        "FROM processed_files, generate_series(1, 6000) n"
    )
    queued = job(queue, ingestion)

    assert turn(queue)

    ended = state(queue, queued)
    assert ended.report is not None
    assert ended.report.differences == {
        DifferenceKind.LEDGER_CONTRADICTION: 6000,
        DifferenceKind.ROWS_MISSING: 6000,
    }
    assert queue.sql("SELECT count(*), max(number) FROM verification_differences") == [(10_000, 10_000)]


def test_only_the_newest_verifications_of_an_ingestion_are_kept(queue: Queue) -> None:
    ingestion = queue.ingestion("events")
    for _ in range(KEPT + 3):
        job(queue, ingestion)
        assert turn(queue)

    assert queue.sql("SELECT count(*) FROM verifications") == [(KEPT + 1,)]


def test_how_far_a_verification_is_can_be_watched(queue: Queue) -> None:
    verifier = loaded(queue)
    seen: list[Reading] = []

    class Watching:
        def reading(self, now: Reading) -> None:
            seen.append(now)

    queue.runtime.verify(verifier.ingestion, tell=lambda _: None, watcher=Watching())

    assert [each.what for each in seen] == sorted(
        (each.what for each in seen), key=["ledger", "bucket", "table", "storage"].index
    )
    assert {each.what for each in seen} == {"ledger", "bucket", "table", "storage"}


def test_whoever_stops_a_verification_gets_no_half_of_it(queue: Queue) -> None:
    verifier, stopping = loaded(queue), threading.Event()
    stopping.set()

    with pytest.raises(Interrupted):
        queue.runtime.verify(verifier.ingestion, tell=lambda _: None, stopping=stopping)
