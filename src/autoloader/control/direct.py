"""Done from this machine: the use cases over the ledger, the bucket and the catalog, one transaction each.

What describes and samples ingestions brings in DuckDB and PyIceberg, which take a second to import: it is imported
where it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoloader.control import UNNAMED, Found, Standing, Story
from autoloader.ledger import browsing, ingestions, tenants
from autoloader.ledger import files as ledger_files
from autoloader.ledger import rejects as ledger_rejects
from autoloader.ledger import runs as ledger_runs
from autoloader.ledger.database import transaction
from autoloader.model import DEFAULT_TENANT, FileStatus, RunTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from threading import Event
    from uuid import UUID

    from autoloader.connection import Connection
    from autoloader.control import JobWatcher, Wanted, Watcher
    from autoloader.model import (
        Difference,
        File,
        Finding,
        Ingestion,
        IngestionStatus,
        Load,
        NewIngestion,
        Reject,
        Run,
        ValidationReport,
        VerificationReport,
        WantedRejects,
    )
    from autoloader.preview import Preview
    from autoloader.runtime import Runtime


class Direct:
    """A ``Control`` over the parts of a runtime, which the caller opens and closes.

    Args:
        tenant_id: whose ingestions.
    """

    when_stopped = "Stopping cleanly; once more stops at once."

    def __init__(self, runtime: Runtime, tenant_id: str = DEFAULT_TENANT) -> None:
        self._runtime = runtime
        self._tenant = tenant_id

    def create(self, draft: Mapping[str, Any]) -> Ingestion:
        """As ``defining.create``."""
        from autoloader import defining  # noqa: PLC0415  see the module's first lines

        runtime = self._runtime
        return defining.create(runtime.database, draft, runtime.lake.check_table, runtime.vault)

    def ingestions(self) -> Sequence[Ingestion]:
        """As the ledger lists them."""
        with transaction(self._runtime.database) as connection:
            return ingestions.list_all(connection, self._tenant)

    def standing(self, name: str) -> Standing:
        """All from one transaction."""
        with transaction(self._runtime.database) as connection:
            ingestion = ingestions.by_name(connection, self._tenant, name)
            counts = ledger_files.counts(connection, ingestion.id)
            newest = ledger_runs.list_runs(connection, ingestion.id, limit=1)
        return Standing(
            ingestion=ingestion,
            files={status: counts.get(status, 0) for status in FileStatus},
            last_run=newest[0] if newest else None,
        )

    def named(self, name: str) -> Ingestion:
        """As the ledger has it."""
        with transaction(self._runtime.database) as connection:
            return ingestions.by_name(connection, self._tenant, name)

    def check(self, draft: Mapping[str, Any], saved: Ingestion | None) -> NewIngestion:
        """As ``defining.check``: the catalog is asked, too."""
        from autoloader import defining  # noqa: PLC0415  see the module's first lines

        return defining.check(draft, saved, self._runtime.lake.check_table, self._runtime.vault)

    def edit(self, before: Ingestion, changes: Mapping[str, Any]) -> Ingestion:
        """As ``defining.edit``."""
        from autoloader import defining  # noqa: PLC0415  see the module's first lines

        runtime = self._runtime
        full = _with_credentials(defining.as_draft(before), changes)
        return defining.edit(runtime.database, before, full, runtime.lake.check_table, runtime.vault)

    def delete(self, before: Ingestion) -> None:
        """As the ledger does."""
        with transaction(self._runtime.database) as connection:
            ingestions.delete(connection, before.id, version=before.version)

    def move(self, name: str, status: IngestionStatus) -> Ingestion:
        """As the ledger does."""
        with transaction(self._runtime.database) as connection:
            return ingestions.move(connection, ingestions.by_name(connection, self._tenant, name), status)

    def preview(self, name: str | None, changes: Mapping[str, Any]) -> Preview:
        """As ``preview.look``."""
        from autoloader.preview import look  # noqa: PLC0415  see the module's first lines

        ingestion = self._meant(name, changes)
        with self._runtime.open_store(ingestion) as store:
            return look(store, self._runtime.engines.embedded(), ingestion)

    def test(self, name: str | None, changes: Mapping[str, Any]) -> Connection:
        """As ``connection.reach``."""
        return self._runtime.test(self._meant(name, changes))

    def run(self, name: str, wanted: Wanted, watcher: Watcher, stopping: Event) -> Run:
        """This process does the work itself, together with any worker that does as well."""
        return self._runtime.run(
            self.named(name),
            since=wanted.since,
            max_files=wanted.max_files,
            observer=watcher,
            stopping=stopping,
        )

    def enqueue(self, name: str, wanted: Wanted) -> Run:
        """A worker of the same ledger does it."""
        with transaction(self._runtime.database) as connection:
            ingestion = ingestions.by_name(connection, self._tenant, name)
            return ledger_runs.enqueue(
                connection, ingestion.id, RunTrigger.MANUAL, since=wanted.since, max_files=wanted.max_files
            )[0]

    def runs(self, name: str | None, limit: int) -> Sequence[Run]:
        """As the ledger lists them."""
        with transaction(self._runtime.database) as connection:
            chosen = ingestions.by_name(connection, self._tenant, name).id if name is not None else None
            return tenants.runs(connection, self._tenant, limit=limit, ingestion_id=chosen)

    def failed(self, run: Run, limit: int) -> Sequence[File]:
        """As the ledger lists them."""
        with transaction(self._runtime.database) as connection:
            return ledger_files.failed_in_run(connection, run.id, limit=limit)

    def cancel(self, run_id: int) -> Run:
        """Whoever works on it notices within two seconds."""
        with transaction(self._runtime.database) as connection:
            return tenants.cancel(connection, self._tenant, run_id)

    def files(self, name: str, *, status: FileStatus | None, path: str | None, limit: int) -> Found:
        """Listed and counted in one transaction."""
        with transaction(self._runtime.database) as connection:
            ingestion = ingestions.by_name(connection, self._tenant, name)
            wanted = browsing.Wanted(ingestion_id=ingestion.id, status=status, path_like=path)
            found = list(browsing.all_of(connection, wanted, limit=limit))
            counts = ledger_files.counts(connection, ingestion.id)
        return Found(files=found, total=sum(counts.values()) if status is None else counts.get(status, 0))

    def explain(self, path: str) -> Sequence[Story]:
        """All from one transaction."""
        with transaction(self._runtime.database) as connection:
            return [
                Story(
                    ingestion=ingestions.by_id(connection, file.ingestion_id),
                    file=file,
                    history=ledger_files.history(connection, file.id),
                )
                for file in ledger_files.find(connection, path, tenant_id=self._tenant)
            ]

    def retry(self, name: str, paths: Sequence[str]) -> int:
        """As the ledger does."""
        with transaction(self._runtime.database) as connection:
            ingestion = ingestions.by_name(connection, self._tenant, name)
            return ledger_files.retry(connection, ingestion.id, list(paths) or None)

    def rejects(self, name: str, wanted: WantedRejects, limit: int) -> Sequence[Reject]:
        """Page after page."""
        ingestion, after = self.named(name), None
        found: list[Reject] = []
        while len(found) < limit:
            page = self._runtime.lake.rejects(ingestion, wanted, limit=min(limit - len(found), 1000), after=after)
            found += page.items
            after = page.following
            if after is None:
                break
        return found

    def retry_rejects(self, name: str, paths: Sequence[str]) -> int:
        """As the ledger does."""
        with transaction(self._runtime.database) as connection:
            ingestion = ingestions.by_name(connection, self._tenant, name)
            return ledger_rejects.retry(connection, ingestion.id, list(paths) or None)

    def lost(self) -> Sequence[Load]:
        """As the ledger lists them."""
        with transaction(self._runtime.database) as connection:
            return tenants.lost_loads(connection, self._tenant)

    def settle(self, load_id: UUID, *, loaded: bool) -> Load:
        """As ``recovery.decide``."""
        with transaction(self._runtime.database) as connection:
            load = tenants.load(connection, self._tenant, load_id)
        return self._runtime.settle(load, loaded=loaded)

    def verify(
        self, name: str, tell: Callable[[Difference], None], watcher: JobWatcher, stopping: Event
    ) -> VerificationReport:
        """This process does it itself."""
        return self._runtime.verify(self.named(name), tell=tell, watcher=watcher, stopping=stopping)

    def validate(
        self,
        name: str,
        max_files: int | None,
        tell: Callable[[Finding], None],
        watcher: JobWatcher,
        stopping: Event,
    ) -> ValidationReport:
        """This process does it itself."""
        return self._runtime.validate(
            self.named(name), max_files=max_files, tell=tell, watcher=watcher, stopping=stopping
        )

    def _meant(self, name: str | None, changes: Mapping[str, Any]) -> NewIngestion:
        """The ingestion that is looked at; nothing is saved."""
        if name is not None and not changes:
            return self.named(name)
        from autoloader import defining  # noqa: PLC0415  see the module's first lines

        if name is None:
            return defining.define(UNNAMED | dict(changes), self._runtime.vault)
        saved = self.named(name)
        draft = _with_credentials(defining.as_draft(saved), changes)
        return defining.define(draft, self._runtime.vault, saved)


def _with_credentials(before: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The draft with the changes; of the credentials, what is not named stays."""
    credentials = before["source_credentials"] | changes.get("source_credentials", {})
    return before | dict(changes) | {"source_credentials": credentials}
