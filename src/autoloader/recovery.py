"""Lost loads: look at the table, fence it, settle what the look found.

    RUNNING ─lease passed─▶ LOST ──look──▶ its load id is in the ancestry of main ──▶ COMMITTED, by the stored outcomes
                                   └─────▶ it is not: a fence is committed ──────────▶ FAILED, files wait again

Any worker may do this at any time, many at once: every step is one conditional statement or one compare-and-swap.
A load whose evidence is gone stays LOST and is shown to a person; nothing is decided by a guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from autoloader.errors import HistoryTooShort, LakeError
from autoloader.lake.data_files import discard
from autoloader.lake.fences import Fenced, fence
from autoloader.lake.snapshots import Landed
from autoloader.ledger import loads
from autoloader.ledger.database import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyiceberg.table import Table
    from sqlalchemy import Engine as Database

    from autoloader.model import Load

log = structlog.get_logger(__name__)


def recover(
    database: Database,
    lost: Iterable[Load],
    open_table: Callable[[str], Table | None],
    abandon: Callable[[Load], None],
) -> list[Load]:
    """Settle lost loads.

    Args:
        lost: as ``loads.expire`` gives them.
        open_table: opens a table by its full name ``catalog.database.table``; None when there is none.
        abandon: stops what is left of a load, such as a write that goes on in a cluster. It cannot harm the table any
            more, but would leave files that nobody wants.

    Returns:
        The loads whose evidence is gone: they stay LOST until a person decides. A load whose catalog does not answer
        now is not among them; the next call tries again.
    """
    undecidable = []
    for load in lost:
        try:
            _settle(database, load, open_table(load.table_name), abandon)
        except HistoryTooShort as error:
            log.critical("load.undecidable", load=str(load.id), table=load.table_name, reason=str(error))
            undecidable.append(load)
        except LakeError as error:
            log.warning("load.not_recovered", load=str(load.id), table=load.table_name, reason=str(error))
    return undecidable


def _settle(database: Database, load: Load, table: Table | None, abandon: Callable[[Load], None]) -> None:
    # A table that was dropped takes no late commit either: commits assert its UUID. So its loads are over.
    found = Fenced() if table is None else fence(table, load.id, load.started_at)
    with transaction(database) as connection:
        if isinstance(found, Landed):
            loads.settle_committed(connection, load.id, found.snapshot_id)
        else:
            loads.settle_failed(connection, load.id)
    abandon(load)
    if table is not None and isinstance(found, Fenced):
        discard(table, load.id)
    log.info("load.recovered", load=str(load.id), landed=isinstance(found, Landed))
