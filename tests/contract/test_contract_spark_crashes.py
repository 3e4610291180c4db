"""Clients, sessions and servers that die in the middle: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
from tests.chaos.proxies import WireProxy
from tests.contract.conftest import on_cluster
from tests.patience import eventually

from autoloader.engines.spark import SparkEngine
from autoloader.errors import LeaseLost, SparkUnavailable
from autoloader.stack.spark import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.contract.loads import SparkLoads
    from tests.end_to_end.conftest import User

    from autoloader.engines import Engine, Progress
    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections
    from autoloader.stack import Stack

LONG = "".join(f'{{"s": "{"x" * 300}", "id": {at}}}\n' for at in range(60_000))
"""20 MB, more tasks than run at once: Spark tells of the first ones before the last are done.

Not in the order of the schema: such lines take Spark several times as long.
"""

DDL = "id BIGINT, s STRING"


def breaks(loads: SparkLoads, engine: Engine, work: Any, act: Any) -> None:
    """Carry out a load; ``act`` is called once, when Spark says that it has read something."""
    begun = Event()

    def report(done: Progress) -> None:
        if done.bytes and not begun.is_set():
            begun.set()
            act()

    try:
        engine.prepare(work, lambda made: pytest.fail(f"{made} was handed over"), report)
    finally:
        assert begun.is_set(), "it was over before it began"
        table = loads.tables[work.table_name].refresh()
        assert table.current_snapshot() is None, "main shows nothing of it"
        assert table.metadata.snapshots == [], "nor does anything else"


def test_a_load_that_is_called_off_is_interrupted_in_the_cluster(on_spark: SparkLoads) -> None:
    on_spark.landing.put("a.json", LONG)
    called_off = Event()
    work = on_spark.work(DDL, cancelled=called_off.is_set)
    with pytest.raises(LeaseLost):
        breaks(on_spark, on_spark.engine, work, called_off.set)


def test_what_a_recoverer_abandons_stops_and_cannot_go_on(on_spark: SparkLoads, cluster: Cluster) -> None:
    on_spark.landing.put("a.json", LONG)
    work = on_spark.work(DDL)
    recoverer = SparkEngine(cluster, on_spark.engine)
    with pytest.raises(SparkUnavailable):
        breaks(on_spark, on_spark.engine, work, lambda: recoverer.abandon(work.load_id))
    with pytest.raises(SparkUnavailable):
        on_spark.engine.prepare(work, lambda _: None, lambda _: None)


def reached(ledger: psycopg.Connection[Any], moment: Callable[[str], bool], before: frozenset[str]) -> bool:
    """Whether the newest load is at a moment, and not one of those before."""
    newest = ledger.execute("SELECT id::text FROM loads ORDER BY started_at DESC LIMIT 1").fetchone()
    return newest is not None and newest[0] not in before and moment(newest[0])


@pytest.mark.parametrize("reader", ["sql", "python"])
def test_clients_killed_at_every_step_leave_each_row_once(
    user: User, with_spark: Connections, database_url: str, reader: str
) -> None:
    person = on_cluster(user, with_spark, reader)
    for at in range(3):
        person.landing.put(f"{at}.json", "".join(f'{{"id": {at * 10_000 + row}}}\n' for row in range(10_000)))
    person.creates("e", "--schema", "id BIGINT", "--engine", "spark")
    killed: set[str] = set()

    def claimed(load_id: str) -> bool:
        return bool(load_id)

    def staged(load_id: str) -> bool:
        if reader == "python":
            return bool(person.stored("e", load_id))
        return load_id in {summary.get("wap.id") for summary in person.snapshots("e")}

    def published(load_id: str) -> bool:
        return load_id in {summary.get("autoloader.load-id") for summary in person.snapshots("e")}

    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as ledger:
        for moment in (claimed, staged, published):
            client = person.starts("run", "e")

            eventually(partial(reached, ledger, moment, frozenset(killed)), moment.__name__)
            client.kill()
            client.communicate()
            killed |= {str(row[0]) for row in ledger.execute("SELECT id::text FROM loads")}
        assert len(killed) == 3, "each of them was lost, and another begun"
        run = person.runs("e")
        assert run["status"] == "SUCCESS"
        states = ledger.execute("SELECT state FROM loads ORDER BY started_at").fetchall()
    assert [state for (state,) in states] == ["FAILED", "FAILED", "COMMITTED"]
    assert person.sees("e", "SELECT count(*), count(DISTINCT id) FROM rows") == [(30_000, 30_000)]


def table_of_three_files(user: User, parts: Connections) -> User:
    """Somebody whose three files are to be loaded by this cluster into a table of their own."""
    person = on_cluster(user, parts)
    for at in range(3):
        person.landing.put(f"{at}.json", "".join(f'{{"id": {at * 10_000 + row}}}\n' for row in range(10_000)))
    person.creates("e", "--schema", "id BIGINT", "--engine", "spark")
    return person


def runs_until_all_is_loaded(person: User, ledger_url: str, rows: int = 30_000) -> None:
    """Each row is there once, and no load is open."""
    assert person.runs("e")["status"] == "SUCCESS"
    with psycopg.connect(ledger_url.replace("+psycopg", "")) as ledger:
        committed = ledger.execute("SELECT count(*) FILTER (WHERE state = 'COMMITTED'), count(*) FROM loads").fetchone()
        still_open = ledger.execute("SELECT count(*) FROM loads WHERE state IN ('RUNNING', 'LOST')").fetchone()
    assert committed is not None
    assert committed[0] >= 1
    assert still_open == (0,)
    assert person.sees("e", "SELECT count(*), count(DISTINCT id) FROM rows") == [(rows, rows)]


@pytest.mark.chaos
def test_clients_killed_at_twenty_random_moments_leave_each_row_once(
    user: User, with_spark: Connections, database_url: str
) -> None:
    dice, person = random.Random(20), table_of_three_files(user, with_spark)  # noqa: S311  kills need no cryptography
    moment = Event()  # never set: waiting for it is how time passes
    for at in range(3, 23):
        client = person.starts("run", "e")
        moment.wait(dice.uniform(1, 6))
        client.kill()
        client.communicate()
        person.landing.put(f"{at}.json", "".join(f'{{"id": {at * 10_000 + row}}}\n' for row in range(10_000)))
    runs_until_all_is_loaded(person, database_url, rows=230_000)


@pytest.mark.chaos
def test_a_way_to_the_cluster_that_is_cut_after_any_number_of_bytes_loses_nothing(
    user: User, with_spark: Connections, database_url: str
) -> None:
    cluster = urlsplit(with_spark.spark_connect_url or "")
    dice = random.Random(7)  # noqa: S311  cuts need no cryptography
    with WireProxy(cluster.hostname or "", cluster.port or 0) as way:
        through = replace(with_spark, spark_connect_url=f"sc://localhost:{way.port}")
        person = table_of_three_files(user, through)
        for _ in range(8):
            way.cut_after_bytes = dice.randint(200, 20_000)
            person.tries("run", "e")
            way.cut()
        way.be_faithful()
        runs_until_all_is_loaded(person, database_url)


def test_a_server_killed_in_the_middle_and_started_again_leaves_nothing_of_the_load(
    on_spark: SparkLoads, stack_with_spark: Stack
) -> None:
    """The client comes back to a server that knows nothing of its session: there it must not begin anew."""

    def restart() -> None:
        (server,) = [part for part in stack_with_spark.status() if part.name == NAME]
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        stack_with_spark.start()

    on_spark.landing.put("a.json", LONG)
    with pytest.raises(SparkUnavailable):
        breaks(on_spark, on_spark.engine, on_spark.work(DDL), restart)
    on_spark.landing.put("a.json", '{"id": 1}\n')
    assert on_spark.load(DDL).values("id") == [1]
