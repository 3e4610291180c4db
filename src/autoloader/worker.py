"""The loop of a worker on one run: list if it leads, then claim loads and carry them out until none is left.

Several workers may be on one run. One of them leads: it lists the bucket, settles the schema and makes the table.
The others wait for that, then all of them claim. Whoever finds nothing left to claim ends the run when it is settled,
and recovers lost loads meanwhile. A leader that falls silent is succeeded by whoever notices.

Sampling, loading and recovery bring in DuckDB and PyIceberg, which take half a second to import: they are imported
where they are first needed, as most runs find nothing new.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Protocol

import structlog

from autoloader import discovery
from autoloader.engines import Reading
from autoloader.errors import AutoloaderError, HistoryTooShort, Interrupted, LeaseLost, LedgerUnavailable
from autoloader.ledger import files, ingestions, loads, runs
from autoloader.ledger.database import transaction
from autoloader.model import ListingCounts, RunStatus, WriteMode
from autoloader.plan import backoff
from autoloader.renewal import Renewal
from autoloader.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.discovery import Scope
    from autoloader.engines import Engine, Progress
    from autoloader.model import ClaimedFile, Ingestion, Load, Run
    from autoloader.objects import ObjectStore
    from autoloader.plan import Lease, LoadLimits

ATTEMPTS = 5
"""Loads in a row that may fail as a whole, for a reason that may pass, before the run gives up."""
POLL_SECONDS = 0.2
"""Between two looks at a run that waits for other workers."""

log = structlog.get_logger(__name__)


class Observer(Protocol):
    """Who watches a run while it goes on. Called from any thread."""

    def listing(self, counts: ListingCounts) -> None:
        """So much of the bucket is recorded."""

    def waiting(self, files: int, size_bytes: int) -> None:
        """So much is to be loaded, now that the listing is complete."""

    def progress(self, done: Progress) -> None:
        """So much was read since the last call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The concrete parts a worker works with; the composition root builds them.

    Attributes:
        worker: the name of this worker, unique among all workers.
        open_store: opens the bucket of an ingestion.
        ensure_table: opens the table of an ingestion, made if it is not there; raises TableMismatch if it does not fit.
        open_table: opens a table by its full name; None when there is none.
        engine: the engine an ingestion asks for.
    """

    worker: str
    database: Database
    open_store: Callable[[Ingestion], ObjectStore]
    ensure_table: Callable[[Ingestion], Table]
    open_table: Callable[[str], Table | None]
    engine: Callable[[Ingestion], Engine]
    lease: Lease
    limits: LoadLimits
    spool: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a worker is to do.

    Attributes:
        run: as ``runs.start_or_join`` gave it.
        leads: whether this worker does the listing.
        stopping: set from outside when the work is to stop; what is being published is still published.
    """

    ingestion: Ingestion
    run: Run
    leads: bool
    scope: Scope
    observer: Observer
    stopping: Event = field(default_factory=Event)


def work_on_run(parts: Parts, task: Task) -> Run:
    """Work on a run until it has ended.

    Returns:
        The run as it ended. A reason that ends a run, such as a bucket that cannot be listed, is in its ``errors``.

    Raises:
        LedgerUnavailable: the ledger cannot be reached, so nothing can be said about the run.
    """
    with structlog.contextvars.bound_contextvars(ingestion=task.ingestion.name, run=task.run.id):
        try:
            store = parts.open_store(task.ingestion)
            if task.leads or not _led(parts, task):
                _lead(parts, task, store)
            else:
                _load_all(parts, task, store)
        except LedgerUnavailable:
            raise
        except LeaseLost as error:
            log.warning("run.lead_lost", reason=str(error))
        except Interrupted as error:
            log.info("run.cancelled", reason=str(error))
            with transaction(parts.database) as connection:
                runs.cancel(connection, task.run.id)
        except AutoloaderError as error:
            log.warning("run.failed", error=error.error_type, reason=str(error))
            with transaction(parts.database) as connection:
                runs.fail(connection, task.run.id, str(error), error.error_type)
        return _current(parts, task.run)


def _lead(parts: Parts, task: Task, store: ObjectStore) -> None:
    """List, settle the schema and make the table; then load like everybody else. The lead is held to the end."""
    _recover(parts)
    with Renewal(partial(_renew_lead, parts, task.run), parts.lease.renew_every, f"lead of run {task.run.id}"):
        listing = discovery.Listing(
            worker=parts.worker, scope=task.scope, report=task.observer.listing, stopping=task.stopping
        )
        counts = discovery.discover(parts.database, task.ingestion, task.run.id, store, listing)
        with transaction(parts.database) as connection:
            if _tries_again(task.ingestion, counts):
                counts += ListingCounts(requeued=files.requeue_failed(connection, task.ingestion, task.run.id))
            waiting = files.waiting(connection, task.ingestion.id)
        task.observer.listing(counts)
        if waiting.files:
            _make_table(parts, task.ingestion, store)
        with transaction(parts.database) as connection:
            if not runs.listed(connection, task.run.id, parts.worker):
                raise LeaseLost(f"run {task.run.id} was taken over by another worker while it was listed")
        _load_all(parts, task, store)


