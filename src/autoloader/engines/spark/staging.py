"""Rows written into the table's storage as a snapshot that no branch shows, and what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.engines.spark.sql import literal, quote, table
from autoloader.errors import TableMismatch
from autoloader.model import LOAD_ID, SOURCE_FILE

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession


@dataclass(frozen=True, slots=True)
class Rows:
    """Of one file in a staged snapshot: how many there are, and whether one of them is suspicious."""

    count: int
    suspicious: bool


def stage(spark: SparkSession, rows: DataFrame, table_name: str, wap_id: str) -> None:
    """Write the rows, all or none; main is not touched."""
    spark.conf.set("spark.wap.id", wap_id)
    rows.writeTo(table(table_name)).append()


def staged_rows(spark: SparkSession, table_name: str, wap_id: str) -> tuple[int, dict[str, Rows]]:
    """The staged snapshot and, by path, what it holds: of the data files that it added two columns are read.

    Raises:
        TableMismatch: there is no such snapshot: it was committed to main, or somebody took it away.
    """
    history = f"SELECT snapshot_id, parent_id FROM {table(table_name)}.snapshots"
    found = spark.sql(f"{history} WHERE summary['wap.id'] = {literal(wap_id)}").toArrow().to_pylist()
    if not found:
        raise TableMismatch(
            f"Spark wrote into {table_name}, and no staged snapshot is there: is its property write.wap.enabled true?"
        )
    reader = spark.read
    if found[0]["parent_id"] is None:
        reader = reader.option("versionAsOf", found[0]["snapshot_id"])
    else:
        reader = reader.option("start-snapshot-id", found[0]["parent_id"])
        reader = reader.option("end-snapshot-id", found[0]["snapshot_id"])
    read = reader.table(table(table_name)).selectExpr(f"{quote(SOURCE_FILE)} AS path", f"{quote(LOAD_ID)} AS load")
    counted = read.groupBy("path").agg({"*": "count", "load": "count"})
    counts = counted.selectExpr("path", "`count(1)` AS rows", "`count(load)` AS good").toArrow().to_pylist()
    rows = {row["path"]: Rows(row["rows"], suspicious=row["good"] < row["rows"]) for row in counts}
    return found[0]["snapshot_id"], rows
