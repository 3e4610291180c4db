"""The explicit schema that every engine reads with, and the shape of the table it fills.

Types are written as Spark writes them; ``parse_schema`` takes Spark's StructType JSON or a DDL string.
"""

from autoloader.schema.parse import parse_hints, parse_schema
from autoloader.schema.printing import to_ddl, to_json

__all__ = ["parse_hints", "parse_schema", "to_ddl", "to_json"]
