"""One load, from claimed files to a snapshot: prepare, publish, finish.

    claim ──▶ prepare ──▶ outcomes stored ──▶ publish ──▶ finish
                 │                               │  └ then its rejects, see ``rejecting``
                 │ fails: nothing was published  │ no clear answer: the load stays RUNNING until its lease
                 ▼                               ▼ passes, and recovery decides by looking at the table
        load FAILED, files wait again       (never a guess)

The lease is renewed all the while by a thread of its own. Once it is lost, whatever this worker still does is void:
the publisher asks for a renewal between reading the table and committing to it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from threading import Event, Lock
from typing import TYPE_CHECKING

import structlog

from autoloader.clock import Clock
from autoloader.engines import NewColumns, Work
from autoloader.engines.fields import knowing_table
from autoloader.errors import Interrupted, LakeError, LeaseLost, LedgerUnavailable, TableMoved
from autoloader.failpoints import Step, reached
from autoloader.lake.data_files import discard, load_folder
from autoloader.lake.growth import Growth, grown
from autoloader.lake.intake import Intake
from autoloader.lake.publish import Change, publish
from autoloader.lake.snapshots import INGESTION_PROPERTY, RUN_ID_PROPERTY
from autoloader.lake.staged import staged_rows
from autoloader.lake.tables import shape
from autoloader.ledger import loads, rejects, runs
from autoloader.ledger.database import transaction
from autoloader.ledger.locks import in_turn
from autoloader.model import FileStatus, Rejects, UnknownFields, WriteMode
from autoloader.rejecting import Storing, publish_rejects, table_of
from autoloader.renewal import Renewal
from autoloader.scratch import own_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.engines import Engine, Progress, Reading
    from autoloader.model import ClaimedFile, Ingestion, Load, Made, Outcome
    from autoloader.objects import ObjectStore
    from autoloader.plan import Lease

_turn_to_publish: defaultdict[str, Lock] = defaultdict(Lock)
"""By table: the threads of a process ask for their turn one after another, so that one connection waits for it."""
PATIENCE = timedelta(seconds=10)
"""How long a worker waits for its turn to publish, a third of its lease at most: whoever has it may have been stopped,
and it is safe without."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What a worker needs for the loads of one run; opened once, used for every load.

    Attributes:
        open_table: gives the table as it is now.
        open_rejects: the same of the rejects table, made if it is not there.
        look_up: opens a table by its full name; None when there is none.
        spool: folder below which every load makes a folder of its own.
        report: told what was read, from any thread.
        stopping: set when a person wants the work to stop; a load that is not published yet is then put back.
    """

    database: Database
    ingestion: Ingestion
    reading: Reading
    store: ObjectStore
    engine: Engine
    open_table: Callable[[], Table]
    open_rejects: Callable[[], Table]
    look_up: Callable[[str], Table | None]
    lease: Lease
    spool: Path
    report: Callable[[Progress], None]
    stopping: Event


def carry_out(means: Means, load: Load, claimed: Sequence[ClaimedFile]) -> None:
    """Take a claimed load to its end.

    Raises:
        LeaseLost: another worker owns the outcome now; nothing more was written.
        Interrupted: it was stopped, or its run cancelled, before it was published; its files wait again.
        TableMoved: the table got other columns meanwhile; its files wait again, at once if nothing was sent.
        CatalogUnavailable: the fate of the commit is unknown; recovery will decide once the lease has passed.
        AutoloaderError: the load as a whole failed before anything was published; its files wait again.
    """
    called_off, clock = Event(), Clock(load.started_at)
    renewal = Renewal(partial(_renew, means, load, called_off), means.lease.renew_every, f"load {load.id}")
    with structlog.contextvars.bound_contextvars(load=str(load.id)), renewal:
        log.info("load.claimed", files=len(claimed), bytes=load.bytes)
        table, storing = None, Storing(load.id, means.open_rejects)
        try:
            reached(Step.LOAD_CLAIMED)
            table = means.open_table()
            change, published = _prepare(
                means,
                load,
                claimed,
                table,
                storing,
                lost=renewal.lost.is_set,
                stopped=lambda: means.stopping.is_set() or called_off.is_set(),
            )
        except BaseException as error:
            # Also Ctrl-C and errors nobody foresaw: nothing was published, so the files need not wait for the lease.
            _give_up(means.database, load, table, storing, error)
            raise
        patience = min(PATIENCE, means.lease.duration / 3)
        marks = {INGESTION_PROPERTY: means.ingestion.name, RUN_ID_PROPERTY: str(load.run_id)} | published
        with _turn_to_publish[load.table_name], in_turn(means.database, f"publish {load.table_name}", patience):
            publishing = partial(publish, table, load.id, change, renewal.renew, marks=marks, clock=clock)
            snapshot_id = _published(means, load, table, storing, publishing)
        reached(Step.LOAD_PUBLISHED)
        if change.always:
            second = storing.table or means.look_up(table_of(load))
            publish_rejects(means.database, load, second, renewal.renew, clock)
        renewal.stop()
        with transaction(means.database) as connection:
            if not loads.finish(connection, load.id, snapshot_id):
                raise LeaseLost(f"load {load.id} was taken over after it landed; its recoverer records the outcome")
        log.info("load.committed", snapshot=snapshot_id)
        reached(Step.LOAD_FINISHED)


def _renew(means: Means, load: Load, called_off: Event) -> bool:
    with transaction(means.database) as connection:
        if runs.cancelled(connection, load.run_id):
            called_off.set()
        return loads.renew(connection, load.id, means.lease)


def _prepare(
    means: Means,
    load: Load,
    claimed: Sequence[ClaimedFile],
    table: Table,
    storing: Storing,
    *,
    lost: Callable[[], bool],
    stopped: Callable[[], bool],
) -> tuple[Change, dict[str, str]]:
    """Data files in the table's storage but in no branch yet, and what the summary must say of where they come from.

    What became of each file is in the ledger by then.
    """
    passes = _Passes(means, load, claimed, storing, lambda: lost() or stopped())
    try:
        made = passes.made(table)
    except LeaseLost:
        if lost():
            raise
        raise Interrupted(f"load {load.id} was stopped before it was published; its files wait again") from None
    outcomes = made.outcomes
    reached(Step.LOAD_PREPARED)
    with transaction(means.database) as connection:
        loads.store_outcomes(connection, load.id, outcomes)
        overwrites = means.ingestion.write_mode is WriteMode.OVERWRITE
        owes = storing.table is not None or overwrites or bool(rejects.replaced(connection, load.id))
        if owes:
            rejects.owe(connection, load.id, table_of(load))
    reached(Step.LOAD_STORED)
    change = _change(means.ingestion, claimed, outcomes, made.added)
    return replace(change, always=owes, growth=made.growth), made.marks


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """What an engine made of the files of a load."""

    outcomes: Sequence[Outcome]
    added: Sequence[DataFileEntry]
    marks: dict[str, str]
    growth: Growth | None = None


@dataclass(frozen=True, slots=True)
class _Passes:
    """The engine at work on a load: once, or a second time with the columns that the first time has asked for."""

    means: Means
    load: Load
    claimed: Sequence[ClaimedFile]
    storing: Storing
    cancelled: Callable[[], bool]

    def made(self, table: Table) -> _Made:
        """The data files for the table as it is, or as it will be with the load."""
        reading = self.means.reading
        try:
            return self._once(table, knowing_table(reading, shape(table)), self.means.report)
        except NewColumns as found:
            log.info("load.grows", columns=[column.name for column in found.columns])
            discard(table, self.load.id)
            after = grown(table, found.columns)
            # What is still unknown then cannot be a column.
            known = replace(knowing_table(reading, shape(after)), unknown_fields=UnknownFields.RESCUE)
            made = self._once(after, known, lambda _: None, grows=True)
            return replace(made, growth=Growth(found.columns, after.schema()))

    def _once(
        self, table: Table, reading: Reading, report: Callable[[Progress], None], *, grows: bool = False
    ) -> _Made:
        means, load = self.means, self.load
        added: list[DataFileEntry] = []
        intake = Intake(table, load.id)

        def put(made: Made) -> None:
            if isinstance(made, Rejects):
                self.storing.take(made)
            else:
                added.extend(intake.take(made))
            reached(Step.LOAD_PUT)

        with own_folder(means.spool, str(load.id)) as spool:
            work = Work(
                load_id=load.id,
                table_name=load.table_name,
                loaded_at=load.started_at,
                files=self.claimed,
                reading=reading,
                shape=shape(table),
                store=means.store,
                spool=spool,
                cancelled=self.cancelled,
                grows=grows,
                folder=load_folder(table, load.id),
                staged=partial(staged_rows, table, load.id),
            )
            outcomes = means.engine.prepare(work, put, report)
        return _Made(outcomes=outcomes, added=added, marks=intake.marks)


def _published(
    means: Means, load: Load, table: Table, storing: Storing, publishing: Callable[[], int | None]
) -> int | None:
    """Publish the load; where its data files do not fit any more and nothing was sent, its files wait again at once."""
    try:
        return publishing()
    except TableMoved as moved:
        if not moved.sent:
            _give_up(means.database, load, table, storing, moved)
        raise


def _change(
    ingestion: Ingestion, claimed: Sequence[ClaimedFile], outcomes: Sequence[Outcome], added: Sequence[DataFileEntry]
) -> Change:
    """What the table must lose and gain. The old rows of a file stay when its new version could not be read."""
    landed = {outcome.file_id for outcome in outcomes if outcome.status is FileStatus.SUCCESS}
    return Change(
        added=added,
        replaced={file.path: frozenset(file.replaces) for file in claimed if file.replaces and file.file_id in landed},
        overwrite=ingestion.write_mode is WriteMode.OVERWRITE and bool(landed),
    )


def _give_up(database: Database, load: Load, table: Table | None, storing: Storing, error: BaseException) -> None:
    """Nothing was published and, as this worker stops here, nothing will be: the files may be claimed again.

    First the data files go, whoever owns the load by now: nothing of it was ever sent to the catalog, so they are
    nobody's. If they cannot be deleted now, the load stays RUNNING, and recovery deletes them once its lease passes.
    """
    kind = type(error).__name__
    try:
        if table is not None:
            discard(table, load.id)
        storing.discard()
    except LakeError as storage:
        log.warning("load.left_to_recovery", error=kind, reason=str(error), leftovers=str(storage))
        return
    if isinstance(error, LeaseLost | LedgerUnavailable):
        return
    with transaction(database) as connection:
        loads.fail(connection, load.id, kind, str(error) or kind)
    log.warning("load.failed", error=kind, reason=str(error))
