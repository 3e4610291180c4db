"""The loop of a worker on one run: list if it leads, then claim loads and carry them out until none is left.

Several workers may be on one run. One of them leads: it lists the bucket, settles the schema and makes the table.
The others wait for that, then all of them claim. Whoever finds nothing left to claim ends the run when it is settled,
and recovers lost loads meanwhile.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import structlog

from autoloader import discovery, loading, recovery, sampling
from autoloader.engines import Progress, Reading
from autoloader.engines.options import parse_options
from autoloader.errors import AutoloaderError, HistoryTooShort, LeaseLost, LedgerError
from autoloader.ledger import files, ingestions, loads, runs
from autoloader.ledger.database import transaction
from autoloader.model import RunStatus
from autoloader.plan import backoff
from autoloader.renewal import Renewal
from autoloader.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.discovery import Scope
    from autoloader.engines import Engine
    from autoloader.model import ClaimedFile, Ingestion, ListingCounts, Load, Run
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
        open_table: opens an existing table by its full name.
        engine: the engine an ingestion asks for.
    """

    worker: str
    database: Database
    open_store: Callable[[Ingestion], ObjectStore]
    ensure_table: Callable[[Ingestion], Table]
    open_table: Callable[[str], Table]
    engine: Callable[[Ingestion], Engine]
    lease: Lease
    limits: LoadLimits
    spool: Path


def work_on_run(parts: Parts, ingestion: Ingestion, run: Run, *, leads: bool, scope: Scope, observer: Observer) -> Run:
    """Work on a run until it has ended.

    Args:
        run: as ``runs.start_or_join`` gave it.
        leads: whether this worker does the listing.

    Returns:
        The run as it ended. A reason that ends a run, such as a bucket that cannot be listed, is in its ``errors``.

    Raises:
        LedgerError: the ledger cannot be reached, so nothing can be said about the run.
    """
    with structlog.contextvars.bound_contextvars(ingestion=ingestion.name, run=run.id):
        try:
            store = parts.open_store(ingestion)
            if leads:
                _lead(parts, ingestion, run, store, scope, observer)
            if leads or _led(parts, run):
                _load_all(parts, run, store, observer)
        except LedgerError as error:
            if not isinstance(error, LeaseLost):
                raise
            log.warning("run.lead_lost", reason=str(error))
        except AutoloaderError as error:
            with transaction(parts.database) as connection:
                runs.fail(connection, run.id, str(error), error.error_type)
        return _current(parts, run)


def _lead(parts: Parts, ingestion: Ingestion, run: Run, store: ObjectStore, scope: Scope, observer: Observer) -> None:
    """List, settle the schema, make the table; then let the others in."""
    recovery.recover(parts.database, parts.open_table)
    with Renewal(partial(_renew_lead, parts, run), parts.lease.renew_every, f"lead of run {run.id}"):
        counts = discovery.discover(parts.database, ingestion, run.id, store, scope=scope, report=observer.listing)
        with transaction(parts.database) as connection:
            counts = replace(counts, requeued=files.requeue_failed(connection, ingestion, run.id))
            waiting = files.waiting(connection, ingestion.id)
        observer.listing(counts)
        if waiting.files:
            parts.ensure_table(sampling.settle_schema(parts.database, ingestion, store))
        with transaction(parts.database) as connection:
            if not runs.listed(connection, run.id, parts.worker, counts):
                raise LeaseLost(f"run {run.id} was taken over by another worker while it was listed")


def _renew_lead(parts: Parts, run: Run) -> bool:
    with transaction(parts.database) as connection:
        return runs.renew_lead(connection, run.id, parts.worker, parts.lease)


def _led(parts: Parts, run: Run) -> bool:
    """Wait until the leader has listed; False when the run ended without that."""
    while True:
        current = _current(parts, run)
        if current.status is not RunStatus.RUNNING:
            return False
        if current.listed_at is not None:
            return True
        time.sleep(POLL_SECONDS)


def _load_all(parts: Parts, run: Run, store: ObjectStore, observer: Observer) -> None:
    """Claim and load until the run has ended."""
    with transaction(parts.database) as connection:
        ingestion = ingestions.by_id(connection, run.ingestion_id)
        waiting = files.waiting(connection, ingestion.id)
    observer.waiting(waiting.files, waiting.bytes)
    failures = 0
    while not _ended(parts, run):
        claimed = _claim(parts, run, ingestion)
        if claimed is None:
            _mend(parts, ingestion)
            time.sleep(POLL_SECONDS)
            continue
        try:
            loading.carry_out(_means(parts, ingestion, store), *claimed, observer.progress)
            failures = 0
        except LeaseLost as error:
            log.warning("load.lost", reason=str(error))
        except AutoloaderError as error:
            failures += 1
            if not error.retryable or failures >= ATTEMPTS:
                raise
            pause = backoff(failures).total_seconds() * random.uniform(0.5, 1)  # noqa: S311  jitter is no secret
            log.warning("load.again", failures=failures, seconds=round(pause, 1), reason=str(error))
            time.sleep(pause)


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
    undecided = [load for load in recovery.recover(parts.database, parts.open_table) if load.ingestion_id == ingestion.id]
    if undecided:
        raise HistoryTooShort(
            f"load {undecided[0].id} was lost, and the snapshots of table {undecided[0].table_name} that would tell "
            "whether its files are in it were expired: compare its files with the table, then decide"
        )


def _means(parts: Parts, ingestion: Ingestion, store: ObjectStore) -> loading.Means:
    schema = parse_schema(ingestion.schema_json or "")
    options = parse_options(ingestion.format_type, ingestion.format_options)
    return loading.Means(
        database=parts.database,
        ingestion=ingestion,
        reading=Reading(format_type=ingestion.format_type, options=options, schema=schema),
        store=store,
        engine=parts.engine(ingestion),
        open_table=partial(parts.ensure_table, ingestion),
        lease=parts.lease,
        spool=parts.spool,
    )


def _current(parts: Parts, run: Run) -> Run:
    with transaction(parts.database) as connection:
        return runs.get(connection, run.id)
