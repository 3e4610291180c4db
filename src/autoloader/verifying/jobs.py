"""Verifications that wait in the ledger, done by a worker under a lease."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from autoloader.errors import AutoloaderError, Interrupted, LeaseLost, LedgerUnavailable
from autoloader.ledger import ingestions, verifications
from autoloader.ledger.database import transaction
from autoloader.ledger.verifications import MOST_DIFFERENCES
from autoloader.renewal import Renewal
from autoloader.verifying import Asked
from autoloader.verifying.verification import verify

if TYPE_CHECKING:
    from threading import Event

    from autoloader.model import Difference, Reading, Verification
    from autoloader.plan import Lease
    from autoloader.verifying import Sides

ATTEMPTS = 3
"""So many workers may fall silent over one verification; then it is left."""
NOTED_AT_ONCE = 500

log = structlog.get_logger(__name__)


def take_turn(sides: Sides, worker: str, lease: Lease, stopping: Event) -> bool:
    """Do the verification that waits longest; False when there is none.

    Args:
        stopping: set when the worker is to stop: the verification then waits again.

    Raises:
        LedgerUnavailable: the ledger cannot be reached; another worker begins anew once the lease has passed.
    """
    with transaction(sides.database) as connection:
        taken = verifications.take_up(connection, worker, lease)
        if taken is None:
            return False
        job, attempts = taken
        if attempts > ATTEMPTS:
            message = f"{ATTEMPTS} workers fell silent over it: the log of the workers says more"
            verifications.fail(connection, job.id, worker, "WorkerLost", message)
            return True
    with structlog.contextvars.bound_contextvars(verification=job.id):
        _Turn(sides, worker, lease, stopping, job).carry_out()
    return True


class _Turn:
    """One worker's turn with one verification; it watches it as well."""

    def __init__(self, sides: Sides, worker: str, lease: Lease, stopping: Event, job: Verification) -> None:
        self._sides = sides
        self._worker = worker
        self._lease = lease
        self._stopping = stopping
        self._job = job
        self._seen: Reading | None = None
        self._waiting: list[Difference] = []
        self._noted = 0

    def reading(self, seen: Reading) -> None:
        """Kept for the next renewal to note."""
        self._seen = seen

    def carry_out(self) -> None:
        """The one place that decides what an error means for a verification."""
        try:
            self._carry_out()
        except LedgerUnavailable:
            raise
        except LeaseLost as error:
            log.warning("verification.lost", reason=str(error))
        except Interrupted as error:
            log.info("verification.interrupted", reason=str(error))
            with transaction(self._sides.database) as connection:
                verifications.release(connection, self._job.id, self._worker)
        except AutoloaderError as error:
            self._fail(error.error_type, str(error))
        except Exception as error:
            # A defect that shows in one verification must not stop the worker's others.
            log.exception("verification.defect")
            self._fail("Defect", f"a defect of this program: {error!r}; its log says more")

    def _carry_out(self) -> None:
        with Renewal(self._renew, self._lease.renew_every, f"verification {self._job.id}") as renewal:

            def halted() -> bool:
                if renewal.lost.is_set():
                    raise self._lost()
                return self._stopping.is_set()

            with transaction(self._sides.database) as connection:
                ingestion = ingestions.by_id(connection, self._job.ingestion_id)
            report = verify(self._sides, Asked(ingestion=ingestion, tell=self._tell, watcher=self, stopping=halted))
            self._note()
            with transaction(self._sides.database) as connection:
                if not verifications.finish(connection, self._job.id, self._worker, report):
                    raise self._lost()
        log.info("verification.ended", ingestion=ingestion.name, differing=report.differing)

    def _renew(self) -> bool:
        with transaction(self._sides.database) as connection:
            return verifications.renew(connection, self._job.id, self._worker, self._lease, self._seen)

    def _tell(self, difference: Difference) -> None:
        if self._noted + len(self._waiting) < MOST_DIFFERENCES:
            self._waiting.append(difference)
        if len(self._waiting) >= NOTED_AT_ONCE:
            self._note()

    def _note(self) -> None:
        if not self._waiting:
            return
        with transaction(self._sides.database) as connection:
            if not verifications.note(connection, self._job.id, self._worker, self._noted, self._waiting):
                raise self._lost()
        self._noted += len(self._waiting)
        self._waiting.clear()

    def _fail(self, kind: str, message: str) -> None:
        log.warning("verification.failed", error=kind, reason=message)
        with transaction(self._sides.database) as connection:
            verifications.fail(connection, self._job.id, self._worker, kind, message)

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"verification {self._job.id} is another worker's by now, or was deleted")
