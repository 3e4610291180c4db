"""What people do with ingestions, in one set of words, and the two ways in which it is done.

    cli ──▶ Control ──┬── direct: with the ledger, the bucket and the catalog, from this machine
                      └── remote: asks a service over HTTP (wire, refusals, told, watching)

Both take the same drafts and give the same values of the model, and raise the same errors for the same reasons. That is
what lets a command be written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from threading import Event
    from uuid import UUID

    from autoloader.connection import Connection
    from autoloader.engines import Progress
    from autoloader.model import (
        Difference,
        File,
        FileStatus,
        FileVersion,
        Finding,
        Ingestion,
        IngestionStatus,
        ListingCounts,
        Load,
        NewIngestion,
        Reading,
        Reject,
        Run,
        ValidationReport,
        VerificationReport,
        WantedRejects,
    )
    from autoloader.preview import Preview

UNNAMED = {"name": "preview", "catalog": "lake", "database": "preview", "table": "preview"}
"""What an ingestion is called that is looked at before it has a name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """How much of the bucket a run looks at.

    Attributes:
        since: only objects modified at this instant or later.
        max_files: so many new or changed files at most; later runs take the rest.
    """

    since: datetime | None = None
    max_files: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """An ingestion, how many of its files are in each status, and its newest run."""

    ingestion: Ingestion
    files: Mapping[FileStatus, int]
    last_run: Run | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Some files by path, and how many of the asked status there are in all (whatever their path)."""

    files: Sequence[File]
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """One file as one ingestion knows it, with every version and attempt, the oldest first."""

    ingestion: Ingestion
    file: File
    history: Sequence[FileVersion]


class Watcher(Protocol):
    """Who watches a run. Called from any thread."""

    def queued(self) -> None:
        """The run still waits for a worker."""

    def listing(self, counts: ListingCounts) -> None:
        """So much of the bucket is recorded; ``listed`` is 0 where it is not known."""

    def waiting(self, files: int, size_bytes: int) -> None:
        """So much is to be loaded; ``size_bytes`` is 0 where it is not known."""

    def progress(self, done: Progress) -> None:
        """So much was read since the last call."""


class JobWatcher(Protocol):
    """Who watches a verification or a validation. Called from any thread."""

    def queued(self) -> None:
        """It still waits for a worker."""

    def reading(self, seen: Reading) -> None:
        """It has come so far."""


class Control(Protocol):
    """Everything a command asks for. Names are those of ingestions; drafts hold the contract's fields.

    Every method raises the errors of ``errors`` as its use case does; ``NotKnown`` for a name that no ingestion has.
    """

    @property
    def when_stopped(self) -> str:
        """What a person is told who stops ``run``."""

    def create(self, draft: Mapping[str, Any]) -> Ingestion:
        """Check a draft and save it."""

    def ingestions(self) -> Sequence[Ingestion]:
        """All of them, by name."""

    def standing(self, name: str) -> Standing:
        """One of them, and how it stands."""

    def named(self, name: str) -> Ingestion:
        """One of them."""

    def check(self, draft: Mapping[str, Any], saved: Ingestion | None) -> NewIngestion:
        """The ingestion that a draft would be in place of the saved one, by every rule that can be told from here."""

    def edit(self, before: Ingestion, changes: Mapping[str, Any]) -> Ingestion:
        """Change what is named; of the credentials, what is not named stays as well.

        Raises:
            EditedMeanwhile: somebody else edited it since ``before`` was read.
        """

    def delete(self, before: Ingestion) -> None:
        """Delete it with the history of its files; the table stays.

        Raises:
            EditedMeanwhile: somebody else edited it since ``before`` was read.
        """

    def move(self, name: str, status: IngestionStatus) -> Ingestion:
        """Pause it, or let it run again."""

    def preview(self, name: str | None, changes: Mapping[str, Any]) -> Preview:
        """What a run would do, with changes that are not saved; of an ingestion that is not saved where no name is."""

    def test(self, name: str | None, changes: Mapping[str, Any]) -> Connection:
        """Whether bucket and cluster can be used, with changes as for ``preview``."""

    def run(self, name: str, wanted: Wanted, watcher: Watcher, stopping: Event) -> Run:
        """Run it, or join the run that goes on, and come back when it has ended or ``stopping`` was set."""

    def enqueue(self, name: str, wanted: Wanted) -> Run:
        """Let a run wait for a worker; where one waits or goes on, it is that one."""

    def runs(self, name: str | None, limit: int) -> Sequence[Run]:
        """The newest runs first, of one ingestion or of all."""

    def failed(self, run: Run, limit: int) -> Sequence[File]:
        """Files that failed in a run, by path."""

    def cancel(self, run_id: int) -> Run:
        """End a run that waits or goes on; what it did not load waits for the next one."""

    def files(self, name: str, *, status: FileStatus | None, path: str | None, limit: int) -> Found:
        """Files by path: of one status, of paths that begin so or match so."""

    def explain(self, path: str) -> Sequence[Story]:
        """The file at a path, as each ingestion knows it that has seen it."""

    def retry(self, name: str, paths: Sequence[str]) -> int:
        """Let FAILED files, all or those named, be tried again by the next run; how many."""

    def rejects(self, name: str, wanted: WantedRejects, limit: int) -> Sequence[Reject]:
        """Bad records that were set apart, those of the newest loads first."""

    def retry_rejects(self, name: str, paths: Sequence[str]) -> int:
        """Let files that have rejects, all or those named, be loaded again by the next run; how many."""

    def lost(self) -> Sequence[Load]:
        """Loads whose worker fell silent and that are not settled yet, oldest first; 10,000 at most."""

    def settle(self, load_id: UUID, *, loaded: bool) -> Load:
        """Settle a lost load as a person says who has looked into the table.

        Raises:
            WrongState: it is not lost, or the table shows otherwise.
        """

    def verify(
        self, name: str, tell: Callable[[Difference], None], watcher: JobWatcher, stopping: Event
    ) -> VerificationReport:
        """Compare bucket, ledger and table, and tell what differs; a service tells the first 10,000 of it.

        Raises:
            Interrupted: ``stopping`` was set before it had ended.
        """

    def validate(
        self,
        name: str,
        max_files: int | None,
        tell: Callable[[Finding], None],
        watcher: JobWatcher,
        stopping: Event,
    ) -> ValidationReport:
        """Read what the next run would load and tell what would become of it; nothing is written.

        Args:
            max_files: at most so many files; None: all that wait.
            tell: told of refused records and of files; a service tells the first 10,000 of each.

        Raises:
            Interrupted: ``stopping`` was set before it had ended.
        """
