"""The first ledger: ingestions, runs, processed_files, loads, outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

if TYPE_CHECKING:
    from sqlalchemy import Column

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the five tables."""
    _ingestions()
    _runs()
    _processed_files()
    _loads()
    _outcomes()


def downgrade() -> None:
    """Remove them, with all they hold."""
    for table in ("outcomes", "loads", "processed_files", "runs", "ingestions"):
        op.drop_table(table)


def _ingestions() -> None:
    op.create_table(
        "ingestions",
        _id(),
        _text("tenant_id", server_default="default"),
        _text("name"),
        _text("status"),
        _text("source_type"),
        _text("source_path"),
        _text("source_file_pattern"),
        sa.Column("source_credentials", JSONB, nullable=False),
        sa.Column("path_columns", ARRAY(sa.Text), nullable=False),
        _text("format_type"),
        sa.Column("format_options", JSONB, nullable=False),
        _text("schema_json", nullable=True),
        _text("catalog"),
        _text("database"),
        _text("table"),
        _text("write_mode"),
        sa.Column("partition_columns", ARRAY(sa.Text), nullable=False),
        sa.Column("table_properties", JSONB, nullable=False),
        _text("engine"),
        _text("cluster_id", nullable=True),
        _text("spark_connect_url", nullable=True),
        _text("spark_connect_token", nullable=True),
        _bigint("max_file_size_bytes"),
        sa.Column("max_retries", sa.Integer, nullable=False),
        _text("on_changed_file"),
        _bigint("version", server_default=sa.text("1")),
        _instant("created_at", server_default=sa.func.now()),
        _instant("updated_at", server_default=sa.func.now()),
        sa.UniqueConstraint("tenant_id", "name", name="ingestions_name_key"),
        sa.CheckConstraint("status IN ('DRAFT', 'ACTIVE', 'PAUSED', 'ERROR')", name="ingestions_status_check"),
        sa.CheckConstraint("write_mode IN ('append', 'overwrite')", name="ingestions_write_mode_check"),
        sa.CheckConstraint(
            "on_changed_file IN ('replace', 'append', 'ignore', 'fail')", name="ingestions_on_changed_file_check"
        ),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        _id(),
        _bigint("ingestion_id"),
        _text("tenant_id"),
        _text("cluster_id", nullable=True),
        _text("trigger"),
        _text("status"),
        _instant("started_at", nullable=True),
        _instant("ended_at", nullable=True),
        _instant("listed_at", nullable=True),
        _instant("lease_until", nullable=True),
        _text("worker", nullable=True),
        _count("files_discovered"),
        _count("files_processed"),
        _count("files_succeeded"),
        _count("files_failed"),
        _count("files_skipped"),
        _count("records_ingested"),
        _count("bytes_read"),
        sa.Column("errors", JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
        _instant("created_at", server_default=sa.func.now()),
        sa.ForeignKeyConstraint(["ingestion_id"], ["ingestions.id"], name="runs_ingestion_id_fkey"),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'RUNNING', 'SUCCESS', 'FAILED', 'CANCELLED')", name="runs_status_check"
        ),
        sa.CheckConstraint(
            "trigger IN ('manual', 'scheduled', 'event', 'retry', 'backfill')", name="runs_trigger_check"
        ),
        sa.CheckConstraint("(status IN ('QUEUED', 'RUNNING')) = (ended_at IS NULL)", name="runs_ended_check"),
    )
    active = sa.text("status IN ('QUEUED', 'RUNNING')")
    op.create_index("runs_one_active", "runs", ["ingestion_id"], unique=True, postgresql_where=active)
    op.create_index("runs_of_ingestion", "runs", ["ingestion_id", "id"])


