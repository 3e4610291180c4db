"""What the ledger knows of rejects: which loads owe them or take them away, and which files are to be loaded again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import records
from autoloader.ledger.files import some
from autoloader.ledger.statement import named
from autoloader.model import Clears, OnChangedFile, WriteMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

_RETRY = """
    UPDATE processed_files SET status = 'DISCOVERED', retry_count = 0, load_id = NULL, snapshot_id = NULL,
        processing_started_at = NULL, processed_at = NULL, records_ingested = 0, records_rejected = 0, bytes_read = 0,
        processing_duration_ms = NULL, updated_at = now()
    WHERE ingestion_id = :ingestion_id AND status = 'SUCCESS' AND records_rejected > 0"""
_RETRY_ALL = named("rejects.retry_all", "Every file that has rejects waits again, because a person asked.", _RETRY)
_RETRY_NAMED = named(
    "rejects.retry_named",
    "Some files that have rejects wait again, because a person asked.",
    f"{_RETRY} AND file_path = ANY(CAST(:paths AS text[]))",
)
_LOCK_WAY = named(
    "rejects.lock_way",
    "As files.lock_ingestion, with what new versions of its files mean.",
    "SELECT write_mode, on_changed_file FROM ingestions WHERE id = :ingestion_id FOR NO KEY UPDATE",
)
_NAMED = named(
    "rejects.named",
    "Which of some paths of an ingestion were loaded without some of their records.",
    """SELECT f.file_path, f.status = 'SUCCESS' AND f.records_rejected > 0 AS rejects FROM processed_files f
    WHERE f.ingestion_id = :ingestion_id AND f.file_path = ANY(CAST(:paths AS text[]))""",
)
_REPLACED = named(
    "rejects.replaced",
    "The earlier loads that brought rejects of paths that a load brings anew.",
    """
    SELECT f.file_path, array_agg(o.load_id ORDER BY o.id) AS load_ids
    FROM loads l JOIN outcomes mine ON mine.load_id = l.id JOIN processed_files f ON f.id = mine.file_id
        JOIN outcomes o ON o.file_id = mine.file_id
    WHERE l.id = :load_id AND l.clears = 'files' AND mine.status = 'SUCCESS'
      AND o.load_id <> l.id AND o.status = 'SUCCESS' AND o.records_rejected > 0
    GROUP BY f.file_path""",
)
_PATHS = named(
    "rejects.paths",
    "The paths of a load that had bad records.",
    """
    SELECT f.file_path FROM outcomes o JOIN processed_files f ON f.id = o.file_id
    WHERE o.load_id = :load_id AND o.records_rejected > 0""",
)
_CLEARS = named("rejects.clears", "Whose rows a load takes away.", "SELECT clears FROM loads WHERE id = :load_id")
_OWE = named(
    "rejects.owe",
    "Notes that another table must change as well once the load has landed.",
    "UPDATE loads SET rejects_table = :table_name WHERE id = :load_id AND state = 'RUNNING'",
)


def owe(conn: Connection, load_id: UUID, table_name: str) -> None:
    """Note that the load is not settled before its rejects are in this table. With ``store_outcomes``, at once."""
    conn.execute(_OWE, {"load_id": load_id, "table_name": table_name})


def clears(conn: Connection, load_id: UUID) -> Clears:
    """Whose rows the load takes away."""
    return Clears(conn.execute(_CLEARS, {"load_id": load_id}).scalar_one())


def replaced(conn: Connection, load_id: UUID) -> dict[str, frozenset[UUID]]:
    """By path, the earlier loads whose rejects leave with the load: those of files that it has loaded anew."""
    return {
        records.told_path(row.file_path): frozenset(row.load_ids)
        for row in conn.execute(_REPLACED, {"load_id": load_id})
    }


def paths_of(conn: Connection, load_id: UUID) -> list[str]:
    """The paths of the load that had bad records."""
    return [records.told_path(row.file_path) for row in conn.execute(_PATHS, {"load_id": load_id})]


def retry(conn: Connection, ingestion_id: int, paths: Sequence[str] | None = None) -> int:
    """Let files that were loaded without some of their records wait again because a person asks.

    Their rows and rejects stay where they are until the load that replaces both.

    Args:
        paths: these, or every such file where None.

    Returns:
        How many.

    Raises:
        NotKnown: a path that was never seen, or no such ingestion.
        WrongState: a path that has no rejects; or nothing would be replaced, as the ingestion overwrites its table or
            appends every version of a file.
    """
    way = conn.execute(_LOCK_WAY, {"ingestion_id": ingestion_id}).one_or_none()
    if way is None:
        raise NotKnown(f"there is no ingestion {ingestion_id}")
    if way.write_mode == WriteMode.OVERWRITE:
        raise WrongState("this ingestion overwrites its table: one file alone would become all of it; upload it again")
    if way.on_changed_file == OnChangedFile.APPEND:
        raise WrongState(
            "on_changed_file is append, so the rows of these files would come twice: set it to replace, retry, run, "
            "and set it back"
        )
    if paths is None:
        return conn.execute(_RETRY_ALL, {"ingestion_id": ingestion_id}).rowcount
    values = {"ingestion_id": ingestion_id, "paths": [records.stored_path(path) for path in dict.fromkeys(paths)]}
    known = {row.file_path: row.rejects for row in conn.execute(_NAMED, values)}
    unknown = [path for path in paths if records.stored_path(path) not in known]
    if unknown:
        raise NotKnown(f"this ingestion has never seen {some(unknown)}", field="paths")
    without = [path for path in paths if not known[records.stored_path(path)]]
    if without:
        raise WrongState(f"no rejects, so nothing to mend: {some(without)}", field="paths")
    return conn.execute(_RETRY_NAMED, values).rowcount
