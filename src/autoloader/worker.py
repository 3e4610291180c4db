"""The loop of a worker on one run: list if it leads, then claim loads and carry them out until none is left.

Several workers may be on one run. One of them leads: it lists the bucket, settles the schema and makes the table.
The others wait for that, then all of them claim. Whoever finds nothing left to claim ends the run when it is settled,
and recovers lost loads meanwhile. A leader that falls silent is succeeded by whoever notices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from autoloader import turns
from autoloader.errors import AutoloaderError, Interrupted, LeaseLost, LedgerUnavailable
from autoloader.ledger import files, runs
from autoloader.ledger.database import transaction
from autoloader.model import RunStatus
from autoloader.scratch import sweep

if TYPE_CHECKING:
    from autoloader.model import Run
    from autoloader.objects import ObjectStore
    from autoloader.turns import Parts, Task

POLL_SECONDS = 0.2
"""Between two looks at a run that waits for other workers."""

log = structlog.get_logger(__name__)


def work_on_run(parts: Parts, task: Task) -> Run:
    """Work on a run until it has ended.

    Returns:
        The run as it ended. A reason that ends a run, such as a bucket that cannot be listed, is in its ``errors``.

    Raises:
        LedgerUnavailable: the ledger cannot be reached, so nothing can be said about the run.
    """
    with structlog.contextvars.bound_contextvars(ingestion=task.ingestion.name, run=task.run.id):
        try:
            with parts.open_store(task.ingestion) as store:
                if task.leads or not _led(parts, task):
                    _lead(parts, task, store)
                else:
                    _load_all(parts, task, store)
        except LedgerUnavailable:
            raise
        except LeaseLost as error:
            log.warning("run.lead_lost", reason=str(error))
        except Interrupted as error:
            log.info("run.cancelled", reason=str(error))
            with transaction(parts.database) as connection:
                runs.cancel(connection, task.run.id)
        except AutoloaderError as error:
            log.warning("run.failed", error=error.error_type, reason=str(error))
            with transaction(parts.database) as connection:
                runs.fail(connection, task.run.id, str(error), error.error_type)
        return _current(parts, task.run)


def _lead(parts: Parts, task: Task, store: ObjectStore) -> None:
    """List, settle the schema and make the table; then load like everybody else. The lead is held to the end."""
    sweep(parts.spool)
    turns.recover(parts)
    with turns.leading(parts, task.run):
        turns.list_source(parts, task, store)
        _load_all(parts, task, store)


def _led(parts: Parts, task: Task) -> bool:
    """Wait until the leader has listed, or the run has ended; False when this worker has to lead instead."""
    while not task.stopping.is_set():
        current = _current(parts, task.run)
        if current.status is not RunStatus.RUNNING or current.listed_at is not None:
            return True
        if _takes_lead(parts, task.run):
            return False
        task.stopping.wait(POLL_SECONDS)
    raise Interrupted("stopped while another worker was listing")


def _takes_lead(parts: Parts, run: Run) -> bool:
    with transaction(parts.database) as connection:
        return runs.take_lead(connection, run.id, parts.worker, parts.lease)


def _load_all(parts: Parts, task: Task, store: ObjectStore) -> None:
    """Claim and load until the run has ended."""
    with transaction(parts.database) as connection:
        waiting = files.waiting(connection, task.run.ingestion_id)
    task.observer.waiting(waiting.files, waiting.bytes)
    failures = 0
    while not _ended(parts, task.run):
        if task.stopping.is_set():
            raise Interrupted("stopped; what was not loaded waits for the next run")
        try:
            if not turns.load_some(parts, task, store, parts.limits):
                _mend(parts, task)
            failures = 0
        except LeaseLost as error:
            log.warning("load.lost", reason=str(error))
        except AutoloaderError as error:
            failures += 1
            if not error.retryable or failures >= turns.ATTEMPTS:
                raise
            pause = turns.pause(failures).total_seconds()
            log.warning("load.again", failures=failures, seconds=round(pause, 1), reason=str(error))
            task.stopping.wait(pause)


def _ended(parts: Parts, run: Run) -> bool:
    """End the run if every file is settled; True also when it was ended by someone else."""
    with transaction(parts.database) as connection:
        ended = runs.end_if_settled(connection, run.id)
        return ended is not None or runs.get(connection, run.id).status is not RunStatus.RUNNING


def _mend(parts: Parts, task: Task) -> None:
    """Nothing to claim, yet the run is not settled: others are loading, or died loading."""
    for load in turns.recover(parts):
        if load.ingestion_id == task.run.ingestion_id:
            raise turns.undecidable(load)
    task.stopping.wait(POLL_SECONDS)


def _current(parts: Parts, run: Run) -> Run:
    with transaction(parts.database) as connection:
        return runs.get(connection, run.id)
