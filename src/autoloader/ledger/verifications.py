"""Verifications that workers do: a queue as ``jobs`` has it, and what they found."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from autoloader.ledger import json_pages, records
from autoloader.ledger.jobs import Jobs
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

MOST_DIFFERENCES = 10_000
"""So many differences of a verification are kept; how many there are of each kind is known all the same."""

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


def note(conn: Connection, verification_id: int, worker: str, noted: int, found: Sequence[Difference]) -> bool:
    """Add differences; False when this worker does not own it any more.

    Args:
        noted: how many were noted before.
    """
    differences = json.dumps([_stored(each) for each in found])
    return JOBS.note(conn, verification_id, worker, _NOTE, {"first": noted, "differences": differences})


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


def _value(row: RowMapping) -> Verification:
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


JOBS = Jobs("verification", ["verification_differences"], _value)
enqueue, take_up, renew, release = JOBS.enqueue, JOBS.take_up, JOBS.renew, JOBS.release
finish, fail, get, newest = JOBS.finish, JOBS.fail, JOBS.get, JOBS.newest
