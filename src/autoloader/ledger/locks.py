"""Locks that all workers share, for what must be done by one of them and is no change of the ledger."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from autoloader.ledger.database import connected
from autoloader.ledger.statement import named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from sqlalchemy import Connection, Engine

_LOCK = named(
    "locks.lock",
    "Waits for the lock of this name; it goes with the connection, should the worker die.",
    "SELECT pg_advisory_lock(hashtextextended(:name, 0))",
)
_PATIENCE = named(
    "locks.patience",
    "How long this connection waits for a lock, in milliseconds; 0: for ever.",
    "SELECT set_config('lock_timeout', :milliseconds, false)",
)
_UNLOCK = named("locks.unlock", "Gives the lock back.", "SELECT pg_advisory_unlock(hashtextextended(:name, 0))")


@contextmanager
def alone(engine: Engine, name: str) -> Iterator[None]:
    """Hold the lock ``name`` while the block goes on. No transaction is open meanwhile.

    Raises:
        LedgerUnavailable: the database cannot be reached, or was lost meanwhile: another may have the lock then.
    """
    with connected(engine) as connection:
        connection.execute(_LOCK, {"name": name})
        try:
            yield
        finally:
            connection.execute(_UNLOCK, {"name": name})


@contextmanager
def in_turn(engine: Engine, name: str, patience: timedelta) -> Iterator[None]:
    """Hold the lock ``name`` while the block goes on, or go on without it after ``patience``.

    For what is safe without it and only slower where many do it at once: whoever holds the lock may have been stopped.

    Raises:
        LedgerUnavailable: as ``alone``.
    """
    with connected(engine) as connection:
        held = _wait(connection, name, patience)
        try:
            yield
        finally:
            if held:
                connection.execute(_UNLOCK, {"name": name})


def _wait(connection: Connection, name: str, patience: timedelta) -> bool:
    connection.execute(_PATIENCE, {"milliseconds": str(round(patience.total_seconds() * 1000))})
    try:
        connection.execute(_LOCK, {"name": name})
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    finally:
        connection.execute(_PATIENCE, {"milliseconds": "0"})
    return True
