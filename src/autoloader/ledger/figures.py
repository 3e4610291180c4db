"""Figures of the whole ledger for those who watch the service: how much waits, and what ended lately."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.ledger import files
from autoloader.ledger.statement import named
from autoloader.model import FileStatus, LoadState, RunStatus

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

_NOW = named("figures.now", "What time it is by the clock of the database.", "SELECT clock_timestamp()")
_BACKLOG = named(
    "figures.backlog",
    "How much may be claimed now, and how long the oldest of it has waited: each ingestion by the index of what waits.",
    """SELECT coalesce(sum(w.files), 0) AS files, coalesce(sum(w.bytes), 0) AS bytes,
        coalesce(extract(epoch FROM clock_timestamp() - min(w.oldest)), 0) AS oldest_seconds
    FROM ingestions i CROSS JOIN LATERAL (
        SELECT count(*) AS files, sum(file_size_bytes) AS bytes, min(discovered_at) AS oldest FROM processed_files
        WHERE ingestion_id = i.id AND status = 'DISCOVERED' AND NOT deferred) w""",
)
_ACTIVE_RUNS = named(
    "figures.active_runs",
    "How many runs wait for a worker or go on.",
    "SELECT status, count(*) AS runs FROM runs WHERE status IN ('QUEUED', 'RUNNING') GROUP BY status",
)
_LOST_LOADS = named(
    "figures.lost_loads",
    "How many lost loads wait for recovery, and how many for a person.",
    """SELECT count(*) FILTER (WHERE error_type = 'HistoryTooShort') AS person,
        count(*) FILTER (WHERE error_type IS DISTINCT FROM 'HistoryTooShort') AS recovery
    FROM loads WHERE state = 'LOST'""",
)
_ENDED_RUNS = named(
    "figures.ended_runs",
    "Runs that ended after an instant.",
    """SELECT id, status, ended_at, extract(epoch FROM ended_at - coalesce(started_at, ended_at)) AS seconds,
        records_ingested, records_rejected, bytes_read, files_succeeded, files_failed, files_skipped
    FROM runs WHERE ended_at > :since ORDER BY ended_at""",
)
_ENDED_LOADS = named(
    "figures.ended_loads",
    "Loads that ended after an instant; one that ended after its lease was settled for a worker that fell silent.",
    """SELECT id, state, ended_at, extract(epoch FROM ended_at - started_at) AS seconds, ended_at > lease_until AS lost
    FROM loads WHERE ended_at > :since ORDER BY ended_at""",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How the files stand now.

    Attributes:
        oldest_seconds: how long the oldest waiting file has waited; 0 when none does.
    """

    files: dict[FileStatus, int]
    waiting_files: int
    waiting_bytes: int
    oldest_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Lost:
    """Lost loads by who has to settle them."""

    recovery: int
    person: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedRun:
    """What a run that ended adds to the figures."""

    id: int
    status: RunStatus
    ended_at: datetime
    seconds: float
    records_ingested: int
    records_rejected: int
    bytes_read: int
    files_succeeded: int
    files_failed: int
    files_skipped: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedLoad:
    """What a load that ended adds to the figures.

    Attributes:
        lost: its worker fell silent, and another one settled it.
    """

    id: UUID
    state: LoadState
    ended_at: datetime
    seconds: float
    lost: bool


def now(conn: Connection) -> datetime:
    """The database's clock, by which runs and loads end."""
    instant: datetime = conn.execute(_NOW).scalar_one()
    return instant


def standing(conn: Connection) -> Standing:
    """How the files of all tenants stand now."""
    backlog = conn.execute(_BACKLOG).one()
    return Standing(
        files=files.counts_of_all(conn),
        waiting_files=int(backlog.files),
        waiting_bytes=int(backlog.bytes),
        oldest_seconds=float(backlog.oldest_seconds),
    )


def active_runs(conn: Connection) -> dict[RunStatus, int]:
    """How many runs of all tenants wait for a worker or go on."""
    return {RunStatus(row.status): row.runs for row in conn.execute(_ACTIVE_RUNS)}


def lost_loads(conn: Connection) -> Lost:
    """Lost loads of all tenants that are not settled yet."""
    row = conn.execute(_LOST_LOADS).one()
    return Lost(recovery=row.recovery, person=row.person)


def ended_runs(conn: Connection, since: datetime) -> list[EndedRun]:
    """Every run that ended after ``since``, by the database's clock."""
    return [
        EndedRun(**dict(row) | {"status": RunStatus(row["status"]), "seconds": float(row["seconds"])})
        for row in conn.execute(_ENDED_RUNS, {"since": since}).mappings()
    ]


def ended_loads(conn: Connection, since: datetime) -> list[EndedLoad]:
    """Every load that ended after ``since``, by the database's clock."""
    return [
        EndedLoad(**dict(row) | {"state": LoadState(row["state"]), "seconds": float(row["seconds"])})
        for row in conn.execute(_ENDED_LOADS, {"since": since}).mappings()
    ]
