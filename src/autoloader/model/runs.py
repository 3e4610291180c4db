"""Runs, and what a listing found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class RunStatus(StrEnum):
    """A run ends as SUCCESS, FAILED or CANCELLED; SUCCESS with failed files is shown as ``SUCCESS (partial)``."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class RunTrigger(StrEnum):
    """What set a run off."""

    MANUAL = "manual"
    SCHEDULED = "scheduled"
    EVENT = "event"
    RETRY = "retry"
    BACKFILL = "backfill"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunError:
    """One entry of a run's ``errors``."""

    message: str
    type: str
    file_path: str | None
    timestamp: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One trigger of an ingestion. Its counters are the truth of the ledger.

    Attributes:
        since: whoever leads looks only at objects modified at this instant or later; None: at all.
        max_files: whoever leads stops once the run found so many new or changed files; None: never.
        listed_at: when the listing of the bucket was complete; None while it goes on.
        files_discovered: files this run had to decide about: new, changed, tried again, skipped; not unchanged ones.
        files_processed: files of them that were loaded or failed.
        worker: who leads the run: lists its bucket.
    """

    id: int
    ingestion_id: int
    tenant_id: str
    cluster_id: str | None
    trigger: RunTrigger
    status: RunStatus
    since: datetime | None
    max_files: int | None
    started_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None
    listed_at: datetime | None
    files_discovered: int
    files_processed: int
    files_succeeded: int
    files_failed: int
    files_skipped: int
    records_ingested: int
    records_rejected: int
    bytes_read: int
    errors: tuple[RunError, ...]
    created_at: datetime
    worker: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListingCounts:
    """What a listing, or a part of one, meant for the ledger. Add parts up.

    Attributes:
        listed: objects looked at.
        new: paths never seen before that wait to be loaded now.
        changed: known paths with another etag that wait to be loaded now.
        unchanged: known paths about which nothing was to be done, those in a running load included.
        skipped: files that discovery decided not to load: too large, ignored change.
        refused: changed files of an ingestion with ``on_changed_file = fail``: FAILED.
        requeued: known versions that wait again: failed or put back before, or no longer too large.
    """

    listed: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    skipped: int = 0
    refused: int = 0
    requeued: int = 0

    def __add__(self, other: ListingCounts) -> ListingCounts:
        mine, others = self.as_dict(), other.as_dict()
        return ListingCounts(**{name: count + others[name] for name, count in mine.items()})

    def as_dict(self) -> dict[str, int]:
        """The counts by name, for a log line."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """How much waits to be loaded."""

    files: int
    bytes: int
