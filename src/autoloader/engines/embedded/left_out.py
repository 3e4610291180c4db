"""The bad records that the statement leaves out, told by the statement itself: it writes their places into a log.

So nothing is read a second time to find them. DuckDB's log is in memory where it cannot be long, else it lies in the
spool: there DuckDB syncs it to the disk with every statement, several times.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import duckdb

from autoloader.engines.embedded.sql import literal, rows
from autoloader.scratch import full

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TYPE = "autoloader_left_out"
_IN_MEMORY = 640_000
"""So many places in memory take 60 MB more than in a file."""


def kept(bad: str) -> str:
    """SQL, over ``ordinal, line``: true for a good record, false for one that is bad, whose place is told then.

    Args:
        bad: SQL, true for a bad record.
    """
    told = f"write_log(ordinal || ' ' || line, log_type := {literal(_TYPE)}, level := 'ERROR')"
    # It gives NULL, once it has written.
    return f"CASE WHEN {bad} THEN {told} IS NOT NULL ELSE true END"


class LeftOut:
    """What statements have told on one database.

    Args:
        connection: to it.
        folder: for a long log; made when it is needed.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        self._storage: str | None = None

    def begin(self, most: int) -> None:
        """A statement begins: nothing was told yet.

        Args:
            most: records that it may leave out.
        """
        in_file = f"storage := 'file', storage_path := {literal(str(self._folder))}"
        storage = "storage := 'memory'" if most <= _IN_MEMORY else in_file
        if storage != self._storage:
            self._log_to(storage)
        self._connection.execute("CALL truncate_duckdb_logs()").fetchall()

    def _log_to(self, storage: str) -> None:
        for statement in (
            f"CALL enable_logging(level := 'ERROR', {storage})",
            f"SET enabled_log_types = {literal(_TYPE)}",
            "SET logging_mode = 'ENABLE_SELECTED'",
        ):
            self._connection.execute(statement).fetchall()
        self._storage = storage

    def close(self) -> None:
        """Give the room back; no statement tells anything any more."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def places(self) -> Iterator[tuple[int, int]]:
        """Ordinal and line of each bad record that was left out, in ascending order.

        Raises:
            SpoolFull: no room for the log.
        """
        place = "split_part(message, ' ', 1)::INTEGER AS ordinal, split_part(message, ' ', 2)::BIGINT AS line"
        told = f"SELECT {place} FROM duckdb_logs WHERE type = {literal(_TYPE)} ORDER BY ordinal, line"
        try:
            yield from rows(self._connection, told)
        except duckdb.IOException as error:
            raise full(self._folder, error) or error from None
