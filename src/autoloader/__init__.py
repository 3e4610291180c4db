"""Files that keep arriving in object storage become rows of Apache Iceberg tables, each file exactly once."""

from importlib.metadata import version

__version__ = version("iceberg-autoloader")
