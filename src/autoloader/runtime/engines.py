"""The engine that an ingestion asks for, and the cluster it may need."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from autoloader.errors import UsageError
from autoloader.model import EngineName
from autoloader.objects.hadoop import bucket_settings, scheme_of
from autoloader.objects.paths import parse_source_path

if TYPE_CHECKING:
    from autoloader.engines import Engine
    from autoloader.engines.spark.session import Cluster
    from autoloader.model import NewIngestion
    from autoloader.objects.elsewhere import Elsewhere
    from autoloader.settings import Connections, Settings
    from autoloader.vault import Vault

_THREADS_OF_A_TASK = 2
"""One parses while another reads ahead; the other cores of its machine have tasks of their own."""


class Engines:
    """Builds engines; each is imported where it is first used, see ``runtime``.

    Args:
        settings: of this process.
        connections: where the parts are.
        vault: opens tokens and keys.
    """

    def __init__(self, settings: Settings, connections: Connections, vault: Vault) -> None:
        self._settings = settings
        self._connections = connections
        self._vault = vault

    def embedded(self, most_threads: int | None = None) -> Engine:
        """The engine in this process: for previews, for ingestions that ask for it, and to judge what Spark doubts.

        Args:
            most_threads: of the parser, where it does not have the machine for itself.
        """
        from autoloader.engines.embedded import EmbeddedEngine  # noqa: PLC0415  see `runtime`'s first lines

        return EmbeddedEngine(
            memory_limit=self._settings.memory_limit,
            threads=min(self._settings.threads, most_threads or self._settings.threads),
            fetch_concurrency=self._settings.fetch_concurrency,
            spool_bytes=self._settings.spool_bytes,
            most_times=self._settings.max_compression_ratio,
        )

    def of(self, ingestion: NewIngestion) -> Engine:
        """The engine an ingestion asks for.

        Raises:
            UsageError: as for ``cluster``.
        """
        match ingestion.engine:
            case EngineName.EMBEDDED:
                return self.embedded()
            case EngineName.SPARK:
                return self._spark(ingestion)
            case EngineName.AUTO if self.uses_spark(ingestion):
                from autoloader.engines.choosing import Choosing  # noqa: PLC0415  likewise

                return Choosing(self.embedded(), self._spark(ingestion))
            case EngineName.AUTO:
                return self.embedded()
            case _:
                assert_never(ingestion.engine)

    def _spark(self, ingestion: NewIngestion) -> Engine:
        from autoloader.engines.spark import SparkEngine, TaskEngine  # noqa: PLC0415  see `runtime`'s first lines

        cluster, source = self.cluster(ingestion), self.in_tasks(ingestion)
        own_readers = SparkEngine(cluster, self.embedded())
        if source is None:
            return own_readers
        in_a_task = self.embedded(most_threads=_THREADS_OF_A_TASK)
        return TaskEngine(cluster, source, in_a_task, own_readers, required=self.tasks_required)

    def in_tasks(self, ingestion: NewIngestion) -> Elsewhere | None:
        """The bucket as tasks of a cluster open it; None where Spark's own readers are wanted."""
        from autoloader.objects.elsewhere import elsewhere  # noqa: PLC0415  see `runtime`'s first lines

        if self._settings.spark_reader == "sql":
            return None
        bucket = parse_source_path(ingestion.source_path).bucket
        return elsewhere(
            bucket,
            ingestion.source_credentials,
            self._connections,
            self._settings.fetch_concurrency,
            self._vault.open,
        )

    @property
    def tasks_required(self) -> bool:
        """Whether Spark's own readers may not take the place of tasks."""
        return self._settings.spark_reader == "python"

    def uses_spark(self, ingestion: NewIngestion) -> bool:
        """Whether a load of it may be done by Spark: where no server is named, ``auto`` means this process."""
        named = ingestion.spark_connect_url or self._connections.spark_connect_url
        return ingestion.engine is EngineName.SPARK or (ingestion.engine is EngineName.AUTO and named is not None)

    def cluster(self, ingestion: NewIngestion) -> Cluster:
        """Where the Spark Connect server of an ingestion answers, and how it reads the ingestion's bucket.

        Raises:
            UsageError: none is named, neither in the ingestion nor in the settings.
            VaultError: a sealed secret cannot be opened.
        """
        from autoloader.engines.spark.session import Cluster  # noqa: PLC0415  likewise

        url, token = ingestion.spark_connect_url, ingestion.spark_connect_token
        if url is None:
            url, given = self._connections.spark_connect_url, self._connections.spark_connect_token
        else:
            given = self._vault.open("spark_connect_token", token) if token else None
        if url is None:
            raise UsageError(
                "the engine spark needs a Spark Connect server: give spark_connect_url or set "
                "AUTOLOADER_SPARK_CONNECT_URL, or start one here with `autoloader up --spark`",
                field="spark_connect_url",
            )
        bucket = parse_source_path(ingestion.source_path).bucket
        keys = bucket_settings(bucket, ingestion.source_credentials, self._vault.open)
        return Cluster(url=url, token=given, bucket=keys, scheme=scheme_of(keys))
