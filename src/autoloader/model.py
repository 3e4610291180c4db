"""The vocabulary as frozen values: ingestion, run, file, load, outcome, and their statuses.

Nothing here does anything; every other room speaks in these words.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from pathlib import Path
    from uuid import UUID

DEFAULT_TENANT = "default"
DEFAULT_MAX_FILE_SIZE_BYTES = 5 * 1024**3
DEFAULT_MAX_RETRIES = 3

SOURCE_FILE = "_source_file"
SOURCE_MODIFIED_AT = "_source_modified_at"
LOAD_ID = "_load_id"
LOADED_AT = "_loaded_at"
METADATA_COLUMNS = (SOURCE_FILE, SOURCE_MODIFIED_AT, LOAD_ID, LOADED_AT)
"""Columns on every row of every table we load: STRING, TIMESTAMP, STRING, TIMESTAMP."""


class IngestionStatus(StrEnum):
    """Whether an ingestion may run."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ERROR = "ERROR"


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


class FileStatus(StrEnum):
    """What became of the current version of a file.

    DISCOVERED ──claim──▶ PROCESSING ──▶ SUCCESS | FAILED; a lost load puts its files back to DISCOVERED;
    discovery sets SKIPPED, and DISCOVERED again when a new version is seen.
    """

    DISCOVERED = "DISCOVERED"
    PROCESSING = "PROCESSING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class LoadState(StrEnum):
    """RUNNING ──▶ COMMITTED | FAILED; RUNNING ─lease passed─▶ LOST ─recovery─▶ COMMITTED | FAILED."""

    RUNNING = "RUNNING"
    COMMITTED = "COMMITTED"
    FAILED = "FAILED"
    LOST = "LOST"


class Scope(StrEnum):
    """What the holder of an API token may do; each scope holds those before it.

    ``read`` looks, ``operate`` also runs, cancels, retries, pauses and previews, ``admin`` also creates, edits and
    deletes ingestions.
    """

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def holds(self, other: Scope) -> bool:
        """Whether whoever has this scope may do what needs ``other``."""
        order = tuple(Scope)
        return order.index(self) >= order.index(other)


