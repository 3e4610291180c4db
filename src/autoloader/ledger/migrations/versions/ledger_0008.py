"""Validations: their queue, and what they found; and hints for schemas that are inferred."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the column."""
    op.add_column("ingestions", sa.Column("schema_hints", sa.Text))
    _validations()
    _found(
        "validation_files",
        sa.Column("file_etag", sa.Text, nullable=False),
        sa.Column("file_size_bytes", sa.BigInteger, nullable=False),
        sa.Column("waiting", sa.Text, nullable=False),
        sa.Column("prospect", sa.Text, nullable=False),
        sa.Column("records", sa.BigInteger, nullable=False),
        sa.Column("refused", sa.BigInteger, nullable=False),
        sa.Column("error_type", sa.Text),
        sa.Column("error_message", sa.Text),
    )
    _found(
        "validation_refused",
        sa.Column("line", sa.BigInteger),
        sa.Column("column_name", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("message", sa.Text),
        sa.Column("raw", sa.Text),
    )


def downgrade() -> None:
    """Undo that."""
    op.drop_table("validation_refused")
    op.drop_table("validation_files")
    op.drop_table("validations")
    op.drop_column("ingestions", "schema_hints")


def _validations() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "validations",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("ingestion_id", sa.BigInteger, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("max_files", sa.BigInteger),
        sa.Column("worker", sa.Text),
        sa.Column("lease_until", instant),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("progress", sa.dialects.postgresql.JSONB),
        sa.Column("report", sa.dialects.postgresql.JSONB),
        sa.Column("error_type", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.Column("created_at", instant, nullable=False, server_default=sa.func.now()),
        sa.Column("started_at", instant),
        sa.Column("ended_at", instant),
        sa.ForeignKeyConstraint(["ingestion_id"], ["ingestions.id"], name="validations_ingestion_id_fkey"),
        sa.CheckConstraint("status IN ('QUEUED', 'RUNNING', 'SUCCESS', 'FAILED')", name="validations_status_check"),
        sa.CheckConstraint("(status IN ('QUEUED', 'RUNNING')) = (ended_at IS NULL)", name="validations_ended_check"),
        sa.CheckConstraint("(status = 'SUCCESS') = (report IS NOT NULL)", name="validations_report_check"),
    )
    active = sa.text("status IN ('QUEUED', 'RUNNING')")
    op.create_index("validations_one_active", "validations", ["ingestion_id"], unique=True, postgresql_where=active)
    op.create_index("validations_due", "validations", ["id"], postgresql_where=active)
    op.create_index("validations_of_ingestion", "validations", ["ingestion_id", "id"])


def _found(table: str, *columns: sa.Column[Any]) -> None:
    """What validations found, one thing a row."""
    op.create_table(
        table,
        sa.Column("validation_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("file_path", sa.Text(collation="C"), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(
            ["validation_id"], ["validations.id"], name=f"{table}_validation_id_fkey", ondelete="CASCADE"
        ),
    )
