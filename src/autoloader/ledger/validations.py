"""Validations that workers do: a queue as ``jobs`` has it, and what they found."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from autoloader.ledger import json_pages, records
from autoloader.ledger.jobs import Jobs
from autoloader.ledger.statement import named
from autoloader.model import (
    FileProspect,
    Prospect,
    Reading,
    RefusedRecord,
    Validation,
    ValidationReport,
    VerificationStatus,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, RowMapping

    from autoloader.ledger.json_pages import JsonPage

MOST_KEPT = 10_000
"""So many files that would load, others, and refused records of a validation are kept; the report counts them all."""
MOST_RAW = 4096
"""Characters of a refused record's text that are kept."""

_NOTE_FILES = named(
    "validations.note_files",
    "Adds to the files that a validation has read.",
    """
    INSERT INTO validation_files (validation_id, number, file_path, file_etag, file_size_bytes, waiting, prospect,
        records, refused, error_type, error_message)
    SELECT :id, CAST(:first AS integer) + row_number() OVER (), d.file_path, d.file_etag, d.file_size_bytes, d.waiting,
        d.prospect, d.records, d.refused, d.error_type, d.error_message
    FROM jsonb_to_recordset(CAST(:found AS jsonb)) AS d(file_path text, file_etag text, file_size_bytes bigint,
        waiting text, prospect text, records bigint, refused bigint, error_type text, error_message text)""",
)
_NOTE_REFUSED = named(
    "validations.note_refused",
    "Adds to the records that would be refused.",
    """
    INSERT INTO validation_refused (validation_id, number, file_path, line, column_name, reason, message, raw)
    SELECT :id, CAST(:first AS integer) + row_number() OVER (), d.file_path, d.line, d."column", d.reason, d.message,
        d.raw
    FROM jsonb_to_recordset(CAST(:found AS jsonb)) AS d(file_path text, line bigint, "column" text, reason text,
        message text, raw text)""",
)
_FILES = named(
    "validations.files",
    "The files that a validation has read, a page at a time, those of one prospect or all.",
    json_pages.page(
        """SELECT * FROM validation_files f WHERE f.validation_id = :id AND f.number > :after
        AND (CAST(:prospect AS text) IS NULL OR f.prospect = :prospect) ORDER BY f.number LIMIT :limit""",
        "f.number, f.file_path, f.file_etag, f.file_size_bytes, f.waiting, f.prospect, f.records, f.refused, "
        "f.error_type, f.error_message",
    ),
)
_REFUSED = named(
    "validations.refused",
    "The records that would be refused, a page at a time.",
    json_pages.page(
        """SELECT * FROM validation_refused f WHERE f.validation_id = :id AND f.number > :after
        ORDER BY f.number LIMIT :limit""",
        'f.number, f.file_path, f.line, f.column_name AS "column", f.reason, f.message, f.raw',
    ),
)


def note_troubled(conn: Connection, validation_id: int, worker: str, noted: int, found: Sequence[FileProspect]) -> bool:
    """Add files that would not load as they are; False when this worker does not own it any more.

    Args:
        noted: how many of them were noted before.
    """
    return _note_files(conn, validation_id, worker, noted, found)


def note_loading(conn: Connection, validation_id: int, worker: str, noted: int, found: Sequence[FileProspect]) -> bool:
    """Add files that would load with all their records, likewise; they are told after the others."""
    return _note_files(conn, validation_id, worker, MOST_KEPT + noted, found)


def _note_files(conn: Connection, validation_id: int, worker: str, first: int, found: Sequence[FileProspect]) -> bool:
    values = {"first": first, "found": json.dumps([_storable(asdict(each)) for each in found])}
    return JOBS.note(conn, validation_id, worker, _NOTE_FILES, values)


def note_refused(conn: Connection, validation_id: int, worker: str, noted: int, found: Sequence[RefusedRecord]) -> bool:
    """Add refused records, likewise; of a long text the beginning is kept."""
    values = {"first": noted, "found": json.dumps([_storable(_cut(asdict(each))) for each in found])}
    return JOBS.note(conn, validation_id, worker, _NOTE_REFUSED, values)


def files_page(
    conn: Connection, validation_id: int, *, limit: int, after: int | None = None, prospect: Prospect | None = None
) -> JsonPage:
    """A page of the files, as JSON, those that would not load as they are first."""
    values = {"id": validation_id, "after": after or 0, "prospect": prospect}
    return json_pages.read(conn, _FILES, values, limit=limit)


def refused_page(conn: Connection, validation_id: int, *, limit: int, after: int | None = None) -> JsonPage:
    """A page of the refused records, as JSON, in the order in which they were found."""
    return json_pages.read(conn, _REFUSED, {"id": validation_id, "after": after or 0}, limit=limit)


def _cut(values: dict[str, Any]) -> dict[str, Any]:
    raw = values["raw"]
    return values | {"raw": raw if raw is None or len(raw) <= MOST_RAW else raw[:MOST_RAW] + "…"}


def _storable(values: dict[str, Any]) -> dict[str, Any]:
    """Texts as PostgreSQL can hold them."""
    texts = {name: records.storable(value) for name, value in values.items() if isinstance(value, str)}
    return values | texts | {"file_path": records.stored_path(values["file_path"])}


def _value(row: RowMapping) -> Validation:
    return Validation(
        id=row["id"],
        ingestion_id=row["ingestion_id"],
        tenant_id=row["tenant_id"],
        status=VerificationStatus(row["status"]),
        max_files=row["max_files"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        reading=None if row["progress"] is None else Reading(**row["progress"]),
        report=None if row["report"] is None else _report(row["report"]),
        error_type=row["error_type"],
        error_message=row["error_message"],
    )


def _report(told: dict[str, Any]) -> ValidationReport:
    return ValidationReport(**told | {"files": {Prospect(name): count for name, count in told["files"].items()}})


JOBS = Jobs("validation", ["validation_files", "validation_refused"], _value, asked=["max_files"])
enqueue, take_up, renew, release = JOBS.enqueue, JOBS.take_up, JOBS.renew, JOBS.release
finish, fail, get, newest = JOBS.finish, JOBS.fail, JOBS.get, JOBS.newest
