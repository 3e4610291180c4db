"""One Spark session for one load: opened under the load's id, interrupted when the load is not ours any more."""

from __future__ import annotations

import re
import threading
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog

from autoloader.errors import LeaseLost, SparkMisconfigured, SparkUnavailable, UsageError
from autoloader.objects.hadoop import SCHEME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

    from pyspark.sql.connect.session import SparkSession

USER = "autoloader"
FIELD = "spark_connect_url"
_POLL_SECONDS = 0.5
_RETRIES = 6
_LONGEST_PAUSE_MILLISECONDS = 2000
_SECRETS = re.compile(r"(?i)((?:token|secret|password|access[._]key)\S*?[=:]\s*)\S+")
_LOST = ("UNAVAILABLE", "INVALID_HANDLE", "OPERATION_CANCELED", "DEADLINE_EXCEEDED", "Connection reset")
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED", "CERTIFICATE_VERIFY_FAILED")
_CHATTER = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
"""Loggers of PySpark's: each error that it raises they print as well, with the whole query and the server's stack."""

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.mapKeyDedupPolicy": "LAST_WIN",
    "spark.sql.files.ignoreCorruptFiles": "false",
    "spark.sql.files.ignoreMissingFiles": "false",
    # A list of paths is looked up by the driver: a job for it costs more than the requests.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "100000",
    # What opening a file costs, in bytes that could have been read: by default so much that small files make tasks,
    # and data files, of a few dozen each.
    "spark.sql.files.openCostInBytes": "262144",
}
"""Of the session. The server's own are not touched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where Spark Connect answers.

    Attributes:
        url: ``sc://host:port``, perhaps with parameters (``/;use_ssl=true``).
        token: sent over TLS, or to ``localhost``.
        bucket: Hadoop's settings for the bucket of the ingestion, which hold in one session; nothing where the cluster
            reads it with its own identity. They are not given as options of a reader: those are part of the request,
            which Spark writes into its event log and shows in its UI as it is.
        scheme: of the paths that are read with them.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    bucket: Mapping[str, str] = field(default_factory=dict, repr=False)
    scheme: str = SCHEME

    def address(self, session_id: UUID) -> str:
        """With who we are; holds the token."""
        base = self.url if ";" in self.url else f"{self.url.rstrip('/')}/"
        token = f";token={quote(self.token, safe='')}" if self.token else ""
        return f"{base};user_id={USER};user_agent={USER};session_id={session_id}{token}"


@contextmanager
def opened(cluster: Cluster, session_id: UUID) -> Iterator[SparkSession]:
    """A session while the block goes on; errors of Spark become ours.

    Raises:
        SparkUnavailable: it does not answer, or the session was lost.
        SparkMisconfigured: it refuses us or what is asked.
        UsageError: the package ``pyspark-client`` is not installed.
    """
    with translated(cluster):
        spark = _session(cluster, session_id)
        try:
            settings = {**SETTINGS, **cluster.bucket}
            spark.conf._set_all(settings, silent=False)  # noqa: SLF001  one request where ``set`` makes one each
            yield spark
        finally:
            _close(spark)


def end(cluster: Cluster, session_id: UUID) -> None:
    """Interrupt what a session still does, and close it: a client that comes back to it is refused.

    Raises:
        SparkError: as for ``opened``.
    """
    with translated(cluster):
        spark = _session(cluster, session_id)
        try:
            spark.interruptAll()
        finally:
            _close(spark)


def _session(cluster: Cluster, session_id: UUID) -> SparkSession:
    try:
        from pyspark.logger import PySparkLogger  # noqa: PLC0415  only who uses Spark needs it
        from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415  likewise
        from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415  likewise
    except ImportError:
        raise UsageError(
            "the engine spark needs a package: pip install 'iceberg-autoloader[spark]'", field="engine"
        ) from None
    session: SparkSession = SparkSession.Builder().remote(cluster.address(session_id)).create()
    # By default a client tries for ten minutes, and says nothing; a load that cannot reach its cluster waits again.
    session.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES, max_backoff=_LONGEST_PAUSE_MILLISECONDS)])
    warnings.filterwarnings("ignore", r"\[RETRIES_EXCEEDED\]")  # it is raised as well
    for name in _CHATTER:
        PySparkLogger.getLogger(name).disabled = True
    return session


def _close(spark: SparkSession) -> None:
    """As ``spark.stop()``, which warns where the server is gone."""
    import grpc  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    spark.client.set_retry_policies([])
    try:
        spark.client.release_session()
    except (PySparkException, grpc.RpcError) as error:
        log.info("spark.not_closed", reason=summary(error))
    spark.client.close()


log = structlog.get_logger(__name__)


@contextmanager
def translated(cluster: Cluster) -> Iterator[None]:
    """Errors of Spark as ours; they hold no secret."""
    import grpc  # noqa: PLC0415
    from pyspark.errors import PySparkException  # noqa: PLC0415

    try:
        yield
    except (PySparkException, grpc.RpcError) as error:
        raise _ours(cluster, error) from None


def _ours(cluster: Cluster, error: Exception) -> SparkUnavailable | SparkMisconfigured:
    text = summary(error)
    if any(word in text for word in _REFUSED):
        return SparkMisconfigured(f"Spark at {cluster.url} refuses us: {text}. Check spark_connect_token.")
    if any(word in text for word in _LOST):
        return SparkUnavailable(
            f"Spark at {cluster.url} does not answer, or lost our session: {text}. Check "
            "spark_connect_url, and that the server runs."
        )
    return SparkMisconfigured(f"Spark at {cluster.url} cannot do this load: {text}")


def summary(error: Exception) -> str:
    """The first lines of Spark's message, without what may be a secret."""
    said = str(error).partition("JVM stacktrace:")[0]
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return _SECRETS.sub(r"\1***", " ".join(lines[:3]))[:1000].rstrip(".")


class Watch:
    """Interrupts what a session does as soon as the load is not ours any more.

    Args:
        spark: the session.
        tag: of its operations.
        cancelled: asked twice a second.
    """

    def __init__(self, spark: SparkSession, tag: str, cancelled: Callable[[], bool]) -> None:
        self._spark = spark
        self._tag = tag
        self._cancelled = cancelled
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name=f"watch {tag}", daemon=True)

    def __enter__(self) -> None:
        self._spark.addTag(self._tag)
        self._thread.start()

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._over.set()
        self._thread.join()
        if self._cancelled():
            raise LeaseLost(f"{self._tag} was cancelled, or its lease went to another worker: it stops.") from error

    def _look(self) -> None:
        from pyspark.errors import PySparkException  # noqa: PLC0415

        while not self._over.wait(_POLL_SECONDS):
            if self._cancelled():
                try:
                    self._spark.interruptTag(self._tag)
                except PySparkException as error:
                    log.warning("spark.not_interrupted", tag=self._tag, reason=summary(error))


def tag_of(load_id: UUID) -> str:
    """Of every operation of a load."""
    return f"load-{load_id}"
