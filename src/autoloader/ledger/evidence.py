"""What the ledger claims about the files of one ingestion, a chunk at a time, as a verification reads it.

All of it is read in one ``consistent`` transaction, so that it is what the ledger said at one moment. What is in a
chunk stays few rows, whatever the number of files: the server keeps the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoloader.ledger.statement import named

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from datetime import datetime, timedelta
    from uuid import UUID

    from sqlalchemy import Connection, CursorResult, TextClause

    Chunks = Generator[Sequence[Sequence[Any]]]

CHUNK = 20_000

_NOW = named("evidence.now", "The moment of a verification, by the clock of the database.", "SELECT now()")
_COUNT = named(
    "evidence.count",
    "How many files the ingestion has seen, as it counts them itself.",
    "SELECT files FROM ingestions WHERE id = :ingestion_id",
)
_FILES = named(
    "evidence.files",
    "What the ledger says of every file of an ingestion.",
    """SELECT f.id, f.file_path, f.file_etag, f.status, f.deferred, f.records_ingested, CAST(f.load_id AS text),
        f.error_type
    FROM processed_files f WHERE f.ingestion_id = :ingestion_id""",
)
_BROUGHT = named(
    "evidence.brought",
    "Which rows and rejects each committed load of an ingestion brought, by file.",
    """SELECT o.id, o.file_id, CAST(o.load_id AS text), o.records_ingested,
        CASE WHEN l.rejects_table IS NULL THEN 0 ELSE o.records_rejected END
    FROM processed_files f JOIN outcomes o ON o.file_id = f.id JOIN loads l ON l.id = o.load_id
    WHERE f.ingestion_id = :ingestion_id AND l.ingestion_id = f.ingestion_id AND l.state = 'COMMITTED'
      AND o.status = 'SUCCESS'""",
)
_LOADS = named(
    "evidence.loads",
    "Every load of an ingestion.",
    """SELECT CAST(l.id AS text), l.state, l.clears, l.table_name, l.snapshot_id, l.started_at, l.ended_at,
        l.rejects_table
    FROM loads l WHERE l.ingestion_id = :ingestion_id""",
)
_KNOWN = named(
    "evidence.known",
    "Which of some loads the ledger knows, whoever they belong to.",
    """SELECT l.id, l.ingestion_id, l.state IN ('RUNNING', 'LOST')
        OR (l.state = 'FAILED' AND l.ended_at > clock_timestamp() - CAST(:clearing AS interval)) AS owned
    FROM loads l WHERE l.id = ANY(CAST(:load_ids AS uuid[]))""",
)


def moment(conn: Connection) -> datetime:
    """The moment that this transaction sees."""
    at: datetime = conn.execute(_NOW).scalar_one()
    return at


def count(conn: Connection, ingestion_id: int) -> int:
    """How many files there are, roughly: for a bar that shows how far the reading is."""
    return conn.scalar(_COUNT, {"ingestion_id": ingestion_id}) or 0


def files(conn: Connection, ingestion_id: int) -> Chunks:
    """``id, path as stored, etag, status, deferred, records, load id, error type`` of every file."""
    return _chunks(conn, _FILES, {"ingestion_id": ingestion_id})


def brought(conn: Connection, ingestion_id: int) -> Chunks:
    """``place, file id, load id, records, rejects`` of every file in every committed load; places tell the order."""
    return _chunks(conn, _BROUGHT, {"ingestion_id": ingestion_id})


def loads(conn: Connection, ingestion_id: int) -> Chunks:
    """``id, state, clears, table name, snapshot id, started at, ended at, rejects table`` of every load."""
    return _chunks(conn, _LOADS, {"ingestion_id": ingestion_id})


def known(conn: Connection, load_ids: Sequence[UUID], clearing: timedelta) -> dict[UUID, tuple[int, bool]]:
    """Of some loads those that the ledger knows: the ingestion of each, and whether its data files have an owner.

    Args:
        clearing: a load that failed so short a time ago may still be removing what it wrote.
    """
    rows = conn.execute(_KNOWN, {"load_ids": [str(each) for each in load_ids], "clearing": clearing})
    return {row.id: (row.ingestion_id, row.owned) for row in rows}


def _chunks(conn: Connection, statement: TextClause, values: Mapping[str, Any]) -> Chunks:
    # A cursor of the server: otherwise the driver would first fetch every row.
    options = {"stream_results": True, "max_row_buffer": CHUNK}
    return _parts(conn.execute(statement, values, execution_options=options))


def _parts(rows: CursorResult[Any]) -> Chunks:
    with rows:
        yield from rows.partitions(CHUNK)
