"""Files: what waits, what failed and is tried again, and the whole story of each one."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import records
from autoloader.ledger.statement import named
from autoloader.model import File, FileStatus, FileVersion, LoadState, SourceObject, Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from autoloader.model import Ingestion

_COLUMNS = records.columns(File, "f")
_NAMED_IN_ERRORS = 5
FEW = 10_000
"""So many files of a status are counted one by one."""

_REQUEUE_FAILED = named(
    "files.requeue_failed",
    "Files that failed in earlier runs wait again, while they have retries left; refused changes are left to a person.",
    """
    WITH again AS (
        UPDATE processed_files f SET status = 'DISCOVERED', run_id = :run_id, retry_count = retry_count + 1,
            load_id = NULL, error_type = NULL, error_message = NULL, processing_started_at = NULL, processed_at = NULL,
            records_rejected = 0, bytes_read = 0, processing_duration_ms = NULL, updated_at = now()
        WHERE f.ingestion_id = :ingestion_id AND f.status = 'FAILED' AND f.run_id <> :run_id
          AND f.retry_count < :max_retries AND f.error_type IS DISTINCT FROM 'ChangedRefused'
        RETURNING 1
    )
    SELECT count(*) FROM again""",
)
_COUNT_REQUEUED = named(
    "files.count_requeued",
    "Adds files that are tried again to what the run has to decide about.",
    "UPDATE runs SET files_discovered = files_discovered + :requeued WHERE id = :run_id",
)
_LOCK = named(
    "files.lock_ingestion",
    "Keeps listings and other retries of the ingestion out while files change by hand.",
    "SELECT write_mode FROM ingestions WHERE id = :ingestion_id FOR NO KEY UPDATE",
)
_NAMED = named(
    "files.named",
    "The status of some paths of an ingestion.",
    "SELECT f.file_path, f.status FROM processed_files f "
    "WHERE f.ingestion_id = :ingestion_id AND f.file_path = ANY(CAST(:paths AS text[]))",
)
_RETRY = """
    UPDATE processed_files SET status = 'DISCOVERED', retry_count = 0, load_id = NULL, error_type = NULL,
        error_message = NULL, processing_started_at = NULL, processed_at = NULL, records_rejected = 0, bytes_read = 0,
        processing_duration_ms = NULL, updated_at = now()
    WHERE ingestion_id = :ingestion_id AND status = 'FAILED'"""
_RETRY_ALL = named("files.retry_all", "Every failed file waits again, because a person asked.", _RETRY)
_RETRY_NAMED = named(
    "files.retry_named",
    "Some failed files wait again, because a person asked.",
    f"{_RETRY} AND file_path = ANY(CAST(:paths AS text[]))",
)
_OVERWRITES = named(
    "files.overwrites_now",
    "Whether a run of the ingestion goes on.",
    "SELECT EXISTS (SELECT FROM runs WHERE ingestion_id = :ingestion_id AND status IN ('QUEUED', 'RUNNING'))",
)
_COUNT_FEW = named(
    "files.count_few",
    "How many files of an ingestion, or of each, there are, and how many in each status, up to a limit.",
    "SELECT i.id, c.status, c.files, i.files AS seen FROM ingestions i CROSS JOIN LATERAL ("
    + " UNION ALL ".join(
        f"""SELECT '{status}' AS status, count(*) AS files FROM (SELECT FROM processed_files
        WHERE ingestion_id = i.id AND status = '{status}' ORDER BY updated_at, id LIMIT :most) few"""
        for status in FileStatus
    )
    + ") c WHERE CAST(:ingestion_id AS bigint) IS NULL OR i.id = :ingestion_id",
)
_COUNTS = named(
    "files.counts",
    "How many files of an ingestion are in each status.",
    "SELECT status, count(*) AS files FROM processed_files WHERE ingestion_id = :ingestion_id GROUP BY status",
)
_WAITING = named(
    "files.waiting",
    "How much of an ingestion may be claimed now.",
    """SELECT count(*) AS files, coalesce(sum(file_size_bytes), 0) AS bytes FROM processed_files
    WHERE ingestion_id = :ingestion_id AND status = 'DISCOVERED' AND NOT deferred""",
)
_FOUND = named(
    "files.found_by_run",
    "How many new or changed files a run has found that were not claimed yet.",
    """SELECT count(*) FROM runs r JOIN processed_files f ON f.ingestion_id = r.ingestion_id AND f.run_id = r.id
    WHERE r.id = :run_id AND f.status = 'DISCOVERED' AND NOT f.deferred AND f.discovered_at >= r.created_at""",
)
_WAITING_OBJECTS = named(
    "files.waiting_objects",
    "Some of the files that may be claimed now, evenly from the oldest to the newest.",
    """SELECT file_path, file_size_bytes, file_etag, file_modified_at FROM (
        SELECT file_path, file_size_bytes, file_etag, file_modified_at, count(*) OVER () AS files,
            row_number() OVER (ORDER BY file_modified_at, file_path) AS place
        FROM processed_files WHERE ingestion_id = :ingestion_id AND status = 'DISCOVERED' AND NOT deferred) w
    WHERE place = files OR (place - 1) * :limit / files <> (place - 2) * :limit / files OR place = 1
    ORDER BY place""",
)
_FAILED_IN_RUN = named(
    "files.failed_in_run",
    "Files that failed in a run and were not tried again since.",
    f"""SELECT {_COLUMNS} FROM processed_files f
    WHERE f.ingestion_id = (SELECT ingestion_id FROM runs WHERE id = :run_id)
      AND f.status = 'FAILED' AND f.run_id = :run_id ORDER BY f.file_path LIMIT :limit""",
)
_GET = named("files.get", "One file by its id.", f"SELECT {_COLUMNS} FROM processed_files f WHERE f.id = :file_id")
_FIND = named(
    "files.find",
    "A path wherever it is known: each ingestion is asked by its own index.",
    f"""SELECT {_COLUMNS} FROM ingestions i
    CROSS JOIN LATERAL (SELECT * FROM processed_files f WHERE f.ingestion_id = i.id AND f.file_path = :path) f
    WHERE (CAST(:ingestion_id AS bigint) IS NULL OR i.id = :ingestion_id)
      AND (CAST(:tenant_id AS text) IS NULL OR i.tenant_id = :tenant_id) ORDER BY i.id""",
)
_HISTORY = named(
    "files.history",
    "Every version and attempt of a file, oldest first; what an open load has prepared is not yet true.",
    """
    SELECT o.file_etag, o.file_size_bytes, o.file_modified_at,
        CASE WHEN l.state IN ('RUNNING', 'LOST') THEN 'PROCESSING' ELSE o.status END AS status,
        o.run_id, o.load_id, l.state AS load_state,
        CASE WHEN o.status = 'SUCCESS' THEN l.snapshot_id END AS snapshot_id,
        l.worker, l.started_at, o.recorded_at, o.records_ingested, o.records_rejected, o.bytes_read, o.duration_ms,
        o.error_type, o.error_message
    FROM outcomes o LEFT JOIN loads l ON l.id = o.load_id WHERE o.file_id = :file_id ORDER BY o.id""",
)


def requeue_failed(conn: Connection, ingestion: Ingestion, run_id: int) -> int:
    """Let the files that failed in earlier runs wait again, while ``retry_count < max_retries``.

    Returns:
        How many. Files refused by ``on_changed_file = fail`` are not among them: a person decides about those.
    """
    conn.execute(_LOCK, {"ingestion_id": ingestion.id})
    values = {"ingestion_id": ingestion.id, "run_id": run_id, "max_retries": ingestion.max_retries}
    requeued = conn.scalar(_REQUEUE_FAILED, values) or 0
    if requeued:
        conn.execute(_COUNT_REQUEUED, {"run_id": run_id, "requeued": requeued})
    return requeued


def retry(conn: Connection, ingestion_id: int, paths: Sequence[str] | None = None) -> int:
    """Let failed files wait again because a person asks; they get all their retries back.

    Args:
        paths: these, or every failed file where None.

    Returns:
        How many.

    Raises:
        NotKnown: a path that was never seen, or no such ingestion.
        WrongState: a path that is not FAILED; or a run is overwriting the table: a second load would remove the first.
    """
    write_mode = conn.scalar(_LOCK, {"ingestion_id": ingestion_id})
    if write_mode is None:
        raise NotKnown(f"there is no ingestion {ingestion_id}")
    if write_mode == "overwrite" and conn.scalar(_OVERWRITES, {"ingestion_id": ingestion_id}):
        raise WrongState("a run of this ingestion is overwriting its table: retry the files when it has ended")
    if paths is None:
        return conn.execute(_RETRY_ALL, {"ingestion_id": ingestion_id}).rowcount
    values = {"ingestion_id": ingestion_id, "paths": [records.stored_path(path) for path in dict.fromkeys(paths)]}
    _refuse_unless_failed(paths, {row.file_path: row.status for row in conn.execute(_NAMED, values)})
    return conn.execute(_RETRY_NAMED, values).rowcount


def _refuse_unless_failed(paths: Sequence[str], found: dict[str, str]) -> None:
    status = {path: found.get(records.stored_path(path)) for path in paths}
    unknown = [path for path in status if status[path] is None]
    if unknown:
        raise NotKnown(
            f"never seen by this ingestion: {some(unknown)}; see `autoloader files` for its paths", field="paths"
        )
    others = [f"{path} ({of})" for path, of in status.items() if of != FileStatus.FAILED]
    if others:
        raise WrongState(f"only FAILED files can be retried: {some(others)}")


def some(items: Sequence[str]) -> str:
    """The first few of some paths, and how many more there are."""
    more = len(items) - _NAMED_IN_ERRORS
    return ", ".join(items[:_NAMED_IN_ERRORS]) + (f" and {more} more" if more > 0 else "")


def counts(conn: Connection, ingestion_id: int, *, few: int = FEW) -> dict[FileStatus, int]:
    """How many files of an ingestion are in each status; statuses without files are left out.

    Mostly all but a few are in one status, which is then what the others leave of the count that the ingestion keeps.
    Only where two statuses have many is every file counted: a million of them take a tenth of a second.

    Args:
        few: a status has many where it has so many.
    """
    rows = conn.execute(_COUNT_FEW, {"ingestion_id": ingestion_id, "most": few}).all()
    return _counted(conn, ingestion_id, rows, few)


def counts_of_all(conn: Connection, *, few: int = FEW) -> dict[FileStatus, int]:
    """How many files of all ingestions are in each status, as ``counts`` tells it of each."""
    by_ingestion: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in conn.execute(_COUNT_FEW, {"ingestion_id": None, "most": few}):
        by_ingestion[row.id].append(row)
    total: Counter[FileStatus] = Counter()
    for ingestion_id, rows in by_ingestion.items():
        total.update(_counted(conn, ingestion_id, rows, few))
    return dict(total)


def _counted(conn: Connection, ingestion_id: int, rows: Sequence[Row[Any]], few: int) -> dict[FileStatus, int]:
    many = [row for row in rows if row.files == few]
    counted = {FileStatus(row.status): int(row.files) for row in rows if row.files}
    if len(many) == 1:
        return counted | {FileStatus(many[0].status): many[0].seen - sum(counted.values()) + few}
    if many:
        all_rows = conn.execute(_COUNTS, {"ingestion_id": ingestion_id})
        return {FileStatus(row.status): row.files for row in all_rows}
    return counted


def waiting(conn: Connection, ingestion_id: int) -> Waiting:
    """How much of an ingestion may be claimed now."""
    row = conn.execute(_WAITING, {"ingestion_id": ingestion_id}).one()
    return Waiting(files=row.files, bytes=int(row.bytes))


def found_by_run(conn: Connection, run_id: int) -> int:
    """How many new or changed files a run whose listing goes on has found so far, whoever led it."""
    return conn.scalar(_FOUND, {"run_id": run_id}) or 0


def waiting_objects(conn: Connection, ingestion_id: int, *, limit: int) -> list[SourceObject]:
    """About so many of the files that may be claimed now, from the oldest to the newest, as the bucket listed them."""
    return [
        SourceObject(
            path=records.told_path(row.file_path),
            size_bytes=row.file_size_bytes,
            etag=row.file_etag,
            modified_at=row.file_modified_at,
        )
        for row in conn.execute(_WAITING_OBJECTS, {"ingestion_id": ingestion_id, "limit": limit})
    ]


def failed_in_run(conn: Connection, run_id: int, *, limit: int) -> list[File]:
    """Files that failed in a run and were not tried again since, by path."""
    rows = conn.execute(_FAILED_IN_RUN, {"run_id": run_id, "limit": limit})
    return [records.file(row) for row in rows]


def get(conn: Connection, file_id: int) -> File:
    """The file with this id.

    Raises:
        NotKnown: there is none.
    """
    row = conn.execute(_GET, {"file_id": file_id}).one_or_none()
    if row is None:
        raise NotKnown(f"there is no file {file_id}")
    return records.file(row)


def find(
    conn: Connection, file_path: str, ingestion_id: int | None = None, *, tenant_id: str | None = None
) -> list[File]:
    """A path in one ingestion, or in every one that knows it.

    Args:
        tenant_id: whose ingestions; None: everyone's.
    """
    values = {"path": records.stored_path(file_path), "ingestion_id": ingestion_id, "tenant_id": tenant_id}
    return [records.file(row) for row in conn.execute(_FIND, values)]


def history(conn: Connection, file_id: int) -> list[FileVersion]:
    """Every version and attempt of a file, oldest first; never shortened."""
    rows = conn.execute(_HISTORY, {"file_id": file_id}).mappings()
    return [
        FileVersion(
            **dict(row)
            | {
                "status": FileStatus(row["status"]),
                "load_state": None if row["load_state"] is None else LoadState(row["load_state"]),
            }
        )
        for row in rows
    ]
