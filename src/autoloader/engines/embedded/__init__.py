"""The embedded engine: DuckDB reads a spool full of files in one statement and writes Parquet with field ids."""
