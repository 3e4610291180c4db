"""A DuckDB database in a folder of its own, in which the three sides are laid out and compared."""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from autoloader.errors import Interrupted, SpoolFull
from autoloader.scratch import own_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

FETCHED = 2_000
_ARRIVING = "arriving"

TABLES = """
CREATE TABLE files (id BIGINT, path VARCHAR, etag VARCHAR, status VARCHAR, deferred BOOLEAN, rows BIGINT, load UUID,
    reason VARCHAR);
CREATE TABLE brought (place BIGINT, file_id BIGINT, load UUID, rows BIGINT, rejects BIGINT);
CREATE TABLE loads (load UUID, state VARCHAR, clears VARCHAR, target VARCHAR, snapshot_id BIGINT,
    started_at BIGINT, ended_at BIGINT, rejects_target VARCHAR);
CREATE TABLE listed (path VARCHAR, etag VARCHAR);
CREATE TABLE parts (target VARCHAR, path VARCHAR, load_text VARCHAR, rows BIGINT);
CREATE TABLE stored (location VARCHAR, load UUID);
CREATE TABLE referred (location VARCHAR);
CREATE TABLE foreign_loads (load UUID);
"""


class Workbench:
    """The database, and how rows come in and go out.

    Args:
        connection: to it.
        stopping: asked before each step; once true, Interrupted is raised.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, stopping: Callable[[], bool]) -> None:
        self._connection = connection
        self._stopping = stopping

    def add(self, table: str, shape: Mapping[str, pa.DataType], rows: Sequence[Sequence[Any]]) -> None:
        """Append rows.

        Args:
            shape: the columns in the order of the table, with the types in which they come.
        """
        columns = list(zip(*rows, strict=True)) or [()] * len(shape)
        arrays = [pa.array(column, kind) for column, kind in zip(columns, shape.values(), strict=True)]
        self.add_arrow(table, pa.table(arrays, names=list(shape)))

    def add_arrow(self, table: str, rows: pa.Table, select: str = "*", *values: object) -> None:
        """Append rows, or what ``select`` with its values makes of them."""
        self._connection.register(_ARRIVING, rows)
        self.run(f"INSERT INTO {table} SELECT {select} FROM {_ARRIVING}", *values)
        self._connection.unregister(_ARRIVING)

    def run(self, sql: str, *values: object) -> None:
        """Run a statement to its end.

        Raises:
            Interrupted: it is to stop.
            SpoolFull: there is no room on the disk.
        """
        self._execute(sql, values).fetchall()

    def one(self, sql: str, *values: object) -> tuple[Any, ...]:
        """The only row of an answer."""
        (row,) = self._execute(sql, values).fetchall()
        return tuple(row)

    def rows(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """The rows of an answer, a few at a time."""
        with self._connection.cursor() as reading:
            with _room():
                reading.execute(sql, list(values))
            while chunk := reading.fetchmany(FETCHED):
                self._require_going_on()
                yield from chunk

    def _execute(self, sql: str, values: Sequence[object]) -> duckdb.DuckDBPyConnection:
        self._require_going_on()
        with _room():
            return self._connection.execute(sql, list(values))

    def _require_going_on(self) -> None:
        if self._stopping():
            raise Interrupted("the verification was stopped; nothing was changed by it")


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        if "No space left" in str(error) or "failed to offload" in str(error):
            raise SpoolFull("No room left in the spool folder, in which the sides are compared: free some.") from error
        raise


@contextmanager
def workbench(spool: Path, stopping: Callable[[], bool], *, memory_limit: str, threads: int) -> Iterator[Workbench]:
    """A workbench while the block goes on, in a folder of its own below ``spool``, which is removed afterwards.

    Args:
        stopping: as for ``Workbench``.
        memory_limit: what may be kept in memory, as DuckDB writes it.
        threads: of DuckDB.
    """
    with own_folder(spool, f"verify-{uuid.uuid4()}") as folder:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(folder),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        with duckdb.connect(folder / "sides.duckdb", config=config) as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.execute(TABLES)
            yield Workbench(connection, stopping)
