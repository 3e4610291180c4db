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
from typing import TYPE_CHECKING, Self

from autoloader.ledger import runs
from autoloader.ledger.database import connect, require_current, transaction
from autoloader.ledger.locks import alone
from autoloader.ledger.sealing import reseal_all
from autoloader.model import RunTrigger
from autoloader.objects.paths import parse_source_path
from autoloader.objects.s3 import open_s3
from autoloader.plan import Lease, LoadLimits
from autoloader.runtime.engines import Engines
from autoloader.runtime.lake import Lake
from autoloader.turns import Parts, Task, import_loading
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

    from autoloader.connection import Connection
    from autoloader.engines.spark.checking import Needed
    from autoloader.model import (
        Difference,
        Finding,
        Ingestion,
        Load,
        NewIngestion,
        Run,
        ValidationReport,
        VerificationReport,
    )
    from autoloader.objects import ObjectStore
    from autoloader.settings import Connections, Settings
    from autoloader.turns import Observer
    from autoloader.verifying import Watcher


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
        self.engines = Engines(settings, connections, self.vault)
        self.lake = Lake(connections, self.database, self.engines.uses_spark)

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
        import_loading()
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

        return decide(self.database, load, self.lake.open_table, loaded=loaded)

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

        cluster = self.engines.cluster(ingestion) if self.engines.uses_spark(ingestion) else None
        with self.open_store(ingestion) as store:
            return reach(ingestion, store, cluster, self._needed)

    def _needed(self, ingestion: NewIngestion, file: str | None) -> Needed:
        from autoloader.engines.spark.checking import Needed  # noqa: PLC0415  see the module's first lines
        from autoloader.lake.catalogs import namespaces  # noqa: PLC0415  likewise
        from autoloader.lake.snapshots import metadata_files  # noqa: PLC0415  likewise

        name = f"{ingestion.catalog}.{ingestion.database}.{ingestion.table}"
        table = self.lake.open_table(name)
        return Needed(
            table_name=name,
            metadata={} if table is None else metadata_files(table),
            namespaces=namespaces(self.lake.catalog(ingestion.catalog)),
            prefix=ingestion.source_path,
            file=file,
            source=self.engines.in_tasks(ingestion),
            tasks_required=self.engines.tasks_required,
        )

    def _parts(self) -> Parts:
        settings = self.settings
        return Parts(
            worker=f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}",
            database=self.database,
            open_store=self.open_store,
            ensure_table=self.lake.ensure_table,
            ensure_rejects=self.lake.ensure_rejects,
            open_table=self.lake.open_table,
            engine=self.engines.of,
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
            open_table=self.lake.open_table,
            spool=self._spool,
            memory_limit=self.settings.memory_limit,
            threads=self.settings.threads,
        )

    def _means(self) -> Means:
        return Means(
            database=self.database,
            open_store=self.open_store,
            open_table=self.lake.open_table,
            check_table=self.lake.check_table,
            judge=self.engines.embedded,
            spool=self._spool,
        )

    @property
    def _spool(self) -> Path:
        return self.settings.spool_dir or self.settings.home_dir / "spool"
