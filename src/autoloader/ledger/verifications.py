"""Verifications that workers do: their queue, and what they found.

    enqueue ──▶ QUEUED ──take_up──▶ RUNNING ──finish──▶ SUCCESS, whatever was found
                             ▲          ├─────fail─────▶ FAILED: it could not be looked
                             └──lease───┘ passed, or released

One of an ingestion waits or goes on at most, by a unique index. Who takes one up begins it anew: what another worker
noted before it fell silent is removed. Every change by a worker asks whether it still owns the verification.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from autoloader.errors import NotKnown
from autoloader.ledger import ingestions, json_pages, records
from autoloader.ledger.statement import named
from autoloader.model import (
    DifferenceKind,
    Reading,
    TableStanding,
    Verification,
    VerificationReport,
    VerificationStatus,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, RowMapping

    from autoloader.ledger.json_pages import JsonPage
    from autoloader.model import Difference
    from autoloader.plan import Lease

KEPT = 20
"""So many verifications of an ingestion that have ended are kept, the newest."""
MOST_DIFFERENCES = 10_000
"""So many differences of a verification are kept; how many there are of each kind is known all the same."""

_COLUMNS = """v.id, v.ingestion_id, v.tenant_id, v.status, v.created_at, v.started_at, v.ended_at, v.progress, v.report,
    v.error_type, v.error_message"""

_ENQUEUE = named(
    "verifications.enqueue",
    "Makes a verification that waits for a worker, unless one goes on.",
    f"""
    INSERT INTO verifications AS v (ingestion_id, tenant_id, status)
    SELECT i.id, i.tenant_id, 'QUEUED' FROM ingestions i WHERE i.id = :ingestion_id
    ON CONFLICT (ingestion_id) WHERE status IN ('QUEUED', 'RUNNING') DO NOTHING
    RETURNING {_COLUMNS}""",
)
_ACTIVE = named(
    "verifications.active",
    "The verification of an ingestion that waits or goes on.",
    f"SELECT {_COLUMNS} FROM verifications v WHERE v.ingestion_id = :ingestion_id "
    "AND v.status IN ('QUEUED', 'RUNNING')",
)
_FORGET = named(
    "verifications.forget",
    "Removes the verifications of an ingestion that ended longest ago.",
    """
    DELETE FROM verifications v USING (
        SELECT id FROM verifications WHERE ingestion_id = :ingestion_id AND ended_at IS NOT NULL
        ORDER BY id DESC OFFSET :kept) old
    WHERE v.id = old.id""",
)
_TAKE_UP = named(
    "verifications.take_up",
    "Takes up the verification that waits longest, or whose worker fell silent.",
    f"""
    WITH due AS MATERIALIZED (
        SELECT id FROM verifications
        WHERE status IN ('QUEUED', 'RUNNING') AND (lease_until IS NULL OR lease_until <= clock_timestamp())
        ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE verifications v SET status = 'RUNNING', worker = :worker, lease_until = clock_timestamp() + :lease,
        started_at = coalesce(v.started_at, now()), attempts = v.attempts + 1, progress = NULL
    FROM due d WHERE v.id = d.id RETURNING {_COLUMNS}, v.attempts""",
)
_BEGIN_ANEW = named(
    "verifications.begin_anew",
    "Removes what an earlier worker noted.",
    "DELETE FROM verification_differences WHERE verification_id = :id",
)
_RENEW = named(
    "verifications.renew",
    "Extends the lease, while this worker owns the verification, and notes how far it has come.",
    """
    UPDATE verifications SET lease_until = clock_timestamp() + :lease, progress = CAST(:progress AS jsonb)
    WHERE id = :id AND status = 'RUNNING' AND worker = :worker AND lease_until > clock_timestamp()""",
)
_RELEASE = named(
    "verifications.release",
    "Lets the next worker take it up at once.",
    """
    UPDATE verifications SET lease_until = clock_timestamp(), attempts = attempts - 1
    WHERE id = :id AND status = 'RUNNING' AND worker = :worker""",
)
_OWN = named(
    "verifications.own",
    "Keeps others from taking it up while something is noted; tells whether this worker still owns it.",
    """
    SELECT EXISTS (SELECT FROM verifications WHERE id = :id AND status = 'RUNNING' AND worker = :worker
        AND lease_until > clock_timestamp() FOR NO KEY UPDATE)""",
)
_NOTE = named(
    "verifications.note",
    "Adds to what a verification found.",
    """
    INSERT INTO verification_differences (verification_id, number, kind, message, table_name, file_path, load_id,
        snapshot_id, expected, found)
    SELECT :id, CAST(:first AS integer) + row_number() OVER (), d.kind, d.message, d."table", d.file_path, d.load_id,
        d.snapshot_id, d.expected, d.found
    FROM jsonb_to_recordset(CAST(:differences AS jsonb)) AS d(kind text, message text, "table" text, file_path text,
        load_id uuid, snapshot_id bigint, expected bigint, found bigint)""",
)
_END = named(
    "verifications.end",
    "Ends it with what was found, or with the reason why nothing could be.",
    """
    UPDATE verifications SET status = :status, ended_at = clock_timestamp(), lease_until = NULL, progress = NULL,
        report = CAST(:report AS jsonb), error_type = :error_type, error_message = :error_message
    WHERE id = :id AND status = 'RUNNING' AND worker = :worker""",
)
_GET = named(
    "verifications.get",
    "One verification of an ingestion of a tenant.",
    f"""SELECT {_COLUMNS} FROM verifications v
    WHERE v.id = :id AND v.ingestion_id = :ingestion_id AND v.tenant_id = :tenant_id""",
)
_LIST = named(
    "verifications.list",
    "The newest verifications of an ingestion, a page at a time.",
    f"""SELECT {_COLUMNS} FROM verifications v
    WHERE v.ingestion_id = :ingestion_id AND (CAST(:before_id AS bigint) IS NULL OR v.id < :before_id)
    ORDER BY v.id DESC LIMIT :limit""",
)
_DIFFERENCES = named(
    "verifications.differences",
    "What a verification found, a page at a time.",
    json_pages.page(
        """SELECT * FROM verification_differences f
        WHERE f.verification_id = :id AND f.number > :after ORDER BY f.number LIMIT :limit""",
        'f.number, f.kind, f.message, f.table_name AS "table", f.file_path, f.load_id, f.snapshot_id, f.expected, '
        "f.found",
    ),
)


def enqueue(conn: Connection, ingestion_id: int) -> tuple[Verification, bool]:
    """Let a verification of an ingestion wait for a worker; where one waits or goes on, it is that one.

    Returns:
        The verification, and whether it was made now.

    Raises:
        NotKnown: there is no such ingestion.
    """
    ingestions.by_id(conn, ingestion_id)
    values = {"ingestion_id": ingestion_id}
    while True:
        made = conn.execute(_ENQUEUE, values).mappings().one_or_none()
        if made is not None:
            conn.execute(_FORGET, values | {"kept": KEPT})
            return _verification(made), True
        going_on = conn.execute(_ACTIVE, values).mappings().one_or_none()
        if going_on is not None:
            return _verification(going_on), False


def take_up(conn: Connection, worker: str, lease: Lease) -> tuple[Verification, int] | None:
    """Take up the verification that waits longest; None when there is none.

    Args:
        worker: a name unique among all workers.

    Returns:
        The verification, and how many workers have taken it up by now.
    """
    row = conn.execute(_TAKE_UP, {"worker": worker, "lease": lease.duration}).mappings().one_or_none()
    if row is None:
        return None
    conn.execute(_BEGIN_ANEW, {"id": row["id"]})
    return _verification(row), row["attempts"]


def renew(conn: Connection, verification_id: int, worker: str, lease: Lease, reading: Reading | None) -> bool:
    """Extend the lease and note how far it has come; False when another owns it now, or it is gone."""
    progress = None if reading is None else json.dumps(asdict(reading))
    values = {"id": verification_id, "worker": worker, "lease": lease.duration, "progress": progress}
    return conn.execute(_RENEW, values).rowcount == 1


def release(conn: Connection, verification_id: int, worker: str) -> bool:
    """Let the next worker take it up at once; False when this worker does not own it."""
    return conn.execute(_RELEASE, {"id": verification_id, "worker": worker}).rowcount == 1


def note(conn: Connection, verification_id: int, worker: str, noted: int, found: Sequence[Difference]) -> bool:
    """Add differences; False when this worker does not own it any more.

    Args:
        noted: how many were noted before.
    """
    if not conn.scalar(_OWN, {"id": verification_id, "worker": worker}):
        return False
    differences = json.dumps([_stored(each) for each in found])
    conn.execute(_NOTE, {"id": verification_id, "first": noted, "differences": differences})
    return True


def finish(conn: Connection, verification_id: int, worker: str, report: VerificationReport) -> bool:
    """RUNNING → SUCCESS; False when this worker does not own it any more."""
    values = {"status": VerificationStatus.SUCCESS, "report": json.dumps(asdict(report), default=datetime.isoformat)}
    return _end(conn, verification_id, worker, values | {"error_type": None, "error_message": None})


def fail(conn: Connection, verification_id: int, worker: str, kind: str, message: str) -> bool:
    """RUNNING → FAILED, with the reason; False when this worker does not own it any more."""
    values = {"status": VerificationStatus.FAILED, "report": None}
    return _end(
        conn, verification_id, worker, values | {"error_type": kind, "error_message": records.storable(message)}
    )


def _end(conn: Connection, verification_id: int, worker: str, values: dict[str, Any]) -> bool:
    return conn.execute(_END, {"id": verification_id, "worker": worker} | values).rowcount == 1


def get(conn: Connection, tenant_id: str, ingestion_id: int, verification_id: int) -> Verification:
    """A verification of an ingestion of the tenant.

    Raises:
        NotKnown: there is none.
    """
    values = {"id": verification_id, "ingestion_id": ingestion_id, "tenant_id": tenant_id}
    row = conn.execute(_GET, values).mappings().one_or_none()
    if row is None:
        raise NotKnown(
            f"ingestion {ingestion_id} has no verification {verification_id}: the newest {KEPT} are kept",
            field="verification_id",
        )
    return _verification(row)


def newest(conn: Connection, ingestion_id: int, *, limit: int, before_id: int | None = None) -> list[Verification]:
    """The newest verifications of an ingestion first.

    Args:
        before_id: only those older than this one: the cursor of the next page.
    """
    values = {"ingestion_id": ingestion_id, "limit": limit, "before_id": before_id}
    return [_verification(row) for row in conn.execute(_LIST, values).mappings()]


def differences_page(conn: Connection, verification_id: int, *, limit: int, after: int | None = None) -> JsonPage:
    """A page of what a verification found, as JSON, in the order in which it was found."""
    return json_pages.read(conn, _DIFFERENCES, {"id": verification_id, "after": after or 0}, limit=limit)


def _stored(difference: Difference) -> dict[str, Any]:
    path = difference.file_path
    values = asdict(difference) | {"file_path": None if path is None else records.stored_path(path)}
    return values | {
        "message": records.storable(difference.message),
        "load_id": None if difference.load_id is None else str(difference.load_id),
    }


def _verification(row: RowMapping) -> Verification:
    return Verification(
        id=row["id"],
        ingestion_id=row["ingestion_id"],
        tenant_id=row["tenant_id"],
        status=VerificationStatus(row["status"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        reading=None if row["progress"] is None else Reading(**row["progress"]),
        report=None if row["report"] is None else _report(row["report"]),
        error_type=row["error_type"],
        error_message=row["error_message"],
    )


def _report(told: dict[str, Any]) -> VerificationReport:
    return VerificationReport(
        **told
        | {
            "ledger_at": datetime.fromisoformat(told["ledger_at"]),
            "tables": tuple(TableStanding(**table) for table in told["tables"]),
            "differences": {DifferenceKind(kind): count for kind, count in told["differences"].items()},
        }
    )
