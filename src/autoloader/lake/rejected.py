"""Rejects as people ask for them: a page at a time, as of one snapshot, in bounded time and memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.manifest import ManifestContent

from autoloader.errors import UsageError
from autoloader.lake.deletes import Deletes
from autoloader.lake.rewriting import OldFile
from autoloader.lake.whose import entries_of, manifests_at
from autoloader.model import LOAD_ID, LOADED_AT, SOURCE_FILE, Reject, RejectPlace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyiceberg.manifest import ManifestEntry, ManifestFile
    from pyiceberg.table import Table

    from autoloader.model import WantedRejects

SECONDS = 2.0
"""A page that took so long is told as far as it is; the next one goes on there."""
MOST_CHARACTERS = 8 * 1024**2
"""So much text of records is on a page; one record at least."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rejects, and where the next ones are; None where there are no more."""

    items: list[Reject]
    following: RejectPlace | None


def page(
    table: Table,
    wanted: WantedRejects,
    *,
    limit: int,
    after: RejectPlace | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Page:
    """The next rejects that are wanted, those of the newest loads first.

    Where few pass, a page may hold fewer than ``limit``, or none, although there is more to be looked at.

    Args:
        after: ``following`` of the page before; None: begin with the table as it is now.
        clock: seconds, for the time that a page may take.

    Raises:
        UsageError: the snapshot of ``after`` was expired, or is not one of this table.
        TableMismatch: the table is none of ours: a data file is not Parquet, or a column is missing.
        CatalogUnavailable: the storage does not answer.
    """
    snapshot = table.metadata.current_snapshot()
    if after is not None:
        snapshot = table.metadata.snapshot_by_id(after.snapshot_id)
        if snapshot is None:
            raise UsageError("cursor: the table no longer keeps what it was then: begin anew", field="cursor")
    if snapshot is None:
        return Page([], None)
    begin = after or RejectPlace(snapshot.snapshot_id, 0, 0, 0)
    reading = _Reading(table, wanted, limit, begin, manifests_at(table, snapshot), clock)
    return Page(reading.items, reading.read())


@dataclass
class _Reading:
    table: Table
    wanted: WantedRejects
    limit: int
    begin: RejectPlace
    manifests: list[ManifestFile]
    clock: Callable[[], float]
    items: list[Reject] = field(default_factory=list)
    characters: int = 0

    def read(self) -> RejectPlace | None:
        """Fill ``items``; where the next page begins."""
        until = self.clock() + SECONDS
        deletes = Deletes(self.table, self._deletes())
        for place, entry in self._data_files():
            if not self._may_hold(entry):
                continue
            old, at = OldFile(self.table, entry.data_file, deletes.of(entry)), 0
            for batch in old.rows():
                end = at + batch.num_rows
                if end > place.row:
                    stopped = self._take(batch, at, max(place.row - at, 0))
                    if stopped is not None:
                        return RejectPlace(place.snapshot_id, place.manifest, place.data_file, stopped)
                at = end
                if self.clock() > until:
                    return RejectPlace(place.snapshot_id, place.manifest, place.data_file, at)
        return None

    def _deletes(self) -> Iterator[ManifestEntry]:
        for manifest in self.manifests:
            if manifest.content == ManifestContent.DELETES:
                yield from entries_of(self.table, manifest)

    def _data_files(self) -> Iterator[tuple[RejectPlace, ManifestEntry]]:
        first = self.begin
        for number, manifest in enumerate(self.manifests):
            if number < first.manifest or manifest.content != ManifestContent.DATA:
                continue
            for at, entry in enumerate(entries_of(self.table, manifest)):
                if (number, at) >= (first.manifest, first.data_file):
                    row = first.row if (number, at) == (first.manifest, first.data_file) else 0
                    yield RejectPlace(first.snapshot_id, number, at, row), entry

    def _may_hold(self, entry: ManifestEntry) -> bool:
        """Whether the bounds of a data file allow for a row that is wanted."""
        lower, upper = entry.data_file.lower_bounds or {}, entry.data_file.upper_bounds or {}
        for column, value in ((SOURCE_FILE, self.wanted.path), (LOAD_ID, self.wanted.load_id)):
            number = self.table.schema().find_field(column).field_id
            if value is None or number not in lower or number not in upper:
                continue
            text, low, high = value.encode(), lower[number], upper[number]
            # A bound may be cut: an upper one is then rounded up, a lower one down.
            if text < low or text > high:
                return False
        return True

    def _take(self, batch: pa.RecordBatch, at: int, skipped: int) -> int | None:
        """Keep the rows that are wanted from ``skipped`` on; the row of the file at which the page was full."""
        wanted = self._matching(batch)
        for row in range(skipped, batch.num_rows):
            if not wanted[row]:
                continue
            if self.items and (len(self.items) >= self.limit or self.characters >= MOST_CHARACTERS):
                return at + row
            item = _reject({name: batch.column(name)[row].as_py() for name in batch.schema.names})
            self.items.append(item)
            self.characters += len(item.raw or "")
        return None

    def _matching(self, batch: pa.RecordBatch) -> list[bool]:
        columns = {
            SOURCE_FILE: self.wanted.path,
            "reason": self.wanted.reason,
            "column_name": self.wanted.column,
            LOAD_ID: self.wanted.load_id,
        }
        found: Any = pc.is_valid(batch.column(SOURCE_FILE))
        for column, value in columns.items():
            if value is not None:
                same: Any = pc.equal(batch.column(column), pa.scalar(value, batch.column(column).type))
                found = pc.and_(found, pc.fill_null(same, False))
        return list(found.to_pylist())


def _reject(row: dict[str, Any]) -> Reject:
    return Reject(
        file_path=row[SOURCE_FILE],
        file_etag=row["file_etag"],
        load_id=row[LOAD_ID],
        line=row["line"],
        column=row["column_name"],
        reason=row["reason"],
        message=row["message"],
        raw=row["raw"],
        rejected_at=row[LOADED_AT],
    )
