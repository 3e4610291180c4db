"""Workers of a service: threads that take up whatever run is due, turn by turn, until they are told to stop.

    stopping set ──▶ no new turn; loads in hand go on ──grace nearly over──▶ what is not published is put back ──▶ end

Each thread is a worker of its own, with a name of its own. Nothing that goes wrong with a run ends its thread: a reason
that may pass postpones the run, any other ends it with that reason. More threads recover lost loads, and do
verifications and validations meanwhile: what may take minutes must not keep a turn waiting.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from typing import TYPE_CHECKING

import structlog

from autoloader import turns
from autoloader.errors import AutoloaderError, Interrupted, LeaseLost, LedgerUnavailable
from autoloader.ledger import files, ingestions, queue, runs
from autoloader.ledger.database import transaction
from autoloader.scratch import sweep
from autoloader.turns import Task

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from autoloader.engines import Progress
    from autoloader.ledger.queue import Due
    from autoloader.model import ListingCounts, Load, Run
    from autoloader.turns import Parts

SHORTEST_POLL, LONGEST_POLL = 0.05, 0.5
"""Seconds between two looks at the queue: short after there was work, longer the longer there is none."""
LEDGER_AWAY = 2.0
"""Seconds before the ledger is asked again that could not be reached."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stopping:
    """How the workers of a process are told to stop.

    Attributes:
        gently: take up nothing new.
        now: put back what is in hand, unless it is being published.
    """

    gently: Event
    now: Event = field(default_factory=Event)


class Unwatched:
    """An ``Observer`` for runs that nobody watches: the ledger and the log tell how they go."""

    def listing(self, counts: ListingCounts) -> None:
        """So much of the bucket is recorded."""

    def waiting(self, files: int, size_bytes: int) -> None:
        """So much is to be loaded."""

    def progress(self, done: Progress) -> None:
        """So much was read since the last call."""


def work_forever(parts: Parts, *, concurrency: int, stopping: Event, grace: timedelta) -> int:
    """Work on queued runs until ``stopping`` is set; returns within ``grace`` after that.

    Loads in hand are finished in two thirds of the grace time; after that, what is not published yet is put back, so
    that another worker takes it up at once.

    Args:
        parts: of this process; each thread works under a name of its own.
        concurrency: how many turns at once.

    Returns:
        How many threads did not end in time. What they have in hand is recovered by others once its lease passes.
    """
    sweep(parts.spool)
    halt = Stopping(gently=stopping)
    workers = [replace(parts, worker=f"{parts.worker}/{number}") for number in range(1, concurrency + 1)]
    threads = [Thread(target=_serve, args=(each, halt), name=each.worker, daemon=True) for each in workers]
    threads.append(Thread(target=_tend, args=(parts, halt), name=f"{parts.worker}/recovery", daemon=True))
    threads += [
        Thread(target=_do_jobs, args=(parts, halt, kind), name=f"{parts.worker}/{kind}", daemon=True) for kind in JOBS
    ]
    for thread in threads:
        thread.start()
    log.info("worker.started", worker=parts.worker, concurrency=concurrency)
    stopping.wait()
    deadline = time.monotonic() + grace.total_seconds()
    log.info("worker.stopping", worker=parts.worker, grace_seconds=grace.total_seconds())
    _join(threads, until=deadline - grace.total_seconds() / 3)
    halt.now.set()
    left = _join(threads, until=deadline)
    log.info("worker.stopped", worker=parts.worker, left=left)
    return left


def _join(threads: Iterable[Thread], *, until: float) -> int:
    """Wait for threads to end; how many have not by this time of the monotonic clock."""
    left = 0
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0))
        left += thread.is_alive()
    return left


def _serve(parts: Parts, halt: Stopping) -> None:
    poll = SHORTEST_POLL
    while not halt.gently.is_set():
        try:
            busy = take_turn(parts, halt.now)
        except LedgerUnavailable as error:
            log.warning("ledger.unavailable", reason=str(error))
            halt.gently.wait(LEDGER_AWAY)
            continue
        except Exception:
            # A thread that ended would be missed by nobody, and its process would go on doing less.
            log.exception("worker.defect")
            halt.gently.wait(LEDGER_AWAY)
            continue
        poll = SHORTEST_POLL if busy else min(poll * 2, LONGEST_POLL)
        if not busy:
            halt.gently.wait(poll)


def take_turn(parts: Parts, stopping: Event) -> bool:
    """Do what is due next: list the bucket of a run, or carry out one of its loads, or end it.

    Args:
        stopping: set when what is in hand is to be put back.

    Returns:
        False when there was nothing to do.

    Raises:
        LedgerUnavailable: the ledger cannot be reached; what was in hand is recovered once its lease passes.
    """
    with transaction(parts.database) as connection:
        due = queue.next_task(connection, parts.worker, parts.lease)
        if due is None:
            return False
        ingestion = ingestions.by_id(connection, due.run.ingestion_id)
    task = Task(ingestion=ingestion, run=due.run, leads=due.leads, observer=Unwatched(), stopping=stopping)
    with structlog.contextvars.bound_contextvars(ingestion=ingestion.name, run=due.run.id):
        return _take_turn(parts, task, due)


