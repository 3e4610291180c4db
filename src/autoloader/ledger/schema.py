"""The tables as SQLAlchemy knows them. The migrations make the same ones; a test compares the two.

There are foreign keys between ingestions, runs and loads, but none on the two tables with a row for each file: checking
them costs more than the insert itself at a million files. This package is their only writer.
"""

from __future__ import annotations

import uuid  # noqa: TC003  SQLAlchemy reads the annotations
from datetime import datetime  # noqa: TC003  likewise
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Named,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from autoloader.model import (
    Clears,
    FileStatus,
    IngestionStatus,
    LoadState,
    OnBadRecord,
    OnChangedFile,
    RunStatus,
    RunTrigger,
    Scope,
    UnknownFields,
    VerificationStatus,
    WriteMode,
)

if TYPE_CHECKING:
    from enum import StrEnum

metadata = MetaData()

PATH = Text(collation="C")
"""Paths sort by their bytes, as object stores list them, so that a listing and the table can be merged in order."""

SECRETS = (
    "source_credentials ->> 'aws_access_key_id'",
    "source_credentials ->> 'aws_secret_access_key'",
    "source_credentials ->> 'aws_session_token'",
    "spark_connect_token",
)
"""Where an ingestion holds a secret: sealed by the vault, or a reference; the database takes nothing else."""


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


def _no_plain_secret(column: str) -> str:
    return f"coalesce({column} ~ '^(enc|env|file):', true)"


def _id() -> Column[int]:
    return Column(BigInteger, Identity(always=True), primary_key=True)


def _instant(*, nullable: bool = False) -> Column[Any]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _now() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False, server_default=func.now())


def _count() -> Column[int]:
    return Column(BigInteger, nullable=False, server_default=text("0"))


class IngestionColumns(TypedColumns):
    """What to load, from where, into which table. ``files``: how many it has seen, so that few need to be counted."""

    id: Named[int] = _id()
    tenant_id: Named[str] = Column(Text, nullable=False, server_default="default")
    name: Named[str] = Column(Text, nullable=False)
    status: Named[str] = Column(Text, nullable=False)
    source_type: Named[str] = Column(Text, nullable=False)
    source_path: Named[str] = Column(Text, nullable=False)
    source_file_pattern: Named[str] = Column(Text, nullable=False)
    source_credentials: Named[dict[str, Any]] = Column(JSONB, nullable=False)
    path_columns: Named[list[str]] = Column(ARRAY(Text), nullable=False)
    format_type: Named[str] = Column(Text, nullable=False)
    format_options: Named[dict[str, Any]] = Column(JSONB, nullable=False)
    schema_json: Named[str | None] = Column(Text)
    schema_hints: Named[str | None] = Column(Text)
    catalog: Named[str] = Column(Text, nullable=False)
    database: Named[str] = Column(Text, nullable=False)
    table: Named[str] = Column(Text, nullable=False)
    write_mode: Named[str] = Column(Text, nullable=False)
    partition_columns: Named[list[str]] = Column(ARRAY(Text), nullable=False)
    table_properties: Named[dict[str, Any]] = Column(JSONB, nullable=False)
    engine: Named[str] = Column(Text, nullable=False)
    cluster_id: Named[str | None] = Column(Text)
    spark_connect_url: Named[str | None] = Column(Text)
    spark_connect_token: Named[str | None] = Column(Text)
    max_file_size_bytes: Named[int] = Column(BigInteger, nullable=False)
    max_retries: Named[int] = Column(Integer, nullable=False)
    on_changed_file: Named[str] = Column(Text, nullable=False)
    on_bad_record: Named[str] = Column(Text, nullable=False, server_default="fail_file")
    max_bad_records: Named[int | None] = Column(BigInteger)
    max_bad_ratio: Named[float | None] = Column(Float)
    unknown_fields: Named[str] = Column(Text, nullable=False, server_default="ignore")
    version: Named[int] = Column(BigInteger, nullable=False, server_default=text("1"))
    files: Named[int] = _count()
    created_at: Named[datetime] = _now()
    updated_at: Named[datetime] = _now()


