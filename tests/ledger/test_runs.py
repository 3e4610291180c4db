from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from tests.ledger.ledgers import LEASE, WORKER, Ledger, bad, good, later, objects

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import runs
from autoloader.model import IngestionStatus, RunStatus, RunTrigger, WriteMode

if TYPE_CHECKING:
    from autoloader.model import Ingestion, Run


def renew_lead(ledger: Ledger, run: Run, worker: str = WORKER) -> bool:
    with ledger.transaction() as connection:
        return runs.renew_lead(connection, run.id, worker, LEASE)


def take_lead(ledger: Ledger, run: Run, worker: str) -> bool:
    with ledger.transaction() as connection:
        return runs.take_lead(connection, run.id, worker, LEASE)


def counted(run: Run) -> dict[str, int]:
    names = ("discovered", "processed", "succeeded", "failed", "skipped")
    return {name: getattr(run, f"files_{name}") for name in names}


def test_the_first_to_come_leads_and_the_others_join(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(cluster_id="c-1")
    run, leads = ledger.join(ingestion)
    assert leads
    assert (run.status, run.trigger, run.worker) == (RunStatus.RUNNING, RunTrigger.MANUAL, WORKER)
    assert (run.tenant_id, run.cluster_id, run.ended_at, run.listed_at) == ("default", "c-1", None, None)
    assert run.started_at is not None
    assert ledger.join(ingestion, "worker-2") == (run, False)
    assert ledger.join(ingestion, WORKER) == (run, False)


def test_of_many_that_come_at_once_one_leads(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    answers: list[tuple[Run, bool]] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(ledger.join(ingestion, f"worker-{n}"))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [leads for _, leads in answers].count(True) == 1
    assert len({run.id for run, _ in answers}) == 1


def test_a_queued_run_is_led_by_the_first_worker_that_comes(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.sql(
        "INSERT INTO runs (ingestion_id, tenant_id, trigger, status) VALUES (:id, 'default', 'scheduled', 'QUEUED')",
        id=ingestion.id,
    )
    run, leads = ledger.join(ingestion)
    assert leads
    assert (run.status, run.trigger, run.worker) == (RunStatus.RUNNING, RunTrigger.SCHEDULED, WORKER)
    assert run.started_at is not None


def test_a_silent_leader_is_succeeded_and_can_neither_renew_nor_complete_the_listing(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    assert renew_lead(ledger, run)
    assert not take_lead(ledger, run, "worker-2")
    ledger.pass_lead(run)
    assert not renew_lead(ledger, run)
    assert take_lead(ledger, run, "worker-2")
    assert not take_lead(ledger, run, "worker-3")
    assert not renew_lead(ledger, run)
    assert not ledger.listed(run)
    assert renew_lead(ledger, run, "worker-2")
    assert ledger.listed(run, "worker-2")
    assert not ledger.listed(run, "worker-2")


def test_a_listing_is_done_again_when_its_leader_fell_silent_later(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json"))
    assert renew_lead(ledger, run)
    ledger.pass_lead(run)
    assert not take_lead(ledger, run, "worker-2")
    again, leads = ledger.join(ingestion, "worker-2")
    assert leads
    assert (again.id, again.listed_at) == (run.id, None)
    assert ledger.record(ingestion, run, objects("a.json", "b.json"), worker="worker-2").new == 1
    assert ledger.listed(run, "worker-2")
    ledger.finishes(run, good)
    assert ledger.ends(run).files_succeeded == 2


def test_a_run_that_overwrites_is_never_listed_twice(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(write_mode=WriteMode.OVERWRITE)
    run = ledger.discover(ingestion, objects("a.json"))
    ledger.pass_lead(run)
    assert ledger.join(ingestion, "worker-2")[1] is False


@pytest.mark.parametrize("status", [IngestionStatus.DRAFT, IngestionStatus.PAUSED])
def test_a_draft_or_paused_ingestion_does_not_run(ledger: Ledger, status: IngestionStatus) -> None:
    ingestion = ledger.ingestion(status=status)
    with pytest.raises(WrongState, match=f"events is .*{status}"):
        ledger.join(ingestion)


def test_nothing_new_is_success_at_once(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json"))
    run = ledger.discover(ingestion, objects("a.json"))
    ended = ledger.ends(run)
    assert ended.status is RunStatus.SUCCESS
    assert counted(ended) == {"discovered": 0, "processed": 0, "succeeded": 0, "failed": 0, "skipped": 0}
    assert ended.duration_seconds is not None
    assert ended.duration_seconds >= 0


def test_a_run_is_not_ended_before_its_listing_or_its_files_are(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    assert ledger.end(run) is None
    ledger.record(ingestion, run, objects("a.json"))
    ledger.listed(run)
    assert ledger.end(run) is None
    load, (file,) = ledger.claims(run)
    assert ledger.end(run) is None
    ledger.store(load, [good(file)])
    assert ledger.end(run) is None
    ledger.finish(load)
    assert ledger.ends(run).id == run.id
    assert ledger.end(run) is None


def test_another_ingestions_files_do_not_keep_a_run_open(ledger: Ledger) -> None:
    busy, idle = ledger.ingestion("busy"), ledger.ingestion("idle")
    ledger.discover(busy, objects("a.json"))
    run = ledger.discover(idle, [])
    assert ledger.ends(run).status is RunStatus.SUCCESS


def test_some_files_failed_is_success_and_every_file_failed_is_failed(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_retries=0)
    partial = ledger.loads_all(ingestion, objects("a.json", "b.json", "c.json"), good, bad, good)
    assert partial.status is RunStatus.SUCCESS
    assert counted(partial) == {"discovered": 3, "processed": 3, "succeeded": 2, "failed": 1, "skipped": 0}
    assert (partial.records_ingested, partial.bytes_read) == (20, 300)
    whole = ledger.loads_all(ingestion, objects("d.json", "e.json"), bad)
    assert whole.status is RunStatus.FAILED
    assert counted(whole) == {"discovered": 2, "processed": 2, "succeeded": 0, "failed": 2, "skipped": 0}


def test_counters_grow_while_the_run_goes_on_and_are_the_same_at_the_end(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(max_file_size_bytes=100)
    run = ledger.discover(ingestion, [*objects("a.json", "b.json"), *objects("big.json", size=101)])
    assert counted(ledger.run(run)) == {"discovered": 3, "processed": 0, "succeeded": 0, "failed": 0, "skipped": 1}
    ledger.finishes(run, good, bad)
    going, ended = ledger.run(run), ledger.ends(run)
    assert counted(going) == counted(ended)
    assert counted(ended) == {"discovered": 3, "processed": 2, "succeeded": 1, "failed": 1, "skipped": 1}
    assert (going.records_ingested, going.bytes_read) == (ended.records_ingested, ended.bytes_read) == (10, 200)


def test_a_file_that_took_several_attempts_is_counted_once(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json"))
    lost, _ = ledger.claims(run)
    ledger.expire(lost)
    with ledger.transaction() as connection:
        from autoloader.ledger import loads

        assert loads.settle_failed(connection, lost.id)
    ledger.finishes(run, bad)
    ledger.retry(ingestion, "a.json")
    ledger.finishes(run, good)
    ended = ledger.ends(run)
    assert counted(ended) == {"discovered": 1, "processed": 1, "succeeded": 1, "failed": 0, "skipped": 0}
    assert (ended.status, ended.records_ingested) == (RunStatus.SUCCESS, 10)


def test_a_file_that_was_put_back_for_the_next_listing_does_not_keep_the_run_open(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json", "b.json"))
    ledger.finishes(run, good, later)
    assert ledger.claim(run) is None
    ended = ledger.ends(run)
    assert counted(ended) == {"discovered": 2, "processed": 1, "succeeded": 1, "failed": 0, "skipped": 0}


def test_a_run_that_cannot_go_on_fails_with_its_reason(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run, _ = ledger.join(ingestion)
    with ledger.transaction() as connection:
        assert runs.fail(connection, run.id, "no such bucket: landing\0", "BucketNotFound")
    with ledger.transaction() as connection:
        assert not runs.fail(connection, run.id, "again", "Other")
        assert not runs.cancel(connection, run.id)
    ended = ledger.run(run)
    assert ended.status is RunStatus.FAILED
    (error,) = ended.errors
    assert (error.message, error.type, error.file_path) == ("no such bucket: landing\\x00", "BucketNotFound", None)
    assert error.timestamp.utcoffset() is not None
    assert ledger.join(ingestion)[0].id != run.id


def test_a_cancelled_run_leaves_its_waiting_files_to_the_next(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json"))
    with ledger.transaction() as connection:
        assert runs.cancel(connection, run.id)
    assert ledger.claim(run) is None
    assert ledger.run(run).status is RunStatus.CANCELLED
    assert ledger.loads_all(ingestion, objects("a.json")).files_succeeded == 1


def test_errors_of_a_run_are_kept_in_order_with_odd_paths(ledger: Ledger) -> None:
    run, _ = ledger.join(ledger.ingestion())
    odd = 's3://landing/events/a\0"\\\n💥.json'
    with ledger.transaction() as connection:
        runs.record_error(connection, run.id, "first", "FileUnreadable", odd)
        runs.record_error(connection, run.id, "second", "BadRecord")
    assert [(error.message, error.file_path) for error in ledger.run(run).errors] == [("first", odd), ("second", None)]


def test_runs_are_listed_newest_first_page_by_page(ledger: Ledger) -> None:
    one, two = ledger.ingestion("one"), ledger.ingestion("two")
    made = [ledger.ends(ledger.discover(ingestion, [])).id for ingestion in (one, two, one, one)]

    def page(ingestion: Ingestion | None, before_id: int | None = None, limit: int = 2) -> list[int]:
        with ledger.transaction() as connection:
            chosen = None if ingestion is None else ingestion.id
            return [run.id for run in runs.list_runs(connection, chosen, limit=limit, before_id=before_id)]

    assert page(None) == [made[3], made[2]]
    assert page(None, before_id=made[2]) == [made[1], made[0]]
    assert page(one, limit=9) == [made[3], made[2], made[0]]
    assert page(one, before_id=made[2]) == [made[0]]


def test_an_unknown_run_is_not_known(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        with pytest.raises(NotKnown, match="no run 404"):
            runs.get(connection, 404)
        assert runs.end_if_settled(connection, 404) is None
        assert runs.active(connection, 404) is None
