"""Verifications: their queue and their reports; and each load says whose rows left the table when it landed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and note of the loads until now what their ingestions say today."""
    op.add_column("loads", sa.Column("clears", sa.Text, nullable=False, server_default="files"))
    op.execute(
        "UPDATE loads l SET clears = CASE WHEN i.write_mode = 'overwrite' THEN 'table' ELSE 'nothing' END "
        "FROM ingestions i WHERE i.id = l.ingestion_id AND (i.write_mode = 'overwrite' OR i.on_changed_file = 'append')"
    )
    op.create_check_constraint("loads_clears_check", "loads", "clears IN ('nothing', 'files', 'table')")
    _verifications()
    _differences()


def downgrade() -> None:
    """Undo that."""
    op.drop_table("verification_differences")
    op.drop_table("verifications")
    op.drop_constraint("loads_clears_check", "loads")
    op.drop_column("loads", "clears")


def _verifications() -> None:
    instant = sa.DateTime(timezone=True)
    op.create_table(
        "verifications",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("ingestion_id", sa.BigInteger, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
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
        sa.ForeignKeyConstraint(["ingestion_id"], ["ingestions.id"], name="verifications_ingestion_id_fkey"),
        sa.CheckConstraint("status IN ('QUEUED', 'RUNNING', 'SUCCESS', 'FAILED')", name="verifications_status_check"),
        sa.CheckConstraint("(status IN ('QUEUED', 'RUNNING')) = (ended_at IS NULL)", name="verifications_ended_check"),
        sa.CheckConstraint("(status = 'SUCCESS') = (report IS NOT NULL)", name="verifications_report_check"),
    )
    active = sa.text("status IN ('QUEUED', 'RUNNING')")
    op.create_index("verifications_one_active", "verifications", ["ingestion_id"], unique=True, postgresql_where=active)
    op.create_index("verifications_due", "verifications", ["id"], postgresql_where=active)
    op.create_index("verifications_of_ingestion", "verifications", ["ingestion_id", "id"])


def _differences() -> None:
    op.create_table(
        "verification_differences",
        sa.Column("verification_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("table_name", sa.Text, nullable=False),
        sa.Column("file_path", sa.Text(collation="C")),
        sa.Column("load_id", sa.Uuid),
        sa.Column("snapshot_id", sa.BigInteger),
        sa.Column("expected", sa.BigInteger),
        sa.Column("found", sa.BigInteger),
        sa.ForeignKeyConstraint(
            ["verification_id"],
            ["verifications.id"],
            name="verification_differences_verification_id_fkey",
            ondelete="CASCADE",
        ),
    )