ingestions = Table(
    "ingestions",
    metadata,
    IngestionColumns,
    UniqueConstraint("tenant_id", "name", name="ingestions_name_key"),
    CheckConstraint(_one_of("status", IngestionStatus), name="ingestions_status_check"),
    CheckConstraint(_one_of("write_mode", WriteMode), name="ingestions_write_mode_check"),
    CheckConstraint(_one_of("on_changed_file", OnChangedFile), name="ingestions_on_changed_file_check"),
    CheckConstraint(_one_of("on_bad_record", OnBadRecord), name="ingestions_on_bad_record_check"),
    CheckConstraint(_one_of("unknown_fields", UnknownFields), name="ingestions_unknown_fields_check"),
    CheckConstraint(" AND ".join(map(_no_plain_secret, SECRETS)), name="ingestions_secrets_check"),
)


class RunColumns(TypedColumns):
    """One trigger of an ingestion. The worker that leads it lists the bucket, under a lease until ``listed_at``.

    ``served_at``: when a worker last took up something of it. ``failures``: in a row, for reasons that may pass;
    nothing of the run is taken up before ``again_at``. ``since`` and ``max_files``: how much of the bucket it looks at.
    """

    id: Named[int] = _id()
    ingestion_id: Named[int] = Column(
        BigInteger, ForeignKey("ingestions.id", name="runs_ingestion_id_fkey"), nullable=False
    )
    tenant_id: Named[str] = Column(Text, nullable=False)
    cluster_id: Named[str | None] = Column(Text)
    trigger: Named[str] = Column(Text, nullable=False)
    status: Named[str] = Column(Text, nullable=False)
    since: Named[datetime | None] = _instant(nullable=True)
    max_files: Named[int | None] = Column(BigInteger)
    started_at: Named[datetime | None] = _instant(nullable=True)
    ended_at: Named[datetime | None] = _instant(nullable=True)
    listed_at: Named[datetime | None] = _instant(nullable=True)
    lease_until: Named[datetime | None] = _instant(nullable=True)
    worker: Named[str | None] = Column(Text)
    served_at: Named[datetime] = _now()
    failures: Named[int] = Column(Integer, nullable=False, server_default=text("0"))
    again_at: Named[datetime | None] = _instant(nullable=True)
    files_discovered: Named[int] = _count()
    files_processed: Named[int] = _count()
    files_succeeded: Named[int] = _count()
    files_failed: Named[int] = _count()
    files_skipped: Named[int] = _count()
    records_ingested: Named[int] = _count()
    records_rejected: Named[int] = _count()
    bytes_read: Named[int] = _count()
    errors: Named[list[Any]] = Column(JSONB, nullable=False, server_default=text("'[]'::jsonb"))
    created_at: Named[datetime] = _now()


_ACTIVE = text("status IN ('QUEUED', 'RUNNING')")

runs = Table(
    "runs",
    metadata,
    RunColumns,
    CheckConstraint(_one_of("status", RunStatus), name="runs_status_check"),
    CheckConstraint(_one_of("trigger", RunTrigger), name="runs_trigger_check"),
    CheckConstraint("(status IN ('QUEUED', 'RUNNING')) = (ended_at IS NULL)", name="runs_ended_check"),
    CheckConstraint("max_files > 0", name="runs_max_files_check"),
)
Index("runs_one_active", runs.c.ingestion_id, unique=True, postgresql_where=_ACTIVE)
Index("runs_of_ingestion", runs.c.ingestion_id, runs.c.id)
Index("runs_of_ingestion_in_status", runs.c.ingestion_id, runs.c.status, runs.c.id)
Index("runs_due", runs.c.served_at, postgresql_where=_ACTIVE)
Index("runs_of_tenant", runs.c.tenant_id, runs.c.id)
Index("runs_in_status", runs.c.tenant_id, runs.c.status, runs.c.id)
Index("runs_ended", runs.c.ended_at, postgresql_where=text("ended_at IS NOT NULL"))


