"""Pages straight from an index: waiting files by path, changes in their order, an ingestion's runs in one status."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHANGES = ["ingestion_id", "status", "updated_at"]


def upgrade() -> None:
    """Make two indexes, and put the id into a third, as many files change at the same instant."""
    waiting = sa.text("status = 'DISCOVERED'")
    op.create_index(
        "processed_files_discovered", "processed_files", ["ingestion_id", "file_path"], postgresql_where=waiting
    )
    op.create_index("runs_of_ingestion_in_status", "runs", ["ingestion_id", "status", "id"])
    op.drop_index("processed_files_by_status", table_name="processed_files")
    op.create_index("processed_files_by_status", "processed_files", [*CHANGES, "id"])


def downgrade() -> None:
    """Undo that."""
    op.drop_index("processed_files_by_status", table_name="processed_files")
    op.create_index("processed_files_by_status", "processed_files", CHANGES)
    op.drop_index("runs_of_ingestion_in_status", table_name="runs")
    op.drop_index("processed_files_discovered", table_name="processed_files")
