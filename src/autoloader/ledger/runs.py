"""Runs: who leads one, what it counted, when it has ended.

    enqueue ──▶ QUEUED ──queue.next_task──┐
                                          ▼
              start_or_join ──▶ RUNNING ──listed──▶ RUNNING, every file settled ──▶ SUCCESS | FAILED
                                  └──fail, cancel──▶ FAILED, CANCELLED

There is one active run of an ingestion at most, by a unique index. Its leader lists the bucket, under a lease that it
renews until the run ends. When the lease passes, whoever comes next leads and lists anew: merging a listing again
changes nothing. Only a run that overwrites its table is never listed twice, as its files must be one load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.errors import NotKnown, WrongState
from autoloader.ledger import ingestions, records
from autoloader.ledger.statement import named
from autoloader.model import IngestionStatus, Run, RunStatus

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from autoloader.model import RunTrigger
    from autoloader.plan import Lease

_COLUMNS = records.columns(Run, "r")

_LEAD = named(
    "runs.lead",
    "Starts a run, or takes the lead of the active one whose leader fell silent.",
    f"""
    INSERT INTO runs AS r (ingestion_id, tenant_id, cluster_id, trigger, status, since, max_files, started_at, worker,
        lease_until)
    SELECT i.id, i.tenant_id, i.cluster_id, :trigger, 'RUNNING', CAST(:since AS timestamptz),
        CAST(:max_files AS bigint), now(), :worker, clock_timestamp() + :lease
    FROM ingestions i WHERE i.id = :ingestion_id
    ON CONFLICT (ingestion_id) WHERE status IN ('QUEUED', 'RUNNING') DO UPDATE
    SET status = 'RUNNING', started_at = coalesce(r.started_at, now()),
        worker = excluded.worker, lease_until = excluded.lease_until, listed_at = NULL
    WHERE (r.lease_until IS NULL OR r.lease_until <= clock_timestamp())
      AND (r.listed_at IS NULL OR (SELECT write_mode FROM ingestions i WHERE i.id = r.ingestion_id) <> 'overwrite')
    RETURNING {_COLUMNS}""",
)
_ENQUEUE = named(
    "runs.enqueue",
    "Makes a run that waits for a worker, unless one goes on.",
    f"""
    INSERT INTO runs AS r (ingestion_id, tenant_id, cluster_id, trigger, status, since, max_files)
    SELECT i.id, i.tenant_id, i.cluster_id, :trigger, 'QUEUED', CAST(:since AS timestamptz), CAST(:max_files AS bigint)
    FROM ingestions i WHERE i.id = :ingestion_id
    ON CONFLICT (ingestion_id) WHERE status IN ('QUEUED', 'RUNNING') DO NOTHING
    RETURNING {_COLUMNS}""",
)
_TAKE_LEAD = named(
    "runs.take_lead",
    "Succeeds a leader that fell silent before its listing was complete.",
    """
    UPDATE runs SET worker = :worker, lease_until = clock_timestamp() + :lease
    WHERE id = :run_id AND status = 'RUNNING' AND listed_at IS NULL AND lease_until <= clock_timestamp()""",
)
_ACTIVE = named(
    "runs.active",
    "The active run of an ingestion.",
    f"SELECT {_COLUMNS} FROM runs r WHERE r.ingestion_id = :ingestion_id AND r.status IN ('QUEUED', 'RUNNING')",
)
_RENEW_LEAD = named(
    "runs.renew_lead",
    "Extends the lease of the leader, while it is still the leader and the lease has not passed.",
    """
    UPDATE runs SET lease_until = clock_timestamp() + :lease
    WHERE id = :run_id AND status = 'RUNNING' AND worker = :worker AND lease_until > clock_timestamp()""",
)
_LISTED = named(
    "runs.listed",
    "Marks the listing complete, while this worker still leads.",
    """
    UPDATE runs SET listed_at = now()
    WHERE id = :run_id AND status = 'RUNNING' AND listed_at IS NULL AND worker = :worker""",
)
_ADOPT = named(
    "runs.adopt_deferred",
    "Files that earlier runs put back and this listing did not see: they wait again, and loading tells what they are.",
    """
    UPDATE processed_files f SET deferred = false, run_id = :run_id, updated_at = now()
    FROM runs r WHERE r.id = :run_id AND f.ingestion_id = r.ingestion_id AND f.deferred AND f.run_id < :run_id""",
)
_RECORD_ERROR = named(
    "runs.record_error",
    "Adds one entry to a run's errors.",
    """
    UPDATE runs SET errors = errors || jsonb_build_object('message', CAST(:message AS text),
        'type', CAST(:type AS text), 'file_path', CAST(:file_path AS text), 'timestamp', now())
    WHERE id = :run_id""",
)
_LOCK = named(
    "runs.lock",
    "Waits for the claims under way in a run, and keeps new ones out.",
    "SELECT ingestion_id FROM runs WHERE id = :run_id AND status = 'RUNNING' FOR NO KEY UPDATE",
)
_END = named(
    "runs.end_if_settled",
    "Ends a listed run with no file waiting or in a load; its counters are what the outcomes say, each file once.",
    f"""
    WITH settled AS MATERIALIZED (
        SELECT r.id FROM runs r
        WHERE r.id = :run_id AND r.status = 'RUNNING' AND r.listed_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM processed_files
                          WHERE ingestion_id = :ingestion_id AND status = 'DISCOVERED' AND NOT deferred)
          AND NOT EXISTS (SELECT FROM processed_files WHERE ingestion_id = :ingestion_id AND status = 'PROCESSING')
    ), last AS (
        SELECT DISTINCT ON (o.file_id) o.status, o.records_ingested, o.bytes_read
        FROM settled s CROSS JOIN LATERAL (
            SELECT o.* FROM loads l JOIN outcomes o ON o.load_id = l.id WHERE l.run_id = s.id
            UNION ALL
            SELECT o.* FROM outcomes o WHERE o.run_id = s.id AND o.load_id IS NULL
        ) o
        ORDER BY o.file_id, o.id DESC
    ), counted AS (
        SELECT count(*) AS discovered,
               count(*) FILTER (WHERE status = 'SUCCESS') AS succeeded,
               count(*) FILTER (WHERE status = 'FAILED') AS failed,
               count(*) FILTER (WHERE status = 'SKIPPED') AS skipped,
               coalesce(sum(records_ingested) FILTER (WHERE status = 'SUCCESS'), 0) AS records,
               coalesce(sum(bytes_read), 0) AS bytes
        FROM last
    )
    UPDATE runs r
    SET status = CASE WHEN c.failed > 0 AND c.succeeded = 0 THEN 'FAILED' ELSE 'SUCCESS' END,
        ended_at = clock_timestamp(), lease_until = NULL,
        files_discovered = c.discovered, files_processed = c.succeeded + c.failed, files_succeeded = c.succeeded,
        files_failed = c.failed, files_skipped = c.skipped, records_ingested = c.records, bytes_read = c.bytes
    FROM settled s, counted c WHERE r.id = s.id AND r.status = 'RUNNING'
    RETURNING {_COLUMNS}""",
)
_STOP = named(
    "runs.stop",
    "Ends an active run before it is settled.",
    """
    UPDATE runs SET status = :status, ended_at = clock_timestamp(), lease_until = NULL
    WHERE id = :run_id AND status IN ('QUEUED', 'RUNNING')""",
)
_CANCELLED = named(
    "runs.cancelled",
    "Whether a person asked that the run ends.",
    "SELECT status = 'CANCELLED' FROM runs WHERE id = :run_id",
)
_GET = named("runs.get", "One run by its id.", f"SELECT {_COLUMNS} FROM runs r WHERE r.id = :run_id")
_LIST = named(
    "runs.list",
    "The newest runs of all ingestions, a page at a time.",
    f"""SELECT {_COLUMNS} FROM runs r WHERE (CAST(:before_id AS bigint) IS NULL OR r.id < :before_id)
    ORDER BY r.id DESC LIMIT :limit""",
)
_LIST_OF_INGESTION = named(
    "runs.list_of_ingestion",
    "The newest runs of one ingestion, a page at a time.",
    f"""SELECT {_COLUMNS} FROM runs r
    WHERE r.ingestion_id = :ingestion_id AND (CAST(:before_id AS bigint) IS NULL OR r.id < :before_id)
    ORDER BY r.id DESC LIMIT :limit""",
)


def start_or_join(
    conn: Connection,
    ingestion_id: int,
    trigger: RunTrigger,
    worker: str,
    lease: Lease,
    *,
    since: datetime | None = None,
    max_files: int | None = None,
) -> tuple[Run, bool]:
    """Start a run of an ingestion, or join the one that goes on.

    Args:
        worker: a name unique among all workers.
        since: of a run that is started: only objects modified at this instant or later.
        max_files: of a run that is started: only so many new or changed files.

    Returns:
        The run, and whether this worker leads it: it is new, or its leader fell silent.

    Raises:
        NotKnown: there is no such ingestion.
        WrongState: the ingestion is a draft or paused.
    """
    _require_runnable(conn, ingestion_id)
    values = {"ingestion_id": ingestion_id, "trigger": trigger, "since": since, "max_files": max_files}
    while True:
        row = conn.execute(_LEAD, values | {"worker": worker, "lease": lease.duration}).one_or_none()
        if row is not None:
            return records.run(row), True
        going_on = active(conn, ingestion_id)
        if going_on is not None:
            return going_on, False


def enqueue(
    conn: Connection,
    ingestion_id: int,
    trigger: RunTrigger,
    *,
    since: datetime | None = None,
    max_files: int | None = None,
) -> tuple[Run, bool]:
    """Let a run of an ingestion wait for a worker; where one waits or goes on, it is that one, as it was asked for.

    Args:
        since: only objects modified at this instant or later.
        max_files: only so many new or changed files.

    Returns:
        The run, and whether it was made now.

    Raises:
        NotKnown: there is no such ingestion.
        WrongState: the ingestion is a draft or paused.
    """
    _require_runnable(conn, ingestion_id)
    values = {"ingestion_id": ingestion_id, "trigger": trigger, "since": since, "max_files": max_files}
    while True:
        row = conn.execute(_ENQUEUE, values).one_or_none()
        if row is not None:
            return records.run(row), True
        going_on = active(conn, ingestion_id)
        if going_on is not None:
            return going_on, False


def _require_runnable(conn: Connection, ingestion_id: int) -> None:
    ingestion = ingestions.by_id(conn, ingestion_id)
    if ingestion.status is IngestionStatus.PAUSED:
        raise WrongState(f"ingestion {ingestion.name} is PAUSED: resume it to let it run")
    if ingestion.status is IngestionStatus.DRAFT:
        raise WrongState(f"ingestion {ingestion.name} is a DRAFT: set its status to ACTIVE to let it run")


def take_lead(conn: Connection, run_id: int, worker: str, lease: Lease) -> bool:
    """Lead a run whose leader fell silent before its listing was complete; False when there is no need."""
    values = {"run_id": run_id, "worker": worker, "lease": lease.duration}
    return conn.execute(_TAKE_LEAD, values).rowcount == 1


def renew_lead(conn: Connection, run_id: int, worker: str, lease: Lease) -> bool:
    """Extend the lease of the leader; False when ``worker`` does not lead any more or the run has ended."""
    values = {"run_id": run_id, "worker": worker, "lease": lease.duration}
    return conn.execute(_RENEW_LEAD, values).rowcount == 1


def listed(conn: Connection, run_id: int, worker: str) -> bool:
    """Mark the listing of a run complete; False when ``worker`` does not lead it any more."""
    if conn.execute(_LISTED, {"run_id": run_id, "worker": worker}).rowcount != 1:
        return False
    conn.execute(_ADOPT, {"run_id": run_id})
    return True


def record_error(conn: Connection, run_id: int, message: str, kind: str, file_path: str | None = None) -> None:
    """Add one entry to the ``errors`` of a run.

    Args:
        kind: the stable name of the error, ``AutoloaderError.error_type``.
    """
    path = None if file_path is None else records.stored_path(file_path)
    values = {"run_id": run_id, "message": records.storable(message), "type": kind, "file_path": path}
    conn.execute(_RECORD_ERROR, values)


def end_if_settled(conn: Connection, run_id: int) -> Run | None:
    """End a run whose listing is complete and none of whose ingestion's files waits or is in a load.

    SUCCESS, or FAILED when every processed file failed. The counters are worked out anew from the outcomes.

    Returns:
        The run as it ended, or None when there is more to do or it had ended before.
    """
    ingestion_id = conn.scalar(_LOCK, {"run_id": run_id})
    if ingestion_id is None:
        return None
    row = conn.execute(_END, {"run_id": run_id, "ingestion_id": ingestion_id}).one_or_none()
    return None if row is None else records.run(row)


def fail(conn: Connection, run_id: int, message: str, kind: str) -> bool:
    """End an active run that cannot go on, with the reason; False when it had ended before."""
    if conn.execute(_STOP, {"run_id": run_id, "status": RunStatus.FAILED}).rowcount != 1:
        return False
    record_error(conn, run_id, message, kind)
    return True


def cancel(conn: Connection, run_id: int) -> bool:
    """End an active run because a person asked; its waiting files are left to the next one. False: it had ended."""
    return conn.execute(_STOP, {"run_id": run_id, "status": RunStatus.CANCELLED}).rowcount == 1


def cancelled(conn: Connection, run_id: int) -> bool:
    """Whether a person asked that the run ends: what is in hand and not published yet is to be put back."""
    return bool(conn.scalar(_CANCELLED, {"run_id": run_id}))


def get(conn: Connection, run_id: int) -> Run:
    """The run with this id.

    Raises:
        NotKnown: there is none.
    """
    row = conn.execute(_GET, {"run_id": run_id}).one_or_none()
    if row is None:
        raise NotKnown(f"there is no run {run_id}")
    return records.run(row)


def active(conn: Connection, ingestion_id: int) -> Run | None:
    """The run of an ingestion that goes on, if one does."""
    row = conn.execute(_ACTIVE, {"ingestion_id": ingestion_id}).one_or_none()
    return None if row is None else records.run(row)


def list_runs(conn: Connection, ingestion_id: int | None, *, limit: int, before_id: int | None = None) -> list[Run]:
    """The newest runs first.

    Args:
        ingestion_id: of this ingestion, or of all where None.
        before_id: only runs older than this one: the cursor of the next page.
    """
    values = {"limit": limit, "before_id": before_id}
    statement = _LIST
    if ingestion_id is not None:
        statement, values["ingestion_id"] = _LIST_OF_INGESTION, ingestion_id
    return [records.run(row) for row in conn.execute(statement, values)]
