"""The explicit schema that every engine reads with, and the shape of the table it fills.

Types are written as Spark writes them; ``parse_schema`` takes Spark's StructType JSON or a DDL string.
"""
