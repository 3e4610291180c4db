"""One snapshot built on one base: written to storage, sent as a commit, and cleaned up if it came to nothing.

PyIceberg's snapshot producer writes the manifest list and the update of main; what the manifests say is decided here.
Its own overwrite reads every manifest three times and builds an expression of every partition; it also keeps the delete
files of a table whose whole content goes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog
from pyiceberg.manifest import ManifestEntry, ManifestEntryStatus
from pyiceberg.table import TableProperties
from pyiceberg.table.snapshots import Operation, SnapshotSummaryCollector, Summary, update_snapshot_summaries
from pyiceberg.table.update import AddSnapshotUpdate, AssertTableUUID
from pyiceberg.table.update.snapshot import _SnapshotProducer
from pyiceberg.typedef import EMPTY_DICT

from autoloader.errors import LakeError
from autoloader.lake.answers import Answer, send, translated
from autoloader.lake.data_files import remove
from autoloader.lake.growth import growing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from pyiceberg.manifest import DataFile as DataFileEntry
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table, Transaction
    from pyiceberg.table.update import TableRequirement, TableUpdate

    from autoloader.lake.growth import Growth
    from autoloader.lake.removal import Removal

log = structlog.get_logger(__name__)


class _Producer(_SnapshotProducer["_Producer"]):
    """Adds ``added`` to the base and takes ``removal`` away from it, in one snapshot."""

    def __init__(
        self,
        transaction: Transaction,
        table: Table,
        added: Sequence[DataFileEntry],
        removal: Removal,
        marks: dict[str, str],
    ) -> None:
        changes = removal.splits or removal.deletes
        super().__init__(
            operation=Operation.OVERWRITE if changes else Operation.APPEND,
            transaction=transaction,
            io=table.io,
            snapshot_properties=marks,
        )
        self._added = [*added, *removal.rewritten]
        self._removal = removal

    def built(self) -> tuple[tuple[TableUpdate, ...], tuple[TableRequirement, ...]]:
        """Write manifests and manifest list; the commit that would make them main."""
        return self._commit()

    @property
    def written(self) -> list[str]:
        """Every file written for this snapshot so far."""
        return [*self._written_manifests, *self._written_manifest_lists]

    def _manifests(self) -> list[ManifestFile]:
        return [*self._written_added(), *self._existing_manifests()]

    def _written_added(self) -> Iterable[ManifestFile]:
        by_spec: dict[int, list[DataFileEntry]] = defaultdict(list)
        for data_file in self._added:
            by_spec[data_file.spec_id].append(data_file)
        for spec_id, data_files in by_spec.items():
            yield self._manifest(spec_id, [self._entry(ManifestEntryStatus.ADDED, added) for added in data_files])

    def _existing_manifests(self) -> list[ManifestFile]:
        split = [
            self._manifest(part.spec_id, [*(_copied(entry) for entry in part.stays), *self._deletions(part.goes)])
            for part in self._removal.splits
        ]
        return [*split, *self._removal.untouched]

    def _deleted_entries(self) -> list[ManifestEntry]:
        return self._deletions(self._removal.goes)

    def _deletions(self, entries: Iterable[ManifestEntry]) -> list[ManifestEntry]:
        return [self._entry(ManifestEntryStatus.DELETED, entry.data_file, entry) for entry in entries]

    def _entry(
        self, status: ManifestEntryStatus, data_file: DataFileEntry, was: ManifestEntry | None = None
    ) -> ManifestEntry:
        return ManifestEntry.from_args(
            status=status,
            snapshot_id=self.snapshot_id,
            sequence_number=None if was is None else was.sequence_number,
            file_sequence_number=None if was is None else was.file_sequence_number,
            data_file=data_file,
        )

    def _manifest(self, spec_id: int, entries: Sequence[ManifestEntry]) -> ManifestFile:
        with self.new_manifest_writer(self.spec(spec_id)) as writer:
            for entry in entries:
                writer.add_entry(entry)
        return writer.to_manifest_file()

    def _summary(self, snapshot_properties: dict[str, str] = EMPTY_DICT) -> Summary:
        metadata = self._transaction.table_metadata
        limit = metadata.properties.get(TableProperties.WRITE_PARTITION_SUMMARY_LIMIT, "0")
        collector, schema, specs = SnapshotSummaryCollector(int(limit)), metadata.schema(), metadata.specs()
        for added in self._added:
            collector.add_file(added, schema, specs[added.spec_id])
        for gone in (*(entry.data_file for entry in self._removal.goes), *self._removal.deletes):
            collector.remove_file(gone, schema, specs[gone.spec_id])
        base = metadata.snapshot_by_id(self._parent_snapshot_id) if self._parent_snapshot_id is not None else None
        return update_snapshot_summaries(
            Summary(operation=self._operation, **collector.build(), **snapshot_properties),
            base.summary if base is not None else None,
        )


def _copied(entry: ManifestEntry) -> ManifestEntry:
    return ManifestEntry.from_args(
        status=ManifestEntryStatus.EXISTING,
        snapshot_id=entry.snapshot_id,
        sequence_number=entry.sequence_number,
        file_sequence_number=entry.file_sequence_number,
        data_file=entry.data_file,
    )


def _dated(update: TableUpdate, timestamp_ms: int) -> TableUpdate:
    """The update, with another time where it adds a snapshot: PyIceberg asks the clock of this machine."""
    if not isinstance(update, AddSnapshotUpdate):
        return update
    return AddSnapshotUpdate(snapshot=update.snapshot.model_copy(update={"timestamp_ms": timestamp_ms}))


@dataclass
class Attempt:
    """A snapshot that asserts its base.

    Attributes:
        base: the table as it was read; main pointed at ``base_id`` then.
        wrote: every file that only this attempt uses.
        sent: whether the catalog may have heard of it. A sent attempt can land for as long as main stays at its base.
    """

    base: Table
    wrote: list[str] = field(default_factory=list)
    sent: bool = False
    snapshot_id: int = 0
    _updates: tuple[TableUpdate, ...] = ()
    _requirements: tuple[TableRequirement, ...] = ()

    @property
    def base_id(self) -> int | None:
        """The snapshot that main must still point at."""
        return self.base.metadata.current_snapshot_id

    def build(
        self,
        added: Sequence[DataFileEntry],
        removal: Removal,
        marks: dict[str, str],
        now: datetime | None = None,
        growth: Growth | None = None,
    ) -> None:
        """Write the snapshot's manifests.

        Args:
            now: the time of the snapshot, unless the base says a later one: catalogs refuse to go back in time. None:
                by the clock of this machine.
            growth: columns that the table gets with this snapshot.

        Raises:
            TableMoved: the data files do not fit the base any more.
            LakeError: the storage fails; what was written is in ``wrote``.
        """
        transaction = self.base.transaction() if growth is None else growing(self.base, growth)
        producer = _Producer(transaction, self.base, added, removal, marks)
        try:
            with translated(f"writing the manifests of {'.'.join(self.base.name())}"):
                updates, requirements = producer.built()
        finally:
            self.wrote.extend(producer.written)
        grown = transaction._updates  # noqa: SLF001  the schema's; there is no other way to send them with a snapshot
        asserted = transaction._requirements  # noqa: SLF001  likewise
        self._updates = (*grown, *(_dated(update, self._no_earlier(now)) for update in updates))
        self._requirements = (AssertTableUUID(uuid=self.base.metadata.table_uuid), *asserted, *requirements)
        self.snapshot_id = producer.snapshot_id

    def _no_earlier(self, now: datetime | None) -> int:
        """The time of the snapshot, in milliseconds."""
        base = self.base.metadata.current_snapshot()
        told = time.time() if now is None else now.timestamp()
        return max(int(told * 1000), 0 if base is None else base.timestamp_ms)

    def send(self) -> Answer:
        """Send the commit once; it may be sent again while the table has not changed."""
        self.sent = True
        return send(self.base, self._requirements, self._updates)

    def discard(self) -> None:
        """Remove what was written, once it is known that this attempt is not in the table and cannot come to be.

        A file that cannot be removed stays behind unused, and is logged.
        """
        for location in self.wrote:
            try:
                remove(self.base, location)
            except LakeError as error:
                log.warning("attempt.leftover", location=location, reason=str(error))
        self.wrote.clear()
