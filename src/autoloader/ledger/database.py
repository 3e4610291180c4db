"""Connections to the ledger's database, and the migrations that keep its schema the one of this program."""

from __future__ import annotations

import select
import time
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import psycopg
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from autoloader.errors import LedgerOutdated, LedgerUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.config import Config
    from sqlalchemy import URL, Connection, Engine

REVISION = "0008"
"""The migration this program was written for; written here too so that no command pays for the import of Alembic."""

_UPGRADE_LOCK = 0x6175746F6C6F6164  # "autoload": the advisory lock of those who upgrade one database
_CONNECT_SECONDS = 10
_POOL, _OVERFLOW = 10, 30
_IDLE_SECONDS = 30.0
_PAUSED_SECONDS = 10
"""No transaction waits for anything but the database: one that rests so long belongs to a process that was paused."""
_SESSION = f"""
SET TIME ZONE 'UTC';  -- instants come back in it whatever the server's zone
SET plan_cache_mode = force_custom_plan;  -- a plan for any value is a bad one over files in all states
SET max_parallel_workers_per_gather = 0;  -- each question is small: starting helpers takes longer than the answer
SET jit = off;  -- likewise
SET idle_in_transaction_session_timeout = '{_PAUSED_SECONDS}s';  -- what a paused worker has locked is let go
"""


def connect(url: str) -> Engine:
    """An engine for the ledger's database. Nothing is connected before the first transaction.

    Args:
        url: ``postgresql://user:password@host:port/database``, also in SQLAlchemy's form ``postgresql+psycopg://…``.

    Raises:
        UsageError: not the address of a PostgreSQL database.
    """
    engine = create_engine(
        _parse(url),
        pool_size=_POOL,
        max_overflow=_OVERFLOW,
        hide_parameters=True,
        connect_args={"connect_timeout": _CONNECT_SECONDS, "application_name": "autoloader"},
    )
    event.listen(engine, "connect", _introduce)
    event.listen(engine, "checkin", _left)
    event.listen(engine, "checkout", _require_alive)
    return engine


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise _unavailable(engine.url, error) from error
    except InternalError as error:
        # The server ended the session of a process that was paused: psycopg does not count that as operational.
        if not isinstance(error.orig, psycopg.errors.IdleInTransactionSessionTimeout):
            raise
        raise _unavailable(engine.url, error) from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Raises:
        LedgerUnavailable: the database cannot be reached, or the connection broke; nothing of the block is certain.
    """
    with _translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def consistent(engine: Engine) -> Iterator[Connection]:
    """One transaction that reads the database as it was at its first statement, and writes nothing.

    Raises:
        LedgerUnavailable: the database cannot be reached, or the connection broke.
    """
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with _translated(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection on which every statement is a transaction of its own.

    Raises:
        LedgerUnavailable: the database cannot be reached, or the connection broke.
    """
    with _translated(engine), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


def upgrade(url: str) -> None:
    """Bring the database's schema to the one of this program. Safe to be done by many at once, and again.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    from alembic import command  # noqa: PLC0415  Alembic takes half a second to import and is seldom needed

    _migrate(url, lambda config: command.upgrade(config, "head"))


def downgrade(url: str, revision: str) -> None:
    """Take the database's schema back to ``revision``; ``base`` removes every table with all it holds.

    Raises:
        LedgerUnavailable: the database cannot be reached.
    """
    from alembic import command  # noqa: PLC0415  Alembic takes half a second to import and is seldom needed

    _migrate(url, lambda config: command.downgrade(config, revision))


def require_current(engine: Engine) -> None:
    """Make sure that the database has the schema this program was written for.

    Raises:
        LedgerOutdated: it has another one.
        LedgerUnavailable: the database cannot be reached.
    """
    with transaction(engine) as connection:
        there = connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        found = connection.scalar(text("SELECT version_num FROM alembic_version")) if there else None
    if found == REVISION:
        return
    where = _address(engine.url)
    if found is None or found < REVISION:
        state = "has no ledger yet" if found is None else f"holds a ledger of revision {found}, not {REVISION}"
        raise LedgerOutdated(f"the database at {where} {state}: run `autoloader db upgrade`")
    raise LedgerOutdated(
        f"the database at {where} holds a ledger of revision {found}, newer than this program's {REVISION}: "
        "upgrade the program"
    )


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise UsageError("the ledger's address must look like postgresql://user:password@host:5432/autoloader_db")
    return parsed.set(drivername="postgresql+psycopg")


def _migrate(url: str, step: Any) -> None:  # noqa: ANN401  a function over Alembic's Config, imported only here
    engine = connect(url)
    try:
        with transaction(engine) as connection:
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # Alembic may think for long
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
            step(_alembic(connection))
    finally:
        engine.dispose()


def _alembic(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415  likewise

    config = Config()
    config.set_main_option("script_location", str(files("autoloader.ledger") / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _introduce(connection: Any, _record: object) -> None:  # noqa: ANN401  a psycopg connection, as the pool hands it
    """Say how this session wants to be treated."""
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)
    connection.commit()


def _left(_connection: object, record: Any) -> None:  # noqa: ANN401  SQLAlchemy's record of a pooled connection
    record.info["left_at"] = time.monotonic()


def _require_alive(connection: Any, record: Any, _proxy: object) -> None:  # noqa: ANN401  likewise
    """Make sure that a connection of the pool still leads to the server, without asking it each time.

    A server that went away has closed its end, and that can be read. Only a network that forgets connections in silence
    makes it necessary to ask, when nothing was sent for a while.

    Raises:
        InvalidatePoolError: it does not; the pool connects anew.
    """
    left_at = record.info.get("left_at")
    if left_at is None:
        return
    try:
        alive = not _readable(connection)
        if alive and time.monotonic() - left_at > _IDLE_SECONDS:
            connection.execute("SELECT 1")
            connection.rollback()
    except psycopg.OperationalError:
        alive = False
    if not alive:
        raise InvalidatePoolError


def _readable(connection: Any) -> bool:  # noqa: ANN401  likewise
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _address(url: URL) -> str:
    host = url.host or url.query.get("host") or "the local socket"
    return f"{host}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def _unavailable(url: URL, error: Exception) -> LedgerUnavailable:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()
    return LedgerUnavailable(
        f"the ledger's database at {_address(url)} is not available ({reason[0] if reason else type(error).__name__}): "
        "check that it runs and that its address is right"
    )
