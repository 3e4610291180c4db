"""What the snapshots of a table say about loads, and the moment at which a table is compared with the ledger."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoloader.lake.snapshots import INGESTION_PROPERTY, LOAD_ID_PROPERTY, ancestry, reaches_back_to

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime
    from uuid import UUID

    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class Mark:
    """A snapshot that a load left.

    Attributes:
        ingestion: the name that its ingestion had then.
    """

    snapshot_id: int
    load_id: UUID
    ingestion: str | None


@dataclass(frozen=True, slots=True)
class History:
    """Loads in the history of main, and loads that main has left.

    Attributes:
        main: by load, the snapshots of main's ancestry that carry its id.
        aside: by load, a snapshot that is still there and none of main's ancestors.
        ancestors: every snapshot of main's ancestry that is still there.
    """

    metadata: TableMetadata
    main: dict[UUID, list[Mark]] = field(default_factory=lambda: defaultdict(list))
    aside: dict[UUID, Mark] = field(default_factory=dict)
    ancestors: set[int] = field(default_factory=set)

    def reaches_back_to(self, at: datetime) -> bool:
        """Whether a load that began then must be found in it, if it landed and main was not moved."""
        return reaches_back_to(self.metadata, at)

    def has(self, load_id: UUID, snapshot_id: int) -> bool:
        """Whether the load is in the history of main, by its id or by its snapshot."""
        return load_id in self.main or snapshot_id in self.ancestors


def history(metadata: TableMetadata) -> History:
    """Read the history of main."""
    found = History(metadata)
    for snapshot in ancestry(metadata):
        found.ancestors.add(snapshot.snapshot_id)
        if (mark := mark_of(snapshot)) is not None:
            found.main[mark.load_id].append(mark)
    for snapshot in metadata.snapshots:
        if snapshot.snapshot_id not in found.ancestors and (mark := mark_of(snapshot)) is not None:
            found.aside[mark.load_id] = mark
    return found


def mark_of(snapshot: Snapshot) -> Mark | None:
    """What load a snapshot brought, if it says so."""
    said = {} if snapshot.summary is None else snapshot.summary.additional_properties
    try:
        load_id = uuid.UUID(said.get(LOAD_ID_PROPERTY, ""))
    except ValueError:
        return None
    return Mark(snapshot.snapshot_id, load_id, said.get(INGESTION_PROPERTY))


def before(metadata: TableMetadata, later: Container[UUID]) -> tuple[Snapshot | None, bool]:
    """The newest snapshot of main's ancestry in whose own ancestry is none of the ``later`` loads.

    Returns:
        The snapshot, None for the empty table; and whether it is still there: a snapshot may have been expired.
    """
    chosen, parent = metadata.current_snapshot(), None
    found = False
    for snapshot in ancestry(metadata):
        if found:
            chosen, found = snapshot, False
        mark = mark_of(snapshot)
        if mark is not None and mark.load_id in later:
            found, chosen, parent = True, None, snapshot.parent_snapshot_id
    return chosen, not found or parent is None
