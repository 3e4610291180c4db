"""What is asked of the tasks of a cluster, what they answer, and why some cannot."""

from __future__ import annotations

from importlib.metadata import version
from threading import Lock
from typing import TYPE_CHECKING, Any

from cachetools import TTLCache

from autoloader import errors
from autoloader.engines.spark import session, task
from autoloader.errors import AutoloaderError, CatalogMisconfigured, SourceError, SparkMisconfigured

if TYPE_CHECKING:
    from pyspark.sql.connect.session import SparkSession

_REMEMBERED_SECONDS = 600
_NO_PYTHON = (
    "PYTHON_VERSION_MISMATCH",
    "PACKAGE_NOT_INSTALLED",
    "UNSUPPORTED_PACKAGE_VERSION",
    "ModuleNotFoundError",
    "Cannot run program",
)
"""What Spark's errors say where its tasks have no Python, or one that is not like ours."""


class Lacking(Exception):  # noqa: N818  Spark's own readers may do it
    """The tasks of a cluster cannot do a load, and nothing but the cluster can change that."""


class Memory:
    """Why the tasks of a cluster cannot read a bucket, so that not every load finds it out anew; kept for minutes."""

    def __init__(self) -> None:
        self._reasons: TTLCache[tuple[str, str], str] = TTLCache(64, ttl=_REMEMBERED_SECONDS)
        self._lock = Lock()

    def of(self, url: str, bucket: str) -> str | None:
        """The reason, by the cluster's address and the bucket; None where none is known."""
        with self._lock:
            return self._reasons.get((url, bucket))

    def keep(self, url: str, bucket: str, reason: str) -> None:
        """Remember it."""
        with self._lock:
            self._reasons[url, bucket] = reason


MEMORY = Memory()
"""Of this process."""


def asked(spark: SparkSession, what: task.Order | task.Look, count: int) -> list[dict[str, Any]]:
    """What so many tasks answer.

    Raises:
        Lacking: they cannot do it.
        AutoloaderError: as a task says.
        PySparkException: Spark's own.
    """
    from pyspark.errors import PySparkException  # noqa: PLC0415  only who uses Spark needs it
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415  likewise

    todo = task.program(task.packed(what), version(task.DISTRIBUTION))
    try:
        answer = spark.range(0, count, 1, count).mapInArrow(todo, from_arrow_schema(task.ANSWER)).toArrow()
    except PySparkException as error:
        if any(word in str(error) for word in _NO_PYTHON):
            raise Lacking(f"The cluster's tasks have no Python like this one: {session.summary(error)}.") from error
        raise
    rows: list[dict[str, Any]] = answer.to_pylist()
    for row in rows:
        if row["kind"] == task.ABSENT:
            raise Lacking(f"The embedded engine cannot run in the cluster's tasks: {row['message']}.")
        if row["kind"] == task.FAILED:
            raise _failure(row["error_type"], row["message"])
    return rows


def _failure(error_type: str, message: str) -> AutoloaderError | Lacking:
    """The error that a task told of."""
    kind, said = getattr(errors, error_type, None), f"In a task of the cluster: {message}"
    if not isinstance(kind, type) or not issubclass(kind, AutoloaderError):
        return SparkMisconfigured(f"{said} ({error_type})")
    lacking = issubclass(kind, SourceError | CatalogMisconfigured) and not kind.retryable
    return Lacking(said) if lacking else kind(said)
