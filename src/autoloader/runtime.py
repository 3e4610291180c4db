"""The composition root: the one place that builds the concrete parts from settings and closes them.

DuckDB and PyIceberg take half a second to import. A run that finds nothing new needs neither, so the engine and the
lake are imported where they are first used.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Self, assert_never

from autoloader.errors import UsageError
from autoloader.ledger import runs
from autoloader.ledger.database import connect, require_current, transaction
from autoloader.ledger.locks import alone
from autoloader.ledger.sealing import reseal_all
from autoloader.model import EngineName, RunTrigger
from autoloader.objects.hadoop import bucket_settings, scheme_of
from autoloader.objects.paths import parse_source_path
from autoloader.objects.s3 import open_s3
from autoloader.plan import Lease, LoadLimits
from autoloader.schema import parse_schema
from autoloader.turns import Parts, Task
from autoloader.validating import Asked as ToValidate
from autoloader.validating import Means
from autoloader.vault import Vault
from autoloader.verifying import Asked, Sides, Unseen
from autoloader.worker import work_on_run
from autoloader.workers import work_forever

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime, timedelta
    from pathlib import Path
    from threading import Event
    from types import TracebackType

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from autoloader.connection import Connection
    from autoloader.engines import Engine
    from autoloader.engines.spark.checking import Needed
    from autoloader.engines.spark.session import Cluster
    from autoloader.lake.rejected import Page
    from autoloader.model import (
        Difference,
        Finding,
        Ingestion,
        Load,
        NewIngestion,
        RejectPlace,
        Run,
        ValidationReport,
        VerificationReport,
        WantedRejects,
    )
    from autoloader.objects import ObjectStore
    from autoloader.objects.elsewhere import Elsewhere
    from autoloader.settings import Connections, Settings
    from autoloader.turns import Observer
    from autoloader.verifying import Watcher


_THREADS_OF_A_TASK = 2
"""One parses while another reads ahead; the other cores of its machine have tasks of their own."""


class Runtime:
    """Everything one process needs to work on ingestions; a context manager that closes what it opened.

    Args:
        settings: of this process.
        connections: where the parts are.
    """

    def __init__(self, settings: Settings, connections: Connections) -> None:
        self.settings = settings
        self.connections = connections
        self.database = connect(connections.database_url)
        self.vault = Vault(settings)
        self._closing = ExitStack()
        self._closing.callback(self.database.dispose)
        self._catalog = cache(self._open_catalog)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.close()

    def require_current_ledger(self) -> None:
        """Make sure that the database has the schema this program was written for.

        Raises:
            LedgerUnavailable: the database cannot be reached.
            LedgerOutdated: ``autoloader db upgrade`` is needed.
        """
        require_current(self.database)

    def run(
        self,
        ingestion: Ingestion,
        *,
        since: datetime | None = None,
        max_files: int | None = None,
        observer: Observer,
        stopping: Event,
    ) -> Run:
        """Start a run of an ingestion, or join the one that is going on, and work on it until it has ended.

        Args:
            since: of a run that is started: only objects modified at this instant or later.
            max_files: of a run that is started: only so many new or changed files.
            stopping: set it to stop the work; what is being published is still published.
        """
        parts = self._parts()
        with transaction(self.database) as connection:
            run, leads = runs.start_or_join(
                connection,
                ingestion.id,
                RunTrigger.MANUAL,
                parts.worker,
                parts.lease,
                since=since,
                max_files=max_files,
            )
        task = Task(ingestion=ingestion, run=run, leads=leads, observer=observer, stopping=stopping)
        return work_on_run(parts, task)

    def rotate_key(self) -> int:
        """Seal every stored secret anew under the first key: a new one, where keys are in the key file.

        Returns:
            How many ingestions hold a secret.

        Raises:
            VaultError: a secret is sealed with a key that is not there any more, or the key file cannot be written.
        """
        with alone(self.database, "rotate key"):
            self.vault.renew_key()
            with transaction(self.database) as connection:
                count = reseal_all(connection, self.vault.reseal)
            self.vault.forget_old_keys()
        return count

    def work(self, *, concurrency: int, stopping: Event, grace: timedelta) -> int:
        """Work on queued runs until ``stopping`` is set, then end within ``grace``.

        Returns:
            How many threads did not end in time; see ``workers.work_forever``.
        """
        # A worker lives long: what others import at their first load, it has at hand before it takes one up.
        from autoloader import loading, recovery, sampling  # noqa: F401, PLC0415  see above
        from autoloader.engines import embedded  # noqa: F401, PLC0415  likewise

        return work_forever(self._parts(), concurrency=concurrency, stopping=stopping, grace=grace)

    def verify(
        self,
        ingestion: Ingestion,
        *,
        tell: Callable[[Difference], None],
        watcher: Watcher | None = None,
        stopping: Event | None = None,
    ) -> VerificationReport:
        """Compare what the bucket, the ledger and the table of an ingestion say; nothing is changed by it.

        Args:
            tell: called with each difference.
            stopping: set it to stop: Interrupted is raised then.

        Raises:
            AutoloaderError: as ``verifying.verification.verify``.
        """
        from autoloader.verifying.verification import verify  # noqa: PLC0415  see the module's first lines

        halt = stopping or threading.Event()
        asked = Asked(ingestion=ingestion, tell=tell, watcher=watcher or Unseen(), stopping=halt.is_set)
        return verify(self._sides(), asked)

    def validate(
        self,
        ingestion: Ingestion,
        *,
        max_files: int | None = None,
        tell: Callable[[Finding], None],
        watcher: Watcher | None = None,
        stopping: Event | None = None,
    ) -> ValidationReport:
        """Read what the next run of an ingestion would load, and tell what would become of it; nothing is written.

        Args:
            max_files: at most so many files; None: all that wait.
            tell: called with refused records and with files.
            stopping: set it to stop: Interrupted is raised then.

        Raises:
            AutoloaderError: as ``validating.validation.validate``.
        """
        from autoloader.validating.validation import validate  # noqa: PLC0415  see the module's first lines

        halt = stopping or threading.Event()
        asked = ToValidate(
            ingestion=ingestion,
            max_files=max_files,
            tell=tell,
            watcher=watcher or Unseen(),
            stopping=halt.is_set,
        )
        return validate(self._means(), asked)

    def settle(self, load: Load, *, loaded: bool) -> Load:
        """Settle a lost load as a person decides.

        Raises:
            AutoloaderError: as ``recovery.decide``.
        """
        from autoloader.recovery import decide  # noqa: PLC0415  see the module's first lines

        return decide(self.database, load, self.open_table, loaded=loaded)

    @contextmanager
    def open_store(self, ingestion: NewIngestion) -> Iterator[ObjectStore]:
        """Open the bucket of an ingestion while the block goes on."""
        source = parse_source_path(ingestion.source_path)
        store = open_s3(
            source.bucket,
            ingestion.source_credentials,
            self.connections,
            self.settings.fetch_concurrency,
            open_secret=self.vault.open,
        )
        with closing(store):
            yield store

    def test(self, ingestion: NewIngestion) -> Connection:
        """As ``connection.reach``."""
        from autoloader.connection import reach  # noqa: PLC0415  see the module's first lines

        cluster = self.cluster(ingestion) if self._uses_spark(ingestion) else None
        with self.open_store(ingestion) as store:
            return reach(ingestion, store, cluster, self._needed)

    def _needed(self, ingestion: NewIngestion, file: str | None) -> Needed:
        from autoloader.engines.spark.checking import Needed  # noqa: PLC0415  see the module's first lines
        from autoloader.lake.catalogs import namespaces  # noqa: PLC0415  likewise
        from autoloader.lake.snapshots import metadata_files  # noqa: PLC0415  likewise

        name = f"{ingestion.catalog}.{ingestion.database}.{ingestion.table}"
        table = self.open_table(name)
        return Needed(
            table_name=name,
            metadata={} if table is None else metadata_files(table),
            namespaces=namespaces(self._catalog(ingestion.catalog)),
            prefix=ingestion.source_path,
            file=file,
            source=self._in_tasks(ingestion),
            tasks_required=self._tasks_required,
        )

    def embedded(self, most_threads: int | None = None) -> Engine:
        """The engine in this process: for previews, for ingestions that ask for it, and to judge what Spark doubts.

        Args:
            most_threads: of the parser, where it does not have the machine for itself.
        """
        from autoloader.engines.embedded import EmbeddedEngine  # noqa: PLC0415  see the module's first lines

        return EmbeddedEngine(
            memory_limit=self.settings.memory_limit,
            threads=min(self.settings.threads, most_threads or self.settings.threads),
            fetch_concurrency=self.settings.fetch_concurrency,
            spool_bytes=self.settings.spool_bytes,
            most_times=self.settings.max_compression_ratio,
        )

    def engine(self, ingestion: NewIngestion) -> Engine:
        """The engine an ingestion asks for.

        Raises:
            UsageError: as for ``cluster``.
        """
        match ingestion.engine:
            case EngineName.EMBEDDED:
                return self.embedded()
            case EngineName.SPARK:
                return self._spark(ingestion)
            case EngineName.AUTO if self._uses_spark(ingestion):
                from autoloader.engines.choosing import Choosing  # noqa: PLC0415  likewise

                return Choosing(self.embedded(), self._spark(ingestion))
            case EngineName.AUTO:
                return self.embedded()
            case _:
                assert_never(ingestion.engine)

    def _spark(self, ingestion: NewIngestion) -> Engine:
        from autoloader.engines.spark import SparkEngine, TaskEngine  # noqa: PLC0415  see the module's first lines

        cluster, source = self.cluster(ingestion), self._in_tasks(ingestion)
        own_readers = SparkEngine(cluster, self.embedded())
        if source is None:
            return own_readers
        in_a_task = self.embedded(most_threads=_THREADS_OF_A_TASK)
        return TaskEngine(cluster, source, in_a_task, own_readers, required=self._tasks_required)

    def _in_tasks(self, ingestion: NewIngestion) -> Elsewhere | None:
        """The bucket as tasks of a cluster open it; None where Spark's own readers are wanted."""
        from autoloader.objects.elsewhere import elsewhere  # noqa: PLC0415  see the module's first lines

        if self.settings.spark_reader == "sql":
            return None
        bucket = parse_source_path(ingestion.source_path).bucket
        return elsewhere(
            bucket,
            ingestion.source_credentials,
            self.connections,
            self.settings.fetch_concurrency,
            self.vault.open,
        )

    @property
    def _tasks_required(self) -> bool:
        return self.settings.spark_reader == "python"

    def _uses_spark(self, ingestion: NewIngestion) -> bool:
        """Whether a load of it may be done by Spark: where no server is named, ``auto`` means this process."""
        named = ingestion.spark_connect_url or self.connections.spark_connect_url
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
            url, given = self.connections.spark_connect_url, self.connections.spark_connect_token
        else:
            given = self.vault.open("spark_connect_token", token) if token else None
        if url is None:
            raise UsageError(
                "the engine spark needs a Spark Connect server: give spark_connect_url or set "
                "AUTOLOADER_SPARK_CONNECT_URL, or start one here with `autoloader up --spark`",
                field="spark_connect_url",
            )
        bucket = parse_source_path(ingestion.source_path).bucket
        keys = bucket_settings(bucket, ingestion.source_credentials, self.vault.open)
        return Cluster(url=url, token=given, bucket=keys, scheme=scheme_of(keys))

    def ensure_table(self, ingestion: Ingestion) -> Table:
        """The table of an ingestion, made if it is not there."""
        from autoloader.engines.fields import all_columns, further_columns  # noqa: PLC0415  see the module's first lines
        from autoloader.lake.staged import allow_staging  # noqa: PLC0415  see the module's first lines
        from autoloader.lake.tables import ensure_table  # noqa: PLC0415  see the module's first lines

        table = ensure_table(
            self._catalog(ingestion.catalog),
            ingestion.database,
            ingestion.table,
            all_columns(parse_schema(ingestion.schema_json or ""), ingestion.path_columns),
            ingestion.partition_columns,
            ingestion.table_properties,
            extra=further_columns(ingestion),
            alone=lambda: alone(self.database, f"make {ingestion.table_name}"),
        )
        return allow_staging(table) if self._uses_spark(ingestion) else table

    def ensure_rejects(self, ingestion: Ingestion) -> Table:
        """The rejects table of an ingestion, made if it is not there."""
        from autoloader.lake.rejects import ensure_rejects_table  # noqa: PLC0415  see the module's first lines

        return ensure_rejects_table(
            self._catalog(ingestion.catalog),
            ingestion.database,
            ingestion.table,
            alone=lambda: alone(self.database, f"make {ingestion.table_name}__rejects"),
        )

    def open_table(self, name: str) -> Table | None:
        """A table by its full name ``catalog.database.table``; None when there is none."""
        from autoloader.lake.tables import load_table  # noqa: PLC0415  see the module's first lines

        catalog, _, identifier = name.partition(".")
        database, _, table = identifier.rpartition(".")
        return load_table(self._catalog(catalog), database, table)

    def rejects(self, ingestion: Ingestion, wanted: WantedRejects, *, limit: int, after: RejectPlace | None) -> Page:
        """A page of the rejects of an ingestion; see ``lake.rejected.page`` for what is raised."""
        from autoloader.lake import rejected  # noqa: PLC0415  see the module's first lines
        from autoloader.lake.rejects import SUFFIX  # noqa: PLC0415  likewise

        table = self.open_table(f"{ingestion.table_name}{SUFFIX}")
        return rejected.Page([], None) if table is None else rejected.page(table, wanted, limit=limit, after=after)

    def check_table(self, ingestion: NewIngestion) -> None:
        """Ask the catalog whether it takes the name of an ingestion's table."""
        from autoloader.lake.catalogs import check_identifier  # noqa: PLC0415  see the module's first lines

        check_identifier(self._catalog(ingestion.catalog), ingestion.database, ingestion.table)

    def addresses(self) -> dict[str, str]:
        """Where the parts are that answer over HTTP: the default store, and every catalog that is known."""
        from autoloader.lake.catalogs import addresses  # noqa: PLC0415  see the module's first lines

        store = self.connections.s3_endpoint_url
        catalogs = {f"catalog {name}": url for name, url in addresses(self.connections.catalogs).items()}
        return ({} if store is None else {"store": store}) | catalogs

    def _open_catalog(self, name: str) -> Catalog:
        from autoloader.lake.catalogs import open_catalog  # noqa: PLC0415  see the module's first lines

        return open_catalog(name, self.connections.catalogs)

    def _parts(self) -> Parts:
        settings = self.settings
        return Parts(
            worker=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
            database=self.database,
            open_store=self.open_store,
            ensure_table=self.ensure_table,
            ensure_rejects=self.ensure_rejects,
            open_table=self.open_table,
            engine=self.engine,
            lease=Lease(duration=settings.lease),
            limits=LoadLimits(
                max_files=settings.max_files_per_load,
                max_bytes=settings.max_bytes_per_load,
                at_once=settings.loads_at_once,
            ),
            spool=self._spool,
            verifying=self._sides(),
            validating=self._means(),
        )

    def _sides(self) -> Sides:
        return Sides(
            database=self.database,
            open_store=self.open_store,
            open_table=self.open_table,
            spool=self._spool,
            memory_limit=self.settings.memory_limit,
            threads=self.settings.threads,
        )

    def _means(self) -> Means:
        return Means(
            database=self.database,
            open_store=self.open_store,
            open_table=self.open_table,
            check_table=self.check_table,
            judge=self.embedded,
            spool=self._spool,
        )

    @property
    def _spool(self) -> Path:
        return self.settings.spool_dir or self.settings.home_dir / "spool"
