"""The ledger of a service: runs that wait for a worker; API tokens; secrets that are sealed or references, and nothing else."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SECRETS = (
    "source_credentials ->> 'aws_access_key_id'",
    "source_credentials ->> 'aws_secret_access_key'",
    "source_credentials ->> 'aws_session_token'",
    "spark_connect_token",
)


def upgrade() -> None:
    """Let runs wait for a worker; make the table of tokens, and let no plain secret into an ingestion."""
    _queue()
    _tokens()
    op.create_check_constraint(
        "ingestions_secrets_check",
        "ingestions",
        " AND ".join(f"coalesce({secret} ~ '^(enc|env|file):', true)" for secret in SECRETS),
    )


def downgrade() -> None:
    """Remove them."""
    op.drop_constraint("ingestions_secrets_check", "ingestions")
    op.drop_table("tokens")
    op.drop_index("runs_due", table_name="runs")
    for column in ("again_at", "failures", "served_at"):
        op.drop_column("runs", column)


def _queue() -> None:
    now = sa.func.now()
    op.add_column("runs", sa.Column("served_at", sa.DateTime(timezone=True), nullable=False, server_default=now))
    op.add_column("runs", sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("again_at", sa.DateTime(timezone=True)))
    active = sa.text("status IN ('QUEUED', 'RUNNING')")
    op.create_index("runs_due", "runs", ["served_at"], postgresql_where=active)


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.UniqueConstraint("token_hash", name="tokens_hash_key"),
        sa.CheckConstraint("scope IN ('read', 'operate', 'admin')", name="tokens_scope_check"),
    )
    working = sa.text("revoked_at IS NULL")
    op.create_index("tokens_name_key", "tokens", ["tenant_id", "name"], unique=True, postgresql_where=working)
