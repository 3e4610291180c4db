"""Outcomes of a load: stored before it is published, taken over by its files when it ends.

An outcome is the row of one attempt at one version of a file. It is made when the file is claimed, as PROCESSING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.ledger.copying import copied
from autoloader.ledger.joining import joined_as_sets
from autoloader.ledger.records import storable
from autoloader.ledger.statement import named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from autoloader.model import Outcome

_PREPARED = {
    "file_id": "bigint",
    "status": "text",
    "records_ingested": "bigint",
    "records_rejected": "bigint",
    "bytes_read": "bigint",
    "duration_ms": "bigint",
    "error_type": "text",
    "error_message": "text",
}
_STORE = named(
    "outcomes.store",
    "Writes what became of each file into its attempt.",
    """
    UPDATE outcomes o SET status = p.status, records_ingested = p.records_ingested,
        records_rejected = p.records_rejected, bytes_read = p.bytes_read, duration_ms = p.duration_ms,
        error_type = p.error_type, error_message = p.error_message, recorded_at = now()
    FROM prepared p WHERE o.load_id = :load_id AND o.file_id = p.file_id""",
)
_DROP = named(
    "outcomes.drop_prepared", "The next load of the transaction makes its own.", "DROP TABLE pg_temp.prepared"
)
_TAKE_OVER = named(
    "outcomes.take_over",
    "The files of a committed load take over what its outcomes say.",
    """
    UPDATE processed_files f SET status = o.status,
        deferred = o.status = 'DISCOVERED', ever_loaded = f.ever_loaded OR o.status = 'SUCCESS',
        load_id = CASE WHEN o.status <> 'DISCOVERED' THEN f.load_id END,
        snapshot_id = CASE WHEN o.status = 'SUCCESS' THEN CAST(:snapshot_id AS bigint) END,
        processed_at = now(), records_ingested = o.records_ingested, records_rejected = o.records_rejected,
        bytes_read = o.bytes_read, processing_duration_ms = o.duration_ms, error_type = o.error_type,
        error_message = o.error_message, updated_at = now()
    FROM outcomes o
    WHERE o.load_id = :load_id AND f.id = o.file_id AND f.load_id = :load_id AND f.status = 'PROCESSING'""",
)
_COUNT = named(
    "outcomes.count",
    "Adds a committed load to the counters of its run.",
    """
    UPDATE runs r SET files_processed = r.files_processed + c.succeeded + c.failed,
        files_succeeded = r.files_succeeded + c.succeeded, files_failed = r.files_failed + c.failed,
        records_ingested = r.records_ingested + c.records,
        records_rejected = r.records_rejected + c.rejected, bytes_read = r.bytes_read + c.bytes
    FROM (SELECT count(*) FILTER (WHERE status = 'SUCCESS') AS succeeded,
                 count(*) FILTER (WHERE status = 'FAILED') AS failed,
                 coalesce(sum(records_ingested) FILTER (WHERE status = 'SUCCESS'), 0) AS records,
                 coalesce(sum(records_rejected) FILTER (WHERE status = 'SUCCESS'), 0) AS rejected,
                 coalesce(sum(bytes_read), 0) AS bytes
          FROM outcomes WHERE load_id = :load_id) c
    WHERE r.id = :run_id""",
)
_VOID_OUTCOMES = named(
    "outcomes.void",
    "The attempts of a failed load stay in the history: put back, with the reason.",
    """
    UPDATE outcomes SET status = 'DISCOVERED', records_ingested = 0, records_rejected = 0, bytes_read = 0,
        duration_ms = NULL, error_type = :error_type, error_message = :error_message, recorded_at = now()
    WHERE load_id = :load_id""",
)
_PUT_BACK = named(
    "outcomes.put_back",
    "The files of a failed load wait again.",
    """
    UPDATE processed_files SET status = 'DISCOVERED', load_id = NULL, processing_started_at = NULL, updated_at = now()
    WHERE load_id = :load_id AND status = 'PROCESSING'""",
)


def store(conn: Connection, load_id: UUID, outcomes: Sequence[Outcome]) -> int:
    """Write what became of the files of a load; returns how many of the outcomes are about files of the load."""
    copied(conn, "prepared", _PREPARED, map(_row, outcomes), key="file_id")
    stored = conn.execute(_STORE, {"load_id": load_id}).rowcount
    conn.execute(_DROP)
    return stored


def _row(outcome: Outcome) -> tuple[object, ...]:
    took = None if outcome.duration is None else round(outcome.duration.total_seconds() * 1000)
    message = None if outcome.error_message is None else storable(outcome.error_message)
    counts = (outcome.records_ingested, outcome.records_rejected, outcome.bytes_read)
    return (outcome.file_id, outcome.status.value, *counts, took, outcome.error_type, message)


def take_over(conn: Connection, load_id: UUID, run_id: int, snapshot_id: int | None) -> None:
    """The files of a load that was committed become what its outcomes say; its run counts them."""
    with joined_as_sets(conn):
        conn.execute(_TAKE_OVER, {"load_id": load_id, "snapshot_id": snapshot_id})
    conn.execute(_COUNT, {"load_id": load_id, "run_id": run_id})


def put_back(conn: Connection, load_id: UUID, error_type: str, error_message: str) -> None:
    """The files of a load that failed wait again; its attempts stay in their history with the reason."""
    conn.execute(_VOID_OUTCOMES, {"load_id": load_id, "error_type": error_type, "error_message": error_message})
    conn.execute(_PUT_BACK, {"load_id": load_id})
