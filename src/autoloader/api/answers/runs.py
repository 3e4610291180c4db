"""Answers about runs."""

from datetime import datetime

from pydantic import Field

from autoloader.api.answers.answer import Answer, NextCursor
from autoloader.model import (
    RunStatus,
    RunTrigger,
)


class RunError(Answer):
    """Why a run, or a file of it, failed."""

    message: str
    type: str
    file_path: str | None
    timestamp: datetime


class Run(Answer):
    """One trigger of an ingestion. Its counters are the truth of the ledger."""

    id: int = Field(examples=[1])
    ingestion_id: int
    tenant_id: str
    cluster_id: str | None
    trigger: RunTrigger
    status: RunStatus = Field(description="SUCCESS with `files_failed` above 0: some files did not load.")
    since: datetime | None = Field(description="It looks only at objects modified at this instant or later.")
    max_files: int | None = Field(description="It takes so many new or changed files at most.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None
    listed_at: datetime | None = Field(description="When the listing of the bucket was complete.")
    files_discovered: int
    files_processed: int
    files_succeeded: int
    files_failed: int
    files_skipped: int
    records_ingested: int
    records_rejected: int = Field(description="Bad records of files that loaded without them.")
    bytes_read: int
    errors: list[RunError]


class RunPage(Answer):
    """Runs, the newest first."""

    items: list[Run]
    next_cursor: NextCursor = None
