from __future__ import annotations

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from tests.ledger.ledgers import LEASE, MODIFIED, Ledger, bad, good, later, objects, path

from autoloader.errors import LeaseLost, LedgerError, NotKnown, WrongState
from autoloader.ledger import loads
from autoloader.model import FileStatus, LoadState, OnChangedFile, Outcome, WriteMode
from autoloader.plan import Lease, LoadLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from autoloader.model import ClaimedFile, Load


def renew(ledger: Ledger, load: Load) -> bool:
    with ledger.transaction() as connection:
        return loads.renew(connection, load.id, LEASE)


def fail(ledger: Ledger, load: Load) -> bool:
    with ledger.transaction() as connection:
        return loads.fail(connection, load.id, "CatalogUnavailable", "no answer\0")


def settle_committed(ledger: Ledger, load: Load, snapshot_id: int = 5) -> bool:
    with ledger.transaction() as connection:
        return loads.settle_committed(connection, load.id, snapshot_id)


def settle_failed(ledger: Ledger, load: Load) -> bool:
    with ledger.transaction() as connection:
        return loads.settle_failed(connection, load.id)


def names(claimed: tuple[ClaimedFile, ...]) -> list[str]:
    return [file.path.rpartition("/")[2] for file in claimed]


def one_load(ledger: Ledger) -> tuple[Load, ClaimedFile]:
    ingestion = ledger.ingestion()
    load, (file,) = ledger.claims(ledger.discover(ingestion, objects("a.json")))
    return load, file


