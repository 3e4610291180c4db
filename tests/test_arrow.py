"""pandas stays out of a run, and is there for whoever asks for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import autoloader.loading, autoloader.engines.embedded, autoloader.sampling
import pyarrow as pa, pyarrow.dataset
table = pa.table({"a": [1, None], "b": ["x", "y"]})
assert "pandas" not in sys.modules, "nothing here uses it"
print(table.to_pandas().shape, "pandas" in sys.modules)
"""


def test_a_run_imports_no_pandas_and_arrow_still_finds_it_when_it_is_asked_for() -> None:
    pytest.importorskip("pandas")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "(2, 2) True\n")
