"""Bad records: what they mean for a file, how many there were, and which loads have rejects to publish."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; ingestions until now fail a file at its first bad record, as they did."""
    op.add_column("ingestions", sa.Column("on_bad_record", sa.Text, nullable=False, server_default="fail_file"))
    op.add_column("ingestions", sa.Column("max_bad_records", sa.BigInteger))
    op.add_column("ingestions", sa.Column("max_bad_ratio", sa.Float))
    op.create_check_constraint(
        "ingestions_on_bad_record_check", "ingestions", "on_bad_record IN ('fail_file', 'quarantine', 'skip')"
    )
    op.add_column("runs", sa.Column("records_rejected", sa.BigInteger, nullable=False, server_default=sa.text("0")))
    op.add_column("loads", sa.Column("rejects_table", sa.Text))
    op.create_index(
        "processed_files_rejecting",
        "processed_files",
        ["ingestion_id", "file_path"],
        postgresql_where=sa.text("records_rejected > 0"),
    )


def downgrade() -> None:
    """Undo that."""
    op.drop_index("processed_files_rejecting")
    op.drop_column("loads", "rejects_table")
    op.drop_column("runs", "records_rejected")
    op.drop_constraint("ingestions_on_bad_record_check", "ingestions")
    op.drop_column("ingestions", "max_bad_ratio")
    op.drop_column("ingestions", "max_bad_records")
    op.drop_column("ingestions", "on_bad_record")
