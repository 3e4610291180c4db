"""What Spark reads: records as texts, with the file they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.options import check_engine, parse_options
from autoloader.engines.spark import ndjson
from autoloader.engines.spark.sql import literal
from autoloader.engines.spark.statement import judged
from autoloader.model import EngineName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

    from autoloader.engines import Work
    from autoloader.engines.spark.sources import Source

_WHERE = ("_metadata.file_path AS path", "_metadata.file_modification_time AS modified_at")
_NOT_BLANK = "btrim(value, ' \\t\\r') <> ''"


def rows(spark: SparkSession, work: Work, source: Source, reader: Mapping[str, str]) -> DataFrame:
    """The table's rows from these files, judged.

    Raises:
        UsageError: a format that Spark does not read here.
    """
    options = parse_options(work.reading.format_type, work.reading.options)
    check_engine(EngineName.SPARK, options)
    schema = work.reading.schema
    records = ndjson.parsed(_lines(spark, source, reader).where(_NOT_BLANK), schema)
    return judged(records, work, options, record="j.r", suspicious=ndjson.suspicious(schema))


def _lines(spark: SparkSession, source: Source, reader: Mapping[str, str]) -> DataFrame:
    read = spark.read.options(**reader).option("lineSep", "\n").option("recursiveFileLookup", "true")
    found = read.format("text").load(list(source.paths))
    if source.by_folder:
        # Before anything is opened: Spark prunes files by this.
        found = found.where(f"_metadata.file_path IN ({', '.join(map(literal, source.files))})")
    return found.selectExpr("value", *_WHERE)
