"""Answers about files, their records and their loads."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from autoloader.api.answers.answer import Answer, NextCursor
from autoloader.model import (
    FileStatus,
    LoadState,
)


class File(Answer):
    """The current version of one path of an ingestion, and what became of it."""

    id: int = Field(examples=[1])
    ingestion_id: int
    run_id: int | None
    file_path: str = Field(examples=["s3://landing/events/a.json"])
    file_size_bytes: int
    file_modified_at: datetime
    file_etag: str
    status: FileStatus
    discovered_at: datetime
    processing_started_at: datetime | None
    processed_at: datetime | None
    records_ingested: int
    records_rejected: int
    bytes_read: int
    processing_duration_ms: int | None
    error_message: str | None
    error_type: str | None
    retry_count: int
    load_id: UUID | None
    snapshot_id: int | None = Field(description="The Iceberg snapshot its rows came with.")
    created_at: datetime
    updated_at: datetime


class FilePage(Answer):
    """Files by path."""

    items: list[File]
    next_cursor: NextCursor = None


class Reject(Answer):
    """A bad record that its file was loaded without."""

    file_path: str
    file_etag: str | None
    load_id: str = Field(description="The load that set it apart, and brought the good records of its file.")
    line: int | None = Field(description="The line where it begins; in a JSON document, the number of the element.")
    column: str | None = Field(description="The column at fault; null: the record as a whole.")
    reason: str | None = Field(description="A stable code.", examples=["malformed", "not_bigint"])
    message: str | None
    raw: str | None = Field(description="Its text, 64 KiB at most.")
    rejected_at: datetime


class RejectPage(Answer):
    """Rejects, those of the newest loads first."""

    items: list[Reject]
    next_cursor: NextCursor = None


class FileCounts(Answer):
    """How many files of an ingestion are in each status."""

    files: dict[FileStatus, int] = Field(examples=[{"DISCOVERED": 0, "PROCESSING": 0, "SUCCESS": 12}])


class FileVersion(Answer):
    """One version of a file in one load, or a decision of discovery about it."""

    file_etag: str
    file_size_bytes: int
    file_modified_at: datetime
    status: FileStatus = Field(description="DISCOVERED: it was put back and waits again.")
    run_id: int
    load_id: UUID | None
    load_state: LoadState | None
    snapshot_id: int | None
    worker: str | None
    started_at: datetime | None
    recorded_at: datetime
    records_ingested: int
    records_rejected: int
    bytes_read: int
    duration_ms: int | None
    error_type: str | None
    error_message: str | None


class FileStory(File):
    """A file with every earlier version and attempt, the oldest first."""

    history: list[FileVersion]


class Load(Answer):
    """One attempt to put a fixed set of file versions into one snapshot."""

    id: UUID
    ingestion_id: int
    run_id: int
    state: LoadState
    worker: str
    lease_until: datetime
    started_at: datetime
    prepared_at: datetime | None = Field(description="When its outcomes were stored; it is sent only after that.")
    ended_at: datetime | None
    table_name: str = Field(examples=["lake.raw.events"])
    snapshot_id: int | None
    files: int
    bytes: int
    error_type: str | None = Field(description="`HistoryTooShort`: only a person can settle it.")
    error_message: str | None


class LostLoads(Answer):
    """Lost loads, the oldest first."""

    items: list[Load]


class Retried(Answer):
    """How many files wait again."""

    files: int = Field(examples=[3])