def _take_turn(parts: Parts, task: Task, due: Due) -> bool:
    """The one place that decides what an error means for a run."""
    try:
        return _do(parts, task, due)
    except LedgerUnavailable:
        raise
    except LeaseLost as error:
        log.warning("turn.lost", reason=str(error))
    except Interrupted as error:
        log.info("turn.interrupted", reason=str(error))
        with transaction(parts.database) as connection:
            queue.release_lead(connection, task.run.id, parts.worker)
    except AutoloaderError as error:
        _went_wrong(parts, task.run, error)
    except Exception as error:
        # A defect that shows in one run must not stop the work on all others.
        log.exception("run.defect")
        with transaction(parts.database) as connection:
            runs.fail(connection, task.run.id, f"a defect of this program: {error!r}; its log says more", "Defect")
    return True


def _do(parts: Parts, task: Task, due: Due) -> bool:
    if not due.leads and _ended(parts, task.run):
        return True
    with parts.open_store(task.ingestion) as store:
        if due.leads:
            with turns.leading(parts, task.run):
                turns.list_source(parts, task, store)
        elif not turns.load_some(parts, task, store, parts.limits.shared if due.others else parts.limits):
            return False
    with transaction(parts.database) as connection:
        queue.went_well(connection, task.run.id)
    _ended(parts, task.run)
    return True


def _ended(parts: Parts, run: Run) -> bool:
    """End the run if every file is settled."""
    with transaction(parts.database) as connection:
        ended = runs.end_if_settled(connection, run.id)
    if ended is not None:
        log.info("run.ended", status=str(ended.status), files=ended.files_processed, rows=ended.records_ingested)
    return ended is not None


def _went_wrong(parts: Parts, run: Run, error: AutoloaderError) -> None:
    """Postpone the run where the reason may pass, and end it where it will not, or has not for too long."""
    with transaction(parts.database) as connection:
        failures = queue.postpone(connection, run.id, turns.pause) if error.retryable else turns.ATTEMPTS
        if failures < turns.ATTEMPTS:
            queue.release_lead(connection, run.id, parts.worker)
        else:
            runs.fail(connection, run.id, str(error), error.error_type)
    event = "run.postponed" if failures < turns.ATTEMPTS else "run.failed"
    log.warning(event, failures=failures, error=error.error_type, reason=str(error))


def _tend(parts: Parts, halt: Stopping) -> None:
    """Recover lost loads, of every ingestion and whoever lost them, until it is time to stop."""
    while not halt.gently.wait(parts.lease.renew_every.total_seconds()):
        try:
            for load in turns.recover(parts):
                _give_up_on(parts, load)
        except LedgerUnavailable as error:
            log.warning("ledger.unavailable", reason=str(error))
        except Exception:
            # A load that cannot be recovered must not keep the others from it for ever.
            log.exception("recovery.defect")


def _verify_next(parts: Parts, worker: str, stopping: Event) -> bool:
    from autoloader.verifying.jobs import take_turn as verify_next  # noqa: PLC0415  it brings in DuckDB

    return verify_next(parts.verifying, worker, parts.lease, stopping)


def _validate_next(parts: Parts, worker: str, stopping: Event) -> bool:
    from autoloader.validating.jobs import take_turn as validate_next  # noqa: PLC0415  it brings in DuckDB

    return validate_next(parts.validating, worker, parts.lease, stopping)


JOBS = {"verification": _verify_next, "validation": _validate_next}


def _do_jobs(parts: Parts, halt: Stopping, kind: str) -> None:
    """Do the jobs of a kind that wait, one at a time, until it is time to stop; the one in hand then waits again."""
    worker = f"{parts.worker}/{kind}"
    while not halt.gently.is_set():
        try:
            busy = JOBS[kind](parts, worker, halt.gently)
        except LedgerUnavailable as error:
            log.warning("ledger.unavailable", reason=str(error))
            halt.gently.wait(LEDGER_AWAY)
            continue
        if not busy:
            halt.gently.wait(LONGEST_POLL)


def _give_up_on(parts: Parts, load: Load) -> None:
    """A load that nobody can decide keeps its run from ending: once nothing else is left to do, a person is told."""
    error = turns.undecidable(load)
    with transaction(parts.database) as connection:
        run = runs.active(connection, load.ingestion_id)
        if run is None or run.listed_at is None or files.waiting(connection, load.ingestion_id).files:
            return
        runs.fail(connection, run.id, str(error), error.error_type)
