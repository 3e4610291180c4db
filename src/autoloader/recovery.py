"""Lost loads: look at the table, fence it, settle what the look found.

    RUNNING ─lease passed─▶ LOST ──look──▶ its load id is in the ancestry of main ──▶ COMMITTED, by the stored outcomes
                              │    │      (its rejects are published first, if that was left undone)
                              │    └─────▶ it is not: a fence is committed ──▶ its data files are deleted
                              │                                               ──▶ FAILED, files wait again
                              └──the history is cut off──▶ stays LOST, with the reason; a person decides (``decide``)

Any worker may do this at any time, many at once: every step is one conditional statement or one compare-and-swap, and
doing it again changes nothing. The verdict is written last, so whoever dies on the way leaves the load LOST, and the
next one does what is left. Nothing is decided by a guess. See docs/adr/0012-recovery-by-evidence.md.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from autoloader.clock import Clock
from autoloader.errors import AutoloaderError, CatalogUnavailable, HistoryTooShort, LedgerUnavailable, WrongState
from autoloader.failpoints import Step, reached
from autoloader.lake.data_files import discard
from autoloader.lake.fences import Fenced, fence
from autoloader.lake.snapshots import Landed, refreshed
from autoloader.lake.traces import trace_of
from autoloader.ledger import figures, loads
from autoloader.ledger.database import transaction
from autoloader.model import LoadState
from autoloader.rejecting import drop_stored, publish_rejects, table_of, withdraw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.model import Load

PATIENCE = timedelta(seconds=20)
"""How long one fence is tried before the other lost loads get their turn; the next round tries it again."""

log = structlog.get_logger(__name__)


def recover(
    database: Database,
    lost: Iterable[Load],
    open_table: Callable[[str], Table | None],
    abandon: Callable[[Load], None],
) -> list[Load]:
    """Settle lost loads. One that cannot be settled now keeps no other from it.

    Args:
        lost: as ``loads.expire`` gives them.
        open_table: opens a table by its full name ``catalog.database.table``; None when there is none.
        abandon: stops what is left of a load, such as a write that goes on in a cluster. It cannot harm the table any
            more, but would leave files that nobody wants.

    Returns:
        The loads whose evidence is gone: they stay LOST until a person decides. A load whose catalog does not answer
        now is not among them; the next call tries again.

    Raises:
        LedgerUnavailable: the ledger cannot be reached; what was settled is settled.
    """
    undecidable = []
    silent: set[str] = set()
    for load in lost:
        if load.catalog in silent:
            continue
        try:
            _settle(database, load, open_table, abandon)
        except LedgerUnavailable:
            raise
        except HistoryTooShort as error:
            _keep_lost(database, load, error)
            undecidable.append(load)
        except CatalogUnavailable as error:
            silent.add(load.catalog)
            _keep_lost(database, load, error)
        except AutoloaderError as error:
            _keep_lost(database, load, error)
        except Exception:
            log.exception("recovery.defect", load=str(load.id), table=load.table_name)
    return undecidable


def _settle(
    database: Database, load: Load, open_table: Callable[[str], Table | None], abandon: Callable[[Load], None]
) -> None:
    table = open_table(load.table_name)
    found = _found(database, load, table)
    reached(Step.RECOVERY_FENCED)
    abandon(load)
    if table is not None and isinstance(found, Fenced):
        discard(table, load.id)
        drop_stored(load, open_table(table_of(load)))
        reached(Step.RECOVERY_SWEPT)
    if isinstance(found, Landed):
        _publish_rejects(database, load, open_table)
    settled = _verdict(database, load, found)
    reached(Step.RECOVERY_SETTLED)
    if settled:
        log.info("load.recovered", load=str(load.id), landed=isinstance(found, Landed))


def _publish_rejects(database: Database, load: Load, open_table: Callable[[str], Table | None]) -> None:
    """What the worker may have left undone; while the load is LOST it is for recovery to do."""
    if load.rejects_table is None:
        return

    def still_lost() -> bool:
        with transaction(database) as connection:
            return loads.get(connection, load.id).state is LoadState.LOST

    publish_rejects(database, load, open_table(load.rejects_table), still_lost, _clock(database))


def _found(database: Database, load: Load, table: Table | None) -> Landed | Fenced:
    """What became of a load that is LOST.

    A table that was dropped takes no late commit either: commits assert its UUID. And a load whose outcomes were not
    stored before it was lost was never sent and never will be: they can be stored only while it is RUNNING.
    """
    if table is None or load.prepared_at is None:
        return Fenced()
    return fence(table, load.id, load.started_at, patience=PATIENCE, clock=_clock(database))


def _clock(database: Database) -> Clock:
    with transaction(database) as connection:
        return Clock(figures.now(connection))


def _verdict(database: Database, load: Load, found: Landed | Fenced) -> bool:
    with transaction(database) as connection:
        if isinstance(found, Landed):
            return loads.settle_committed(connection, load.id, found.snapshot_id)
        return loads.settle_failed(connection, load.id)


def decide(database: Database, load: Load, open_table: Callable[[str], Table | None], *, loaded: bool) -> Load:
    """Settle a lost load as a person says who has looked into the table.

    What the table itself can tell counts more than what the person says.

    Args:
        load: as the ledger has it now.
        open_table: as for ``recover``.
        loaded: whether its rows are in the table, or are not meant to be loaded again.

    Returns:
        The load as it is now.

    Raises:
        WrongState: it is not LOST, it cannot have landed, or the table shows that it did.
        CatalogUnavailable: no answer; nothing was settled.
    """
    if load.state is not LoadState.LOST:
        raise WrongState(f"load {load.id} is {load.state}: only a lost one can be settled", field="load_id")
    table = open_table(load.table_name)
    if loaded:
        found: Landed | Fenced = Landed(_snapshot_for(load, table))
        _publish_rejects(database, load, open_table)
    else:
        found = _kept_out(database, load, table)
        if load.rejects_table is not None:
            withdraw(database, load, open_table(load.rejects_table), _clock(database))
    _verdict(database, load, found)
    log.warning("load.decided", load=str(load.id), table=load.table_name, loaded=loaded)
    with transaction(database) as connection:
        return loads.get(connection, load.id)


def _snapshot_for(load: Load, table: Table | None) -> int:
    """The snapshot to name for a load that a person says has landed: the one that is known, or else the newest."""
    main = None if table is None else table.metadata.current_snapshot_id
    if table is None or main is None or load.prepared_at is None:
        raise WrongState(
            f"load {load.id} cannot have landed: "
            + ("it was never sent" if load.prepared_at is None else f"table {load.table_name} holds nothing")
            + f"; settle it with `autoloader settle {load.id} --not-loaded`",
            field="loaded",
        )
    return trace_of(table, load.id) or main


def _kept_out(database: Database, load: Load, table: Table | None) -> Fenced:
    """The load is kept from ever landing; its data files stay where they are, as snapshots may name them still."""
    found = Fenced() if table is None else fence(table, load.id, None, patience=PATIENCE, clock=_clock(database))
    if isinstance(found, Landed) or (table is not None and trace_of(refreshed(table), load.id) is not None):
        raise WrongState(
            f"load {load.id} has landed: data files of it are in table {load.table_name}; "
            f"settle it with `autoloader settle {load.id} --loaded`",
            field="loaded",
        )
    return Fenced()


def _keep_lost(database: Database, load: Load, error: AutoloaderError) -> None:
    """Tell why the load cannot be settled now: in the ledger, and once in the log."""
    with transaction(database) as connection:
        news = loads.note(connection, load.id, error.error_type, str(error))
    if news:
        tell = log.critical if isinstance(error, HistoryTooShort) else log.warning
        tell("load.not_recovered", load=str(load.id), table=load.table_name, reason=str(error))
