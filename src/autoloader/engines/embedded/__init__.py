"""The embedded engine: DuckDB reads a spool full of files in one statement and writes Parquet with field ids."""

from autoloader import arrow  # isort: skip  # noqa: F401  before anything else has pyarrow look for pandas
from autoloader.engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
