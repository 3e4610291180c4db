"""Answers about verifications and how far one is."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from autoloader.api.answers.answer import Answer, NextCursor
from autoloader.model import (
    DifferenceKind,
    VerificationStatus,
)


class Difference(Answer):
    """One thing about which the ledger and the table do not agree."""

    number: int = Field(description="Its place among what was found.", examples=[1])
    kind: DifferenceKind
    message: str = Field(examples=["the ledger claims 100 rows of this file, and the table holds 0"])
    table: str = Field(examples=["lake.raw.events"])
    file_path: str | None = Field(description="Of the source file; of the data file where that is orphaned.")
    load_id: UUID | None
    snapshot_id: int | None
    expected: int | None = Field(description="Rows that the ledger claims.")
    found: int | None = Field(description="Rows that the table holds.")


class DifferencePage(Answer):
    """What a verification found, kind by kind."""

    items: list[Difference]
    next_cursor: NextCursor = None


class TableStanding(Answer):
    """How a table of the ingestion stands."""

    name: str = Field(examples=["lake.raw.events"])
    snapshot_id: int | None = Field(description="The snapshot that was looked at; null: there is nothing in the table.")
    data_files: int
    rows_claimed: int = Field(description="Rows that the ledger says are in it.")
    rows_found: int = Field(description="Rows in it that loads of this ingestion brought.")
    rows_of_others: int = Field(description="Rows that others brought: they are not judged.")
    loads_expired: int = Field(description="Loads whose snapshots the table's history no longer reaches back to.")


class VerificationReport(Answer):
    """What was found: `listed` is the sum of `loaded`, `failed`, `skipped` and `waiting`."""

    ingestion: str
    ledger_at: datetime = Field(description="The moment of the ledger; the table is looked at as it was then.")
    is_clean: bool = Field(description="Whether nothing differs.")
    listed: int = Field(description="Files in the bucket that the ingestion is about.")
    loaded: int
    failed: int
    skipped: dict[str, int] = Field(description="By reason.", examples=[{"TooLarge": 1}])
    waiting: dict[str, int] = Field(
        description="By reason: `new`, `changed`, `discovered`, `deferred`, `processing`.", examples=[{"new": 3}]
    )
    gone: int = Field(description="Files of the ledger that are not in the bucket any more.")
    loads_committed: int
    loads_open: int = Field(description="Loads that go on, or are lost and not decided: their rows are not judged.")
    tables: list[TableStanding]
    differences: dict[DifferenceKind, int] = Field(
        description="How many of each kind; none where nothing differs.", examples=[{"rows_missing": 2}]
    )


class Reading(Answer):
    """How far a verification or a validation has come."""

    what: str = Field(examples=["table"])
    done: int
    total: int | None


class Verification(Answer):
    """A comparison of bucket, ledger and table."""

    id: int = Field(examples=[1])
    ingestion_id: int
    tenant_id: str
    status: VerificationStatus = Field(description="SUCCESS: it could look. What it found, the report says.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reading: Reading | None = Field(description="How far it was a moment ago.")
    report: VerificationReport | None = Field(description="What it found; null until it has ended.")
    error_type: str | None
    error_message: str | None = Field(description="Why it could not look, where it is FAILED.")


class VerificationPage(Answer):
    """Verifications, the newest first."""

    items: list[Verification]
    next_cursor: NextCursor = None
