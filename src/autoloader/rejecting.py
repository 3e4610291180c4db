"""The rejects of a load, which land in a table of their own: after the load, before anyone may say that it is settled.

    data files stored, rejects stored ──▶ outcomes stored ──▶ load published ──▶ rejects published ──▶ finish
              └ in no snapshot yet             │ "owes rejects"     │                    │
                                               │                    └─ crash: recovery sees that the load landed,
                                               │                       publishes its rejects, then finishes
                                               └─ crash: recovery fences the load, and removes the stored rejects

Rejects are sent only once the load is seen in the history of its table, so no reader ever sees those of a load that did
not land. Whoever sends them looks for the load id in the history of the rejects table first and asserts that history
when sending, so they land once, however many try. See docs/adr/0015-rejects-land-after-their-load.md.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import structlog

from autoloader.failpoints import Step, reached
from autoloader.lake.data_files import discard
from autoloader.lake.fences import look
from autoloader.lake.publish import Change, publish
from autoloader.lake.rejects import SUFFIX, store, stored
from autoloader.lake.snapshots import Landed
from autoloader.ledger import rejects
from autoloader.ledger.database import transaction
from autoloader.model import Clears

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.clock import Clock
    from autoloader.model import Load, Rejects

WITHDRAWN_PROPERTY = "autoloader.withdrawn"

log = structlog.get_logger(__name__)


def table_of(load: Load) -> str:
    """The full name of the rejects table of a load's table."""
    return f"{load.table_name}{SUFFIX}"


class Storing:
    """Takes the rejects of a load while it is prepared.

    Args:
        load_id: of the load.
        open_table: opens the rejects table, made if it is not there; asked only when there are rejects.
    """

    def __init__(self, load_id: UUID, open_table: Callable[[], Table]) -> None:
        self._load_id = load_id
        self._open_table = open_table
        self.table: Table | None = None

    def take(self, made: Rejects) -> None:
        """Store them; see ``lake.rejects.store`` for what is raised."""
        self.table = self._open_table()
        store(self.table, self._load_id, made)

    def discard(self) -> None:
        """Remove what was stored of a load that was never published."""
        if self.table is not None:
            discard(self.table, self._load_id)


def publish_rejects(
    database: Database, load: Load, table: Table | None, renew: Callable[[], bool], clock: Clock
) -> None:
    """Make the rejects of a load that landed part of their table, and take those of replaced file versions out of it.

    Exactly once, whoever does it and how many at once.

    Args:
        load: seen in the history of its own table.
        table: its rejects table; None when it was dropped: then its rejects went with it.
        renew: false when this caller is not to go on: another one owns the outcome.
        clock: gives the snapshot its time.

    Raises:
        LeaseLost: ``renew`` said no.
        HistoryTooShort: the history of the rejects table no longer tells whether they are in it.
        CatalogUnavailable, CatalogMisconfigured, TableMismatch: as ``lake.publish.publish``.
    """
    if table is None:
        log.warning("rejects.table_gone", load=str(load.id), table=table_of(load))
        return
    if isinstance(look(table, load.id, load.started_at), Landed):
        return
    with transaction(database) as connection:
        clears = rejects.clears(connection, load.id)
        replaced = rejects.replaced(connection, load.id)
    change = Change(added=stored(table, load.id), replaced=replaced, overwrite=clears is Clears.TABLE)
    reached(Step.REJECTS_READ)
    snapshot_id = publish(table, load.id, change, renew, clock=clock)
    reached(Step.REJECTS_PUBLISHED)
    log.info("rejects.published", load=str(load.id), snapshot=snapshot_id)


def drop_stored(load: Load, table: Table | None) -> None:
    """Remove the stored rejects of a load that did not land and never will; see ``lake.data_files.discard``."""
    if table is not None:
        discard(table, load.id)


def withdraw(database: Database, load: Load, table: Table | None, clock: Clock) -> None:
    """Take the rejects of a load out again, of which a person has decided that it does not count.

    Raises:
        CatalogUnavailable, CatalogMisconfigured, TableMismatch: as ``lake.publish.publish``.
    """
    if table is None:
        return
    with transaction(database) as connection:
        paths = rejects.paths_of(connection, load.id)
    change = Change(replaced={path: frozenset({load.id}) for path in paths})
    publish(table, uuid.uuid4(), change, lambda: True, marks={WITHDRAWN_PROPERTY: str(load.id)}, clock=clock)
