"""The small table of a load's files that every statement joins: metadata, and what the keys tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from autoloader.engines.embedded import values
from autoloader.engines.embedded.statement import FILES, key_value
from autoloader.engines.embedded.strict_json import said
from autoloader.engines.keys import texts_of
from autoloader.engines.options import ParquetOptions
from autoloader.errors import PathMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

    from autoloader.model import ClaimedFile
    from autoloader.schema.types import Column

_GIVEN = "given"
_STRICT = ParquetOptions()
"""Patterns of dates are for what stands in files."""


def make_file_table(
    connection: duckdb.DuckDBPyConnection, files: Sequence[ClaimedFile], path_columns: Sequence[Column]
) -> dict[int, PathMismatch]:
    """Make the table ``FILES``; why files fail by their keys, by ordinal.

    Args:
        connection: to DuckDB.
        files: of the load; their ordinals are their places.
        path_columns: columns told by keys; their typed values become ``statement.key_value``.
    """
    failed: dict[int, PathMismatch] = {}
    rows: list[list[str | None]] = []
    names = [column.name for column in path_columns]
    for ordinal, file in enumerate(files):
        try:
            rows.append(texts_of(file.path, names))
        except PathMismatch as error:
            failed[ordinal] = error
            rows.append([None] * len(names))
    connection.register(_GIVEN, _table(files, rows, len(names)))
    typed = "".join(
        f", {values.typed(column.type, f'p{at}', _STRICT)} AS {key_value(at)}" for at, column in enumerate(path_columns)
    )
    connection.execute(f"CREATE TABLE {FILES} AS SELECT ordinal, path, modified_at{typed} FROM {_GIVEN}").fetchall()
    for at, column in enumerate(path_columns):
        why = values.reason(column.type, f"p{at}", _STRICT)
        bad = f"SELECT ordinal, p{at}, {why} AS why FROM {_GIVEN} WHERE why IS NOT NULL"
        for ordinal, text, code in connection.execute(bad).fetchall():
            message = f'the folder {column.name}="{text}" of the key {said(code)} ({code})'
            failed.setdefault(ordinal, PathMismatch(message))
    return failed


def _table(files: Sequence[ClaimedFile], rows: Sequence[Sequence[str | None]], width: int) -> pa.Table:
    columns: dict[str, pa.Array[Any]] = {
        "ordinal": pa.array(range(len(files)), pa.int32()),
        "path": pa.array([file.path for file in files], pa.string()),
        "modified_at": pa.array([file.modified_at for file in files], pa.timestamp("us", tz="UTC")),
    }
    texts = {f"p{at}": pa.array([row[at] for row in rows], pa.string()) for at in range(width)}
    return pa.table(columns | texts)
