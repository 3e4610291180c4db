"""The embedded engine: DuckDB reads a spool full of files in one statement and writes Parquet with field ids."""

from autoloader.engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
