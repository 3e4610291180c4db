"""The loads of the ledger against the snapshots of the table: landed once, landed twice, rolled back, unrecorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.errors import CatalogUnavailable
from autoloader.lake.history import before
from autoloader.model import Difference, DifferenceKind, LoadState
from autoloader.verifying.comparing import note_foreign
from autoloader.verifying.gathering import instant

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot
    from sqlalchemy import Engine as Database

    from autoloader.lake.history import History, Mark
    from autoloader.model import Ingestion
    from autoloader.verifying.workbench import Workbench

_STATES = "SELECT load, state FROM loads"
_EMPTYING = "SELECT load FROM loads WHERE state IN ('RUNNING', 'LOST') AND clears = 'table'"
_COMMITTED = """
SELECT load, snapshot_id, started_at FROM loads
WHERE state = 'COMMITTED' AND target = ? AND snapshot_id IS NOT NULL ORDER BY ended_at, load"""


@dataclass(slots=True)
class Landing:
    """What the history of one table says about the ingestion's loads.

    Attributes:
        expired: committed loads about whose snapshots the history says nothing any more.
    """

    history: History
    target: str
    expired: int = 0


def as_of_ledger(
    database: Database, bench: Workbench, ingestion: Ingestion, table: Table, history: History
) -> Snapshot | None:
    """The snapshot of main that holds nothing which the ledger could not know of yet; None for an empty table.

    Raises:
        CatalogUnavailable: it was expired meanwhile.
    """
    states = dict(bench.rows(_STATES))
    strange = [load for load in history.main if load not in states]
    known = note_foreign(database, bench, strange)
    later = {load for load, ingestion_id in known.items() if ingestion_id == ingestion.id}
    # An open load that overwrites the table has removed what the ledger still claims.
    later |= {load for (load,) in bench.rows(_EMPTYING)}
    chosen, there = before(history.metadata, later)
    if not there:
        raise CatalogUnavailable(
            f"the snapshots of {'.'.join(table.name())} were expired while it was verified: verify it again"
        )
    return chosen


def differences(bench: Workbench, ingestion: Ingestion, landing: Landing) -> Iterator[Difference]:
    """What the loads and the snapshots do not agree about."""
    yield from _of_committed(bench, landing)
    yield from _of_snapshots(bench, ingestion, landing)


def _of_committed(bench: Workbench, landing: Landing) -> Iterator[Difference]:
    history = landing.history
    for load, snapshot_id, started_at in bench.rows(_COMMITTED, landing.target):
        marks = history.main.get(load, [])
        if len(marks) > 1:
            yield _twice(load, marks, landing.target)
        elif not history.has(load, snapshot_id):
            aside = history.aside.get(load)
            if aside is not None or history.reaches_back_to(instant(started_at)):
                yield _rolled_back(load, snapshot_id, landing.target, still_there=aside is not None)
            else:
                landing.expired += 1


def _twice(load: uuid.UUID, marks: list[Mark], target: str) -> Difference:
    snapshots = " and ".join(str(mark.snapshot_id) for mark in reversed(marks))
    return Difference(
        kind=DifferenceKind.LANDED_TWICE,
        message=f"{len(marks)} snapshots brought this load: {snapshots}",
        table=target,
        load_id=load,
        snapshot_id=marks[0].snapshot_id,
    )


def _rolled_back(load: uuid.UUID, snapshot_id: int, target: str, *, still_there: bool) -> Difference:
    why = (
        "the table was rolled back: main no longer descends from the snapshot that brought this load"
        if still_there
        else "the snapshot that brought this load is not in the table's history, though that reaches back so far: "
        "the table was rolled back, or dropped and made again"
    )
    return Difference(kind=DifferenceKind.ROLLED_BACK, message=why, table=target, load_id=load, snapshot_id=snapshot_id)


def _of_snapshots(bench: Workbench, ingestion: Ingestion, landing: Landing) -> Iterator[Difference]:
    states = dict(bench.rows(_STATES))
    foreign = {load for (load,) in bench.rows("SELECT load FROM foreign_loads")}
    for load, marks in landing.history.main.items():
        state = states.get(load)
        if state == LoadState.FAILED:
            said = "the ledger says that it failed and is not in the table"
        elif state is None and load not in foreign and marks[0].ingestion == ingestion.name:
            said = f"it was a load of an ingestion {ingestion.name}, and the ledger knows nothing of it"
        else:
            continue
        yield Difference(
            kind=DifferenceKind.SNAPSHOT_UNRECORDED,
            message=f"a snapshot of the table brought this load, but {said}",
            table=landing.target,
            load_id=load,
            snapshot_id=marks[0].snapshot_id,
        )