class FormatType(StrEnum):
    """Formats the embedded engine reads."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


class WriteMode(StrEnum):
    """``overwrite``: the files of the run become the whole content of the table, in one commit."""

    APPEND = "append"
    OVERWRITE = "overwrite"


class EngineName(StrEnum):
    """What turns the files into data files: this process, or a Spark cluster."""

    EMBEDDED = "embedded"
    SPARK = "spark"


class OnChangedFile(StrEnum):
    """What a new version (another etag) of a file means whose earlier version is already in the table."""

    REPLACE = "replace"
    APPEND = "append"
    IGNORE = "ignore"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceCredentials:
    """How to reach the bucket; all None: the default AWS chain (or the embedded stack where that is in use).

    Attributes:
        endpoint_url: an S3-compatible endpoint other than AWS.
        aws_access_key_id: ``env:NAME`` or ``file:/path``, where the key is to be found, or ``enc:…``, the key as the
            vault sealed it; never the key itself.
        aws_secret_access_key: likewise.
        aws_session_token: likewise.
        role_arn: a role to assume with the credentials found so far.
        profile: a profile of the AWS configuration files.
    """

    endpoint_url: str | None = None
    aws_region: str | None = None
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    role_arn: str | None = None
    profile: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewIngestion:
    """An ingestion as a person describes it, before it is saved; already validated."""

    name: str
    source_path: str
    format_type: FormatType
    catalog: str
    database: str
    table: str
    tenant_id: str = DEFAULT_TENANT
    status: IngestionStatus = IngestionStatus.ACTIVE
    source_type: str = "S3"
    source_file_pattern: str = "**"
    source_credentials: SourceCredentials = field(default_factory=SourceCredentials)
    path_columns: tuple[str, ...] = ()
    format_options: Mapping[str, str] = field(default_factory=dict)
    schema_json: str | None = None
    write_mode: WriteMode = WriteMode.APPEND
    partition_columns: tuple[str, ...] = ()
    table_properties: Mapping[str, str] = field(default_factory=dict)
    engine: EngineName = EngineName.EMBEDDED
    cluster_id: str | None = None
    spark_connect_url: str | None = None
    spark_connect_token: str | None = field(default=None, repr=False)
    max_file_size_bytes: int = DEFAULT_MAX_FILE_SIZE_BYTES
    max_retries: int = DEFAULT_MAX_RETRIES
    on_changed_file: OnChangedFile = OnChangedFile.REPLACE


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingestion(NewIngestion):
    """What to load, from where, into which table; as saved in the ledger.

    Attributes:
        version: counts the edits, from 1.
    """

    id: int
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def table_name(self) -> str:
        """``catalog.database.table``, as people write it."""
        return f"{self.catalog}.{self.database}.{self.table}"


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
    bytes_read: int
    errors: tuple[RunError, ...]
    created_at: datetime
    worker: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceObject:
    """One object as the bucket lists it.

    Attributes:
        path: ``s3://bucket/key`` with the key exactly as it is: nothing encoded, folded or stripped.
        etag: opaque, without the surrounding quotes.
        modified_at: in UTC.
    """

    path: str
    size_bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """The current version of one path of an ingestion, and what became of it."""

    id: int
    ingestion_id: int
    run_id: int | None
    file_path: str
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
    snapshot_id: int | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedFile:
    """One (file, version) of a load.

    Attributes:
        replaces: the loads whose rows of this path must leave the table when this version comes; empty for a new file.
    """

    file_id: int
    path: str
    size_bytes: int
    etag: str
    modified_at: datetime
    replaces: tuple[UUID, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """One attempt to put a fixed set of file versions into one snapshot.

    Its id is the lease, the fencing token and the snapshot property ``autoloader.load-id``.
    """

    id: UUID
    ingestion_id: int
    run_id: int
    state: LoadState
    worker: str
    lease_until: datetime
    started_at: datetime
    ended_at: datetime | None
    table_name: str
    snapshot_id: int | None
    files: int
    bytes: int
    error_type: str | None = None
    error_message: str | None = None


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
class FileVersion:
    """One entry of a file's history: one version in one load, or a decision of discovery about it.

    Attributes:
        status: what became of it; DISCOVERED means that it was put back and waits again.
        load_id: None where discovery decided.
        snapshot_id: the snapshot its rows came with, None unless SUCCESS.
    """

    file_etag: str
    file_size_bytes: int
    file_modified_at: datetime
    status: FileStatus
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """How much waits to be loaded."""

    files: int
    bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one file in one load. ``status`` is SUCCESS, FAILED, or DISCOVERED (put back: try again later)."""

    file_id: int
    status: FileStatus
    records_ingested: int = 0
    records_rejected: int = 0
    bytes_read: int = 0
    duration: timedelta | None = None
    error_type: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Token:
    """An API token as the ledger knows it: all but the token itself, which nobody can show again.

    Attributes:
        name: unique among the tokens of its tenant that are not revoked.
        last_used_at: to the minute; None when it never was.
    """

    id: int
    tenant_id: str
    name: str
    scope: Scope
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFile:
    """One Parquet file that an engine wrote and the publisher will add.

    Attributes:
        location: a local path (the embedded engine; the lake uploads it) or a URI in the table's storage (Spark).
        records: rows in the file.
        partition: one value per partition field of the table, in its order, as Python values of the transform's
            result type (int for bucket, year, month, day, hour; the source's type for identity and truncate).
    """

    location: Path | str
    records: int
    partition: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Staged:
    """Data files that an engine left in the table's storage in a snapshot which no branch shows.

    Attributes:
        snapshot_id: that added them.
        wap_id: under which it was staged (``wap.id`` in its summary).
        without: source paths whose rows must not be published.
    """

    snapshot_id: int
    wap_id: str
    without: frozenset[str] = frozenset()
