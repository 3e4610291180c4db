"""What becomes of fields that the schema does not know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; ingestions until now leave such fields out, as they did."""
    op.add_column("ingestions", sa.Column("unknown_fields", sa.Text, nullable=False, server_default="ignore"))
    op.create_check_constraint(
        "ingestions_unknown_fields_check", "ingestions", "unknown_fields IN ('rescue', 'ignore', 'fail', 'add')"
    )


def downgrade() -> None:
    """Undo that."""
    op.drop_constraint("ingestions_unknown_fields_check", "ingestions")
    op.drop_column("ingestions", "unknown_fields")
