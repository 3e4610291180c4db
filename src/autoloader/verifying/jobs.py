"""Verifications that wait in the ledger, done by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader import jobs
from autoloader.ledger import verifications
from autoloader.ledger.verifications import MOST_DIFFERENCES
from autoloader.verifying import Asked
from autoloader.verifying.verification import verify

if TYPE_CHECKING:
    from threading import Event

    from autoloader.model import Ingestion, Verification, VerificationReport
    from autoloader.plan import Lease
    from autoloader.verifying import Sides


def take_turn(sides: Sides, worker: str, lease: Lease, stopping: Event) -> bool:
    """Do the verification that waits longest; see ``jobs.take_turn``."""

    def work(turn: jobs.Turn[Verification], ingestion: Ingestion) -> VerificationReport:
        found = turn.notebook(verifications.note, MOST_DIFFERENCES)
        return verify(sides, Asked(ingestion=ingestion, tell=found.add, watcher=turn, stopping=turn.halted))

    way = jobs.Way(database=sides.database, jobs=verifications.JOBS, work=work)
    return jobs.take_turn(way, worker, lease, stopping)
