"""Verifications: what the bucket, the ledger and the table say about each other, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID


class VerificationStatus(StrEnum):
    """A verification that a worker does ends as SUCCESS, whatever it found, or as FAILED, if it could not look."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class DifferenceKind(StrEnum):
    """What can differ; in the order in which differences are told: what explains others comes first."""

    TABLE_MISSING = "table_missing"
    COLUMN_MISSING = "column_missing"
    ROLLED_BACK = "rolled_back"
    LANDED_TWICE = "landed_twice"
    SNAPSHOT_UNRECORDED = "snapshot_unrecorded"
    LEDGER_CONTRADICTION = "ledger_contradiction"
    ROWS_MISSING = "rows_missing"
    ROWS_TOO_MANY = "rows_too_many"
    ROWS_OUTDATED = "rows_outdated"
    ROWS_UNRECORDED = "rows_unrecorded"
    ROWS_OF_UNKNOWN_FILE = "rows_of_unknown_file"
    ROWS_OF_UNKNOWN_LOAD = "rows_of_unknown_load"
    ORPHANED_DATA_FILE = "orphaned_data_file"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing about which the ledger and the table do not agree.

    Attributes:
        message: what differs, in one sentence.
        table: by its full name.
        file_path: of the source file, or of the data file that is orphaned.
        expected: rows that the ledger claims.
        found: rows that the table holds.
    """

    kind: DifferenceKind
    message: str
    table: str
    file_path: str | None = None
    load_id: UUID | None = None
    snapshot_id: int | None = None
    expected: int | None = None
    found: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TableStanding:
    """How one table of the ingestion stands.

    Attributes:
        name: ``catalog.database.table``.
        snapshot_id: the one that was looked at; None where there is no table, or nothing in it.
        data_files: of that snapshot.
        rows_claimed: rows that the ledger says are in it.
        rows_found: rows in it that this ingestion's loads brought.
        rows_of_others: rows that other ingestions or other writers brought; they are not judged.
        loads_expired: committed loads whose snapshot the table's history no longer reaches back to.
    """

    name: str
    snapshot_id: int | None
    data_files: int = 0
    rows_claimed: int = 0
    rows_found: int = 0
    rows_of_others: int = 0
    loads_expired: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationReport:
    """What a verification found: ``listed = loaded + failed + skipped + waiting``, and how many things differ.

    Attributes:
        ledger_at: the moment of the ledger, by its own clock; the table is looked at as it was then.
        listed: files in the bucket that the ingestion is about.
        loaded: of these, the ones whose listed version is in the table by the ledger.
        skipped: by reason (``TooLarge``, ``ChangedIgnored``, …).
        waiting: by reason: ``new`` (not in the ledger yet), ``changed`` (another version than the ledger's),
            ``discovered``, ``deferred`` (put back until the next run), ``processing``.
        gone: files of the ledger that are not in the bucket any more; no difference, their rows are judged as well.
        loads_committed: loads by the ledger.
        loads_open: loads that go on or are lost; their rows are not judged yet.
        differences: how many of each kind.
    """

    ingestion: str
    ledger_at: datetime
    listed: int
    loaded: int
    failed: int
    skipped: Mapping[str, int]
    waiting: Mapping[str, int]
    gone: int
    loads_committed: int
    loads_open: int
    tables: tuple[TableStanding, ...]
    differences: Mapping[DifferenceKind, int] = field(default_factory=dict)

    @property
    def differing(self) -> int:
        """How many things differ."""
        return sum(self.differences.values())

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs."""
        return not self.differing


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How far a verification has come.

    Attributes:
        what: ``ledger``, ``bucket``, ``table`` or ``storage``.
        done: rows, objects, data files or stored files so far.
        total: of how many; None where nobody knows.
    """

    what: str
    done: int
    total: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """A verification that waits for a worker, goes on or has ended.

    Attributes:
        reading: how far it was a moment ago, while it goes on.
        report: once it has ended as SUCCESS; the differences themselves are asked for page by page.
        error_message: why it could not look, where it is FAILED.
    """

    id: int
    ingestion_id: int
    tenant_id: str
    status: VerificationStatus
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reading: Reading | None
    report: VerificationReport | None
    error_type: str | None
    error_message: str | None
