"""Crews of workers on queued runs: ten as fast as two on one ingestion, and nobody waiting for another's many files."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from pyiceberg.typedef import EMPTY_DICT

from autoloader.ledger import ingestions, runs
from autoloader.ledger.database import connect, transaction
from autoloader.model import DEFAULT_TENANT, NewIngestion, RunTrigger
from check import WrongResult, check, commits
from contestants import AUTOLOADER, INGESTION
from data import Dataset, upload
from place import BUCKET, open_bucket, store_variables
from races import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Engine as Database

    from autoloader.model import Ingestion, Run
    from contestants import Arena, Attempt

TWO, TEN = "2 workers", "10 workers"
LARGE_ONE, LAST_SMALL = "the large one", "the last of the others"
SHARED, FAIR = "shared", "fair"
_CREWS = {TWO: 2, TEN: 10}
_FILES_PER_LOAD = 500
_OF_A_CREW = {"AUTOLOADER_MAX_FILES_PER_LOAD": str(_FILES_PER_LOAD), "AUTOLOADER_LOG_LEVEL": "info"}
_OTHERS = 49
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 600


def share(arena: Arena, dataset: Dataset, rounds: int) -> list[Figure]:
    """Each crew loads the same files on a fresh ledger, in loads of 500; timed from the trigger to the run's end.

    It has loaded them once before, into another table: workers live long, and their first load is slower.
    """
    figures = []
    for number in range(1, rounds + 1):
        for name, size in _CREWS.items():
            attempt = arena.ours(dataset, f"{SHARED}_{size}_{number}")
            with ledger_of(attempt) as database, crew_at_work(attempt, size) as crew:
                ingestion = ingestion_of(database)
                (before,) = _others(database, ingestion, dataset, 1)
                run_all(database, [before])
                spent = spent_by(crew)
                (ended,) = run_all(database, [ingestion])
                figures.append(figure_of(dataset.name, name, number, ended, crew, spent=spent))
            if ended.files_succeeded != dataset.files or ended.files_failed:
                raise WrongResult(f"{dataset.name}: {ended.files_succeeded} of {dataset.files} files were loaded")
            check(attempt.open_table(), dataset, snapshots=commits(attempt.open_table()))
            attempt.open_catalog().drop_table(f"{before.database}.{before.table}")
            arena.clear(attempt)
    return figures


def be_fair(arena: Arena, dataset: Dataset, rounds: int) -> list[Figure]:
    """One ingestion with many files is triggered first, then 49 with a few; two workers serve them all."""
    small = Dataset(name=f"{FAIR}-others", title="", files=20, records_per_file=10)
    upload(open_bucket(BUCKET, store_variables(arena.connections)), small)
    figures = []
    for number in range(1, rounds + 1):
        attempt = arena.ours(dataset, f"{FAIR}_{number}")
        with ledger_of(attempt) as database, crew_at_work(attempt, 2) as crew:
            large = ingestion_of(database)
            others = _others(database, large, small, _OTHERS)
            spent = spent_by(crew)
            ended = run_all(database, [large, *others])
            by_end = max(ended[1:], key=lambda run: run.ended_at or run.created_at)
            figures.append(figure_of(dataset.name, LARGE_ONE, number, ended[0], crew, spent=spent))
            figures.append(figure_of(dataset.name, LAST_SMALL, number, by_end, crew, spent=spent))
        loaded = [run.files_succeeded for run in ended]
        if loaded != [dataset.files, *[small.files] * _OTHERS]:
            raise WrongResult(f"{dataset.name}: the runs loaded {loaded} files")
        check(attempt.open_table(), dataset, snapshots=commits(attempt.open_table()))
        for other in others:
            attempt.open_catalog().drop_table(f"{other.database}.{other.table}")
        arena.clear(attempt)
    return figures


@contextmanager
def ledger_of(attempt: Attempt) -> Iterator[Database]:
    """The ledger of an attempt, while the block goes on."""
    database = connect(attempt.environment["AUTOLOADER_DATABASE_URL"])
    try:
        yield database
    finally:
        database.dispose()


def ingestion_of(database: Database) -> Ingestion:
    """The ingestion that is measured."""
    with transaction(database) as connection:
        return ingestions.by_name(connection, DEFAULT_TENANT, INGESTION)


def _others(database: Database, like: Ingestion, dataset: Dataset, count: int) -> list[Ingestion]:
    """So many ingestions of the same kind, each with a table of its own."""
    made = []
    with transaction(database) as connection:
        for number in range(count):
            described = NewIngestion(
                name=f"other_{number}",
                source_path=f"s3://{BUCKET}/{dataset.prefix}",
                source_file_pattern=like.source_file_pattern,
                format_type=like.format_type,
                schema_json=like.schema_json,
                catalog=like.catalog,
                database=like.database,
                table=f"{like.table}_other_{number}",
            )
            made.append(ingestions.insert(connection, described))
    return made


def run_all(database: Database, chosen: list[Ingestion]) -> list[Run]:
    """Trigger a run of each, in this order, and wait until all have ended."""
    with transaction(database) as connection:
        waiting = [runs.enqueue(connection, each.id, RunTrigger.MANUAL)[0] for each in chosen]
    until = time.monotonic() + _PATIENCE_SECONDS
    while any(run.ended_at is None for run in waiting):
        if time.monotonic() > until:
            raise WrongResult(f"after {_PATIENCE_SECONDS} s the runs stand at {[str(run.status) for run in waiting]}")
        time.sleep(_POLL_SECONDS)
        with transaction(database) as connection:
            waiting = [run if run.ended_at else runs.get(connection, run.id) for run in waiting]
    return waiting


@contextmanager
def crew_at_work(attempt: Attempt, size: int, own: Mapping[str, str] = EMPTY_DICT) -> Iterator[list[psutil.Popen]]:
    """So many ``autoloader worker`` processes, ready before the block begins.

    Args:
        own: variables of theirs.
    """
    with tempfile.TemporaryDirectory() as logs:
        crew = [
            _worker({**attempt.environment, **_OF_A_CREW, **own}, Path(logs) / str(number)) for number in range(size)
        ]
        try:
            for number in range(size):
                _wait_until_started(Path(logs) / str(number))
            yield crew
        finally:
            for process in crew:
                if process.poll() is None:
                    process.terminate()
            for process in crew:
                process.wait()


def _worker(environment: Mapping[str, str], log: Path) -> psutil.Popen:
    with log.open("w") as target:
        return psutil.Popen(
            [AUTOLOADER, "worker", "--concurrency", "1"],
            env=dict(environment),
            stdout=subprocess.DEVNULL,
            stderr=target,
        )


def _wait_until_started(log: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while "worker.started" not in log.read_text():
        if time.monotonic() > until:
            raise WrongResult(f"a worker did not start; it said: {log.read_text()}")
        time.sleep(_POLL_SECONDS)


def spent_by(crew: list[psutil.Popen]) -> float:
    """Processor time of a crew so far, in seconds."""
    return sum(sum(process.cpu_times()[:2]) for process in crew)


def figure_of(
    case: str,
    name: str,
    number: int,
    run: Run,
    crew: list[psutil.Popen],
    *,
    spent: float,
    seconds: float | None = None,
    snapshots: int | None = None,
) -> Figure:
    """From the trigger to the end, by the ledger's clock; processor time and memory of the whole crew.

    Args:
        spent: processor time of the crew before the trigger.
        seconds: the wall time, where something else was measured.
    """
    if run.ended_at is None:
        raise WrongResult(f"run {run.id} has not ended")
    wall = (run.ended_at - run.created_at).total_seconds() if seconds is None else seconds
    cpu = spent_by(crew) - spent
    held = sum(process.memory_info().rss for process in crew)
    print(f"  round {number}  {name:<24} {wall:8.2f} s  {cpu:8.2f} s of processor", flush=True)
    return Figure(
        case=case,
        contestant=name,
        round=number,
        wall_seconds=wall,
        cpu_seconds=cpu,
        peak_bytes=held,
        snapshots=snapshots,
    )
