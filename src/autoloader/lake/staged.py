"""Snapshots that another engine staged (Spark's ``spark.wap.id``): their data files, taken over or thrown away."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING

from pyiceberg.manifest import ManifestContent, ManifestEntryStatus
from pyiceberg.table.update import AssertTableUUID, RemoveSnapshotsUpdate

from autoloader.errors import TableMismatch
from autoloader.lake.answers import translated
from autoloader.lake.rewriting import OldFile, RowsOf
from autoloader.lake.snapshots import refreshed
from autoloader.lake.whose import COLUMNS, rows
from autoloader.model import StagedRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

    from autoloader.model import Staged

WAP_ID = "wap.id"
PUBLISHED_WAP_ID = "published-wap-id"
SOURCE_SNAPSHOT_ID = "source-snapshot-id"
"""In the summary of the snapshot that publishes a staged one: Java's ``expire_snapshots`` then keeps its data files."""

STAGING = "write.wap.enabled"
"""Without this property of the table Spark would commit to main, whatever it is told."""


_HASHED = {"write.object-storage.enabled": "true", "write.object-storage.partitioned-paths": "false"}
"""A partition's value is a text of any length and kind; as a part of a key it may be more than a store takes."""


def allow_staging(table: Table) -> Table:
    """The table, with the properties that let Spark stage; what somebody decided about its paths stays.

    Raises:
        LakeError: the catalog does not answer or refuses.
    """
    wanted = {STAGING: "true"} | ({} if table.spec().is_unpartitioned() else _HASHED)
    if table.properties.get(STAGING) == "true" and wanted.keys() <= table.properties.keys():
        return table
    with translated(f"setting {STAGING} on {'.'.join(table.name())}"):
        table.refresh()
        given = {name: value for name, value in wanted.items() if name == STAGING or name not in table.properties}
        with table.transaction() as transaction:
            transaction.set_properties(given)
    return table


def staged_rows(table: Table, load_id: UUID) -> tuple[int, dict[str, StagedRows]]:
    """The snapshot that a load has staged and, by source path, its rows: of its data files two columns are read.

    Args:
        table: a handle that was made before the snapshot was staged.
        load_id: the load, under whose id it was staged.

    Raises:
        TableMismatch: there is no such snapshot: it was committed to main, or somebody took it away.
        CatalogUnavailable: the catalog or the storage does not answer.
    """
    fresh = refreshed(table)
    snapshot = next((each for each in fresh.metadata.snapshots if _wap_id(each) == str(load_id)), None)
    if snapshot is None:
        raise TableMismatch(
            f"Spark wrote into {'.'.join(table.name())}, and no staged snapshot is there: "
            f"is its property {STAGING} true?"
        )
    with translated(f"reading what was staged in {'.'.join(table.name())}"):
        manifests = _own_manifests(fresh, snapshot)
    count: Counter[str] = Counter()
    suspicious = set()
    for part in rows(fresh, manifests):
        for path, load, number in zip(*(part.counted.column(name).to_pylist() for name in COLUMNS.names), strict=True):
            count[path] += number
            if load is None:
                suspicious.add(path)
    return snapshot.snapshot_id, {path: StagedRows(number, path in suspicious) for path, number in count.items()}


def taken(table: Table, staged: Staged, folder: str) -> list[DataFileEntry]:
    """The data files of a staged snapshot; those with rows that must not be published are written again without them.

    Args:
        table: a handle that was made before the snapshot was staged.
        staged: the snapshot.
        folder: where files that are written again go.

    Raises:
        TableMismatch: there is no such snapshot.
    """
    fresh = refreshed(table)
    snapshot = fresh.snapshot_by_id(staged.snapshot_id)
    if snapshot is None:
        raise TableMismatch(f"The snapshot {staged.snapshot_id} that Spark staged is not in {'.'.join(table.name())}.")
    added = list(_added(fresh, snapshot))
    if not staged.without:
        return added
    leaving = RowsOf(staged.without)
    return [kept for entry in added if (kept := _without(fresh, entry, leaving, folder)) is not None]


def _without(table: Table, entry: DataFileEntry, leaving: RowsOf, folder: str) -> DataFileEntry | None:
    file = OldFile(table, entry, frozenset())
    count = file.count(leaving)
    if count.leaving == count.live:
        return None
    return file.rewrite(leaving, f"{folder}/{uuid.uuid4()}.parquet") if count.leaving else entry


def _added(table: Table, snapshot: Snapshot) -> Iterator[DataFileEntry]:
    with translated(f"reading what was staged in {'.'.join(table.name())}"):
        for manifest in _own_manifests(table, snapshot):
            for entry in manifest.fetch_manifest_entry(table.io):
                if entry.status is ManifestEntryStatus.ADDED:
                    yield entry.data_file


def _own_manifests(table: Table, snapshot: Snapshot) -> list[ManifestFile]:
    return [
        manifest
        for manifest in snapshot.manifests(table.io)
        if manifest.added_snapshot_id == snapshot.snapshot_id and manifest.content is ManifestContent.DATA
    ]


def _wap_id(snapshot: Snapshot) -> str | None:
    return snapshot.summary.additional_properties.get(WAP_ID) if snapshot.summary else None


def unstage(table: Table, load_id: UUID) -> list[str]:
    """Take what a load staged, and never published, out of the table's metadata; the files that then belong to nobody.

    Raises:
        CatalogUnavailable: no clear answer; what was staged is left to ``expire_snapshots``.
    """
    fresh = refreshed(table)
    mine = [snapshot for snapshot in fresh.metadata.snapshots if _wap_id(snapshot) == str(load_id)]
    orphans: list[str] = []
    for snapshot in mine:
        with translated(f"reading what was staged in {'.'.join(table.name())}"):
            orphans += [entry.file_path for entry in _added(fresh, snapshot)]
            orphans += [manifest.manifest_path for manifest in _own_manifests(fresh, snapshot)]
            orphans.append(snapshot.manifest_list)
    if mine:
        gone = RemoveSnapshotsUpdate(snapshot_ids=[snapshot.snapshot_id for snapshot in mine])
        with translated(f"removing what was staged in {'.'.join(table.name())}"):
            fresh.catalog.commit_table(fresh, (AssertTableUUID(uuid=fresh.metadata.table_uuid),), (gone,))
    return orphans
