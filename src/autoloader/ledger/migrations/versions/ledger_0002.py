"""The ledger of a service: runs that wait for a worker, API tokens, and no secret that is not sealed or a reference."""

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
    _answers()
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
    op.drop_table("idempotency_keys")
    op.drop_index("loads_ended", table_name="loads")
    for index in ("runs_ended", "runs_in_status", "runs_of_tenant", "runs_due"):
        op.drop_index(index, table_name="runs")
    for column in ("again_at", "failures", "served_at"):
        op.drop_column("runs", column)


def _queue() -> None:
    now = sa.func.now()
    op.add_column("runs", sa.Column("served_at", sa.DateTime(timezone=True), nullable=False, server_default=now))
    op.add_column("runs", sa.Column("failures", sa.Integer, nullable=False, server_default=sa.text("0")))
    op.add_column("runs", sa.Column("again_at", sa.DateTime(timezone=True)))
    active = sa.text("status IN ('QUEUED', 'RUNNING')")
    op.create_index("runs_due", "runs", ["served_at"], postgresql_where=active)


def _answers() -> None:
    """What the API asks for: a tenant's runs, what ended lately, and requests that were sent before."""
    ended = sa.text("ended_at IS NOT NULL")
    op.create_index("runs_of_tenant", "runs", ["tenant_id", "id"])
    op.create_index("runs_in_status", "runs", ["tenant_id", "status", "id"])
    op.create_index("runs_ended", "runs", ["ended_at"], postgresql_where=ended)
    op.create_index("loads_ended", "loads", ["ended_at"], postgresql_where=ended)
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("made_id", sa.BigInteger),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    )
    op.create_index("idempotency_keys_created", "idempotency_keys", ["created_at"])


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
