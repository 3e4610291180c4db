"""``make bench``: on a stack of its own races ours against the bare limit, dlt and Spark, writes docs/benchmarks.md."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import crews
import faults
import service
import spark_server
from autoloader.stack import Stack
from cases import FULL, SPARK, Case, quick
from contestants import Arena
from data import remove, upload
from dlt_environment import ROOT, make_dlt_environment
from machine import machine
from place import BUCKET, open_bucket, store_variables
from promises import service_verdicts, verdicts
from races import DLT, Figure, race, second_runs
from report import Results, page, read, written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from data import Dataset
    from service import Answers

PAGE = ROOT / "docs" / "benchmarks.md"
RESULTS = ROOT / "bench" / "results.json"
_SPECIAL: Mapping[str, Callable[[Arena, Dataset, int], list[Figure]]] = {
    crews.SHARED: crews.share,
    crews.FAIR: crews.be_fair,
    faults.RESCUE: faults.rescue,
    faults.CONTENDED: faults.contend,
    faults.PROTOCOL: faults.weigh,
}
"""Cases that are no race of contestants, each by its own way of measuring."""


def main(arguments: Sequence[str]) -> int:
    """Run the benchmark in a temporary folder.

    Returns:
        Exit code: 1 when a promise is not kept; a rehearsal keeps none and breaks none.
    """
    options = _options(arguments)
    if options.dlt:
        print("Making the environment of dlt, unless it is there …", flush=True)
        make_dlt_environment()
    with tempfile.TemporaryDirectory(prefix="autoloader-bench-") as folder:
        stack = Stack(Path(folder) / "stack")
        try:
            figures, cases, answers = bench(stack, Path(folder), options)
        finally:
            stack.stop()
    if options.write:
        write(Results(figures=figures, sizes={case.dataset.name: case.size_bytes for case in cases}, answers=answers))
    kept = tell(figures, answers)
    return 0 if kept or options.quick else 1


def write(results: Results) -> None:
    """Write the page and the results; cases that were not measured this time stay as they were."""
    everything = results.over(read(RESULTS.read_text("utf-8"))) if RESULTS.exists() else results
    shown = [case for case in FULL if case.dataset.name in everything.sizes]
    PAGE.write_text(page(everything, shown, machine()), encoding="utf-8")
    RESULTS.write_text(written(everything, machine()), encoding="utf-8")
    print(f"Written: {PAGE.relative_to(ROOT)}, {RESULTS.relative_to(ROOT)}")


def bench(stack: Stack, folder: Path, options: argparse.Namespace) -> tuple[list[Figure], list[Case], list[Answers]]:
    """Race on each chosen case and ask the API; Spark comes last, so that its server takes nothing from the others."""
    attempts = folder / "attempts"
    attempts.mkdir()
    arena = Arena(stack.start(), attempts)
    figures, cases = raced(arena, [case for case in options.cases if case.dataset.name not in SPARK], options)
    answers = service.ask(arena, service.QUICK if options.quick else service.Size()) if options.service else []
    on_spark = [case for case in options.cases if case.dataset.name in SPARK]
    if on_spark:
        print("\nStarting Spark and warming it up …", flush=True)
        more, others = raced(spark_server.with_spark(folder / "stack", attempts), on_spark, options)
        figures, cases = figures + more, cases + others
    return figures, cases, answers


def raced(arena: Arena, chosen_cases: Sequence[Case], options: argparse.Namespace) -> tuple[list[Figure], list[Case]]:
    """Make the data of each case and race on it."""
    store = open_bucket(BUCKET, store_variables(arena.connections))
    figures, cases = [], []
    for chosen in chosen_cases:
        print(f"\n{chosen.dataset.title}: making the data …", flush=True)
        began = time.perf_counter()
        case = replace(chosen, size_bytes=upload(store, chosen.dataset))
        print(f"  {case.size_bytes / 1e6:,.0f} MB in {time.perf_counter() - began:.0f} s", flush=True)
        figures += measured(arena, case, options)
        cases.append(case)
        remove(store, case.dataset)
    return figures, cases


def measured(arena: Arena, case: Case, options: argparse.Namespace) -> list[Figure]:
    """The figures of one case whose data is there."""
    special = _SPECIAL.get(case.dataset.name)
    if special is not None:
        return special(arena, case.dataset, options.repeat)
    names = [name for name in case.contestants if name != DLT or options.dlt]
    if names:
        return race(arena, case.dataset, names, options.repeat)
    return second_runs(arena, case.dataset, options.repeat)


def tell(figures: Sequence[Figure], answers: Sequence[Answers]) -> bool:
    """Print what was promised and what was found.

    Returns:
        Whether every promise is kept.
    """
    judged = [*verdicts(figures), *service_verdicts(answers)]
    print()
    for verdict in judged:
        mark = "kept" if verdict.kept else "NOT KEPT"
        print(f"{mark:<9} {verdict.promise}: {verdict.found} (must be {verdict.wanted})")
    return all(verdict.kept for verdict in judged)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    names = [*(case.dataset.name for case in FULL), service.SERVICE]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the data and one round; writes nothing")
    parser.add_argument(
        "--only", nargs="+", choices=names, default=names, help="these cases only; writes nothing by itself"
    )
    parser.add_argument(
        "--write", action="store_true", help="write what --only measured into the page, beside the rest"
    )
    parser.add_argument("--repeat", type=int, help="rounds (3, or 1 with --quick)")
    parser.add_argument("--no-spark", dest="spark", action="store_false", help="without the cases that need Spark")
    parser.add_argument("--no-dlt", dest="dlt", action="store_false", help="without dlt; writes nothing")
    options = parser.parse_args(arguments)
    complete = options.dlt and not options.quick and options.only == names
    options.write = complete or (options.write and not options.quick)
    options.repeat = options.repeat or (1 if options.quick else 3)
    options.service = service.SERVICE in options.only
    lacking = spark_server.missing() if options.spark and set(SPARK) & set(options.only) else None
    if lacking is not None:
        print(f"Without the cases {' and '.join(SPARK)}, which stay as they were: {lacking}", flush=True)
    left_out = SPARK if lacking is not None or not options.spark else ()
    chosen = [case for case in FULL if case.dataset.name in options.only and case.dataset.name not in left_out]
    options.cases = [quick(case) for case in chosen] if options.quick else chosen
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
