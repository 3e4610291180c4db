"""Alembic's migrations of the ledger, applied by ``autoloader.ledger.database.upgrade``."""
