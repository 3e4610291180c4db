"""Jobs that wait in the ledger (verifications, validations), done by a worker under a lease.

    take_up ──▶ do, with renewals that note how far it is ──▶ finish | fail | release

What a job finds is noted in parts as it is found, never after the lease went to another worker.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic

import structlog

from autoloader.errors import AutoloaderError, Interrupted, LeaseLost, LedgerUnavailable
from autoloader.ledger import ingestions
from autoloader.ledger.database import transaction
from autoloader.ledger.jobs import Job
from autoloader.renewal import Renewal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event

    from sqlalchemy import Connection
    from sqlalchemy import Engine as Database

    from autoloader.ledger.jobs import Jobs
    from autoloader.model import Ingestion, Reading
    from autoloader.plan import Lease

ATTEMPTS = 3
"""So many workers may fall silent over one job; then it is left."""
NOTED_AT_ONCE = 500

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way(Generic[Job]):
    """How jobs of one kind are done.

    Attributes:
        work: does one for the ingestion it is about, and gives its report.
    """

    database: Database
    jobs: Jobs[Job]
    work: Callable[[Turn[Job], Ingestion], Any]


def take_turn(way: Way[Job], worker: str, lease: Lease, stopping: Event) -> bool:
    """Do the job that waits longest; False when there is none.

    Args:
        stopping: set when the worker is to stop: the job then waits again.

    Raises:
        LedgerUnavailable: the ledger cannot be reached; another worker begins anew once the lease has passed.
    """
    with transaction(way.database) as connection:
        taken = way.jobs.take_up(connection, worker, lease)
        if taken is None:
            return False
        job, attempts = taken
        if attempts > ATTEMPTS:
            message = f"{ATTEMPTS} workers fell silent over it: the log of the workers says more"
            way.jobs.fail(connection, job.id, worker, "WorkerLost", message)
            return True
    with structlog.contextvars.bound_contextvars(**{way.jobs.kind: job.id}):
        Turn(way, worker, lease, stopping, job).carry_out()
    return True


class Turn(Generic[Job]):
    """One worker's turn with one job; it watches it as well.

    Attributes:
        job: as it was taken up.
    """

    def __init__(self, way: Way[Job], worker: str, lease: Lease, stopping: Event, job: Job) -> None:
        self.job = job
        self._way = way
        self._worker = worker
        self._lease = lease
        self._stopping = stopping
        self._seen: Reading | None = None
        self._renewal = Renewal(self._renew, lease.renew_every, f"{way.jobs.kind} {job.id}")
        self._notebooks: list[Notebook] = []

    def reading(self, seen: Reading) -> None:
        """Kept for the next renewal to note."""
        self._seen = seen

    def halted(self) -> bool:
        """Whether the worker is to stop.

        Raises:
            LeaseLost: the job is another worker's by now.
        """
        if self._renewal.lost.is_set():
            raise self.lost()
        return self._stopping.is_set()

    def notebook(self, note: Callable[[Connection, int, str, int, Sequence[Any]], bool], most: int) -> Notebook:
        """Where one sort of findings is noted, the first ``most`` of them; what is left is noted before the job ends.

        Args:
            note: writes some down, given a connection, the job, its worker, how many came before, and the findings;
                False when the job is another worker's by now.
        """
        made = Notebook(partial(self._note, note), most)
        self._notebooks.append(made)
        return made

    def _note(
        self, note: Callable[[Connection, int, str, int, Sequence[Any]], bool], before: int, found: Sequence[Any]
    ) -> None:
        with transaction(self._way.database) as connection:
            if not note(connection, self.job.id, self._worker, before, found):
                raise self.lost()

    def carry_out(self) -> None:
        """The one place that decides what an error means for a job."""
        try:
            self._carry_out()
        except LedgerUnavailable:
            raise
        except LeaseLost as error:
            log.warning("job.lost", reason=str(error))
        except Interrupted as error:
            log.info("job.interrupted", reason=str(error))
            with transaction(self._way.database) as connection:
                self._way.jobs.release(connection, self.job.id, self._worker)
        except AutoloaderError as error:
            self._fail(error.error_type, str(error))
        except Exception as error:
            # A defect that shows in one job must not stop the worker's others.
            log.exception("job.defect")
            self._fail("Defect", f"a defect of this program: {error!r}; its log says more")

    def _carry_out(self) -> None:
        with self._renewal:
            with transaction(self._way.database) as connection:
                ingestion = ingestions.by_id(connection, self.job.ingestion_id)
            report = self._way.work(self, ingestion)
            for notebook in self._notebooks:
                notebook.close()
            with transaction(self._way.database) as connection:
                if not self._way.jobs.finish(connection, self.job.id, self._worker, report):
                    raise self.lost()
        log.info("job.ended", ingestion=ingestion.name, clean=report.is_clean)

    def _renew(self) -> bool:
        with transaction(self._way.database) as connection:
            return self._way.jobs.renew(connection, self.job.id, self._worker, self._lease, self._seen)

    def _fail(self, kind: str, message: str) -> None:
        log.warning("job.failed", error=kind, reason=message)
        with transaction(self._way.database) as connection:
            self._way.jobs.fail(connection, self.job.id, self._worker, kind, message)

    def lost(self) -> LeaseLost:
        """What is raised when the job is not this worker's any more."""
        return LeaseLost(f"{self._way.jobs.kind} {self.job.id} is another worker's by now, or was deleted")


class Notebook:
    """Findings on their way into the ledger, some hundred at a time; those beyond the first ``most`` are left out."""

    def __init__(self, note: Callable[[int, Sequence[Any]], None], most: int) -> None:
        self._note = note
        self._most = most
        self._waiting: list[Any] = []
        self._noted = 0

    def add(self, found: object) -> None:
        """One more."""
        if self._noted + len(self._waiting) < self._most:
            self._waiting.append(found)
        if len(self._waiting) >= NOTED_AT_ONCE:
            self.close()

    def close(self) -> None:
        """Note what waits."""
        if self._waiting:
            self._note(self._noted, self._waiting)
            self._noted += len(self._waiting)
            self._waiting = []
