"""The queue of runs: what a free worker does next, and when a run that failed for a while is tried again.

    QUEUED, or its leader fell silent ─────────────▶ lead: list the bucket
    listed, and files wait or none is in a load ───▶ help: claim a load, or end the run

Runs take turns: the one least recently served comes first, so that no ingestion waits for all files of another. A run
that another worker takes up at the same moment is passed over. Nothing here waits for anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.ledger import records
from autoloader.ledger.statement import named
from autoloader.model import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from sqlalchemy import Connection

    from autoloader.plan import Lease

_NEXT = named(
    "queue.next_task",
    "Takes up the run that was served least recently and has something to do.",
    f"""
    WITH due AS MATERIALIZED (
        SELECT r.id, r.listed_at IS NULL AS leads FROM runs r
        WHERE r.status IN ('QUEUED', 'RUNNING') AND (r.again_at IS NULL OR r.again_at <= clock_timestamp())
          AND CASE WHEN r.listed_at IS NULL THEN r.lease_until IS NULL OR r.lease_until <= clock_timestamp()
              ELSE EXISTS (SELECT FROM processed_files f WHERE f.ingestion_id = r.ingestion_id
                           AND f.status = 'DISCOVERED' AND NOT f.deferred)
                OR NOT EXISTS (SELECT FROM processed_files f WHERE f.ingestion_id = r.ingestion_id
                               AND f.status = 'PROCESSING') END
        ORDER BY r.served_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE runs r SET served_at = clock_timestamp(), status = 'RUNNING', started_at = coalesce(r.started_at, now()),
        worker = CASE WHEN d.leads THEN :worker ELSE r.worker END,
        lease_until = CASE WHEN d.leads THEN clock_timestamp() + :lease ELSE r.lease_until END
    FROM due d WHERE r.id = d.id
    RETURNING {records.columns(Run, "r")}, d.leads,
        EXISTS (SELECT FROM runs o WHERE o.status IN ('QUEUED', 'RUNNING') AND o.id <> r.id) AS others""",
)
_RELEASE_LEAD = named(
    "queue.release_lead",
    "Lets the next worker lead at once, where the listing is not complete.",
    """
    UPDATE runs SET lease_until = clock_timestamp()
    WHERE id = :run_id AND status = 'RUNNING' AND worker = :worker AND listed_at IS NULL""",
)
_FAILED_AGAIN = named(
    "queue.failed_again",
    "Counts one more failure in a row.",
    "UPDATE runs SET failures = failures + 1 WHERE id = :run_id AND status = 'RUNNING' RETURNING failures",
)
_POSTPONE = named(
    "queue.postpone",
    "Nothing of the run is taken up for a while.",
    "UPDATE runs SET again_at = clock_timestamp() + :pause WHERE id = :run_id",
)
_WENT_WELL = named(
    "queue.went_well",
    "Failures before a success were not in a row with those after it.",
    "UPDATE runs SET failures = 0, again_at = NULL WHERE id = :run_id AND failures > 0",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """What a free worker does next.

    Attributes:
        run: as it is now; RUNNING.
        leads: list its bucket; otherwise help to load what was listed, or end it.
        others: other runs wait or go on, so the turn should be short.
    """

    run: Run
    leads: bool
    others: bool


def next_task(conn: Connection, worker: str, lease: Lease) -> Due | None:
    """Take up the run that was served least recently and has something to do.

    Args:
        worker: a name unique among all workers, threads included: it leads under this name.

    Returns:
        None when there is nothing to do now.
    """
    row = conn.execute(_NEXT, {"worker": worker, "lease": lease.duration}).one_or_none()
    return None if row is None else Due(run=records.run(row), leads=row.leads, others=row.others)


def release_lead(conn: Connection, run_id: int, worker: str) -> bool:
    """Let the next worker lead at once; False when ``worker`` does not lead any more or its listing is complete."""
    return conn.execute(_RELEASE_LEAD, {"run_id": run_id, "worker": worker}).rowcount == 1


def postpone(conn: Connection, run_id: int, pause: Callable[[int], timedelta]) -> int:
    """Note that a run failed for a reason that may pass, and leave it alone for a while.

    Args:
        pause: how long to wait after so many failures in a row.

    Returns:
        The failures in a row; 0 when the run has ended.
    """
    failures: int = conn.scalar(_FAILED_AGAIN, {"run_id": run_id}) or 0
    if failures:
        conn.execute(_POSTPONE, {"run_id": run_id, "pause": pause(failures)})
    return failures


def went_well(conn: Connection, run_id: int) -> None:
    """Note that something of a run succeeded: the next failure is the first in a row again."""
    conn.execute(_WENT_WELL, {"run_id": run_id})
