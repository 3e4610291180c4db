from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from tests.ledger.ledgers import LEASE, Ledger, bad, good, later, objects

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import queue, runs
from autoloader.model import IngestionStatus, RunStatus, RunTrigger

if TYPE_CHECKING:
    from autoloader.ledger.queue import Due
    from autoloader.model import Ingestion, Run


def enqueue(ledger: Ledger, ingestion: Ingestion, trigger: RunTrigger = RunTrigger.MANUAL) -> tuple[Run, bool]:
    with ledger.transaction() as connection:
        return runs.enqueue(connection, ingestion.id, trigger)


def next_task(ledger: Ledger, worker: str = "free-1") -> Due | None:
    with ledger.transaction() as connection:
        return queue.next_task(connection, worker, LEASE)


def takes(ledger: Ledger, worker: str = "free-1") -> Due:
    due = next_task(ledger, worker)
    assert due is not None
    return due


def postpone(ledger: Ledger, run: Run, pause: timedelta) -> int:
    with ledger.transaction() as connection:
        return queue.postpone(connection, run.id, lambda _: pause)


def lists(ledger: Ledger, ingestion: Ingestion, *names: str, worker: str = "free-1") -> Run:
    """Enqueue, take the lead and list."""
    enqueue(ledger, ingestion)
    due = takes(ledger, worker)
    assert (due.leads, due.run.ingestion_id) == (True, ingestion.id)
    ledger.record(ingestion, due.run, objects(*names), worker=worker)
    assert ledger.listed(due.run, worker)
    return due.run


def test_a_run_waits_in_the_queue_and_asking_again_gives_the_same_one(ledger: Ledger) -> None:
    ingestion = ledger.ingestion(cluster_id="c-1")
    run, made = enqueue(ledger, ingestion, RunTrigger.SCHEDULED)
    assert made
    assert (run.status, run.trigger, run.cluster_id) == (RunStatus.QUEUED, RunTrigger.SCHEDULED, "c-1")
    assert (run.started_at, run.worker, run.tenant_id) == (None, None, "default")
    assert enqueue(ledger, ingestion) == (run, False)


def test_of_many_that_ask_at_once_one_makes_the_run(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    answers: list[tuple[Run, bool]] = []
    threads = [threading.Thread(target=lambda: answers.append(enqueue(ledger, ingestion))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [made for _, made in answers].count(True) == 1
    assert len({run.id for run, _ in answers}) == 1


@pytest.mark.parametrize("status", [IngestionStatus.DRAFT, IngestionStatus.PAUSED])
def test_a_draft_or_paused_ingestion_is_not_queued(ledger: Ledger, status: IngestionStatus) -> None:
    with pytest.raises(WrongState, match=f"events is .*{status}"):
        enqueue(ledger, ledger.ingestion(status=status))
    with ledger.transaction() as connection, pytest.raises(NotKnown):
        runs.enqueue(connection, 404, RunTrigger.MANUAL)


def test_nothing_queued_is_nothing_to_do(ledger: Ledger) -> None:
    ledger.ends(ledger.discover(ledger.ingestion(), []))
    assert next_task(ledger) is None


def test_a_queued_run_is_led_by_one_worker_and_nobody_else_has_to_do_with_it_until_it_is_listed(ledger: Ledger) -> None:
    queued, _ = enqueue(ledger, ledger.ingestion())
    due = takes(ledger)
    assert (due.run.id, due.leads, due.others) == (queued.id, True, False)
    assert (due.run.status, due.run.worker) == (RunStatus.RUNNING, "free-1")
    assert due.run.started_at is not None
    assert next_task(ledger, "free-2") is None
    ledger.pass_lead(due.run)
    assert takes(ledger, "free-2").leads


def test_a_lead_that_is_given_back_is_taken_at_once_but_only_by_its_owner_given(ledger: Ledger) -> None:
    enqueue(ledger, ledger.ingestion())
    run = takes(ledger).run
    with ledger.transaction() as connection:
        assert not queue.release_lead(connection, run.id, "free-2")
        assert queue.release_lead(connection, run.id, "free-1")
    assert takes(ledger, "free-2").leads


def test_a_listed_run_is_worked_on_by_everyone_while_files_wait_and_ended_by_the_next(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = lists(ledger, ingestion, "a.json", "b.json")
    assert [takes(ledger, worker).leads for worker in ("free-1", "free-2")] == [False, False]
    load, claimed = ledger.claims(run)
    assert next_task(ledger) is None
    ledger.store(load, [good(file) for file in claimed])
    ledger.finish(load)
    due = takes(ledger)
    assert (due.run.id, due.leads) == (run.id, False)
    assert ledger.ends(run).status is RunStatus.SUCCESS
    assert next_task(ledger) is None


def test_files_put_back_for_the_next_listing_are_no_work_but_the_run_is_ended(ledger: Ledger) -> None:
    run = lists(ledger, ledger.ingestion(), "a.json")
    ledger.finishes(run, later)
    assert takes(ledger).run.id == run.id
    assert ledger.ends(run).files_processed == 0


def test_runs_take_turns_so_that_none_waits_for_all_files_of_another(ledger: Ledger) -> None:
    made = [ledger.ingestion(name) for name in ("large", "one", "two", "three")]
    ids = [enqueue(ledger, ingestion)[0].ingestion_id for ingestion in made]
    for ingestion in made:
        due = takes(ledger)
        assert (due.leads, due.run.ingestion_id) == (True, ingestion.id)
        ledger.record(ingestion, due.run, objects(*(f"{number}.json" for number in range(9))), worker="free-1")
        ledger.listed(due.run, "free-1")
    assert [takes(ledger).run.ingestion_id for _ in range(8)] == ids * 2
    enqueue(ledger, ledger.ingestion("late"))
    five = [takes(ledger) for _ in range(5)]
    assert [due.run.ingestion_id for due in five[:4]] == ids
    assert five[4].leads
    assert all(due.others for due in five)


def test_a_run_that_failed_for_a_reason_that_may_pass_is_left_alone_for_a_while(ledger: Ledger) -> None:
    run = lists(ledger, ledger.ingestion(), "a.json")
    assert postpone(ledger, run, timedelta(minutes=1)) == 1
    assert next_task(ledger) is None
    assert postpone(ledger, run, timedelta(seconds=-1)) == 2
    assert takes(ledger).run.id == run.id
    with ledger.transaction() as connection:
        queue.went_well(connection, run.id)
    assert postpone(ledger, run, timedelta()) == 1


def test_a_run_that_has_ended_is_not_postponed(ledger: Ledger) -> None:
    run = lists(ledger, ledger.ingestion(), "a.json")
    ledger.finishes(run, bad)
    ledger.ends(run)
    assert postpone(ledger, run, timedelta()) == 0


def test_a_cancelled_run_is_taken_up_by_nobody(ledger: Ledger) -> None:
    queued, _ = enqueue(ledger, ledger.ingestion())
    with ledger.transaction() as connection:
        assert runs.cancel(connection, queued.id)
    assert next_task(ledger) is None


def test_a_run_that_another_worker_is_just_taking_up_is_passed_over_without_waiting(ledger: Ledger) -> None:
    first, second = (enqueue(ledger, ledger.ingestion(name))[0] for name in ("one", "two"))
    with ledger.transaction() as connection:
        taken = queue.next_task(connection, "free-1", LEASE)
        assert taken is not None
        assert taken.run.id == first.id
        assert takes(ledger, "free-2").run.id == second.id
        assert next_task(ledger, "free-3") is None
