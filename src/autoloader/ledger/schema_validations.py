"""The tables of validations, in the same form as ``schema`` has all others; with them ``metadata`` is complete."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  SQLAlchemy reads the annotations
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Named,
    Table,
    Text,
    TypedColumns,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from autoloader.ledger.schema import PATH, metadata

__all__ = ["metadata", "validation_files", "validation_refused", "validations"]


_ACTIVE = text("status IN ('QUEUED', 'RUNNING')")


class ValidationColumns(TypedColumns):
    """One reading of what waits, done by a worker under a lease; the columns mean what those of verifications do.

    ``max_files``: so many files at most are read.
    """

    id: Named[int] = Column(BigInteger, Identity(always=True), primary_key=True)
    ingestion_id: Named[int] = Column(
        BigInteger, ForeignKey("ingestions.id", name="validations_ingestion_id_fkey"), nullable=False
    )
    tenant_id: Named[str] = Column(Text, nullable=False)
    status: Named[str] = Column(Text, nullable=False)
    max_files: Named[int | None] = Column(BigInteger)
    worker: Named[str | None] = Column(Text)
    lease_until: Named[datetime | None] = Column(DateTime(timezone=True))
    attempts: Named[int] = Column(Integer, nullable=False, server_default=text("0"))
    progress: Named[dict[str, Any] | None] = Column(JSONB)
    report: Named[dict[str, Any] | None] = Column(JSONB)
    error_type: Named[str | None] = Column(Text)
    error_message: Named[str | None] = Column(Text)
    created_at: Named[datetime] = Column(DateTime(timezone=True), nullable=False, server_default=func.now())
    started_at: Named[datetime | None] = Column(DateTime(timezone=True))
    ended_at: Named[datetime | None] = Column(DateTime(timezone=True))


validations = Table(
    "validations",
    metadata,
    ValidationColumns,
    CheckConstraint("status IN ('QUEUED', 'RUNNING', 'SUCCESS', 'FAILED')", name="validations_status_check"),
    CheckConstraint("(status IN ('QUEUED', 'RUNNING')) = (ended_at IS NULL)", name="validations_ended_check"),
    CheckConstraint("(status = 'SUCCESS') = (report IS NOT NULL)", name="validations_report_check"),
)
Index(
    "validations_one_active",
    validations.c.ingestion_id,
    unique=True,
    postgresql_where=_ACTIVE,
)
Index("validations_due", validations.c.id, postgresql_where=_ACTIVE)
Index("validations_of_ingestion", validations.c.ingestion_id, validations.c.id)


def _of_validation(table: str) -> Column[int]:
    return Column(
        BigInteger,
        ForeignKey("validations.id", name=f"{table}_validation_id_fkey", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


class ValidatedFileColumns(TypedColumns):
    """A file that a validation read: those that would not load as they are have the lower numbers."""

    validation_id: Named[int] = _of_validation("validation_files")
    number: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    file_path: Named[str] = Column(PATH, nullable=False)
    file_etag: Named[str] = Column(Text, nullable=False)
    file_size_bytes: Named[int] = Column(BigInteger, nullable=False)
    waiting: Named[str] = Column(Text, nullable=False)
    prospect: Named[str] = Column(Text, nullable=False)
    records: Named[int] = Column(BigInteger, nullable=False)
    refused: Named[int] = Column(BigInteger, nullable=False)
    error_type: Named[str | None] = Column(Text)
    error_message: Named[str | None] = Column(Text)


class RefusedRecordColumns(TypedColumns):
    """A record that would not load, in the order in which they were found."""

    validation_id: Named[int] = _of_validation("validation_refused")
    number: Named[int] = Column(Integer, primary_key=True, autoincrement=False)
    file_path: Named[str] = Column(PATH, nullable=False)
    line: Named[int | None] = Column(BigInteger)
    column_name: Named[str | None] = Column(Text)
    reason: Named[str | None] = Column(Text)
    message: Named[str | None] = Column(Text)
    raw: Named[str | None] = Column(Text)


validation_files = Table("validation_files", metadata, ValidatedFileColumns)
validation_refused = Table("validation_refused", metadata, RefusedRecordColumns)
