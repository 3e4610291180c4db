"""Reading a table's history: which snapshots led to main, and what they say about a load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pyiceberg.exceptions import NoSuchTableError

from autoloader.errors import HistoryTooShort, TableMismatch
from autoloader.lake.answers import translated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

LOAD_ID_PROPERTY = "autoloader.load-id"
FENCE_PROPERTY = "autoloader.fence"
INGESTION_PROPERTY = "autoloader.ingestion"
RUN_ID_PROPERTY = "autoloader.run-id"

CLOCK_SKEW = timedelta(minutes=10)
"""How far the clocks of committers may be from the database's; only asked where snapshots were expired."""


@dataclass(frozen=True, slots=True)
class Landed:
    """The load's rows are in the table, in this snapshot."""

    snapshot_id: int


@dataclass(frozen=True, slots=True)
class Absent:
    """The load is not in the ancestry of ``base``, the snapshot that main pointed at when it was looked at, if any."""

    base: int | None


def refreshed(table: Table) -> Table:
    """The table as the catalog has it now; ``table`` itself is not touched, so threads may share it.

    Raises:
        TableMismatch: it was dropped, or dropped and made again.
        CatalogUnavailable: no answer.
    """
    name = ".".join(table.name())
    with translated(f"reading the table {name}"):
        try:
            fresh = table.catalog.load_table(table.name())
        except NoSuchTableError as error:
            raise TableMismatch(f"The table {name} was dropped while a load was on its way into it.") from error
    if fresh.metadata.table_uuid != table.metadata.table_uuid:
        raise TableMismatch(f"The table {name} was dropped and made again while a load was on its way into it.")
    return fresh


def ancestry(metadata: TableMetadata) -> Iterator[Snapshot]:
    """The snapshots that led to main, newest first, as far back as the metadata still holds them."""
    by_id = {snapshot.snapshot_id: snapshot for snapshot in metadata.snapshots}
    main = metadata.current_snapshot_id
    while main is not None and main in by_id:
        yield by_id[main]
        main = by_id[main].parent_snapshot_id


def landed_in(metadata: TableMetadata, load_id: UUID) -> int | None:
    """The snapshot of main's ancestry that brought the load, or None.

    Raises:
        HistoryTooShort: the load landed, but main was moved off its snapshot by other hands.
    """
    landed = in_ancestry(metadata, load_id)
    if landed is not None:
        return landed
    stray = _marked(iter(metadata.snapshots), LOAD_ID_PROPERTY, load_id)
    if stray is not None:
        raise HistoryTooShort(
            f"The load {load_id} landed in snapshot {stray.snapshot_id}, but main no longer descends from it: the "
            f"table was rolled back. Decide whether its files are to be loaded again: `autoloader settle {load_id} "
            "--not-loaded`, or `--loaded` if not."
        )
    return None


def in_ancestry(metadata: TableMetadata, load_id: UUID) -> int | None:
    """The snapshot of main's ancestry that brought the load, or None, whatever else the table holds."""
    snapshot = _marked(ancestry(metadata), LOAD_ID_PROPERTY, load_id)
    return None if snapshot is None else snapshot.snapshot_id


def fenced_in(metadata: TableMetadata, load_id: UUID) -> bool:
    """Whether a fence against the load is in main's ancestry."""
    return _marked(ancestry(metadata), FENCE_PROPERTY, load_id) is not None


def reaches_back_to(metadata: TableMetadata, since: datetime) -> bool:
    """Whether main's ancestry is whole from now back to ``since``, so that what is not in it did not happen."""
    oldest = None
    for oldest in ancestry(metadata):  # noqa: B007  only the last is wanted
        pass
    if oldest is None:
        return metadata.current_snapshot_id is None
    return oldest.parent_snapshot_id is None or oldest.timestamp_ms <= (since - CLOCK_SKEW).timestamp() * 1000


def _marked(snapshots: Iterator[Snapshot], name: str, load_id: UUID) -> Snapshot | None:
    mark = str(load_id)
    for snapshot in snapshots:
        if snapshot.summary is not None and snapshot.summary.additional_properties.get(name) == mark:
            return snapshot
    return None


def metadata_files(table: Table) -> dict[str, int]:
    """The metadata files that the table has had, as far back as it tells, with the instants (ms) they were written."""
    metadata = table.metadata
    former = {entry.metadata_file: entry.timestamp_ms for entry in metadata.metadata_log}
    return former | {table.metadata_location: metadata.last_updated_ms}
