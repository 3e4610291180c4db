"""Runs that look at a part of their bucket only, whichever worker leads them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a run say how much of the bucket it looks at."""
    op.add_column("runs", sa.Column("since", sa.DateTime(timezone=True)))
    op.add_column("runs", sa.Column("max_files", sa.BigInteger))
    op.create_check_constraint("runs_max_files_check", "runs", "max_files > 0")


def downgrade() -> None:
    """Forget it."""
    op.drop_column("runs", "max_files")
    op.drop_column("runs", "since")
