"""Validations that wait in the ledger, done by a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader import jobs
from autoloader.ledger import validations
from autoloader.ledger.validations import MOST_KEPT
from autoloader.model import Prospect, RefusedRecord
from autoloader.validating import Asked
from autoloader.validating.validation import validate

if TYPE_CHECKING:
    from threading import Event

    from autoloader.model import Finding, Ingestion, Validation, ValidationReport
    from autoloader.plan import Lease
    from autoloader.validating import Means


def take_turn(means: Means, worker: str, lease: Lease, stopping: Event) -> bool:
    """Do the validation that waits longest; see ``jobs.take_turn``."""

    def work(turn: jobs.Turn[Validation], ingestion: Ingestion) -> ValidationReport:
        refused = turn.notebook(validations.note_refused, MOST_KEPT)
        troubled = turn.notebook(validations.note_troubled, MOST_KEPT)
        loading = turn.notebook(validations.note_loading, MOST_KEPT)

        def tell(found: Finding) -> None:
            if isinstance(found, RefusedRecord):
                refused.add(found)
            else:
                (loading if found.prospect is Prospect.LOADS else troubled).add(found)

        asked = Asked(ingestion=ingestion, max_files=turn.job.max_files, tell=tell, watcher=turn, stopping=turn.halted)
        return validate(means, asked)

    way = jobs.Way(database=means.database, jobs=validations.JOBS, work=work)
    return jobs.take_turn(way, worker, lease, stopping)
