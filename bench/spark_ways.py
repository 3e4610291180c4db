"""Spark by itself, from files in a bucket to an Iceberg table: what ours on Spark is measured against.

Both are as short as they are written by whoever knows Spark: an explicit schema, no ledger, no strict values. Talks to
the Spark Connect server of ``SPARK_REMOTE``. ``spark_ways.py batch|stream FOLDER TABLE CHECKPOINT``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession

from data import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence


def batch(spark: SparkSession, folder: str, table: str) -> None:
    """Read everything below the folder and write it into a new table."""
    spark.read.schema(SCHEMA).json(folder).writeTo(table).using("iceberg").create()


def stream(spark: SparkSession, folder: str, table: str, checkpoint: str) -> None:
    """The same as a stream that ends when it has read what is there."""
    files = spark.readStream.schema(SCHEMA).json(folder)
    writing = files.writeStream.trigger(availableNow=True).option("checkpointLocation", checkpoint)
    writing.format("iceberg").toTable(table).awaitTermination()


def main(arguments: Sequence[str]) -> None:
    """Load once."""
    spark = SparkSession.builder.getOrCreate()
    match arguments:
        case ["batch", folder, table, _]:
            batch(spark, folder, table)
        case ["stream", folder, table, checkpoint]:
            stream(spark, folder, table, checkpoint)
        case _:
            sys.exit("spark_ways.py batch|stream FOLDER CATALOG.NAMESPACE.TABLE CHECKPOINT")
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
