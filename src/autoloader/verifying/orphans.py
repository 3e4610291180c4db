"""Data files below a table's location that a load left behind: no snapshot refers to them and no open load owns them.

The order matters, as loads go on meanwhile. First it is looked what is stored, then who owns it, and only then what the
snapshots refer to: a load that landed in between has its files in a snapshot that is seen, and one that did not land is
still open, or is removing its files.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from autoloader.lake.history import mark_of
from autoloader.lake.snapshots import refreshed
from autoloader.lake.storage import Storage, referred_to
from autoloader.ledger import evidence
from autoloader.ledger.database import connected
from autoloader.model import Difference, DifferenceKind, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot
    from sqlalchemy import Engine as Database

    from autoloader.verifying import Asked
    from autoloader.verifying.workbench import Workbench

CLEARING = timedelta(minutes=1)
"""How long a load that failed may take to remove what it wrote."""
CHUNK = 1_000
STORED = {"location": pa.string(), "load": pa.string()}
REFERRED = {"location": pa.string()}

_SUSPECTS = """
CREATE OR REPLACE TABLE suspects AS
SELECT location, load FROM stored s WHERE NOT EXISTS (SELECT 1 FROM referred r WHERE r.location = s.location)"""
_FREED = "DELETE FROM suspects s WHERE EXISTS (SELECT 1 FROM referred r WHERE r.location = s.location)"


def orphans(database: Database, asked: Asked, bench: Workbench, table: Table, target: str) -> Iterator[Difference]:
    """Find them; what main refers to is on the workbench already, as far as it was read.

    Raises:
        LakeError: the storage cannot be listed, or the table was dropped meanwhile.
    """
    storage = Storage(table)
    _list(asked, bench, storage)
    bench.run(_SUSPECTS)
    _leave_owned(database, bench)
    if _any(bench):
        _leave_referred(bench, refreshed(table))
    yield from _told(bench, storage, target)


def _list(asked: Asked, bench: Workbench, storage: Storage) -> None:
    bench.run("DELETE FROM stored")
    seen = 0
    for found in storage.below_loads():
        if found:
            bench.add("stored", STORED, [(each.location, str(each.load_id)) for each in found])
        seen += len(found)
        asked.watcher.reading(Reading(what="storage", done=seen))


def _leave_owned(database: Database, bench: Workbench) -> None:
    loads: list[UUID] = [load for (load,) in bench.rows("SELECT DISTINCT load FROM suspects")]
    for start in range(0, len(loads), CHUNK):
        with connected(database) as connection:
            known = evidence.known(connection, loads[start : start + CHUNK], CLEARING)
        for load, (_, owned) in known.items():
            if owned:
                bench.run("DELETE FROM suspects WHERE load = ?", load)


def _any(bench: Workbench) -> bool:
    return bool(bench.one("SELECT count(*) FROM suspects")[0])


def _leave_referred(bench: Workbench, table: Table) -> None:
    """Look into the snapshots that most likely refer to what is left, then into all others, until nothing is left."""
    suspected = {load for (load,) in bench.rows("SELECT DISTINCT load FROM suspects")}
    main = table.metadata.current_snapshot_id

    def likely(snapshot: Snapshot) -> bool:
        mark = mark_of(snapshot)
        return snapshot.snapshot_id == main or (mark is not None and mark.load_id in suspected)

    snapshots = sorted(table.metadata.snapshots, key=lambda each: (not likely(each), -each.timestamp_ms))
    for locations in referred_to(table, snapshots):
        bench.add("referred", REFERRED, [(location,) for location in locations])
        bench.run(_FREED)
        if not _any(bench):
            return


def _told(bench: Workbench, storage: Storage, target: str) -> Iterator[Difference]:
    chunk: list[tuple[str, UUID]] = []
    for location, load in bench.rows("SELECT location, load FROM suspects ORDER BY location"):
        chunk.append((location, load))
        if len(chunk) == CHUNK:
            yield from _still_there(chunk, storage, target)
            chunk = []
    yield from _still_there(chunk, storage, target)


def _still_there(chunk: list[tuple[str, UUID]], storage: Storage, target: str) -> Iterator[Difference]:
    there = storage.still_there([location for location, _ in chunk]) if chunk else set()
    for location, load in chunk:
        if location in there:
            yield Difference(
                kind=DifferenceKind.ORPHANED_DATA_FILE,
                message="a load left this data file behind: no snapshot refers to it, and no load that goes on owns it",
                table=target,
                file_path=location,
                load_id=load,
            )
