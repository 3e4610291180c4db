"""Jobs about one ingestion that workers do beside their runs (verifications, validations): the queue of one kind.

    enqueue ──▶ QUEUED ──take_up──▶ RUNNING ──finish──▶ SUCCESS, whatever was found
                             ▲          ├─────fail─────▶ FAILED: it could not be looked
                             └──lease───┘ passed, or released

One of an ingestion waits or goes on at most, by a unique index. Who takes one up begins it anew: what another worker
noted before it fell silent is removed. Every change by a worker asks whether it still owns the job.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from autoloader.errors import NotKnown
from autoloader.ledger import ingestions, records
from autoloader.ledger.statement import named
from autoloader.model import VerificationStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection, RowMapping, TextClause

    from autoloader.model import Reading
    from autoloader.plan import Lease


class AnyJob(Protocol):
    """What every job has."""

    @property
    def id(self) -> int:
        """Its number."""
        ...

    @property
    def ingestion_id(self) -> int:
        """The ingestion that it is about."""
        ...


Job = TypeVar("Job", bound=AnyJob)

KEPT = 20
"""So many jobs of a kind and an ingestion that have ended are kept, the newest."""
_COLUMNS = (
    "id",
    "ingestion_id",
    "tenant_id",
    "status",
    "created_at",
    "started_at",
    "ended_at",
    "progress",
    "report",
    "error_type",
    "error_message",
)


class Jobs(Generic[Job]):
    """The queue of one kind of jobs.

    Args:
        kind: a noun, ``verification``; the table is its plural.
        found_in: tables that hold what a job found, each with a column ``<kind>_id``.
        value_of: makes the value of a row.
        asked: columns beyond those that every kind has: what was asked for.
    """

    def __init__(
        self, kind: str, found_in: Sequence[str], value_of: Callable[[RowMapping], Job], asked: Sequence[str] = ()
    ) -> None:
        self.kind = kind
        self._value_of = value_of
        self._begin_anew = [
            named(
                f"{found}.begin_anew",
                "Removes what an earlier worker noted.",
                f"DELETE FROM {found} WHERE {kind}_id = :id",
            )
            for found in found_in
        ]
        self._make_queue_statements(f"{kind}s", asked)
        self._make_worker_statements(f"{kind}s")

    def _make_queue_statements(self, table: str, asked: Sequence[str]) -> None:
        columns = ", ".join(f"v.{name}" for name in (*_COLUMNS, *asked))
        names, values = "".join(f", {name}" for name in asked), "".join(f", :{name}" for name in asked)
        self._enqueue = named(
            f"{table}.enqueue",
            "Makes a job that waits for a worker, unless one goes on.",
            f"""
            INSERT INTO {table} AS v (ingestion_id, tenant_id, status{names})
            SELECT i.id, i.tenant_id, 'QUEUED'{values} FROM ingestions i WHERE i.id = :ingestion_id
            ON CONFLICT (ingestion_id) WHERE status IN ('QUEUED', 'RUNNING') DO NOTHING
            RETURNING {columns}""",
        )
        self._active = named(
            f"{table}.active",
            "The job of an ingestion that waits or goes on.",
            f"SELECT {columns} FROM {table} v WHERE v.ingestion_id = :ingestion_id "
            "AND v.status IN ('QUEUED', 'RUNNING')",
        )
        self._forget = named(
            f"{table}.forget",
            "Removes the jobs of an ingestion that ended longest ago.",
            f"""
            DELETE FROM {table} v USING (
                SELECT id FROM {table} WHERE ingestion_id = :ingestion_id AND ended_at IS NOT NULL
                ORDER BY id DESC OFFSET :kept) old
            WHERE v.id = old.id""",
        )
        self._get = named(
            f"{table}.get",
            "One job of an ingestion of a tenant.",
            f"""SELECT {columns} FROM {table} v
            WHERE v.id = :id AND v.ingestion_id = :ingestion_id AND v.tenant_id = :tenant_id""",
        )
        self._list = named(
            f"{table}.list",
            "The newest jobs of an ingestion, a page at a time.",
            f"""SELECT {columns} FROM {table} v
            WHERE v.ingestion_id = :ingestion_id AND (CAST(:before_id AS bigint) IS NULL OR v.id < :before_id)
            ORDER BY v.id DESC LIMIT :limit""",
        )
        self._take_up = named(
            f"{table}.take_up",
            "Takes up the job that waits longest, or whose worker fell silent.",
            f"""
            WITH due AS MATERIALIZED (
                SELECT id FROM {table}
                WHERE status IN ('QUEUED', 'RUNNING') AND (lease_until IS NULL OR lease_until <= clock_timestamp())
                ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
            )
            UPDATE {table} v SET status = 'RUNNING', worker = :worker, lease_until = clock_timestamp() + :lease,
                started_at = coalesce(v.started_at, now()), attempts = v.attempts + 1, progress = NULL
            FROM due d WHERE v.id = d.id RETURNING {columns}, v.attempts""",
        )

    def _make_worker_statements(self, table: str) -> None:
        self._renew = named(
            f"{table}.renew",
            "Extends the lease, while this worker owns the job, and notes how far it has come.",
            f"""
            UPDATE {table} SET lease_until = clock_timestamp() + :lease, progress = CAST(:progress AS jsonb)
            WHERE id = :id AND status = 'RUNNING' AND worker = :worker AND lease_until > clock_timestamp()""",
        )
        self._release = named(
            f"{table}.release",
            "Lets the next worker take it up at once.",
            f"""
            UPDATE {table} SET lease_until = clock_timestamp(), attempts = attempts - 1
            WHERE id = :id AND status = 'RUNNING' AND worker = :worker""",
        )
        self._own = named(
            f"{table}.own",
            "Keeps others from taking it up while something is noted; tells whether this worker still owns it.",
            f"""
            SELECT EXISTS (SELECT FROM {table} WHERE id = :id AND status = 'RUNNING' AND worker = :worker
                AND lease_until > clock_timestamp() FOR NO KEY UPDATE)""",
        )
        self._end = named(
            f"{table}.end",
            "Ends it with what was found, or with the reason why nothing could be.",
            f"""
            UPDATE {table} SET status = :status, ended_at = clock_timestamp(), lease_until = NULL, progress = NULL,
                report = CAST(:report AS jsonb), error_type = :error_type, error_message = :error_message
            WHERE id = :id AND status = 'RUNNING' AND worker = :worker""",
        )

    def enqueue(self, conn: Connection, ingestion_id: int, **asked: object) -> tuple[Job, bool]:
        """Let a job about an ingestion wait for a worker; where one waits or goes on, it is that one.

        Returns:
            The job, and whether it was made now.

        Raises:
            NotKnown: there is no such ingestion.
        """
        ingestions.by_id(conn, ingestion_id)
        values = {"ingestion_id": ingestion_id}
        while True:
            made = conn.execute(self._enqueue, values | asked).mappings().one_or_none()
            if made is not None:
                conn.execute(self._forget, values | {"kept": KEPT})
                return self._value_of(made), True
            going_on = conn.execute(self._active, values).mappings().one_or_none()
            if going_on is not None:
                return self._value_of(going_on), False

    def take_up(self, conn: Connection, worker: str, lease: Lease) -> tuple[Job, int] | None:
        """Take up the job that waits longest; None when there is none.

        Args:
            worker: a name unique among all workers.

        Returns:
            The job, and how many workers have taken it up by now.
        """
        row = conn.execute(self._take_up, {"worker": worker, "lease": lease.duration}).mappings().one_or_none()
        if row is None:
            return None
        for statement in self._begin_anew:
            conn.execute(statement, {"id": row["id"]})
        return self._value_of(row), row["attempts"]

    def renew(self, conn: Connection, job_id: int, worker: str, lease: Lease, reading: Reading | None) -> bool:
        """Extend the lease and note how far it has come; False when another owns it now, or it is gone."""
        progress = None if reading is None else json.dumps(asdict(reading))
        values = {"id": job_id, "worker": worker, "lease": lease.duration, "progress": progress}
        return conn.execute(self._renew, values).rowcount == 1

    def release(self, conn: Connection, job_id: int, worker: str) -> bool:
        """Let the next worker take it up at once; False when this worker does not own it."""
        return conn.execute(self._release, {"id": job_id, "worker": worker}).rowcount == 1

    def note(
        self, conn: Connection, job_id: int, worker: str, statement: TextClause, values: Mapping[str, Any]
    ) -> bool:
        """Add to what the job found; False when this worker does not own it any more."""
        if not conn.scalar(self._own, {"id": job_id, "worker": worker}):
            return False
        conn.execute(statement, {"id": job_id, **values})
        return True

    def finish(self, conn: Connection, job_id: int, worker: str, report: Any) -> bool:  # noqa: ANN401  any dataclass
        """RUNNING → SUCCESS; False when this worker does not own it any more."""
        told = json.dumps(asdict(report), default=datetime.isoformat)
        values = {"status": VerificationStatus.SUCCESS, "report": told, "error_type": None, "error_message": None}
        return self._ended(conn, job_id, worker, values)

    def fail(self, conn: Connection, job_id: int, worker: str, kind: str, message: str) -> bool:
        """RUNNING → FAILED, with the reason; False when this worker does not own it any more."""
        told = records.storable(message)
        values = {"status": VerificationStatus.FAILED, "report": None, "error_type": kind, "error_message": told}
        return self._ended(conn, job_id, worker, values)

    def _ended(self, conn: Connection, job_id: int, worker: str, values: Mapping[str, object]) -> bool:
        return conn.execute(self._end, {"id": job_id, "worker": worker, **values}).rowcount == 1

    def get(self, conn: Connection, tenant_id: str, ingestion_id: int, job_id: int) -> Job:
        """A job about an ingestion of the tenant.

        Raises:
            NotKnown: there is none.
        """
        values = {"id": job_id, "ingestion_id": ingestion_id, "tenant_id": tenant_id}
        row = conn.execute(self._get, values).mappings().one_or_none()
        if row is None:
            raise NotKnown(
                f"ingestion {ingestion_id} has no {self.kind} {job_id}: the newest {KEPT} are kept",
                field=f"{self.kind}_id",
            )
        return self._value_of(row)

    def newest(self, conn: Connection, ingestion_id: int, *, limit: int, before_id: int | None = None) -> list[Job]:
        """The newest jobs about an ingestion first.

        Args:
            before_id: only those older than this one: the cursor of the next page.
        """
        values = {"ingestion_id": ingestion_id, "limit": limit, "before_id": before_id}
        return [self._value_of(row) for row in conn.execute(self._list, values).mappings()]
