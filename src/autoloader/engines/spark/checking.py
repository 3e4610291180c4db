"""What a cluster must have to load an ingestion, looked at part by part: each part says what to set where it fails."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoloader.engines.spark import session
from autoloader.engines.spark.asking import Lacking, asked
from autoloader.engines.spark.sources import named_as_it_is, under
from autoloader.engines.spark.sql import quote, table
from autoloader.engines.spark.task import Look
from autoloader.errors import AutoloaderError
from autoloader.objects.paths import parse_source_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql.connect.session import SparkSession

    from autoloader.engines.spark.session import Cluster
    from autoloader.objects.elsewhere import Elsewhere

LEAST_VERSION = 4
EXTENSION = "IcebergSparkSessionExtensions"
_NO_SUCH_PATH = "PATH_NOT_FOUND"
_NO_SUCH_SETTING = "SQL_CONF_NOT_FOUND"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One part of what a cluster must have.

    Attributes:
        name: ``spark``, ``iceberg``, ``table``, ``bucket`` or ``tasks``.
        message: what was found and, where it does not work, what to set.
    """

    name: str
    works: bool
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Needed:
    """What an ingestion needs of a cluster, as this side sees it.

    Attributes:
        table_name: ``catalog.database.table``.
        metadata: the metadata files that the table has had, with the instants (ms) at which they were the newest; none
            where there is no table yet. Spark tells no table's UUID; two tables that share one of these are the same.
        namespaces: of the catalog, the outermost.
        prefix: ``s3://bucket/prefix/``.
        file: one below it that this side could read; None: there was none.
        source: the bucket as the cluster's tasks would open it; None where they are not to be asked.
        tasks_required: whether Spark's own readers may not take their place.
    """

    table_name: str
    metadata: Mapping[str, int] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    prefix: str
    file: str | None
    source: Elsewhere | None = None
    tasks_required: bool = False


def examine(cluster: Cluster, needed: Needed) -> list[Part]:
    """Look at each part by itself: one that fails keeps no other from being looked at.

    Raises:
        SparkError: Spark does not answer or refuses us, so that nothing can be looked at.
    """
    with session.opened(cluster, uuid.uuid4()) as spark:
        parts = [
            _part("spark", lambda: _version(spark)),
            _part("iceberg", lambda: _extension(spark)),
            _part("table", lambda: _table(spark, needed)),
            _part("bucket", lambda: _bucket(spark, needed, cluster.scheme)),
        ]
        if (source := needed.source) is not None:
            parts.append(_part("tasks", lambda: _tasks(spark, needed, source)))
        return parts


class _Lacking(Exception):  # noqa: N818  what a part lacks is what it says
    """A part is not as it must be; says what to set."""


def _part(name: str, look: Callable[[], str]) -> Part:
    from pyspark.errors import PySparkException  # noqa: PLC0415  only who uses Spark needs it

    try:
        return Part(name=name, works=True, message=look())
    except _Lacking as lacking:
        return Part(name=name, works=False, message=str(lacking))
    except PySparkException as error:
        return Part(name=name, works=False, message=f"{session.summary(error)}. {_ADVICE[name]}")


_ADVICE = {
    "spark": "Check what runs at spark_connect_url.",
    "iceberg": "Let the cluster tell its setting spark.sql.extensions.",
    "table": "The cluster must have the same catalog as this side under the same name: set spark.sql.catalog.NAME to "
    "org.apache.iceberg.spark.SparkCatalog, and its .type, .uri and .warehouse as here.",
    "tasks": "See AUTOLOADER_SPARK_READER.",
    "bucket": "Give the cluster's own identity leave to list and read the bucket (and set "
    "spark.hadoop.fs.s3a.endpoint where it is not AWS), or give the ingestion keys of its own.",
}


def _version(spark: SparkSession) -> str:
    version = spark.version
    if int(version.partition(".")[0]) < LEAST_VERSION:
        raise _Lacking(f"it is Spark {version}, and {LEAST_VERSION} is needed. Name another in spark_connect_url.")
    return f"Spark {version} answers"


def _extension(spark: SparkSession) -> str:
    from pyspark.errors import PySparkException  # noqa: PLC0415  likewise

    try:
        found = spark.conf.get("spark.sql.extensions") or ""
    except PySparkException as error:
        if error.getCondition() != _NO_SUCH_SETTING:
            raise
        found = ""
    if EXTENSION not in found:
        raise _Lacking(
            "its Iceberg extension is not there. Put iceberg-spark-runtime among its jars, and set "
            f"spark.sql.extensions=org.apache.iceberg.spark.extensions.{EXTENSION}"
        )
    return "its Iceberg extension is there"


def _table(spark: SparkSession, needed: Needed) -> str:
    name, catalog = needed.table_name, needed.table_name.partition(".")[0]
    if not needed.metadata:
        found = spark.sql(f"SHOW NAMESPACES IN {quote(catalog)}").toArrow().to_pylist()
        if not needed.namespaces <= {row["namespace"].replace("`", "") for row in found}:
            raise _Lacking(f"its catalog {catalog} does not hold the namespaces that ours does. {_ADVICE['table']}")
        return f"it sees the catalog {catalog}; the table is not made yet"
    log = f"SELECT file, unix_millis(timestamp) AS at FROM {table(name)}.metadata_log_entries"
    theirs = {row["file"]: row["at"] for row in spark.sql(log).toArrow().to_pylist()}
    if not needed.metadata.items() & theirs.items():
        raise _Lacking(f"what it calls {name} is another table than ours. {_ADVICE['table']}")
    return f"it sees the table {name} as it is here"


def _bucket(spark: SparkSession, needed: Needed, scheme: str) -> str:
    from pyspark.errors import PySparkException  # noqa: PLC0415  likewise

    file = needed.file
    if file is not None and named_as_it_is(file):
        # Of a text only the beginning is read, however long the file is.
        spark.read.format("text").load(under(scheme, file)).limit(1).toArrow()
        return f"it reads the bucket ({file})"
    try:
        listed = spark.read.format("binaryFile").load(under(scheme, needed.prefix))
        listed.select("length").limit(1).toArrow()
    except PySparkException as error:
        if error.getCondition() != _NO_SUCH_PATH:
            raise
    return "it lists the bucket; there is no file yet that it could read"


def _tasks(spark: SparkSession, needed: Needed, source: Elsewhere) -> str:
    prefix = parse_source_path(needed.prefix).prefix
    try:
        asked(spark, Look(source=source, prefix=prefix), 1)
    except (Lacking, AutoloaderError) as lacking:
        if needed.tasks_required:
            raise _Lacking(f"{lacking} {_ADVICE['tasks']}") from None
        return f"its own readers read the files, as its tasks cannot: {str(lacking).rstrip('.')}"
    return "the embedded engine runs in its tasks, and reads the bucket"