class FileColumns(TypedColumns):
    """The current version of one path of an ingestion, and what became of it.

    ``ever_loaded``: some version of the path has been loaded. ``deferred``: put back by its load until the next listing
    has looked at it again, so that a run cannot go round in circles over one file.
    """

    id: Named[int] = _id()
    ingestion_id: Named[int] = Column(BigInteger, nullable=False)
    run_id: Named[int | None] = Column(BigInteger)
    file_path: Named[str] = Column(PATH, nullable=False)
    file_size_bytes: Named[int] = Column(BigInteger, nullable=False)
    file_modified_at: Named[datetime] = _instant()
    file_etag: Named[str] = Column(Text, nullable=False)
    status: Named[str] = Column(Text, nullable=False)
    deferred: Named[bool] = Column(Boolean, nullable=False, server_default=text("false"))
    ever_loaded: Named[bool] = Column(Boolean, nullable=False, server_default=text("false"))
    discovered_at: Named[datetime] = _instant()
    processing_started_at: Named[datetime | None] = _instant(nullable=True)
    processed_at: Named[datetime | None] = _instant(nullable=True)
    records_ingested: Named[int] = _count()
    records_rejected: Named[int] = _count()
    bytes_read: Named[int] = _count()
    processing_duration_ms: Named[int | None] = Column(BigInteger)
    error_message: Named[str | None] = Column(Text)
    error_type: Named[str | None] = Column(Text)
    retry_count: Named[int] = Column(Integer, nullable=False, server_default=text("0"))
    load_id: Named[uuid.UUID | None] = Column(Uuid)
    snapshot_id: Named[int | None] = Column(BigInteger)
    created_at: Named[datetime] = _now()
    updated_at: Named[datetime] = _now()


processed_files = Table(
    "processed_files",
    metadata,
    FileColumns,
    UniqueConstraint("ingestion_id", "file_path", name="processed_files_path_key"),
    CheckConstraint(_one_of("status", FileStatus), name="processed_files_status_check"),
    CheckConstraint("status <> 'PROCESSING' OR load_id IS NOT NULL", name="processed_files_load_check"),
    CheckConstraint(
        "status <> 'SUCCESS' OR snapshot_id IS NOT NULL OR records_ingested = 0", name="processed_files_snapshot_check"
    ),
    CheckConstraint("NOT deferred OR status = 'DISCOVERED'", name="processed_files_deferred_check"),
)
_files = processed_files.c
Index("processed_files_by_status", _files.ingestion_id, _files.status, _files.updated_at, _files.id)
Index(
    "processed_files_waiting",
    _files.ingestion_id,
    _files.discovered_at,
    _files.id,
    postgresql_where=text("status = 'DISCOVERED' AND NOT deferred"),
)
Index("processed_files_deferred", _files.ingestion_id, postgresql_where=text("deferred"))
Index("processed_files_processing", _files.load_id, postgresql_where=text("status = 'PROCESSING'"))
Index(
    "processed_files_discovered", _files.ingestion_id, _files.file_path, postgresql_where=text("status = 'DISCOVERED'")
)
Index("processed_files_failed", _files.ingestion_id, _files.file_path, postgresql_where=text("status = 'FAILED'"))
Index("processed_files_rejecting", _files.ingestion_id, _files.file_path, postgresql_where=text("records_rejected > 0"))
Index("processed_files_skipped", _files.ingestion_id, _files.file_path, postgresql_where=text("status = 'SKIPPED'"))


