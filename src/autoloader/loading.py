"""One load, from claimed files to a snapshot: prepare, publish, finish.

    claim ──▶ prepare ──▶ outcomes stored ──▶ publish ──▶ finish
                 │                               │
                 │ fails: nothing was published  │ no clear answer: the load stays RUNNING until its lease
                 ▼                               ▼ passes, and recovery decides by looking at the table
        load FAILED, files wait again       (never a guess)

The lease is renewed all the while by a thread of its own. Once it is lost, whatever this worker still does is void:
the publisher asks for a renewal between reading the table and committing to it.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from autoloader.engines import Work
from autoloader.errors import LeaseLost, LedgerUnavailable
from autoloader.lake.publish import Change, publish
from autoloader.lake.tables import shape
from autoloader.lake.uploads import Uploads
from autoloader.ledger import loads
from autoloader.ledger.database import transaction
from autoloader.model import FileStatus, OnChangedFile, WriteMode
from autoloader.renewal import Renewal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.engines import Engine, Progress, Reading
    from autoloader.model import ClaimedFile, Ingestion, Load, Outcome
    from autoloader.objects import ObjectStore
    from autoloader.plan import Lease

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a worker needs for the loads of one run; opened once, used for every load.

    Attributes:
        open_table: gives the table as it is now.
        spool: folder below which every load makes a folder of its own.
    """

    database: Database
    ingestion: Ingestion
    reading: Reading
    store: ObjectStore
    engine: Engine
    open_table: Callable[[], Table]
    lease: Lease
    spool: Path


def carry_out(
    means: Means, load: Load, claimed: Sequence[ClaimedFile], report: Callable[[Progress], None]
) -> Sequence[Outcome]:
    """Take a claimed load to its end.

    Returns:
        What became of each file; recorded in the ledger as well.

    Raises:
        LeaseLost: another worker owns the outcome now; nothing more was written.
        CatalogUnavailable: the fate of the commit is unknown; recovery will decide once the lease has passed.
        AutoloaderError: the load as a whole failed before anything was published; its files wait again.
    """
    started = datetime.now(UTC)
    with structlog.contextvars.bound_contextvars(load=str(load.id), run=load.run_id):
        log.info("load.claimed", files=len(claimed), bytes=load.bytes)
        every = means.lease.renew_every
        renewal = Renewal(partial(_renew, means, load), every, f"load {load.id}")
        with renewal, _spool(means.spool / str(load.id)) as spool:
            table = means.open_table()
            uploads = Uploads(table, load.id)
            try:
                outcomes = _prepare(means, load, claimed, table, uploads, spool, renewal, report)
                with transaction(means.database) as connection:
                    loads.store_outcomes(connection, load.id, outcomes)
            except BaseException as error:
                # Also Ctrl-C and errors nobody foresaw: nothing was published, so the files need not wait for the lease.
                _give_up(means.database, load, uploads, error)
                raise
            change = _change(means.ingestion, load, claimed, outcomes, uploads)
            snapshot_id = publish(table, load.id, change, renewal.renew)
            _finish(means.database, load, snapshot_id)
        log.info("load.committed", snapshot=snapshot_id, seconds=(datetime.now(UTC) - started).total_seconds())
        return outcomes


def _renew(means: Means, load: Load) -> bool:
    with transaction(means.database) as connection:
        return loads.renew(connection, load.id, means.lease)


def _prepare(
    means: Means,
    load: Load,
    claimed: Sequence[ClaimedFile],
    table: Table,
    uploads: Uploads,
    spool: Path,
    renewal: Renewal,
    report: Callable[[Progress], None],
) -> Sequence[Outcome]:
    work = Work(
        load_id=load.id,
        loaded_at=load.started_at,
        files=claimed,
        reading=means.reading,
        shape=shape(table),
        store=means.store,
        spool=spool,
        cancelled=renewal.lost.is_set,
    )
    return means.engine.prepare(work, uploads.add, report)


def _change(
    ingestion: Ingestion, load: Load, claimed: Sequence[ClaimedFile], outcomes: Sequence[Outcome], uploads: Uploads
) -> Change:
    """What the table must lose and gain. The old rows of a file stay when its new version could not be read."""
    landed = {outcome.file_id for outcome in outcomes if outcome.status is FileStatus.SUCCESS}
    replaced = {file.path: frozenset(file.replaces) for file in claimed if file.replaces and file.file_id in landed}
    return Change(
        data_files=uploads.data_files,
        replaced=replaced if ingestion.on_changed_file is OnChangedFile.REPLACE else {},
        overwrite=ingestion.write_mode is WriteMode.OVERWRITE and bool(landed),
        ingestion=ingestion.name,
        run_id=load.run_id,
    )


def _finish(database: Database, load: Load, snapshot_id: int | None) -> None:
    with transaction(database) as connection:
        if not loads.finish(connection, load.id, snapshot_id):
            raise LeaseLost(f"load {load.id} was taken over after it was published; its recoverer records the outcome")


def _give_up(database: Database, load: Load, uploads: Uploads, error: BaseException) -> None:
    """Nothing was published and, as this worker stops here, nothing will be: the files may be claimed again."""
    if isinstance(error, LeaseLost | LedgerUnavailable):
        return
    kind = type(error).__name__
    with transaction(database) as connection:
        owned = loads.fail(connection, load.id, kind, str(error) or kind)
    if owned:
        uploads.discard()
    log.warning("load.failed", error=kind, reason=str(error))


@contextmanager
def _spool(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
