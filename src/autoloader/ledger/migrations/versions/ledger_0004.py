"""Lists straight from an index, and counts without counting: a million files must not make an answer late."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHANGES = ["ingestion_id", "status", "updated_at"]


def upgrade() -> None:
    """Make two indexes, put the id into a third, as many files change at one instant, and keep a count of files."""
    waiting = sa.text("status = 'DISCOVERED'")
    op.create_index(
        "processed_files_discovered", "processed_files", ["ingestion_id", "file_path"], postgresql_where=waiting
    )
    op.create_index("runs_of_ingestion_in_status", "runs", ["ingestion_id", "status", "id"])
    op.drop_index("processed_files_by_status", table_name="processed_files")
    op.create_index("processed_files_by_status", "processed_files", [*CHANGES, "id"])
    op.add_column("ingestions", sa.Column("files", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.execute(
        "UPDATE ingestions i SET files = c.files "
        "FROM (SELECT ingestion_id, count(*) AS files FROM processed_files GROUP BY ingestion_id) c "
        "WHERE c.ingestion_id = i.id"
    )


def downgrade() -> None:
    """Undo that."""
    op.drop_column("ingestions", "files")
    op.drop_index("processed_files_by_status", table_name="processed_files")
    op.create_index("processed_files_by_status", "processed_files", CHANGES)
    op.drop_index("runs_of_ingestion_in_status", table_name="runs")
    op.drop_index("processed_files_discovered", table_name="processed_files")