class LoadColumns(TypedColumns):
    """One attempt to put a fixed set of file versions into one snapshot.

    ``prepared_at``: its outcomes are stored. ``clears``: whose rows leave the table when it lands.
    ``rejects_table``: the table that must change as well once it has landed, because it has rejects or takes some away.
    """

    id: Named[uuid.UUID] = Column(Uuid, primary_key=True)
    ingestion_id: Named[int] = Column(
        BigInteger, ForeignKey("ingestions.id", name="loads_ingestion_id_fkey"), nullable=False
    )
    run_id: Named[int] = Column(BigInteger, ForeignKey("runs.id", name="loads_run_id_fkey"), nullable=False)
    state: Named[str] = Column(Text, nullable=False)
    worker: Named[str] = Column(Text, nullable=False)
    lease_until: Named[datetime] = _instant()
    started_at: Named[datetime] = _now()
    prepared_at: Named[datetime | None] = _instant(nullable=True)
    ended_at: Named[datetime | None] = _instant(nullable=True)
    table_name: Named[str] = Column(Text, nullable=False)
    snapshot_id: Named[int | None] = Column(BigInteger)
    files: Named[int] = Column(BigInteger, nullable=False)
    bytes: Named[int] = Column(BigInteger, nullable=False)
    error_type: Named[str | None] = Column(Text)
    error_message: Named[str | None] = Column(Text)
    clears: Named[str] = Column(Text, nullable=False, server_default="files")
    rejects_table: Named[str | None] = Column(Text)


loads = Table(
    "loads",
    metadata,
    LoadColumns,
    CheckConstraint(_one_of("state", LoadState), name="loads_state_check"),
    CheckConstraint(_one_of("clears", Clears), name="loads_clears_check"),
    CheckConstraint("(state IN ('RUNNING', 'LOST')) = (ended_at IS NULL)", name="loads_ended_check"),
    CheckConstraint("state <> 'COMMITTED' OR prepared_at IS NOT NULL", name="loads_prepared_check"),
)
Index("loads_running", loads.c.lease_until, postgresql_where=text("state = 'RUNNING'"))
Index("loads_lost", loads.c.started_at, postgresql_where=text("state = 'LOST'"))
Index("loads_of_ingestion", loads.c.ingestion_id)
Index("loads_of_run", loads.c.run_id)
Index("loads_ended", loads.c.ended_at, postgresql_where=text("ended_at IS NOT NULL"))


class OutcomeColumns(TypedColumns):
    """What became of one version of a file: in a load, or by a decision of discovery where ``load_id`` is NULL."""

    id: Named[int] = _id()
    file_id: Named[int] = Column(BigInteger, nullable=False)
    run_id: Named[int] = Column(BigInteger, nullable=False)
    load_id: Named[uuid.UUID | None] = Column(Uuid)
    file_etag: Named[str] = Column(Text, nullable=False)
    file_size_bytes: Named[int] = Column(BigInteger, nullable=False)
    file_modified_at: Named[datetime] = _instant()
    status: Named[str] = Column(Text, nullable=False)
    records_ingested: Named[int] = _count()
    records_rejected: Named[int] = _count()
    bytes_read: Named[int] = _count()
    duration_ms: Named[int | None] = Column(BigInteger)
    error_type: Named[str | None] = Column(Text)
    error_message: Named[str | None] = Column(Text)
    recorded_at: Named[datetime] = _now()


outcomes = Table(
    "outcomes",
    metadata,
    OutcomeColumns,
    UniqueConstraint("load_id", "file_id", name="outcomes_load_file_key"),
    CheckConstraint(_one_of("status", FileStatus), name="outcomes_status_check"),
)
Index("outcomes_of_file", outcomes.c.file_id, outcomes.c.id)
Index("outcomes_of_discovery", outcomes.c.run_id, postgresql_where=text("load_id IS NULL"))


class TokenColumns(TypedColumns):
    """API tokens. What is kept of the token itself is its SHA-256, in hexadecimal."""

    id: Named[int] = _id()
    tenant_id: Named[str] = Column(Text, nullable=False)
    name: Named[str] = Column(Text, nullable=False)
    scope: Named[str] = Column(Text, nullable=False)
    token_hash: Named[str] = Column(Text, nullable=False)
    created_at: Named[datetime] = _now()
    last_used_at: Named[datetime | None] = _instant(nullable=True)
    revoked_at: Named[datetime | None] = _instant(nullable=True)


