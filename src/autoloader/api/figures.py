"""Figures for Prometheus: how the ledger stands, what ended since this process began, and how fast it answers.

Rows, bytes and durations come from the ledger, not from the process that did the work: one scrape of any one API
process tells of all workers. None of the figures names a tenant or an ingestion.

Counting files takes long where two statuses of an ingestion have very many. So nobody waits for it: a scrape tells what
was counted after the one before, and how long ago that was.
"""

import time
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoloader.errors import LedgerError
from autoloader.ledger import figures
from autoloader.ledger.database import connected, transaction
from autoloader.model import FileStatus, LoadState, RunStatus
from autoloader.runtime import Runtime

LONG = (0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600)
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
OVERLAP = timedelta(minutes=2)
"""A transaction may become visible so long after the instant that it says it ended at."""

log = structlog.get_logger(__name__)


class Figures:
    """The figures of one API process.

    Args:
        oldest: figures of files that were counted longer ago are counted anew while the scrape waits.
        rest: after counting there is a rest of at least so long, and of nine times as long as it took.
    """

    def __init__(self, *, oldest: timedelta = timedelta(minutes=2), rest: timedelta = timedelta(seconds=15)) -> None:
        self.registry = CollectorRegistry()
        self._oldest_seconds = oldest.total_seconds()
        self._rest_seconds = rest.total_seconds()
        self._counted_at: float | None = None
        self._count_again_at = 0.0
        self._counting = Lock()
        self._lock = Lock()
        self._since: datetime | None = None
        self._counted: dict[int | UUID, datetime] = {}
        r = self.registry
        self.requests = Histogram(
            "autoloader_request_seconds",
            "How long answers took.",
            ["method", "route", "status"],
            buckets=QUICK,
            registry=r,
        )
        self._up = Gauge("autoloader_ledger_up", "Whether the ledger answered this scrape.", registry=r)
        self._age = Gauge("autoloader_counted_seconds", "How long ago files and backlog were counted.", registry=r)
        self._files = Gauge("autoloader_files", "Files by status.", ["status"], registry=r)
        self._active = Gauge("autoloader_active_runs", "Runs that wait or go on, by status.", ["status"], registry=r)
        self._waiting_files = Gauge("autoloader_backlog_files", "Files that wait to be loaded.", registry=r)
        self._waiting_bytes = Gauge("autoloader_backlog_bytes", "Bytes of the files that wait.", registry=r)
        self._oldest = Gauge(
            "autoloader_backlog_oldest_seconds", "How long the oldest waiting file has waited.", registry=r
        )
        self._runs = Histogram("autoloader_run_seconds", "How long runs took.", ["status"], buckets=LONG, registry=r)
        self._loads = Histogram("autoloader_load_seconds", "How long loads took.", ["state"], buckets=LONG, registry=r)
        self._settled = Counter(
            "autoloader_settled_files", "Files by what ended runs made of them.", ["status"], registry=r
        )
        self._rejected = Counter(
            "autoloader_rejected_records", "Bad records that ended runs left out of the tables.", registry=r
        )
        self._rows = Counter("autoloader_rows", "Rows that ended runs brought.", registry=r)
        self._bytes = Counter("autoloader_read_bytes", "Bytes of files that ended runs read.", registry=r)
        self._retries = Counter(
            "autoloader_load_retries", "Loads that failed as a whole; their files wait again.", registry=r
        )
        self._open_lost = Gauge(
            "autoloader_lost_loads",
            "Loads whose worker fell silent and that are not settled, by who has to: recovery, or a person.",
            ["by"],
            registry=r,
        )
        self._lost = Counter("autoloader_lease_losses", "Loads whose worker fell silent.", registry=r)

    def scraped(self, runtime: Runtime) -> bytes:
        """The figures as Prometheus reads them."""
        with self._lock:
            try:
                self._look(runtime)
                self._up.set(1)
            except LedgerError as error:
                log.warning("figures.ledger_down", reason=str(error))
                self._up.set(0)
            return generate_latest(self.registry)

    def count(self, runtime: Runtime) -> None:
        """Count files for the next scrape, unless that was done a moment ago or is being done."""
        if time.monotonic() < self._count_again_at or not self._counting.acquire(blocking=False):
            return
        try:
            self._count(runtime)
        except LedgerError as error:
            log.warning("figures.ledger_down", reason=str(error))
        finally:
            self._counting.release()

    def _count(self, runtime: Runtime) -> None:
        began = time.monotonic()
        with connected(runtime.database) as connection:
            standing = figures.standing(connection)
        self._stand(standing)
        self._counted_at = time.monotonic()
        self._count_again_at = self._counted_at + max(self._rest_seconds, 9 * (self._counted_at - began))

    def _look(self, runtime: Runtime) -> None:
        if self._counted_at is None or time.monotonic() - self._counted_at >= self._oldest_seconds:
            self._count(runtime)
        with transaction(runtime.database) as connection:
            now = figures.now(connection)
            active = figures.active_runs(connection)
            lost = figures.lost_loads(connection)
            since = self._since or now
            runs = figures.ended_runs(connection, since)
            loads = figures.ended_loads(connection, since)
        for run_status in (RunStatus.QUEUED, RunStatus.RUNNING):
            self._active.labels(run_status).set(active.get(run_status, 0))
        self._open_lost.labels("recovery").set(lost.recovery)
        self._open_lost.labels("person").set(lost.person)
        self._age.set(time.monotonic() - (self._counted_at or 0.0))
        for run in runs:
            if self._is_new(run.id, run.ended_at):
                self._add_run(run)
        for load in loads:
            if self._is_new(load.id, load.ended_at):
                self._add_load(load)
        self._since = max(since, now - OVERLAP)
        self._counted = {key: at for key, at in self._counted.items() if at > self._since}

    def _is_new(self, key: int | UUID, ended_at: datetime) -> bool:
        if key in self._counted:
            return False
        self._counted[key] = ended_at
        return True

    def _stand(self, standing: figures.Standing) -> None:
        for file_status in FileStatus:
            self._files.labels(file_status).set(standing.files.get(file_status, 0))
        self._waiting_files.set(standing.waiting_files)
        self._waiting_bytes.set(standing.waiting_bytes)
        self._oldest.set(standing.oldest_seconds)

    def _add_run(self, run: figures.EndedRun) -> None:
        self._runs.labels(run.status).observe(run.seconds)
        self._rows.inc(run.records_ingested)
        self._rejected.inc(run.records_rejected)
        self._bytes.inc(run.bytes_read)
        self._settled.labels(FileStatus.SUCCESS).inc(run.files_succeeded)
        self._settled.labels(FileStatus.FAILED).inc(run.files_failed)
        self._settled.labels(FileStatus.SKIPPED).inc(run.files_skipped)

    def _add_load(self, load: figures.EndedLoad) -> None:
        self._loads.labels(load.state).observe(load.seconds)
        self._retries.inc(load.state is LoadState.FAILED)
        self._lost.inc(load.lost)


class Timed:
    """Measures every answer until it begins, and writes a line about it.

    Args:
        app: what answers.
        figures: where it is counted.
    """

    def __init__(self, app: ASGIApp, figures: Figures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, measured)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = _template(scope)
        method = scope["method"] if route != "unknown" else "unknown"
        self._figures.requests.labels(method, route, str(status)).observe(seconds)
        log.info("request.answered", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


def _template(scope: Scope) -> str:
    """The route as it is documented, so that an id is not a figure of its own."""
    template: str | None = getattr(scope.get("route"), "path_format", None)
    return template or "unknown"
