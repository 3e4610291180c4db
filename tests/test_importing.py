"""A run imports what it needs in one go, without numpy and with the collector at rest, and nothing of that lasts."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADING = """
import gc, sys
from autoloader.importing import go_without_numpy
from autoloader.turns import import_loading
go_without_numpy()
import_loading()
import pyarrow as pa, pyarrow.compute, pyarrow.dataset, pyarrow.parquet, duckdb
table = pa.table({"a": [1, 2], "b": ["x", "y"]})
print(pyarrow.compute.sum(table["a"]).as_py(), duckdb.from_arrow(table).to_arrow_reader().read_all() == table)
print(sys.modules["numpy"], gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
ON_SPARK = """
from autoloader.errors import UsageError
from autoloader.importing import go_without_numpy
from autoloader.runtime.engines import Engines
go_without_numpy()
try:
    Engines(None, None, None).cluster(None)
except UsageError as error:
    print(error)
"""
ARROW_FIRST = """
import pyarrow as pa
from autoloader.importing import go_without_numpy
go_without_numpy()
print(pa.array([1, 2]).to_numpy().sum())
"""


def said(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def test_what_a_load_needs_works_without_numpy_and_garbage_is_collected_afterwards() -> None:
    assert said(LOADING) == "3 True\nNone True True\n"


def test_a_process_without_numpy_says_that_it_cannot_reach_a_cluster() -> None:
    assert "a run of its own can reach the cluster" in said(ON_SPARK)


def test_numpy_stays_where_arrow_has_it_already() -> None:
    pytest.importorskip("numpy")
    assert said(ARROW_FIRST) == "3\n"
