"""How Alembic runs the migrations: on the connection that is handed to it, within that connection's transaction."""

from __future__ import annotations

from alembic import context

from autoloader.ledger.schema_validations import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
