"""How two sets of rows meet, where the planner must not be left to guess.

Statistics lag behind a load: files that became PROCESSING a second ago, or a table filled a minute ago, count as one
row in the planner's eyes. It then loops over both sides, and ten thousand files make a hundred million comparisons. So
statements that join what was just written say which way they mean.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from autoloader.ledger.statement import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_JOIN = named(
    "joining.way",
    "Which ways of joining the planner may take in this transaction from now on.",
    """SELECT set_config('enable_nestloop', :lookups, true), set_config('enable_hashjoin', :sets, true),
        set_config('enable_mergejoin', :sets, true)""",
)


@contextmanager
def joined_as_sets(conn: Connection) -> Iterator[None]:
    """Both sides are read once and met by hash or merge."""
    with _way(conn, lookups="off", sets="on"):
        yield


@contextmanager
def joined_by_lookups(conn: Connection) -> Iterator[None]:
    """Each row of the smaller side is looked up in an index of the larger."""
    with _way(conn, lookups="on", sets="off"):
        yield


@contextmanager
def _way(conn: Connection, *, lookups: str, sets: str) -> Iterator[None]:
    conn.execute(_JOIN, {"lookups": lookups, "sets": sets})
    yield
    conn.execute(_JOIN, {"lookups": "on", "sets": "on"})
