"""The benchmark's own arithmetic and measuring: what it says must be so before anyone reads it."""

from __future__ import annotations

import gzip
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from autoloader.schema import parse_schema
from cases import FULL, SPARK, Case
from contest import ContestantFailed, measure
from data import SCHEMA, Dataset, texts_of
from forms import ARRAY, BAD_VALUE, FLAWED, GZIP, MALFORMED, NDJSON, Form
from promises import verdicts
from races import BATCH, DLT, LIMIT, ON_SPARK, OURS, STREAM, Figure
from report import Results, page, read, written

if TYPE_CHECKING:
    from pathlib import Path

DATASET = Dataset(name="small", title="Twelve records", files=3, records_per_file=4)
MB = 10**6


def figure(contestant: str, number: int, wall: float, *, peak_bytes: int = 100 * MB) -> Figure:
    return Figure(
        case="small",
        contestant=contestant,
        round=number,
        wall_seconds=wall,
        cpu_seconds=wall,
        peak_bytes=peak_bytes,
        snapshots=1,
    )


def test_every_record_comes_once_and_has_the_declared_columns() -> None:
    lines = [line for _, parts in texts_of(DATASET) for line in b"".join(parts).splitlines()]
    records = [json.loads(line) for line in lines]
    assert [record["id"] for record in records] == list(range(12))
    assert sum(record["id"] for record in records) == DATASET.sum_of_ids
    assert {tuple(record) for record in records} == {parse_schema(SCHEMA).names}


def test_the_data_is_the_same_every_time() -> None:
    first, again = ([(key, b"".join(parts)) for key, parts in texts_of(DATASET)] for _ in range(2))
    assert first == again


def text_of(form: Form) -> bytes:
    (_, first), *_ = texts_of(replace(DATASET, form=form))
    return b"".join(first)


def test_every_form_holds_the_same_records() -> None:
    plain = text_of(NDJSON)
    records = [json.loads(line) for line in plain.splitlines()]
    assert gzip.decompress(text_of(GZIP)) == plain
    assert json.loads(text_of(ARRAY)) == records
    flawed = text_of(FLAWED).splitlines(keepends=True)
    assert [flawed.count(bad) for bad in (MALFORMED, BAD_VALUE)] == [1, 1]
    good = [json.loads(line) for line in flawed if line not in (MALFORMED, BAD_VALUE)]
    assert [record.pop("trace", None) is not None for record in good] == [True, False, False, False]
    assert good == records
    assert replace(DATASET, form=FLAWED).rejects == 6


def test_the_exact_path_is_judged_by_the_times_of_the_run_and_large_files_by_their_memory() -> None:
    exact = replace(figure(OURS, 1, 9), case="exact", inside_seconds=4.0, bytes_read=220 * MB)
    files = [
        replace(figure(OURS, 1, 9, peak_bytes=size * MB), case=case)
        for case, size in (("stream", 700), ("packed", 1073), ("array", 1074))
    ]
    judged = verdicts([exact, *files])
    assert [(v.found, v.kept) for v in judged] == [
        ("0.65 GiB", True),
        ("1.00 GiB", True),
        ("1.00 GiB", False),
        ("55", False),
    ]


def test_the_memory_of_a_child_counts(tmp_path: Path) -> None:
    child = "bytes(b'x' * 200_000_000)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True); print('done')"
    measured = measure([sys.executable, "-c", code], os.environ, tmp_path)
    assert measured.peak_bytes > 200 * MB
    assert measured.output == "done\n"
    assert measured.wall_seconds > 0
    assert measured.cpu_seconds > 0


def test_the_memory_of_whoever_measures_does_not_count(tmp_path: Path) -> None:
    held = b"x" * (300 * MB)
    measured = measure([sys.executable, "-c", "pass"], os.environ, tmp_path)
    assert measured.peak_bytes < 100 * MB < len(held)


def test_a_contestant_that_fails_stops_the_race_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(ContestantFailed, match=r"exit code 7:\nno such bucket"):
        measure(
            [sys.executable, "-c", "import sys; print('no such bucket', file=sys.stderr); sys.exit(7)"], {}, tmp_path
        )


def test_a_ratio_is_taken_within_a_round_so_that_a_slow_minute_hurts_no_one() -> None:
    figures = [figure(OURS, 1, 10), figure(LIMIT, 1, 8), figure(OURS, 2, 100), figure(LIMIT, 2, 80)]
    speed = verdicts(figures)[0]
    assert (speed.found, speed.kept) == ("80%", True)


def test_a_promise_not_kept_is_said_to_be_so() -> None:
    figures = [figure(OURS, 1, 10, peak_bytes=700 * MB), figure(LIMIT, 1, 6.9), figure(DLT, 1, 99)]
    assert [(v.found, v.kept) for v in verdicts(figures)] == [
        ("69%", False),
        ("9.9", False),
        ("700 MB", False),
        ("1", True),
    ]
    measured = Results(figures=figures, sizes={"small": 1})
    machine = {"date": "2024-01-15", "cores": "2", "memory": "4 GiB"}
    assert "**no**" in page(measured, [Case(dataset=DATASET)], machine)


def test_spark_is_judged_against_itself_and_the_embedded_engine_against_its_streams() -> None:
    small = [figure(ON_SPARK, 1, 59), figure(BATCH, 1, 59), figure(STREAM, 1, 107), figure(OURS, 1, 10.6)]
    large = [figure(ON_SPARK, 1, 6.6), figure(BATCH, 1, 5)]
    figures = [replace(each, case="spark-small") for each in small]
    figures += [replace(each, case="spark-large") for each in large]
    assert [(v.found, v.kept) for v in verdicts(figures)] == [
        ("1.00", True),
        ("0.55", True),
        ("1.32", False),
        ("10.1", True),
    ]


def test_the_cases_of_spark_have_the_data_of_the_others() -> None:
    cases = {case.dataset.name: case.dataset for case in FULL}
    for name in SPARK:
        like, own = cases[name.removeprefix("spark-")], cases[name]
        assert (own.files, own.records_per_file) == (like.files, like.records_per_file)


def test_no_verdict_without_the_figures_for_it() -> None:
    assert [v.found for v in verdicts([figure(OURS, 1, 10)])] == ["100 MB", "1"]


def test_the_page_shows_each_contestant_with_its_rate_and_its_ratio_to_ours() -> None:
    figures = [figure(OURS, 1, 2), figure(DLT, 1, 30)]
    machine = {"date": "2024-01-15", "cores": "2", "memory": "4 GiB", "duckdb": "2.0"}
    measured = Results(figures=figures, sizes={"small": 6 * MB})
    shown = page(measured, [Case(dataset=DATASET)], machine)
    assert "| autoloader | 2.00 s | 2.00 – 2.00 s | 2.00 s | 2 | 3 | 100 MB |  |" in shown
    assert "| dlt | 30.00 s | 30.00 – 30.00 s | 30.00 s | 0 | 0 | 100 MB | 15.00 |" in shown
    assert json.loads(written(measured, machine))["figures"][1]["wall_seconds"] == 30


def test_a_case_that_is_measured_again_takes_the_place_of_what_was_there_and_the_others_stay() -> None:
    other = replace(figure(OURS, 1, 5), case="large")
    before = Results(figures=[figure(OURS, 1, 2), other], sizes={"small": 6 * MB, "large": 7 * MB})
    again = Results(figures=[figure(OURS, 1, 3)], sizes={"small": 8 * MB})
    both = again.over(read(written(before, {})))
    assert list(both.figures) == [other, figure(OURS, 1, 3)]
    assert both.sizes == {"small": 8 * MB, "large": 7 * MB}