def test_a_claim_takes_the_oldest_files_first(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    for name in ("c", "a", "b"):
        ledger.record(ingestion, run, objects(name))
    load, claimed = ledger.claims(run, max_files=2)
    assert names(claimed) == ["c", "a"]
    assert (load.state, load.worker, load.files, load.bytes) == (LoadState.RUNNING, "worker-1", 2, 200)
    assert (load.run_id, load.ingestion_id, load.table_name) == (run.id, ingestion.id, "lake.raw.events")
    assert (load.snapshot_id, load.ended_at) == (None, None)
    assert load.lease_until - load.started_at > LEASE.duration - timedelta(seconds=5)
    file = ledger.file(ingestion, "c")
    assert (file.status, file.load_id, file.run_id) == (FileStatus.PROCESSING, load.id, run.id)
    assert file.processing_started_at is not None
    assert (claimed[0].etag, claimed[0].size_bytes, claimed[0].modified_at) == ("v1", 100, MODIFIED)
    assert names(ledger.claims(run, max_files=2)[1]) == ["b"]
    assert ledger.claim(run) is None


def test_a_claim_stays_below_its_bytes_and_takes_a_larger_file_alone(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    sizes = {"a": 40, "b": 60, "c": 1, "huge": 1000, "d": 0, "e": 100}
    for name, size in sizes.items():
        ledger.record(ingestion, run, objects(name, size=size))
    taken = [names(ledger.claims(run, max_bytes=100)[1]) for _ in range(4)]
    assert taken == [["a", "b"], ["c"], ["huge"], ["d", "e"]]


def test_files_of_another_ingestion_are_not_claimed(ledger: Ledger) -> None:
    one, two = ledger.ingestion("one"), ledger.ingestion("two")
    ledger.discover(one, objects("a"))
    run = ledger.discover(two, objects("b"))
    assert names(ledger.claims(run)[1]) == ["b"]


def test_a_run_that_has_ended_claims_nothing(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_retries=0)
    run = ledger.loads_all(ingestion, objects("a"), bad)
    ledger.retry(ingestion)
    assert ledger.claim(run) is None


def test_an_overwriting_ingestion_waits_for_the_listing_then_takes_all_in_one_load(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(write_mode=WriteMode.OVERWRITE)
    run, _ = ledger.join(ingestion)
    ledger.record(ingestion, run, objects("a", "b", "c", size=100))
    assert ledger.claim(run, max_files=1, max_bytes=1) is None
    ledger.listed(run)
    assert len(ledger.claims(run, max_files=1, max_bytes=1)[1]) == 3


def versions(ledger: Ledger, policy: OnChangedFile) -> tuple[list[UUID], tuple[ClaimedFile, ...]]:
    """Two loaded versions, one that failed, one that brought no row, then one more and a new file."""
    ingestion = ledger.ingestion(on_changed_file=policy, max_retries=0)
    brought = []
    for etag, result in (("v1", good), ("v2", good), ("v3", bad), ("v4", lambda file: good(file, records=0))):
        run = ledger.discover(ingestion, objects("a", etag=etag))
        load = ledger.finishes(run, result)
        ledger.ends(run)
        brought.append(load.id)
    run = ledger.discover(ingestion, [*objects("a", etag="v5"), *objects("new")])
    return brought[:2], ledger.claims(run)[1]


def test_a_new_version_names_the_loads_that_brought_rows_of_its_path(ledger: Ledger) -> None:
    brought, claimed = versions(ledger, OnChangedFile.REPLACE)
    assert {file.path: file.replaces for file in claimed} == {path("a"): tuple(brought), path("new"): ()}


def test_an_appended_version_replaces_nothing(ledger: Ledger) -> None:
    _, claimed = versions(ledger, OnChangedFile.APPEND)
    assert {file.path: file.replaces for file in claimed} == {path("a"): (), path("new"): ()}


def test_eight_threads_claim_every_file_once_and_end_their_loads_without_deadlock(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects(*(f"{number:05}" for number in range(2000))))
    claimed: list[int] = []
    failures: list[BaseException] = []
    together = threading.Barrier(8)

    def work(number: int) -> None:
        try:
            together.wait()
            while (one := ledger.claim(run, worker=f"worker-{number}", max_files=37)) is not None:
                load, files = one
                claimed.extend(file.file_id for file in files)
                ledger.store(load, [good(file) for file in files])
                ledger.finish(load)
                ledger.end(run)
        except BaseException as error:  # noqa: BLE001  whatever it is, the test shows it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    ledger.end(run)
    assert Counter(claimed).most_common(1)[0][1] == 1
    assert len(claimed) == 2000
    ended = ledger.run(run)
    assert (ended.status, ended.files_succeeded, ended.records_ingested) == ("SUCCESS", 2000, 20_000)


def test_claims_pass_over_what_another_transaction_is_claiming(ledger: Ledger) -> None:
    run = ledger.discover(ledger.ingestion(), objects("a", "b", "c", "d"))
    with ledger.transaction() as connection:
        first = loads.claim(
            connection, run, worker="w", lease=LEASE, limits=LoadLimits(max_files=2), table_name="lake.raw.events"
        )
        second = ledger.claims(run)
    assert first is not None
    assert names(first[1]) == ["a", "b"]
    assert names(second[1]) == ["c", "d"]


def test_no_more_loads_of_an_ingestion_are_under_way_than_may_be(ledger: Ledger) -> None:
    run = ledger.discover(ledger.ingestion(), objects("a", "b", "c"))
    other = ledger.discover(ledger.ingestion("other"), objects("x"))
    first, _ = ledger.claims(run, max_files=1, at_once=2)
    ledger.claims(run, max_files=1, at_once=2)
    assert ledger.claim(run, max_files=1, at_once=2) is None
    assert ledger.claim(other, at_once=1) is not None, "another ingestion is another matter"
    ledger.pass_lease(first)
    with ledger.transaction() as connection:
        loads.expire(connection)
    assert ledger.claim(run, max_files=1, at_once=2) is not None, "a lost load is not under way"


def test_claims_at_the_same_moment_do_not_go_over_the_limit_together(ledger: Ledger) -> None:
    run = ledger.discover(ledger.ingestion(), objects(*(f"{number:03}" for number in range(40))))
    together = threading.Barrier(8)

    def claim(number: int) -> bool:
        together.wait()
        return ledger.claim(run, worker=f"worker-{number}", max_files=1, at_once=3) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(8))) == 3


def test_a_lease_is_renewed_from_now_by_the_clock_of_the_database(ledger: Ledger) -> None:
    load, _ = one_load(ledger)
    ledger.sql("UPDATE loads SET lease_until = now() + interval '1 second'")
    assert renew(ledger, load)
    ((left,),) = ledger.sql("SELECT lease_until - now() FROM loads")
    assert LEASE.duration - timedelta(seconds=5) < left <= LEASE.duration


def test_a_lease_that_has_passed_cannot_be_renewed_even_before_anyone_noticed(ledger: Ledger) -> None:
    load, _ = one_load(ledger)
    ledger.pass_lease(load)
    assert not renew(ledger, load)
    assert ledger.load(load.id).state is LoadState.RUNNING


def test_a_lease_of_no_time_is_over_at_once(ledger: Ledger) -> None:
    run = ledger.discover(ledger.ingestion(), objects("a"))
    claimed = ledger.claim(run, lease=Lease(duration=timedelta(0)))
    assert claimed is not None
    assert not renew(ledger, claimed[0])
    assert [lost.id for lost in ledger.expire()] == [claimed[0].id]


def test_only_loads_whose_lease_has_passed_are_lost_and_all_lost_ones_are_told(ledger: Ledger) -> None:
    run = ledger.discover(ledger.ingestion(), objects("a", "b", "c"))
    one, two, three = (ledger.claims(run, max_files=1)[0] for _ in range(3))
    assert ledger.expire() == []
    assert [lost.id for lost in ledger.expire(two)] == [two.id]
    lost = ledger.expire(one)
    assert [(load.id, load.state) for load in lost] == [(one.id, LoadState.LOST), (two.id, LoadState.LOST)]
    assert renew(ledger, three)
    assert not renew(ledger, one)


def test_outcomes_are_stored_before_anything_shows(ledger: Ledger) -> None:
    load, file = one_load(ledger)
    ledger.store(load, [bad(file)])
    ledger.store(load, [good(file)])
    assert ledger.sql("SELECT status, records_ingested, bytes_read, duration_ms FROM outcomes") == [
        ("SUCCESS", 10, 100, 7)
    ]
    assert ledger.sql("SELECT status, snapshot_id FROM processed_files") == [("PROCESSING", None)]


def test_messages_that_postgresql_cannot_hold_are_written_out(ledger: Ledger) -> None:
    load, file = one_load(ledger)
    message = "line 1: \0\x01\ud800 💥\t\n\\"
    ledger.store(load, [Outcome(file_id=file.file_id, status=FileStatus.FAILED, error_type="X", error_message=message)])
    ledger.finish(load, None)
    assert ledger.sql("SELECT error_message FROM processed_files") == [("line 1: \\x00\x01\\ud800 💥\t\n\\",)]


@pytest.mark.parametrize("which", ["none", "twice", "foreign", "too many"])
def test_outcomes_that_are_not_one_for_each_file_are_refused(ledger: Ledger, which: str) -> None:
    load, file = one_load(ledger)
    foreign = Outcome(file_id=404, status=FileStatus.SUCCESS)
    results = {"none": [], "twice": [good(file), good(file)], "foreign": [foreign], "too many": [good(file), foreign]}
    with pytest.raises(LedgerError, match="has 1 files, but"):
        ledger.store(load, results[which])
    assert ledger.sql("SELECT status FROM outcomes") == [("PROCESSING",)]
    with pytest.raises(WrongState, match="outcomes were never stored"):
        ledger.finish(load)


def test_finishing_gives_each_file_its_outcome(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("good", "bad", "later", "empty"))
    load, claimed = ledger.claims(run)
    by_name = dict(zip(names(claimed), claimed, strict=True))
    results = [good(by_name["good"]), bad(by_name["bad"]), later(by_name["later"]), good(by_name["empty"], records=0)]
    ledger.store(load, results)
    assert ledger.finish(load, 2**62)
    done = ledger.load(load.id)
    assert (done.state, done.snapshot_id) == (LoadState.COMMITTED, 2**62)
    assert done.ended_at is not None
    file = ledger.file(ingestion, "good")
    assert (file.status, file.snapshot_id, file.load_id, file.records_ingested) == ("SUCCESS", 2**62, load.id, 10)
    assert (file.bytes_read, file.processing_duration_ms, file.error_type) == (100, 7, None)
    assert file.processed_at is not None
    file = ledger.file(ingestion, "bad")
    assert (file.status, file.snapshot_id, file.load_id, file.error_type) == ("FAILED", None, load.id, "BadRecord")
    assert file.error_message == "line 1: not JSON"
    file = ledger.file(ingestion, "later")
    assert (file.status, file.load_id, file.error_type, file.retry_count) == ("DISCOVERED", None, "FileChanged", 0)
    assert ledger.file(ingestion, "empty").status is FileStatus.SUCCESS


def test_a_load_that_brought_no_row_needs_no_snapshot_and_one_that_did_needs_one(ledger: Ledger) -> None:
    load, file = one_load(ledger)
    ledger.store(load, [good(file)])
    with pytest.raises(IntegrityError, match="processed_files_snapshot_check"):
        ledger.finish(load, None)
    ledger.store(load, [good(file, records=0)])
    assert ledger.finish(load, None)
    assert ledger.sql("SELECT status, snapshot_id FROM processed_files") == [("SUCCESS", None)]


def test_a_finished_load_cannot_be_finished_failed_renewed_or_lost(ledger: Ledger) -> None:
    load, file = one_load(ledger)
    ledger.store(load, [good(file)])
    assert ledger.finish(load)
    before = everything(ledger)
    assert not ledger.finish(load, 99)
    assert not fail(ledger, load)
    assert not renew(ledger, load)
    assert not settle_committed(ledger, load)
    assert not settle_failed(ledger, load)
    assert ledger.expire() == []
    with pytest.raises(LeaseLost, match="taken over"):
        ledger.store(load, [bad(file)])
    assert everything(ledger) == before


def everything(ledger: Ledger) -> list[object]:
    tables = ("runs", "loads", "processed_files", "outcomes")
    return [ledger.sql(f"SELECT xmin, * FROM {table} ORDER BY id") for table in tables]


def test_the_owner_of_a_lost_load_can_write_nothing(ledger: Ledger) -> None:
    load, file = one_load(ledger)
    ledger.store(load, [good(file)])
    ledger.expire(load)
    before = everything(ledger)
    assert not ledger.finish(load)
    assert not fail(ledger, load)
    assert not renew(ledger, load)
    with pytest.raises(LeaseLost):
        ledger.store(load, [bad(file)])
    assert everything(ledger) == before


def test_a_running_load_cannot_be_settled_by_a_recoverer(ledger: Ledger) -> None:
    load, file = one_load(ledger)
    ledger.store(load, [good(file)])
    before = everything(ledger)
    assert not settle_committed(ledger, load)
    assert not settle_failed(ledger, load)
    assert everything(ledger) == before


def test_a_load_fails_as_a_whole_and_its_files_wait_again_in_the_same_run(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a"))
    load, (file,) = ledger.claims(run)
    ledger.store(load, [good(file)])
    assert fail(ledger, load)
    failed = ledger.load(load.id)
    assert (failed.state, failed.error_type, failed.error_message) == ("FAILED", "CatalogUnavailable", "no answer\\x00")
    waiting = ledger.file(ingestion, "a")
    assert (waiting.status, waiting.load_id, waiting.retry_count) == (FileStatus.DISCOVERED, None, 0)
    (version,) = ledger.history(ingestion, "a")
    assert (version.status, version.error_type, version.records_ingested) == ("DISCOVERED", "CatalogUnavailable", 0)
    assert names(ledger.claims(run)[1]) == ["a"]


def test_a_lost_load_that_landed_is_finished_by_its_stored_outcomes(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a", "b"))
    load, (one, two) = ledger.claims(run)
    ledger.store(load, [good(one), bad(two)])
    ledger.expire(load)
    assert settle_committed(ledger, load, 5)
    assert not settle_committed(ledger, load, 6)
    assert ledger.counts(ingestion) == {"SUCCESS": 1, "FAILED": 1}
    assert ledger.file(ingestion, "a").snapshot_id == 5
    assert ledger.ends(run).records_ingested == 10


def test_a_lost_load_whose_outcomes_were_never_stored_cannot_have_landed(ledger: Ledger) -> None:
    load, _ = one_load(ledger)
    ledger.expire(load)
    with pytest.raises(WrongState, match="never stored"):
        settle_committed(ledger, load)
    assert ledger.load(load.id).state is LoadState.LOST


def test_losing_workers_never_uses_up_a_files_retries(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_retries=1)
    run = ledger.discover(ingestion, objects("a"))
    for _ in range(5):
        load, _ = ledger.claims(run)
        ledger.expire(load)
        assert settle_failed(ledger, load)
        assert not settle_failed(ledger, load)
    assert ledger.file(ingestion, "a").retry_count == 0
    assert [version.error_type for version in ledger.history(ingestion, "a")] == ["WorkerLost"] * 5
    ledger.finishes(run, good)
    assert ledger.ends(run).files_succeeded == 1


def race(ledger: Ledger, load: Load) -> list[bool]:
    """The owner finishes while others expire and settle, all at once."""
    won: list[bool] = []
    together = threading.Barrier(4)

    def owner() -> None:
        together.wait()
        won.append(ledger.finish(load, 7))

    def recoverer() -> None:
        together.wait()
        won.append(any(settle_committed(ledger, lost, 7) for lost in ledger.expire()))

    threads = [threading.Thread(target=owner), *(threading.Thread(target=recoverer) for _ in range(3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won


def test_of_an_owner_and_many_recoverers_exactly_one_ends_the_load(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects(*"abcde"))
    for _ in range(5):
        load, (file,) = ledger.claims(run, max_files=1)
        ledger.store(load, [good(file)])
        ledger.pass_lease(load)
        assert race(ledger, load).count(True) == 1
    assert ledger.ends(run).files_succeeded == 5


def test_listing_and_loading_at_once_do_not_deadlock(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    keys = [f"{number:04}" for number in range(300)]
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> threading.Thread:
        def body() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  whatever it is, the test shows it
                failures.append(error)

        return threading.Thread(target=body)

    def lists() -> None:
        for etag in range(6):
            ledger.record(ingestion, run, objects(*keys, etag=f"v{etag}"))

    def works() -> None:
        for _ in range(12):
            claimed = ledger.claim(run, max_files=40)
            if claimed is not None:
                load, files = claimed
                ledger.store(load, [bad(file) if file.file_id % 3 else good(file) for file in files])
                ledger.finish(load)
            ledger.end(run)

    def asks() -> None:
        for _ in range(12):
            ledger.retry(ingestion)

    threads = [guarded(work) for work in (lists, works, works, works, asks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    while (claimed := ledger.claim(run)) is not None:
        load, files = claimed
        ledger.store(load, [good(file) for file in files])
        ledger.finish(load)
    ledger.listed(run)
    assert ledger.ends(run).files_discovered == 300


RUN = "ingestion_id, tenant_id, trigger, status"
OUTCOME = "file_id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, status"


def test_the_database_itself_refuses_what_may_not_be(ledger: Ledger) -> None:
    load, _ = one_load(ledger)
    for statement in (
        "UPDATE processed_files SET load_id = NULL",
        "UPDATE processed_files SET status = 'LOADED'",
        "UPDATE processed_files SET deferred = true",
        "UPDATE loads SET state = 'COMMITTED', ended_at = now()",
        "UPDATE loads SET state = 'FAILED'",
        "UPDATE runs SET status = 'SUCCESS'",
        f"INSERT INTO runs ({RUN}) SELECT {RUN} FROM runs",
        f"INSERT INTO outcomes ({OUTCOME}) SELECT {OUTCOME} FROM outcomes",
    ):
        with ledger.transaction() as connection, pytest.raises(IntegrityError):
            connection.execute(text(statement))
    assert ledger.load(load.id) == load


def test_an_unknown_load_is_not_known(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        with pytest.raises(NotKnown, match="no load"):
            loads.get(connection, uuid.uuid4())
        with pytest.raises(LeaseLost):
            loads.store_outcomes(connection, uuid.uuid4(), [])
        assert not loads.renew(connection, uuid.uuid4(), LEASE)
