"""The ways between a worker and its parts are slow, cut, throttled, or lie about what was done."""

from __future__ import annotations

from itertools import cycle
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.engine import make_url
from tests.chaos.proxies import Fault
from tests.chaos.truth import require_exactly_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.chaos.conftest import Broken
    from tests.chaos.proxies import Request

WHOLE_LOADS = 4
LIES = (Fault.ERROR_500_AFTER, Fault.CUT_AFTER, Fault.REPEAT, Fault.CUT_WITHIN)
REFUSALS = (Fault.ERROR_500, Fault.ERROR_503, Fault.ERROR_429, Fault.CUT, Fault.DELAY)


def every_other(faults: Iterable[Fault], concerns: Callable[[Request], bool]) -> Callable[[Request], Fault | None]:
    """Of the requests that are meant, every second one has a fault; so each that is tried again gets through."""
    turn = cycle((True, False))
    next_fault = cycle(faults)

    def choose(request: Request) -> Fault | None:
        return next(next_fault) if concerns(request) and next(turn) else None

    return choose


def load_some(broken: Broken, files: int = 4 * WHOLE_LOADS) -> None:
    scene = broken.scene
    scene.ingestion()
    for number in range(files):
        scene.put(f"events/{number}.json")
    scene.crew.start()
    scene.settle()
    require_exactly_once(scene)


def test_commits_that_are_applied_and_answered_by_anything_but_yes_land_once(broken: Broken) -> None:
    broken.catalog.choose = every_other(LIES, lambda request: request.is_commit)
    load_some(broken, files=8 * WHOLE_LOADS)
    assert set(broken.catalog.tally.faults) == set(LIES)


@pytest.mark.chaos
def test_a_catalog_that_fails_throttles_and_hangs_up_only_slows_the_work(broken: Broken) -> None:
    broken.catalog.choose = every_other((*REFUSALS, Fault.CUT_WITHIN), lambda _request: True)
    load_some(broken)
    assert set(REFUSALS) <= set(broken.catalog.tally.faults)


@pytest.mark.chaos
def test_a_store_that_fails_throttles_and_hangs_up_only_slows_the_work(broken: Broken) -> None:
    faults = (*REFUSALS, Fault.CUT_WITHIN, Fault.ERROR_500_AFTER, Fault.REPEAT)
    broken.store.choose = every_other(faults, lambda _request: True)
    load_some(broken)
    assert set(faults) <= set(broken.store.tally.faults)


def test_a_database_whose_connections_are_cut_after_any_number_of_bytes_loses_nothing(broken: Broken) -> None:
    scene = broken.scene
    events = scene.ingestion()
    scene.put("events/first.json")
    scene.crew.start().says("worker.started")
    for count in (400, 900, 1_500, 2_500, 4_000, 6_500, 10_000):
        broken.ledger.cut_after_bytes = count
        broken.ledger.cut()
        scene.put(f"events/{count}.json")
        scene.enqueue(events)
        Event().wait(0.4)
    broken.ledger.be_faithful()
    broken.ledger.cut()
    scene.settle()
    require_exactly_once(scene)


@pytest.mark.chaos
def test_sessions_ended_by_the_server_in_the_midst_of_transactions_lose_nothing(broken: Broken) -> None:
    scene = broken.scene
    events = scene.ingestion()
    for number in range(12):
        scene.put(f"events/{number}.json")
    scene.enqueue(events)
    scene.crew.start().says("worker.started")
    url = make_url(scene.crew.environment["AUTOLOADER_DATABASE_URL"]).set(port=broken.ledger.upstream[1])
    ended = 0
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:

        def end_those_at_work() -> bool:
            nonlocal ended
            found = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND state <> 'idle'"
            ).fetchall()
            ended += len(found)
            return ended >= 5

        scene.busy_until(end_those_at_work, "five sessions are ended while they do something")
    scene.settle()
    require_exactly_once(scene)


@pytest.mark.chaos
def test_a_slow_store_slows_the_work_and_costs_no_load_its_lease(broken: Broken) -> None:
    broken.store.delay_seconds = 1.5
    slow = every_other([Fault.DELAY], lambda request: request.method == "GET" and ".json" in request.target)
    broken.store.choose = slow
    load_some(broken, files=4)
    assert broken.scene.sql("SELECT state, count(*) FROM loads GROUP BY state") == [("COMMITTED", 1)]
