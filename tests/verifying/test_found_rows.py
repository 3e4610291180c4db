"""Rows of the table meet the files of the ledger, whatever their paths hold."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloader.errors import Interrupted
from autoloader.lake.whose import COLUMNS
from autoloader.ledger.records import stored_path
from autoloader.verifying import comparing
from autoloader.verifying.gathering import FILES
from autoloader.verifying.workbench import workbench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from autoloader.verifying.workbench import Workbench

LOAD = uuid.UUID(int=7)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path, lambda: False, memory_limit="64MB", threads=1) as made:
        yield made


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.lists(KEYS, min_size=1, max_size=5, unique_by=stored_path))
def test_every_key_is_found_again(bench: Workbench, keys: list[str]) -> None:
    bench.run("DELETE FROM files")
    bench.run("DELETE FROM parts")
    paths = [f"s3://landing/{key}" for key in keys]
    bench.add("files", FILES, [(n, stored_path(p), "e", "SUCCESS", False, 1, None, None) for n, p in enumerate(paths)])
    rows = pa.table([paths, [str(LOAD)] * len(paths), [1] * len(paths)], schema=COLUMNS)

    for _ in range(2):  # the rows of a file may be in several data files
        bench.add_arrow("parts", rows, comparing._PART, "lake.a.b")
    bench.run(comparing._FOUND)

    assert sorted(bench.rows("SELECT file_id, load, rows FROM found")) == [(n, LOAD, 2) for n in range(len(paths))]


def test_a_load_id_that_is_none_is_nobodys(bench: Workbench) -> None:
    bench.add_arrow("parts", pa.table([["a"], ["no uuid"], [1]], schema=COLUMNS), comparing._PART, "lake.a.b")
    bench.run(comparing._FOUND)

    assert list(bench.rows("SELECT file_id, load, rows FROM found")) == [(None, None, 1)]


def test_a_workbench_leaves_nothing_behind_and_does_nothing_more_when_it_is_to_stop(tmp_path: Path) -> None:
    stopping: list[bool] = []
    with workbench(tmp_path, lambda: bool(stopping), memory_limit="64MB", threads=1) as made:
        made.run("SELECT 1")
        stopping.append(True)
        with pytest.raises(Interrupted):
            made.run("SELECT 1")

    assert list(tmp_path.iterdir()) == []
