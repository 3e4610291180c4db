from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from autoloader.ledger.database import connect, connected
from autoloader.ledger.locks import alone, in_turn

if TYPE_CHECKING:
    from tests.ledger.ledgers import Ledger

FREE = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")


def test_two_workers_never_hold_one_lock(ledger: Ledger, database_url: str) -> None:
    inside: list[str] = []
    waits = threading.Event()

    def second() -> None:
        engine = connect(database_url)
        waits.set()
        with alone(engine, "make a.b.c"):
            inside.append("second")
        engine.dispose()

    with alone(ledger.engine, "make a.b.c"):
        thread = threading.Thread(target=second)
        thread.start()
        waits.wait()
        with connected(ledger.engine) as other:
            assert other.scalar(FREE, {"name": "make a.b.c"}) is False
        inside.append("first")
    thread.join()

    assert inside == ["first", "second"]


def test_a_lock_keeps_nobody_from_another_name_and_holds_no_transaction(ledger: Ledger) -> None:
    open_transactions = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
    )

    with alone(ledger.engine, "make a.b.c"), alone(ledger.engine, "make a.b.d"), connected(ledger.engine) as other:
        assert other.scalar(open_transactions) == 0


def test_a_lock_is_given_back_when_the_block_fails(ledger: Ledger) -> None:
    with pytest.raises(RuntimeError), alone(ledger.engine, "make a.b.c"):
        raise RuntimeError

    with connected(ledger.engine) as other:
        assert other.scalar(FREE, {"name": "make a.b.c"}) is True


def test_a_turn_that_is_taken_is_waited_for_and_then_done_without(ledger: Ledger) -> None:
    with in_turn(ledger.engine, "publish a.b.c", timedelta(seconds=5)), connected(ledger.engine) as other:
        assert other.scalar(FREE, {"name": "publish a.b.c"}) is False
        with in_turn(ledger.engine, "publish a.b.c", timedelta(milliseconds=50)):
            assert other.scalar(FREE, {"name": "publish a.b.c"}) is False

    with connected(ledger.engine) as other:
        assert other.scalar(FREE, {"name": "publish a.b.c"}) is True
        assert other.scalar(text("SHOW lock_timeout")) == "0"
