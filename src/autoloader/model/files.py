"""Files, the loads that take them, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path
    from uuid import UUID

SOURCE_FILE = "_source_file"
SOURCE_MODIFIED_AT = "_source_modified_at"
LOAD_ID = "_load_id"
LOADED_AT = "_loaded_at"
SOURCE_ROW = "_source_row"
"""A further one where an ingestion asks for it: the line of the record, its element or its row. BIGINT."""
RESCUED_DATA = "_rescued_data"
"""Another, where an ingestion keeps what its schema does not know: those fields as JSON. STRING."""
METADATA_COLUMNS = (SOURCE_FILE, SOURCE_MODIFIED_AT, LOAD_ID, LOADED_AT)
"""Columns on every row of every table we load: STRING, TIMESTAMP, STRING, TIMESTAMP."""

ARCHIVE = r"\.(zip|7z|rar|tar|(tar\.|t)(gz|bz2|xz|zst))$"
"""What the name of an archive ends in, whatever its case; for Python and for PostgreSQL."""
ARCHIVE_ADVICE = "an archive is not loaded: unpack it in the bucket, so that each member is a file of its own"


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


class Clears(StrEnum):
    """Whose rows leave the table with the snapshot that brings a load: nobody's, older ones of its files, all.

    Decided when the load is claimed: an edit of the ingestion says nothing about the loads before it.
    """

    NOTHING = "nothing"
    FILES = "files"
    TABLE = "table"


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

    Attributes:
        prepared_at: when its outcomes were stored; nothing of it is sent to the catalog before that.
        error_message: why it failed, or why recovery cannot settle it now.
        rejects_table: the table that must change as well once the load has landed, because it has rejects or takes
            some away; None where there is nothing to do.
    """

    id: UUID
    ingestion_id: int
    run_id: int
    state: LoadState
    worker: str
    lease_until: datetime
    started_at: datetime
    prepared_at: datetime | None
    ended_at: datetime | None
    table_name: str
    snapshot_id: int | None
    files: int
    bytes: int
    error_type: str | None = None
    error_message: str | None = None
    rejects_table: str | None = None

    @property
    def catalog(self) -> str:
        """The catalog of its table."""
        return self.table_name.partition(".")[0]


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
class Rejects:
    """Bad records of the files of a load that were loaded without them.

    Attributes:
        location: a local Parquet file with the columns of a rejects table.
        records: rows in the file.
    """

    location: Path
    records: int


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


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Of one source file in a staged snapshot.

    Attributes:
        count: of its rows.
        suspicious: some of them have no ``_load_id``: the engine was not sure of them.
    """

    count: int
    suspicious: bool


Made = DataFile | Rejects | Staged
"""What an engine hands over."""
