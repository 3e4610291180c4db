"""What a worker does in one go with a run: list its bucket, or claim a load and carry it out; and in between, recovery.

``worker`` puts these together for one run until it has ended; ``workers`` for whatever is due, for ever.

Sampling, loading and recovery bring in DuckDB and PyIceberg, which take half a second to import: they are imported
where they are first needed, as most runs find nothing new.
"""

from __future__ import annotations

import gc
import random
import sys
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Protocol

import structlog

from autoloader import discovery
from autoloader.discovery import Scope
from autoloader.engines.fields import reading_of
from autoloader.errors import HistoryTooShort, LeaseLost, NotKnown, SparkError, UsageError, VaultError
from autoloader.failpoints import Step, reached
from autoloader.ledger import files, ingestions, loads, runs
from autoloader.ledger.database import transaction
from autoloader.model import ListingCounts, WriteMode
from autoloader.plan import backoff
from autoloader.renewal import Renewal
from autoloader.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import timedelta
    from pathlib import Path

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.engines import Engine, Progress
    from autoloader.loading import Means
    from autoloader.model import Ingestion, Load, Run
    from autoloader.objects import ObjectStore
    from autoloader.plan import Lease, LoadLimits
    from autoloader.validating import Means as Validating
    from autoloader.verifying import Sides

log = structlog.get_logger(__name__)

