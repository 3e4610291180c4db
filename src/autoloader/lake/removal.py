"""Which data files of the base snapshot must go so that old rows go, and what comes in their place."""

from __future__ import annotations

import uuid
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyiceberg.manifest import ManifestContent
from pyiceberg.utils.concurrent import ExecutorFactory

from autoloader.lake.answers import translated
from autoloader.lake.data_files import loads_location, rewritten_location
from autoloader.lake.deletes import Deletes
from autoloader.lake.rewriting import OldFile, OldRows
from autoloader.model import LOAD_ID, SOURCE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.manifest import ManifestEntry, ManifestFile
    from pyiceberg.table import Table


@dataclass(frozen=True, slots=True)
class Split:
    """A manifest that must be written again: the entries that stay and those that go."""

    spec_id: int
    stays: tuple[ManifestEntry, ...]
    goes: tuple[ManifestEntry, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """What a snapshot takes away from its base.

    Attributes:
        untouched: manifests that are carried over as they are, those of delete files included.
        splits: manifests of which some entries go.
        rewritten: data files in place of some that go, without the old rows.
        deletes: delete files that go with a whole table's content.
    """

    untouched: tuple[ManifestFile, ...] = ()
    splits: tuple[Split, ...] = ()
    rewritten: tuple[DataFileEntry, ...] = ()
    deletes: tuple[DataFileEntry, ...] = ()

    @property
    def goes(self) -> list[ManifestEntry]:
        """Every data file entry that goes."""
        return [entry for split in self.splits for entry in split.goes]


def manifests_of(table: Table) -> list[ManifestFile]:
    """The manifests of main that still say something; empty for a table without a snapshot."""
    snapshot = table.metadata.current_snapshot()
    if snapshot is None:
        return []
    with translated(f"reading the manifests of {'.'.join(table.name())}"):
        found = snapshot.manifests(table.io)
    return [manifest for manifest in found if manifest.has_added_files() or manifest.has_existing_files()]


def remove_nothing(table: Table) -> Removal:
    """All of the base stays."""
    return Removal(untouched=tuple(manifests_of(table)))


def remove_everything(table: Table) -> Removal:
    """Nothing of the base stays; by metadata only."""
    splits: list[Split] = []
    deletes: list[DataFileEntry] = []
    for manifest, entries in _entries(table, manifests_of(table)):
        if manifest.content == ManifestContent.DATA:
            splits.append(Split(manifest.partition_spec_id, (), tuple(entries)))
        else:
            deletes.extend(entry.data_file for entry in entries)
    return Removal(splits=tuple(splits), deletes=tuple(deletes))


def remove_replaced(
    table: Table, replaced: Mapping[str, frozenset[UUID]], load_id: UUID, wrote: Callable[[str], None]
) -> Removal:
    """The rows of ``replaced`` go: whole data files by metadata, others are written again without those rows.

    Args:
        table: the base.
        replaced: loads by path.
        load_id: the load that replaces; names the folder of rewritten files.
        wrote: told each location before it is written, so that it can be removed if it comes to nothing.

    Raises:
        TableMismatch: a file that may hold such rows cannot be rewritten.
    """
    manifests = manifests_of(table)
    suspects = _Suspects(table, replaced)
    pruned = [
        (manifest, entries, [entry for entry in entries if suspects.includes(entry.data_file)])
        for manifest, entries in _entries(table, [m for m in manifests if m.content == ManifestContent.DATA])
    ]
    rewriter = _Rewriter(table, manifests, OldRows(replaced), rewritten_location(table, load_id), wrote)
    splits: dict[str, Split] = {}
    for manifest, entries, suspected in pruned:
        goes = {entry.data_file.file_path for entry in suspected if rewriter.goes(entry)}
        if goes:
            stays = tuple(entry for entry in entries if entry.data_file.file_path not in goes)
            gone = tuple(entry for entry in entries if entry.data_file.file_path in goes)
            splits[manifest.manifest_path] = Split(manifest.partition_spec_id, stays, gone)
    untouched = tuple(manifest for manifest in manifests if manifest.manifest_path not in splits)
    return Removal(untouched=untouched, splits=tuple(splits.values()), rewritten=tuple(rewriter.rewritten))


def _entries(table: Table, manifests: Sequence[ManifestFile]) -> list[tuple[ManifestFile, list[ManifestEntry]]]:
    with translated(f"reading the manifests of {'.'.join(table.name())}"):
        read = ExecutorFactory.get_or_create().map(lambda manifest: manifest.fetch_manifest_entry(table.io), manifests)
        return list(zip(manifests, read, strict=True))


class _Suspects:
    """Which data files may hold old rows, told by their path and their column bounds.

    The bounds are compared here and not by an expression: ten thousand paths make a tree that PyIceberg's visitors
    cannot climb.
    """

    def __init__(self, table: Table, replaced: Mapping[str, frozenset[UUID]]) -> None:
        loads = {str(load) for ids in replaced.values() for load in ids}
        self._loads = loads
        self._loads_location = loads_location(table)
        self._wanted = [
            (_field_id(table, SOURCE_FILE), sorted(path.encode() for path in replaced)),
            (_field_id(table, LOAD_ID), sorted(load.encode() for load in loads)),
        ]

    def includes(self, data_file: DataFileEntry) -> bool:
        """False only when no row of the file can be meant."""
        brought_by = self._load_of(data_file.file_path)
        if brought_by is not None and brought_by not in self._loads:
            return False
        return all(
            _any_between(values, (data_file.lower_bounds or {}).get(i), (data_file.upper_bounds or {}).get(i))
            for i, values in self._wanted
        )

    def _load_of(self, location: str) -> str | None:
        """The load whose folder the file is in; None for rewritten files and those of other writers."""
        if not location.startswith(self._loads_location):
            return None
        folder = location.removeprefix(self._loads_location).split("/", 1)[0]
        try:
            return str(uuid.UUID(folder))
        except ValueError:
            return None


def _any_between(values: list[bytes], lower: bytes | None, upper: bytes | None) -> bool:
    """Whether one of the sorted values may lie within the bounds; a bound that is missing excludes nothing."""
    first = 0 if lower is None else bisect_left(values, lower)
    return first < len(values) and (upper is None or values[first] <= upper)


def _field_id(table: Table, column: str) -> int:
    return table.schema().find_field(column, case_sensitive=False).field_id


@dataclass
class _Rewriter:
    table: Table
    manifests: Sequence[ManifestFile]
    old: OldRows
    folder: str
    wrote: Callable[[str], None]
    rewritten: list[DataFileEntry] = field(default_factory=list)
    _deletes: Deletes | None = None

    def goes(self, entry: ManifestEntry) -> bool:
        """Whether the file must leave the table; what stays of it is then among ``rewritten``."""
        file = OldFile(self.table, entry.data_file, self._deletes_of(entry))
        count = file.count(self.old)
        if count.leaving == 0:
            return False
        if count.leaving < count.live:
            location = f"{self.folder}/{uuid.uuid4()}.parquet"
            self.wrote(location)
            self.rewritten.append(file.rewrite(self.old, location))
        return True

    def _deletes_of(self, entry: ManifestEntry) -> frozenset[DataFileEntry]:
        if self._deletes is None:
            manifests = [manifest for manifest in self.manifests if manifest.content == ManifestContent.DELETES]
            found = (entry for _, entries in _entries(self.table, manifests) for entry in entries)
            self._deletes = Deletes(self.table, found)
        return self._deletes.of(entry)
