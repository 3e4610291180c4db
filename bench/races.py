"""The races: contestants one after the other, round by round, each checked; every round gives figures."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from check import WrongResult, check, check_rejects, commits
from contest import Measured, measure
from contestants import HERE, Arena, Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from data import Dataset

OURS, LIMIT, DLT = "autoloader", "bare limit", "dlt"
ON_SPARK, OWN_READERS = "autoloader on spark", "autoloader on spark sql"
BATCH, STREAM = "spark batch", "spark streaming"
FIRST, AGAIN, LISTING, START = "first run", "nothing new", "bare listing", "start only"
FILES_PER_LOAD = 10_000
START_CODE = "import autoloader.cli.runs, autoloader.control.direct, autoloader.runtime"


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One measured process.

    Attributes:
        inside_seconds: what the process itself says the work took, without its start; None where it does not say.
        snapshots: of the table afterwards, None where nothing was loaded.
        bytes_read: what a run says it has read, None where it does not say.
    """

    case: str
    contestant: str
    round: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    inside_seconds: float | None = None
    snapshots: int | None = None
    bytes_read: int | None = None


def race(arena: Arena, dataset: Dataset, names: Sequence[str], rounds: int) -> list[Figure]:
    """Every contestant loads the data set into a fresh table, in each round in the same order."""
    makers: Mapping[str, Callable[[Dataset, str], Attempt]] = {
        OURS: arena.ours,
        LIMIT: arena.limit,
        DLT: arena.dlt,
        ON_SPARK: arena.on_spark,
        OWN_READERS: arena.by_own_readers,
        BATCH: arena.spark_batch,
        STREAM: arena.spark_stream,
    }
    figures = []
    for number in range(1, rounds + 1):
        for name in names:
            attempt = makers[name](dataset, _label(dataset, name, number))
            figures.append(_load(attempt, dataset, name, number))
            arena.clear(attempt)
    return figures


def second_runs(arena: Arena, dataset: Dataset, rounds: int) -> list[Figure]:
    """One load of the whole data set; then in each round: a run with nothing new, a bare listing, a bare start."""
    attempt = arena.ours(dataset, _label(dataset, "again", 0))
    figures = [_load(attempt, dataset, FIRST, 1)]
    snapshots = figures[0].snapshots or 0
    listing = [sys.executable, str(HERE / "limit.py"), "list", dataset.prefix]
    commands = {AGAIN: attempt.command, LISTING: listing, START: [sys.executable, "-c", START_CODE]}
    for number in range(1, rounds + 1):
        for name, command in commands.items():
            measured = measure(command, attempt.environment, attempt.folder)
            figures.append(_figure(measured, dataset, name=name, number=number))
    check(attempt.open_table(), dataset, snapshots=snapshots)
    arena.clear(attempt)
    return figures


def _load(attempt: Attempt, dataset: Dataset, name: str, number: int) -> Figure:
    measured = measure(attempt.command, attempt.environment, attempt.folder)
    table = attempt.open_table()
    check(table, dataset, snapshots=_snapshots(name, dataset))
    if dataset.rejects:
        check_rejects(table, attempt.open_rejects(), dataset)
    return _figure(measured, dataset, name=name, number=number, snapshots=commits(table))


def _snapshots(name: str, dataset: Dataset) -> int:
    """One for each load of ours that lands; the others load everything at once."""
    return -(-dataset.files // FILES_PER_LOAD) if name in {OURS, FIRST, ON_SPARK} else 1


def _inside(name: str, measured: Measured, dataset: Dataset) -> tuple[float | None, int | None]:
    """Seconds and bytes by what the process says of itself; whether it saw all files is checked here."""
    if name in {DLT, START, BATCH, STREAM}:
        return None, None
    answer = json.loads(measured.output)
    if name in {LIMIT, LISTING}:
        if answer["objects"] != dataset.files:
            raise WrongResult(f"{dataset.name}: the listing has {answer['objects']} objects of {dataset.files}")
        return float(answer["seconds"]), None
    expected = 0 if name == AGAIN else dataset.files
    if answer["status"] != "SUCCESS" or answer["files_succeeded"] != expected or answer["files_failed"]:
        raise WrongResult(f"{dataset.name}: {expected} files should have loaded, the run says {measured.output}")
    return float(answer["duration_seconds"]), int(answer["bytes_read"])


def _figure(measured: Measured, dataset: Dataset, *, name: str, number: int, snapshots: int | None = None) -> Figure:
    print(
        f"  round {number}  {name:<19} {measured.wall_seconds:8.2f} s  {measured.cpu_seconds:8.2f} s of processor  "
        f"{measured.peak_bytes / 1e6:6.0f} MB",
        flush=True,
    )
    inside_seconds, bytes_read = _inside(name, measured, dataset)
    return Figure(
        case=dataset.name,
        contestant=name,
        round=number,
        wall_seconds=measured.wall_seconds,
        cpu_seconds=measured.cpu_seconds,
        peak_bytes=measured.peak_bytes,
        inside_seconds=inside_seconds,
        snapshots=snapshots,
        bytes_read=bytes_read,
    )


def _label(dataset: Dataset, name: str, number: int) -> str:
    return f"{dataset.name}_{name}_{number}".replace(" ", "_").replace("-", "_")
