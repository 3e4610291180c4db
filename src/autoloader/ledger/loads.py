"""Loads: claimed under a lease, finished by their owner or settled by a recoverer; each file version in one at a time.

    RUNNING ──finish──▶ COMMITTED                    files: DISCOVERED ──claim──▶ PROCESSING ──▶ SUCCESS | FAILED
       │  └──fail──▶ FAILED                                     ▲                      │
       └──expire──▶ LOST ──settle_committed──▶ COMMITTED        └──────────────────────┘ put back
                     └──settle_failed──▶ FAILED

Every change of state is one conditional statement that reads and writes at once; who finds the state changed by
another writes nothing. Leases are decided by the database's clock.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from autoloader.errors import LeaseLost, LedgerError, NotKnown, WrongState
from autoloader.ledger import outcomes, records
from autoloader.ledger.statement import named
from autoloader.model import ClaimedFile, Clears, Load, LoadState, OnChangedFile, WriteMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from autoloader.model import Outcome, Run
    from autoloader.plan import Lease, LoadLimits

_COLUMNS = records.columns(Load, "l")

_SHARE_RUN = named(
    "loads.share_run",
    "Keeps the run from being ended while files are claimed for it.",
    """
    SELECT r.listed_at IS NOT NULL AS listed, i.write_mode, i.on_changed_file
    FROM runs r JOIN ingestions i ON i.id = r.ingestion_id
    WHERE r.id = :run_id AND r.status = 'RUNNING' FOR SHARE OF r""",
)
_HOLD_RUN = named(
    "loads.hold_run",
    "As loads.share_run, one claim after another, so that they can be counted.",
    """
    SELECT r.listed_at IS NOT NULL AS listed, i.write_mode, i.on_changed_file
    FROM runs r JOIN ingestions i ON i.id = r.ingestion_id
    WHERE r.id = :run_id AND r.status = 'RUNNING' FOR NO KEY UPDATE OF r""",
)
_UNDER_WAY = named(
    "loads.under_way",
    "How many loads of an ingestion run.",
    "SELECT count(*) FROM loads WHERE state = 'RUNNING' AND ingestion_id = :ingestion_id",
)
_CLAIM = named(
    "loads.claim",
    "Points the oldest waiting files at a new load, up to its limits, passing over those that others are claiming.",
    """
    WITH waiting AS MATERIALIZED (
        SELECT id, file_size_bytes, discovered_at FROM processed_files
        WHERE ingestion_id = :ingestion_id AND status = 'DISCOVERED' AND NOT deferred
        ORDER BY discovered_at, id LIMIT CAST(:max_files AS bigint) FOR UPDATE SKIP LOCKED
    ), budget AS (
        SELECT id, row_number() OVER oldest AS place, sum(file_size_bytes) OVER oldest AS bytes
        FROM waiting WINDOW oldest AS (ORDER BY discovered_at, id ROWS UNBOUNDED PRECEDING)
    ), taken AS (
        UPDATE processed_files f SET status = 'PROCESSING', load_id = :load_id, run_id = :run_id,
            processing_started_at = clock_timestamp(), processed_at = NULL, error_type = NULL, error_message = NULL,
            updated_at = now()
        FROM budget b
        WHERE f.id = b.id AND (b.place = 1 OR CAST(:max_bytes AS bigint) IS NULL OR b.bytes <= :max_bytes)
        RETURNING f.id, f.file_path, f.file_size_bytes, f.file_etag, f.file_modified_at, f.ever_loaded, b.place
    ), attempted AS (
        INSERT INTO outcomes (file_id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, status)
        SELECT id, :run_id, :load_id, file_etag, file_size_bytes, file_modified_at, 'PROCESSING' FROM taken
    )
    SELECT * FROM taken ORDER BY place""",
)
_OPEN = named(
    "loads.open",
    "Inserts the load with its lease.",
    f"""
    INSERT INTO loads AS l (id, ingestion_id, run_id, state, worker, lease_until, started_at, table_name, files, bytes,
        clears)
    VALUES (:load_id, :ingestion_id, :run_id, 'RUNNING', :worker, clock_timestamp() + :lease, clock_timestamp(),
        :table_name, :files, :bytes, :clears)
    RETURNING {_COLUMNS}""",
)
_REPLACES = named(
    "loads.replaces",
    "The earlier loads that brought rows of the claimed paths.",
    """
    SELECT o.file_id, array_agg(o.load_id ORDER BY o.id) AS load_ids
    FROM processed_files f JOIN outcomes o ON o.file_id = f.id
    WHERE f.load_id = :load_id AND f.status = 'PROCESSING' AND f.ever_loaded
      AND o.status = 'SUCCESS' AND o.records_ingested > 0
    GROUP BY o.file_id""",
)
_RENEW = named(
    "loads.renew",
    "Extends the lease of a running load, unless it has passed.",
    """
    UPDATE loads SET lease_until = clock_timestamp() + :lease
    WHERE id = :load_id AND state = 'RUNNING' AND lease_until > clock_timestamp()""",
)
_PREPARED = named(
    "loads.prepared",
    "Notes that the outcomes of a running load are stored.",
    "UPDATE loads SET prepared_at = clock_timestamp() WHERE id = :load_id AND state = 'RUNNING' RETURNING files",
)
_COMMIT = named(
    "loads.commit",
    "From RUNNING or LOST to COMMITTED, by whoever knows that it landed.",
    """
    UPDATE loads SET state = 'COMMITTED', snapshot_id = :snapshot_id, ended_at = clock_timestamp(),
        error_type = NULL, error_message = NULL
    WHERE id = :load_id AND state = :state AND prepared_at IS NOT NULL RETURNING run_id""",
)
_FAIL = named(
    "loads.fail",
    "From RUNNING or LOST to FAILED, by whoever knows that nothing of it is or will be in the table.",
    """
    UPDATE loads SET state = 'FAILED', ended_at = clock_timestamp(), error_type = :error_type,
        error_message = :error_message
    WHERE id = :load_id AND state = :state""",
)
_EXPIRE = named(
    "loads.expire",
    "Running loads whose lease has passed are lost.",
    """
    UPDATE loads SET state = 'LOST' WHERE state = 'RUNNING' AND id IN (
        SELECT id FROM loads WHERE state = 'RUNNING' AND lease_until <= clock_timestamp()
        ORDER BY id FOR UPDATE SKIP LOCKED)""",
)
_LOST = named(
    "loads.lost",
    "Every lost load, oldest first.",
    f"SELECT {_COLUMNS} FROM loads l WHERE l.state = 'LOST' ORDER BY l.started_at",
)
_NOTE = named(
    "loads.note",
    "Why a lost load cannot be settled now.",
    """
    UPDATE loads SET error_type = :error_type, error_message = :error_message
    WHERE id = :load_id AND state = 'LOST' AND error_message IS DISTINCT FROM :error_message""",
)
_GET = named("loads.get", "One load by its id.", f"SELECT {_COLUMNS} FROM loads l WHERE l.id = :load_id")


def claim(
    conn: Connection, run: Run, *, worker: str, lease: Lease, limits: LoadLimits, table_name: str
) -> tuple[Load, tuple[ClaimedFile, ...]] | None:
    """Claim the oldest waiting files of a run's ingestion for a new load.

    At least one file is taken, whatever its size. An ingestion that overwrites its table waits for the whole listing,
    then takes all its files in one load.

    Returns:
        The load and its files, oldest first; None when there is nothing to claim now, or as many loads of the
        ingestion are under way as may be, or the run has ended.
    """
    statement = _SHARE_RUN if limits.at_once is None else _HOLD_RUN
    way = conn.execute(statement, {"run_id": run.id}).one_or_none()
    if way is None or (way.write_mode == WriteMode.OVERWRITE and not way.listed):
        return None
    if limits.at_once is not None:
        under_way: int = conn.execute(_UNDER_WAY, {"ingestion_id": run.ingestion_id}).scalar_one()
        if under_way >= limits.at_once:
            return None
    whole = way.write_mode == WriteMode.OVERWRITE
    values = {"load_id": uuid.uuid4(), "run_id": run.id, "ingestion_id": run.ingestion_id}
    bounds = {"max_files": None if whole else limits.max_files, "max_bytes": None if whole else limits.max_bytes}
    taken = conn.execute(_CLAIM, values | bounds).all()
    if not taken:
        return None
    clears = _clears(way)
    facts = {"worker": worker, "lease": lease.duration, "table_name": table_name, "files": len(taken)}
    size = {"bytes": sum(row.file_size_bytes for row in taken), "clears": clears}
    load = records.load(conn.execute(_OPEN, values | facts | size).mappings().one())
    replacing = clears is Clears.FILES and any(row.ever_loaded for row in taken)
    earlier = _earlier_loads(conn, load.id) if replacing else {}
    return load, tuple(_claimed(row, earlier.get(row.id, ())) for row in taken)


def _clears(way: Row[tuple[object, ...]]) -> Clears:
    if way.write_mode == WriteMode.OVERWRITE:
        return Clears.TABLE
    return Clears.NOTHING if way.on_changed_file == OnChangedFile.APPEND else Clears.FILES


def _earlier_loads(conn: Connection, load_id: UUID) -> dict[int, tuple[UUID, ...]]:
    return {row.file_id: tuple(row.load_ids) for row in conn.execute(_REPLACES, {"load_id": load_id})}


def _claimed(row: Row[tuple[object, ...]], replaces: tuple[UUID, ...]) -> ClaimedFile:
    return ClaimedFile(
        file_id=row.id,
        path=records.told_path(row.file_path),
        size_bytes=row.file_size_bytes,
        etag=row.file_etag,
        modified_at=row.file_modified_at,
        replaces=replaces,
    )


def renew(conn: Connection, load_id: UUID, lease: Lease) -> bool:
    """Extend the lease; False when it has passed or the load is not RUNNING: another owns the outcome."""
    return conn.execute(_RENEW, {"load_id": load_id, "lease": lease.duration}).rowcount == 1


def store_outcomes(conn: Connection, load_id: UUID, results: Sequence[Outcome]) -> None:
    """Store what became of each file, before anything is published, so that whoever finishes the load can write it.

    Args:
        results: one for each file of the load.

    Raises:
        LeaseLost: the load is not RUNNING any more.
        LedgerError: the outcomes are not those of the load's files, one each.
    """
    files = conn.scalar(_PREPARED, {"load_id": load_id})
    if files is None:
        raise LeaseLost(f"load {load_id} was taken over before its outcomes were stored")
    distinct = {outcome.file_id for outcome in results}
    if not len(results) == len(distinct) == files or outcomes.store(conn, load_id, results) != files:
        raise LedgerError(
            f"load {load_id} has {files} files, but {len(results)} outcomes came for {len(distinct)} files: "
            "the engine must give one for each file of the load"
        )


def finish(conn: Connection, load_id: UUID, snapshot_id: int | None) -> bool:
    """RUNNING → COMMITTED by the owner: the files take over their stored outcomes, the run its counters.

    Args:
        snapshot_id: the snapshot that holds the rows; None when no file brought any.

    Returns:
        False when the load is not RUNNING any more: whoever recovered it has written the outcome.

    Raises:
        WrongState: its outcomes are not stored.
    """
    return _commit(conn, load_id, LoadState.RUNNING, snapshot_id)


def settle_committed(conn: Connection, load_id: UUID, snapshot_id: int) -> bool:
    """LOST → COMMITTED by a recoverer that found the load in the table; False when it is not LOST any more."""
    return _commit(conn, load_id, LoadState.LOST, snapshot_id)


def _commit(conn: Connection, load_id: UUID, state: LoadState, snapshot_id: int | None) -> bool:
    run_id = conn.scalar(_COMMIT, {"load_id": load_id, "snapshot_id": snapshot_id, "state": state})
    if run_id is None:
        if get(conn, load_id).state is state:
            raise WrongState(f"load {load_id} cannot be committed: its outcomes were never stored")
        return False
    outcomes.take_over(conn, load_id, run_id, snapshot_id)
    return True


def fail(conn: Connection, load_id: UUID, error_type: str, error_message: str) -> bool:
    """RUNNING → FAILED by the owner, for a reason of the load as a whole; its files wait again.

    Only for a caller that knows that nothing was published and nothing will be.

    Returns:
        False when the load is not RUNNING any more.
    """
    return _fail(conn, load_id, LoadState.RUNNING, error_type, error_message)


def settle_failed(conn: Connection, load_id: UUID) -> bool:
    """LOST → FAILED by a recoverer that fenced the load; its files wait again, with no retry used up.

    The attempt stays in the history of each file as ``WorkerLost``.

    Returns:
        False when the load is not LOST any more.
    """
    reason = "the worker fell silent before the load was published; the file waits to be loaded again"
    return _fail(conn, load_id, LoadState.LOST, "WorkerLost", reason)


def _fail(conn: Connection, load_id: UUID, state: LoadState, error_type: str, error_message: str) -> bool:
    reason = {"error_type": error_type, "error_message": records.storable(error_message)}
    if conn.execute(_FAIL, {"load_id": load_id, "state": state} | reason).rowcount != 1:
        return False
    outcomes.put_back(conn, load_id, **reason)
    return True


def expire(conn: Connection) -> list[Load]:
    """RUNNING → LOST for every load whose lease has passed.

    Returns:
        Every lost load, oldest first, those lost earlier included: they are to be recovered.
    """
    conn.execute(_EXPIRE)
    return [records.load(row) for row in conn.execute(_LOST).mappings()]


def note(conn: Connection, load_id: UUID, error_type: str, error_message: str) -> bool:
    """Note why a LOST load cannot be settled now; False when that was known, or it is not LOST any more."""
    reason = {"error_type": error_type, "error_message": records.storable(error_message)}
    return conn.execute(_NOTE, {"load_id": load_id} | reason).rowcount == 1


def get(conn: Connection, load_id: UUID) -> Load:
    """The load with this id.

    Raises:
        NotKnown: there is none.
    """
    row = conn.execute(_GET, {"load_id": load_id}).mappings().one_or_none()
    if row is None:
        raise NotKnown(f"there is no load {load_id}")
    return records.load(row)
