"""A ledger as tests speak to it: every call is a transaction of its own, with short defaults."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from autoloader.ledger import files, ingestions, loads, runs
from autoloader.ledger.database import transaction
from autoloader.ledger.listing import record_listing
from autoloader.model import (
    ClaimedFile,
    File,
    FileStatus,
    FileVersion,
    FormatType,
    Ingestion,
    ListingCounts,
    Load,
    NewIngestion,
    Outcome,
    Run,
    RunTrigger,
    SourceObject,
)
from autoloader.plan import Lease, LoadLimits

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Engine

SOURCE = "s3://landing/events/"
MODIFIED = datetime(2024, 5, 17, 8, 30, 1, 123456, tzinfo=UTC)
LEASE = Lease(duration=timedelta(minutes=5))
WORKER = "worker-1"


def new(name: str = "events", **fields: Any) -> NewIngestion:
    """An ingestion as a person would describe it."""
    return NewIngestion(
        **{
            "name": name,
            "source_path": SOURCE,
            "format_type": FormatType.JSON,
            "catalog": "lake",
            "database": "raw",
            "table": "events",
        }
        | fields
    )


def path(name: str) -> str:
    """The path of an object below the source."""
    return SOURCE + name


def objects(*names: str, etag: str = "v1", size: int = 100) -> list[SourceObject]:
    """Objects as the bucket lists them."""
    return [SourceObject(path=path(name), size_bytes=size, etag=etag, modified_at=MODIFIED) for name in names]


def good(file: ClaimedFile, records: int = 10) -> Outcome:
    """The outcome of a file that loads."""
    return Outcome(
        file_id=file.file_id,
        status=FileStatus.SUCCESS,
        records_ingested=records,
        bytes_read=file.size_bytes,
        duration=timedelta(milliseconds=7),
    )


def bad(file: ClaimedFile, kind: str = "BadRecord") -> Outcome:
    """The outcome of a file that cannot be loaded."""
    return Outcome(
        file_id=file.file_id,
        status=FileStatus.FAILED,
        bytes_read=file.size_bytes,
        error_type=kind,
        error_message="line 1: not JSON",
    )


def later(file: ClaimedFile, kind: str = "FileChanged") -> Outcome:
    """The outcome of a file that is put back."""
    return Outcome(file_id=file.file_id, status=FileStatus.DISCOVERED, error_type=kind, error_message="another etag")


class Ledger:
    """One database."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction for what has no word here."""
        with transaction(self.engine) as connection:
            yield connection

    def sql(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """What another client sees, or does, by plain SQL."""
        with self.transaction() as connection:
            result = connection.execute(text(statement), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def ingestion(self, name: str = "events", **fields: Any) -> Ingestion:
        """Save an ingestion."""
        with self.transaction() as connection:
            return ingestions.insert(connection, new(name, **fields))

    def join(self, ingestion: Ingestion, worker: str = WORKER, lease: Lease = LEASE) -> tuple[Run, bool]:
        """Start or join a run."""
        with self.transaction() as connection:
            return runs.start_or_join(connection, ingestion.id, RunTrigger.MANUAL, worker, lease)

    def record(
        self, ingestion: Ingestion, run: Run, found: Sequence[SourceObject], worker: str = WORKER, **options: Any
    ) -> ListingCounts:
        """Merge a part of a listing."""
        with self.transaction() as connection:
            return record_listing(connection, ingestion, run.id, found, worker=worker, **options)

    def listed(self, run: Run, worker: str = WORKER) -> bool:
        """Mark the listing complete."""
        with self.transaction() as connection:
            return runs.listed(connection, run.id, worker)

    def requeue_failed(self, ingestion: Ingestion, run: Run) -> int:
        """Let failed files wait again."""
        with self.transaction() as connection:
            return files.requeue_failed(connection, ingestion, run.id)

    def discover(self, ingestion: Ingestion, found: Sequence[SourceObject]) -> Run:
        """Start a run and list everything, as a leader does."""
        run, leads = self.join(ingestion)
        assert leads
        self.record(ingestion, run, found)
        self.requeue_failed(ingestion, run)
        assert self.listed(run)
        return run

    def claim(
        self, run: Run, worker: str = WORKER, lease: Lease = LEASE, **limits: int
    ) -> tuple[Load, tuple[ClaimedFile, ...]] | None:
        """Claim files."""
        with self.transaction() as connection:
            return loads.claim(
                connection, run, worker=worker, lease=lease, limits=LoadLimits(**limits), table_name="lake.raw.events"
            )

    def claims(self, run: Run, **limits: Any) -> tuple[Load, tuple[ClaimedFile, ...]]:
        """Claim files that are known to be there."""
        claimed = self.claim(run, **limits)
        assert claimed is not None
        return claimed

    def store(self, load: Load, results: Sequence[Outcome]) -> None:
        """Store outcomes."""
        with self.transaction() as connection:
            loads.store_outcomes(connection, load.id, results)

    def finish(self, load: Load, snapshot_id: int | None = 1) -> bool:
        """Finish a load."""
        with self.transaction() as connection:
            return loads.finish(connection, load.id, snapshot_id)

    def finishes(self, run: Run, *results: Any, snapshot_id: int = 1) -> Load:
        """Claim all, store what ``results`` (one function for each file, or one for all) makes of them, finish."""
        load, claimed = self.claims(run)
        chosen = results if len(results) > 1 else results * len(claimed)
        self.store(load, [result(file) for result, file in zip(chosen, claimed, strict=True)])
        assert self.finish(load, snapshot_id)
        return load

    def end(self, run: Run) -> Run | None:
        """End the run if it is settled."""
        with self.transaction() as connection:
            return runs.end_if_settled(connection, run.id)

    def ends(self, run: Run) -> Run:
        """End a run that is known to be settled."""
        ended = self.end(run)
        assert ended is not None
        return ended

    def loads_all(
        self, ingestion: Ingestion, found: Sequence[SourceObject], *results: Any, snapshot_id: int = 1
    ) -> Run:
        """A whole run."""
        run = self.discover(ingestion, found)
        self.finishes(run, *(results or (good,)), snapshot_id=snapshot_id)
        return self.ends(run)

    def run(self, run: Run) -> Run:
        """The run as it is now."""
        with self.transaction() as connection:
            return runs.get(connection, run.id)

    def load(self, load_id: UUID) -> Load:
        """The load as it is now."""
        with self.transaction() as connection:
            return loads.get(connection, load_id)

    def expire(self, *lost: Load) -> list[Load]:
        """Let the leases of these loads pass, then look for lost loads."""
        for load in lost:
            self.pass_lease(load)
        with self.transaction() as connection:
            return loads.expire(connection)

    def pass_lease(self, load: Load) -> None:
        """As if the time of a load's lease were over."""
        self.sql("UPDATE loads SET lease_until = now() - interval '1 second' WHERE id = :id", id=load.id)

    def pass_lead(self, run: Run) -> None:
        """As if the time of a run's leader were over."""
        self.sql("UPDATE runs SET lease_until = now() - interval '1 second' WHERE id = :id", id=run.id)

    def file(self, ingestion: Ingestion, name: str) -> File:
        """A file by its name below the source."""
        with self.transaction() as connection:
            (found,) = files.find(connection, path(name), ingestion.id)
            return found

    def history(self, ingestion: Ingestion, name: str) -> list[FileVersion]:
        """The history of a file."""
        with self.transaction() as connection:
            return files.history(connection, self.file(ingestion, name).id)

    def counts(self, ingestion: Ingestion) -> dict[FileStatus, int]:
        """Files by status."""
        with self.transaction() as connection:
            return files.counts(connection, ingestion.id)

    def retry(self, ingestion: Ingestion, *names: str) -> int:
        """Retry all failed files, or some."""
        with self.transaction() as connection:
            return files.retry(connection, ingestion.id, [path(name) for name in names] or None)
