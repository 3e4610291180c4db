"""Rows written into the table's storage as a snapshot that no branch shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.spark.sql import table

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession


def stage(spark: SparkSession, rows: DataFrame, table_name: str, wap_id: str) -> None:
    """Write the rows, all or none; main is not touched."""
    spark.conf.set("spark.wap.id", wap_id)
    # Whatever the table writes by default: the rows are counted, and taken out, in Parquet.
    rows.writeTo(table(table_name)).option("write-format", "parquet").append()