tokens = Table(
    "tokens",
    metadata,
    TokenColumns,
    UniqueConstraint("token_hash", name="tokens_hash_key"),
    CheckConstraint(_one_of("scope", Scope), name="tokens_scope_check"),
)
Index("tokens_name_key", tokens.c.tenant_id, tokens.c.name, unique=True, postgresql_where=text("revoked_at IS NULL"))


class IdempotencyKeyColumns(TypedColumns):
    """A request that a client may send again: what it asked for, and the id of what came of it."""

    tenant_id: Named[str] = Column(Text, primary_key=True)
    key: Named[str] = Column(Text, primary_key=True)
    fingerprint: Named[str] = Column(Text, nullable=False)
    made_id: Named[int | None] = Column(BigInteger)
    created_at: Named[datetime] = _now()


idempotency_keys = Table("idempotency_keys", metadata, IdempotencyKeyColumns)
Index("idempotency_keys_created", idempotency_keys.c.created_at)


class VerificationColumns(TypedColumns):
    """One comparison of bucket, ledger and table, done by a worker under a lease.

    ``attempts``: how many workers took it up. ``progress``: what was read so far. ``report``: what it found, without
    the differences themselves.
    """

    id: Named[int] = _id()
    ingestion_id: Named[int] = Column(
        BigInteger, ForeignKey("ingestions.id", name="verifications_ingestion_id_fkey"), nullable=False
    )
    tenant_id: Named[str] = Column(Text, nullable=False)
    status: Named[str] = Column(Text, nullable=False)
    worker: Named[str | None] = Column(Text)
    lease_until: Named[datetime | None] = _instant(nullable=True)
    attempts: Named[int] = Column(Integer, nullable=False, server_default=text("0"))
    progress: Named[dict[str, Any] | None] = Column(JSONB)
    report: Named[dict[str, Any] | None] = Column(JSONB)
    error_type: Named[str | None] = Column(Text)
    error_message: Named[str | None] = Column(Text)
    created_at: Named[datetime] = _now()
    started_at: Named[datetime | None] = _instant(nullable=True)
    ended_at: Named[datetime | None] = _instant(nullable=True)


verifications = Table(
    "verifications",
    metadata,
    VerificationColumns,
    CheckConstraint(_one_of("status", VerificationStatus), name="verifications_status_check"),
    CheckConstraint("(status IN ('QUEUED', 'RUNNING')) = (ended_at IS NULL)", name="verifications_ended_check"),
    CheckConstraint("(status = 'SUCCESS') = (report IS NOT NULL)", name="verifications_report_check"),
)
Index("verifications_one_active", verifications.c.ingestion_id, unique=True, postgresql_where=_ACTIVE)
Index("verifications_due", verifications.c.id, postgresql_where=_ACTIVE)
Index("verifications_of_ingestion", verifications.c.ingestion_id, verifications.c.id)


class DifferenceColumns(TypedColumns):
    """What a verification found, one thing a row, in the order in which it was found."""

    verification_id: Named[int] = Column(
        BigInteger,
        ForeignKey("verifications.id", name="verification_differences_verification_id_fkey", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    number: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    kind: Named[str] = Column(Text, nullable=False)
    message: Named[str] = Column(Text, nullable=False)
    table_name: Named[str] = Column(Text, nullable=False)
    file_path: Named[str | None] = Column(PATH)
    load_id: Named[uuid.UUID | None] = Column(Uuid)
    snapshot_id: Named[int | None] = Column(BigInteger)
    expected: Named[int | None] = Column(BigInteger)
    found: Named[int | None] = Column(BigInteger)


verification_differences = Table("verification_differences", metadata, DifferenceColumns)