def _processed_files() -> None:
    op.create_table(
        "processed_files",
        _id(),
        _bigint("ingestion_id"),
        _bigint("run_id", nullable=True),
        sa.Column("file_path", sa.Text(collation="C"), nullable=False),
        _bigint("file_size_bytes"),
        _instant("file_modified_at"),
        _text("file_etag"),
        _text("status"),
        _flag("deferred"),
        _flag("ever_loaded"),
        _instant("discovered_at"),
        _instant("processing_started_at", nullable=True),
        _instant("processed_at", nullable=True),
        _count("records_ingested"),
        _count("records_rejected"),
        _count("bytes_read"),
        _bigint("processing_duration_ms", nullable=True),
        _text("error_message", nullable=True),
        _text("error_type", nullable=True),
        sa.Column("retry_count", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("load_id", sa.Uuid, nullable=True),
        _bigint("snapshot_id", nullable=True),
        _instant("created_at", server_default=sa.func.now()),
        _instant("updated_at", server_default=sa.func.now()),
        sa.UniqueConstraint("ingestion_id", "file_path", name="processed_files_path_key"),
        _file_status("processed_files"),
        sa.CheckConstraint("status <> 'PROCESSING' OR load_id IS NOT NULL", name="processed_files_load_check"),
        sa.CheckConstraint(
            "status <> 'SUCCESS' OR snapshot_id IS NOT NULL OR records_ingested = 0",
            name="processed_files_snapshot_check",
        ),
        sa.CheckConstraint("NOT deferred OR status = 'DISCOVERED'", name="processed_files_deferred_check"),
    )
    op.create_index("processed_files_by_status", "processed_files", ["ingestion_id", "status", "updated_at"])
    partial: dict[str, tuple[list[str], str]] = {
        "waiting": (["ingestion_id", "discovered_at", "id"], "status = 'DISCOVERED' AND NOT deferred"),
        "deferred": (["ingestion_id"], "deferred"),
        "processing": (["load_id"], "status = 'PROCESSING'"),
        "failed": (["ingestion_id", "file_path"], "status = 'FAILED'"),
        "skipped": (["ingestion_id", "file_path"], "status = 'SKIPPED'"),
    }
    for name, (columns, where) in partial.items():
        op.create_index(f"processed_files_{name}", "processed_files", columns, postgresql_where=sa.text(where))


def _loads() -> None:
    op.create_table(
        "loads",
        sa.Column("id", sa.Uuid, primary_key=True),
        _bigint("ingestion_id"),
        _bigint("run_id"),
        _text("state"),
        _text("worker"),
        _instant("lease_until"),
        _instant("started_at", server_default=sa.func.now()),
        _instant("prepared_at", nullable=True),
        _instant("ended_at", nullable=True),
        _text("table_name"),
        _bigint("snapshot_id", nullable=True),
        _bigint("files"),
        _bigint("bytes"),
        _text("error_type", nullable=True),
        _text("error_message", nullable=True),
        sa.ForeignKeyConstraint(["ingestion_id"], ["ingestions.id"], name="loads_ingestion_id_fkey"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="loads_run_id_fkey"),
        sa.CheckConstraint("state IN ('RUNNING', 'COMMITTED', 'FAILED', 'LOST')", name="loads_state_check"),
        sa.CheckConstraint("(state IN ('RUNNING', 'LOST')) = (ended_at IS NULL)", name="loads_ended_check"),
        sa.CheckConstraint("state <> 'COMMITTED' OR prepared_at IS NOT NULL", name="loads_prepared_check"),
    )
    op.create_index("loads_running", "loads", ["lease_until"], postgresql_where=sa.text("state = 'RUNNING'"))
    op.create_index("loads_lost", "loads", ["started_at"], postgresql_where=sa.text("state = 'LOST'"))
    op.create_index("loads_of_ingestion", "loads", ["ingestion_id"])
    op.create_index("loads_of_run", "loads", ["run_id"])


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        _id(),
        _bigint("file_id"),
        _bigint("run_id"),
        sa.Column("load_id", sa.Uuid, nullable=True),
        _text("file_etag"),
        _bigint("file_size_bytes"),
        _instant("file_modified_at"),
        _text("status"),
        _count("records_ingested"),
        _count("records_rejected"),
        _count("bytes_read"),
        _bigint("duration_ms", nullable=True),
        _text("error_type", nullable=True),
        _text("error_message", nullable=True),
        _instant("recorded_at", server_default=sa.func.now()),
        sa.UniqueConstraint("load_id", "file_id", name="outcomes_load_file_key"),
        _file_status("outcomes"),
    )
    op.create_index("outcomes_of_file", "outcomes", ["file_id", "id"])
    op.create_index("outcomes_of_discovery", "outcomes", ["run_id"], postgresql_where=sa.text("load_id IS NULL"))


def _id() -> Column[int]:
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def _text(name: str, *, nullable: bool = False, server_default: str | None = None) -> Column[str]:
    return sa.Column(name, sa.Text, nullable=nullable, server_default=server_default)


def _bigint(name: str, *, nullable: bool = False, server_default: Any = None) -> Column[int]:  # noqa: ANN401
    return sa.Column(name, sa.BigInteger, nullable=nullable, server_default=server_default)


def _count(name: str) -> Column[int]:
    return _bigint(name, server_default=sa.text("0"))


def _flag(name: str) -> Column[bool]:
    return sa.Column(name, sa.Boolean, nullable=False, server_default=sa.text("false"))


def _instant(name: str, *, nullable: bool = False, server_default: Any = None) -> Column[Any]:  # noqa: ANN401
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, server_default=server_default)


def _file_status(table: str) -> sa.CheckConstraint:
    statuses = "'DISCOVERED', 'PROCESSING', 'SUCCESS', 'FAILED', 'SKIPPED'"
    return sa.CheckConstraint(f"status IN ({statuses})", name=f"{table}_status_check")
