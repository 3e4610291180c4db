"""What safety costs: the time until another worker has done a dead one's work, commits under contention, the protocol.

``rescue``: a worker is killed when its load is prepared; another one, up all the while, loads its files.
``contended``: eight workers with small loads on one table. ``protocol``: how much of a load's time goes to what only
the protocol needs: storing the outcomes before anything is published, looking at the table, renewing the lease.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from autoloader import loading
from autoloader.failpoints import VARIABLE, Step
from autoloader.lake import publish
from autoloader.ledger import loads
from autoloader.ledger.database import transaction
from autoloader.runtime import Runtime
from autoloader.settings import Settings, external_connections
from autoloader.workers import Unwatched
from check import WrongResult, check, commits
from crews import crew_at_work, figure_of, ingestion_of, ledger_of, run_all, spent_by
from races import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psutil

    from contestants import Arena, Attempt
    from data import Dataset

RESCUE, CONTENDED, PROTOCOL = "rescue", "contended", "protocol"
RESCUED, EIGHT, WHOLE_LOAD = "death to loaded", "8 workers", "one load"
LEASE_SECONDS = 10
_FILES_PER_LOAD = 5
_PATIENCE_SECONDS = 120


def rescue(arena: Arena, dataset: Dataset, rounds: int) -> list[Figure]:
    """From the death of a worker to the end of the run, which another one has brought about; its lease is 10 s."""
    figures = []
    own = {"AUTOLOADER_LEASE_SECONDS": str(LEASE_SECONDS)}
    for number in range(1, rounds + 1):
        attempt = arena.ours(dataset, f"{RESCUE}_{number}")
        doomed = own | {VARIABLE: f"{Step.LOAD_STORED}=kill"}
        with ledger_of(attempt) as database, crew_at_work(attempt, 1, own) as (rescuer,):
            rescuer.send_signal(signal.SIGSTOP)  # so that the other one takes the load
            with crew_at_work(attempt, 1, doomed) as (victim,):
                died: list[float] = []
                watching = threading.Thread(target=_note_death, args=(victim, rescuer, died))
                watching.start()
                spent = spent_by([rescuer])
                (ended,) = run_all(database, [ingestion_of(database)])
                seconds = time.monotonic() - died[0]
                watching.join()
            measured = figure_of(dataset.name, RESCUED, number, ended, [rescuer], spent=spent, seconds=seconds)
        if ended.files_succeeded != dataset.files:
            raise WrongResult(f"{dataset.name}: {ended.files_succeeded} of {dataset.files} files were loaded")
        check(attempt.open_table(), dataset, snapshots=commits(attempt.open_table()))
        figures.append(measured)
        arena.clear(attempt)
    return figures


def _note_death(victim: psutil.Popen, rescuer: psutil.Popen, died: list[float]) -> None:
    victim.wait(_PATIENCE_SECONDS)
    died.append(time.monotonic())
    rescuer.send_signal(signal.SIGCONT)


def contend(arena: Arena, dataset: Dataset, rounds: int) -> list[Figure]:
    """Eight workers, loads of five files, one table; timed from the trigger to the run's end."""
    figures = []
    own = {"AUTOLOADER_MAX_FILES_PER_LOAD": str(_FILES_PER_LOAD)}
    for number in range(1, rounds + 1):
        attempt = arena.ours(dataset, f"{CONTENDED}_{number}")
        with ledger_of(attempt) as database, crew_at_work(attempt, 8, own) as crew:
            spent = spent_by(crew)
            (ended,) = run_all(database, [ingestion_of(database)])
            with transaction(database) as connection:
                rows = connection.execute(text("SELECT state, count(*) AS loads FROM loads GROUP BY state")).all()
                states: dict[str, int] = {row.state: row.loads for row in rows}
            table = attempt.open_table()
            measured = figure_of(dataset.name, EIGHT, number, ended, crew, spent=spent, snapshots=commits(table))
        if ended.files_succeeded != dataset.files or set(states) != {"COMMITTED"}:
            raise WrongResult(f"{dataset.name}: {ended.files_succeeded} files were loaded; loads: {states}")
        check(table, dataset, snapshots=states["COMMITTED"])
        figures.append(measured)
        arena.clear(attempt)
    return figures


def weigh(arena: Arena, dataset: Dataset, rounds: int) -> list[Figure]:
    """One load in this process; ``inside_seconds`` is what its thread and the renewing one spent on the protocol."""
    figures = []
    for number in range(1, rounds + 1):
        attempt = arena.ours(dataset, f"{PROTOCOL}_{number}")
        with _surroundings(attempt), _timed() as spent:
            settings = Settings()
            with Runtime(settings, external_connections(settings)) as runtime, ledger_of(attempt) as database:
                began, processor = time.monotonic(), time.process_time()
                ended = runtime.run(ingestion_of(database), observer=Unwatched(), stopping=threading.Event())
                wall = time.monotonic() - began
        if ended.files_succeeded != dataset.files:
            raise WrongResult(f"{dataset.name}: {ended.files_succeeded} of {dataset.files} files were loaded")
        print(
            f"  round {number}  {WHOLE_LOAD:<24} {wall:8.2f} s, of it {sum(spent):.3f} s for the protocol", flush=True
        )
        figures.append(
            Figure(
                case=dataset.name,
                contestant=WHOLE_LOAD,
                round=number,
                wall_seconds=wall,
                cpu_seconds=time.process_time() - processor,
                peak_bytes=0,
                inside_seconds=sum(spent),
                snapshots=commits(attempt.open_table()),
            )
        )
        arena.clear(attempt)
    return figures


@contextmanager
def _surroundings(attempt: Attempt) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(attempt.environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _timed() -> Iterator[list[float]]:
    """Times what the protocol adds to a load, in whatever thread it is done."""
    spent: list[float] = []
    places: Sequence[tuple[object, str]] = (
        (loads, "store_outcomes"),
        (loading, "_renew"),
        (publish, "refreshed"),
        (publish, "landed_in"),
    )
    before = [(module, name, getattr(module, name)) for module, name in places]
    for module, name, function in before:
        setattr(module, name, _timing(function, spent))
    try:
        yield spent
    finally:
        for module, name, function in before:
            setattr(module, name, function)


def _timing(function: Callable[..., object], spent: list[float]) -> Callable[..., object]:
    def timed(*arguments: object, **named: object) -> object:
        began = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent.append(time.perf_counter() - began)

    return timed
