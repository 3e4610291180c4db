from __future__ import annotations

import socket
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from tests.ledger.ledgers import new

from autoloader.errors import LedgerUnavailable, NotKnown, UsageError
from autoloader.ledger import ingestions
from autoloader.ledger.database import connect, transaction, upgrade

if TYPE_CHECKING:
    from tests.ledger.ledgers import Ledger


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_server_that_does_not_answer_is_named_without_the_password() -> None:
    port = free_port()
    engine = connect(f"postgresql://someone:s3cr3t@127.0.0.1:{port}/autoloader_db")
    with pytest.raises(LedgerUnavailable) as caught, transaction(engine):
        pass
    assert f"127.0.0.1:{port}/autoloader_db" in str(caught.value)
    assert "s3cr3t" not in str(caught.value) + repr(caught.value.__cause__)
    assert caught.value.retryable


def test_upgrading_a_database_that_is_not_there_says_so(database_url: str) -> None:
    with pytest.raises(LedgerUnavailable, match=r"no_such_database.* does not exist"):
        upgrade(make_url(database_url).set(database="no_such_database").render_as_string(hide_password=False))


def test_a_connection_that_breaks_in_the_middle_is_unavailable_and_the_next_one_works(ledger: Ledger) -> None:
    with pytest.raises(LedgerUnavailable), transaction(ledger.engine) as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert ledger.sql("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    "url", ["", "autoloader_db", "mysql://me:s3cr3t@host/db", "sqlite://", "postgresql+asyncpg://h/d"]
)
def test_an_address_that_is_not_postgresql_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="postgresql://user:password@host") as caught:
        connect(url)
    assert "s3cr3t" not in str(caught.value)


def test_what_raises_leaves_nothing_behind(ledger: Ledger) -> None:
    def save_then_stumble() -> None:
        with ledger.transaction() as connection:
            ingestions.insert(connection, new())
            ingestions.by_name(connection, "default", "another")

    with pytest.raises(NotKnown):
        save_then_stumble()
    assert ledger.sql("SELECT count(*) FROM ingestions") == [(0,)]


def test_errors_of_sql_do_not_show_values(ledger: Ledger) -> None:
    with pytest.raises(ProgrammingError) as caught:
        ledger.sql("SELECT CAST(:token AS text) FROM no_such_table", token="s3cr3t")
    assert "s3cr3t" not in str(caught.value)


def test_instants_come_back_in_utc_whatever_the_zone_of_the_server(ledger: Ledger, database_url: str) -> None:
    ledger.sql(f"ALTER DATABASE {make_url(database_url).database} SET TimeZone = 'Asia/Tokyo'")
    engine = connect(database_url)
    with transaction(engine) as connection:
        now = connection.scalar(text("SELECT now()"))
    engine.dispose()
    assert now is not None
    assert now.tzinfo == UTC or now.utcoffset() == timedelta(0)


def test_waiting_sessions_can_be_told_by_the_name_of_their_statement(ledger: Ledger) -> None:
    with ledger.transaction() as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        ingestions.list_all(connection, "default")
        shown = "SELECT query, application_name FROM pg_stat_activity WHERE pid = :pid"
        with transaction(ledger.engine) as other:
            query, application = other.execute(text(shown), {"pid": pid}).one()
    assert query.startswith("/* ingestions.list */ SELECT")
    assert application == "autoloader"


@pytest.mark.parametrize("waited", [0.0, 3600.0])
def test_a_connection_that_the_server_closed_is_not_used_again(ledger: Ledger, waited: float) -> None:
    with transaction(ledger.engine) as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        record = connection.connection._connection_record
    assert record is not None
    record.info["left_at"] -= waited
    other = connect(ledger.engine.url.render_as_string(hide_password=False))
    with transaction(other) as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 10000)"), {"pid": pid})
    other.dispose()

    assert ledger.sql("SELECT pg_backend_pid() <> :pid", pid=pid) == [(True,)]


def test_a_connection_that_was_idle_for_long_is_asked_whether_it_lives_and_kept(ledger: Ledger) -> None:
    with transaction(ledger.engine) as connection:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        record = connection.connection._connection_record
    assert record is not None
    record.info["left_at"] -= 3600

    assert ledger.sql("SELECT pg_backend_pid()") == [(pid,)]


def test_a_transaction_of_a_paused_process_is_ended_and_what_it_locked_is_let_go(database_url: str) -> None:
    paused, other = connect(database_url), connect(database_url)
    with transaction(paused) as connection:
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "10s"

    def pause_within_a_transaction() -> None:
        with transaction(paused) as connection:
            connection.execute(text("SET idle_in_transaction_session_timeout = '50ms'"))
            connection.execute(text("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE"))
            with transaction(other) as waiting:
                waiting.execute(text("SELECT count(*) FROM runs"))
            connection.execute(text("SELECT 1"))

    with pytest.raises(LedgerUnavailable):
        pause_within_a_transaction()
    with transaction(paused) as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 0
    paused.dispose()
    other.dispose()