ATTEMPTS = 5
"""Loads in a row that may fail as a whole, for a reason that may pass, before the run gives up."""


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
        open_store: opens the bucket of an ingestion while a block goes on.
        ensure_table: opens the table of an ingestion, made if it is not there; raises TableMismatch if it does not fit.
        ensure_rejects: opens the rejects table of an ingestion, made if it is not there.
        open_table: opens a table by its full name; None when there is none.
        engine: the engine an ingestion asks for.
        verifying: what verifications work with.
        validating: what validations work with.
    """

    worker: str
    database: Database
    open_store: Callable[[Ingestion], AbstractContextManager[ObjectStore]]
    ensure_table: Callable[[Ingestion], Table]
    ensure_rejects: Callable[[Ingestion], Table]
    open_table: Callable[[str], Table | None]
    engine: Callable[[Ingestion], Engine]
    lease: Lease
    limits: LoadLimits
    spool: Path
    verifying: Sides
    validating: Validating


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
    observer: Observer
    stopping: Event = field(default_factory=Event)


def leading(parts: Parts, run: Run) -> Renewal:
    """Keeps the lead of a run while the block goes on."""
    return Renewal(partial(_renew_lead, parts, run), parts.lease.renew_every, f"lead of run {run.id}")


def _renew_lead(parts: Parts, run: Run) -> bool:
    with transaction(parts.database) as connection:
        return runs.renew_lead(connection, run.id, parts.worker, parts.lease)


def list_source(parts: Parts, task: Task, store: ObjectStore) -> None:
    """List the bucket of a run that this worker leads, settle the schema and make the table.

    Raises:
        SourceError: the bucket cannot be listed.
        LakeError: the table cannot be made, or does not fit.
        LeaseLost: another worker leads by now, or the run has ended.
        Interrupted: a person stopped it.
    """
    reached(Step.RUN_LED)
    scope = _scope(parts, task.run)
    listing = discovery.Listing(worker=parts.worker, scope=scope, report=task.observer.listing, stopping=task.stopping)
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
    reached(Step.RUN_LISTED)


def _scope(parts: Parts, run: Run) -> Scope:
    """What the run was asked to look at; what an earlier leader of it found counts as well."""
    if run.max_files is None:
        return Scope(since=run.since)
    with transaction(parts.database) as connection:
        found = files.found_by_run(connection, run.id)
    return Scope(since=run.since, max_files=max(run.max_files - found, 0))


def _tries_again(ingestion: Ingestion, counts: ListingCounts) -> bool:
    """Whether failed files are tried again: where a load overwrites, they alone must not become the table."""
    return ingestion.write_mode is not WriteMode.OVERWRITE or counts.new + counts.changed > 0


def import_loading() -> None:
    """Import what the first load of a process needs, at once; see the module's first lines.

    Python's collector rests meanwhile, and never looks at what is there afterwards: modules stay for as long as their
    process, and to look through all of them again and again, as they become more, takes a tenth of the time.
    """
    if "autoloader.loading" in sys.modules:
        return
    collects = gc.isenabled()
    gc.disable()
    try:
        from autoloader import loading, recovery, sampling  # noqa: F401, PLC0415  see the module's first lines
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def _make_table(parts: Parts, ingestion: Ingestion, store: ObjectStore) -> None:
    import_loading()
    from autoloader import sampling  # noqa: PLC0415  see the module's first lines

    parts.ensure_table(sampling.settle_schema(parts.database, ingestion, store))


def load_some(parts: Parts, task: Task, store: ObjectStore, limits: LoadLimits) -> bool:
    """Claim a load of a listed run and carry it out; False when there was nothing to claim.

    What can go wrong without a load is done before the claim, so that no file waits for a lease to pass.

    Raises:
        LeaseLost: another worker owns the outcome of the load by now.
        Interrupted: it was stopped before it was published, or its run was cancelled; its files wait again.
        AutoloaderError: the load failed as a whole; its files wait again, or recovery decides about them.
    """
    with transaction(parts.database) as connection:
        ingestion = ingestions.by_id(connection, task.run.ingestion_id)
    from autoloader import loading  # noqa: PLC0415  see the module's first lines

    means = _means(parts, task, ingestion, store)
    with transaction(parts.database) as connection:
        claimed = loads.claim(
            connection,
            task.run,
            worker=parts.worker,
            lease=parts.lease,
            limits=limits,
            table_name=ingestion.table_name,
        )
    if claimed is None:
        return False
    loading.carry_out(means, *claimed)
    return True


def _means(parts: Parts, task: Task, ingestion: Ingestion, store: ObjectStore) -> Means:
    from autoloader import loading  # noqa: PLC0415  see the module's first lines

    return loading.Means(
        database=parts.database,
        ingestion=ingestion,
        reading=reading_of(ingestion, parse_schema(ingestion.schema_json or "")),
        store=store,
        engine=parts.engine(ingestion),
        open_table=partial(parts.ensure_table, ingestion),
        open_rejects=partial(parts.ensure_rejects, ingestion),
        look_up=parts.open_table,
        lease=parts.lease,
        spool=parts.spool,
        report=task.observer.progress,
        stopping=task.stopping,
    )


def recover(parts: Parts) -> list[Load]:
    """Settle lost loads, those of other ingestions too; returns the ones that cannot be decided."""
    with transaction(parts.database) as connection:
        lost = loads.expire(connection)
    if not lost:
        return []
    reached(Step.RECOVERY_LOST)
    from autoloader import recovery  # noqa: PLC0415  see the module's first lines

    return recovery.recover(parts.database, lost, parts.open_table, partial(_abandon, parts))


def _abandon(parts: Parts, load: Load) -> None:
    """Stop what a cluster may still do for a lost load. It need not succeed: nothing of it can land any more."""
    try:
        with transaction(parts.database) as connection:
            ingestion = ingestions.by_id(connection, load.ingestion_id)
        parts.engine(ingestion).abandon(load.id)
    except (NotKnown, SparkError, UsageError, VaultError) as error:
        log.warning("load.not_abandoned", load=str(load.id), reason=str(error))


def undecidable(load: Load) -> HistoryTooShort:
    """The reason why a run cannot end while one of its ingestion's loads is lost and its evidence gone."""
    return HistoryTooShort(
        f"load {load.id} was lost, and the history of table {load.table_name} no longer tells whether its files are "
        "in it. Look for rows with this _load_id, then settle it: "
        f"`autoloader settle {load.id} --loaded` or `--not-loaded`"
    )


def pause(failures: int) -> timedelta:
    """How long to wait after so many failures in a row, with jitter."""
    return backoff(failures) * random.uniform(0.5, 1)  # noqa: S311  jitter is no secret