def _make_table(parts: Parts, ingestion: Ingestion, store: ObjectStore) -> None:
    from autoloader import sampling  # noqa: PLC0415  see the module's first lines

    parts.ensure_table(sampling.settle_schema(parts.database, ingestion, store))


def _recover(parts: Parts) -> list[Load]:
    """Settle lost loads, those of other ingestions too; returns the ones that cannot be decided."""
    with transaction(parts.database) as connection:
        lost = loads.expire(connection)
    if not lost:
        return []
    from autoloader import recovery  # noqa: PLC0415  see the module's first lines

    return recovery.recover(parts.database, lost, parts.open_table)


def _tries_again(ingestion: Ingestion, counts: ListingCounts) -> bool:
    """Whether failed files are tried again: where a load overwrites, they alone must not become the table."""
    return ingestion.write_mode is not WriteMode.OVERWRITE or counts.new + counts.changed > 0


def _renew_lead(parts: Parts, run: Run) -> bool:
    with transaction(parts.database) as connection:
        return runs.renew_lead(connection, run.id, parts.worker, parts.lease)


def _led(parts: Parts, task: Task) -> bool:
    """Wait until the leader has listed, or the run has ended; False when this worker has to lead instead."""
    while not task.stopping.is_set():
        current = _current(parts, task.run)
        if current.status is not RunStatus.RUNNING or current.listed_at is not None:
            return True
        if _takes_lead(parts, task.run):
            return False
        task.stopping.wait(POLL_SECONDS)
    raise Interrupted("stopped while another worker was listing")


def _takes_lead(parts: Parts, run: Run) -> bool:
    with transaction(parts.database) as connection:
        return runs.take_lead(connection, run.id, parts.worker, parts.lease)


def _load_all(parts: Parts, task: Task, store: ObjectStore) -> None:
    """Claim and load until the run has ended."""
    with transaction(parts.database) as connection:
        ingestion = ingestions.by_id(connection, task.run.ingestion_id)
        waiting = files.waiting(connection, ingestion.id)
    task.observer.waiting(waiting.files, waiting.bytes)
    failures = 0
    while not _ended(parts, task.run):
        if task.stopping.is_set():
            raise Interrupted("stopped; what was not loaded waits for the next run")
        claimed = _claim(parts, task.run, ingestion)
        if claimed is None:
            _mend(parts, ingestion)
            task.stopping.wait(POLL_SECONDS)
            continue
        try:
            _carry_out(parts, task, ingestion, store, claimed)
            failures = 0
        except LeaseLost as error:
            log.warning("load.lost", reason=str(error))
        except AutoloaderError as error:
            failures += 1
            if not error.retryable or failures >= ATTEMPTS:
                raise
            pause = backoff(failures).total_seconds() * random.uniform(0.5, 1)  # noqa: S311  jitter is no secret
            log.warning("load.again", failures=failures, seconds=round(pause, 1), reason=str(error))
            task.stopping.wait(pause)


def _ended(parts: Parts, run: Run) -> bool:
    """End the run if every file is settled; True also when it was ended by someone else."""
    with transaction(parts.database) as connection:
        ended = runs.end_if_settled(connection, run.id)
        return ended is not None or runs.get(connection, run.id).status is not RunStatus.RUNNING


def _claim(parts: Parts, run: Run, ingestion: Ingestion) -> tuple[Load, tuple[ClaimedFile, ...]] | None:
    with transaction(parts.database) as connection:
        return loads.claim(
            connection,
            run,
            worker=parts.worker,
            lease=parts.lease,
            limits=parts.limits,
            table_name=ingestion.table_name,
        )


def _mend(parts: Parts, ingestion: Ingestion) -> None:
    """Nothing to claim, yet the run is not settled: others are loading, or died loading."""
    undecided = [load for load in _recover(parts) if load.ingestion_id == ingestion.id]
    if undecided:
        raise HistoryTooShort(
            f"load {undecided[0].id} was lost, and the snapshots of table {undecided[0].table_name} that would tell "
            "whether its files are in it were expired: compare its files with the table, then decide"
        )


def _carry_out(
    parts: Parts, task: Task, ingestion: Ingestion, store: ObjectStore, claimed: tuple[Load, tuple[ClaimedFile, ...]]
) -> None:
    from autoloader import loading  # noqa: PLC0415  see the module's first lines

    schema = parse_schema(ingestion.schema_json or "")
    means = loading.Means(
        database=parts.database,
        ingestion=ingestion,
        reading=Reading(format_type=ingestion.format_type, options=ingestion.format_options, schema=schema),
        store=store,
        engine=parts.engine(ingestion),
        open_table=partial(parts.ensure_table, ingestion),
        lease=parts.lease,
        spool=parts.spool,
        report=task.observer.progress,
        stopping=task.stopping,
    )
    loading.carry_out(means, *claimed)


def _current(parts: Parts, run: Run) -> Run:
    with transaction(parts.database) as connection:
        return runs.get(connection, run.id)
