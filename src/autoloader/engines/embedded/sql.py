"""How names and texts become SQL for DuckDB, the only place that quotes; and the connections it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SESSION = (
    "SET TimeZone = 'UTC'",
    "SET enable_progress_bar = false",
    "SET disabled_optimizers = 'build_side_probe_side'",
)
"""Statements every connection runs before it uses SQL from this package: a text without a zone is UTC, and what DuckDB
prints on stdout while it works would end up in the answers of our commands. The right side of a join is the one that is
held in memory: DuckDB, which takes a file of JSON for forty rows, held all of it and wrote with one thread."""

_ROWS_AT_ONCE = 10_000


def connected(spool: Path, memory_limit: str, threads: int) -> duckdb.DuckDBPyConnection:
    """A database of its own in memory, which overflows into the spool; its session has begun."""
    connection = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": str(spool / "overflow"),
            "preserve_insertion_order": False,
        }
    )
    begin(connection)
    return connection


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Run the statements of the session; a cursor is a connection of its own and needs them too."""
    for statement in SESSION:
        connection.execute(statement).fetchall()


def rows(connection: duckdb.DuckDBPyConnection, select: str) -> Iterator[tuple[Any, ...]]:
    """What a statement selects, some rows at a time: however many they are, they take little memory."""
    result = connection.execute(select)
    while some := result.fetchmany(_ROWS_AT_ONCE):
        yield from some


def quote(name: str) -> str:
    """``name`` as an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def field(struct: str, name: str) -> str:
    """SQL of one field of the struct that the SQL ``struct`` yields; the name may be any text."""
    return f"struct_extract({struct}, {literal(name)})"


def pack(fields: Iterable[tuple[str, str]]) -> str:
    """SQL of a struct from pairs of field name and SQL of its value."""
    return "{" + ", ".join(f"{literal(name)}: {value}" for name, value in fields) + "}"


def matches(text: str, form: str) -> str:
    """SQL: the whole of ``text`` has this form, in RE2's syntax; a line end is a character like any other."""
    return f"regexp_full_match({text}, {literal(form)})"
