"""Locks that all workers share, for what must be done by one of them and is no change of the ledger."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from autoloader.ledger.database import connected
from autoloader.ledger.statement import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

_LOCK = named(
    "locks.lock",
    "Waits for the lock of this name; it goes with the connection, should the worker die.",
    "SELECT pg_advisory_lock(hashtextextended(:name, 0))",
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
