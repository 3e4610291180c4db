"""COPY: the way many rows enter the database at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection as Driver
    from sqlalchemy import Connection


def copied(conn: Connection, create: str, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Make a temporary table and fill it.

    Args:
        create: the statement that makes it.
        table: its name.
        rows: one value for each of its columns, in their order.
    """
    conn.execute(text(create))
    driver = cast("Driver", conn.connection.driver_connection)
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
        for row in rows:
            copy.write_row(row)
