"""What the ledger claims to be in a table is what a table would hold that had seen the same loads."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloader.model import Clears, LoadState
from autoloader.verifying.expecting import expect
from autoloader.verifying.gathering import BROUGHT, FILES, LOADS
from autoloader.verifying.workbench import Workbench, workbench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES = ("lake.a.one", "lake.a.two")
Files = dict[int, tuple[int, int]]
"""Rows and rejects by file."""
Loads = list[tuple[Clears, str, LoadState, Files]]

LOADED = st.lists(
    st.tuples(
        st.sampled_from(Clears),
        st.sampled_from(TABLES),
        st.sampled_from([LoadState.COMMITTED, LoadState.COMMITTED, LoadState.FAILED, LoadState.RUNNING]),
        st.dictionaries(st.integers(0, 4), st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=4),
    ),
    max_size=8,
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with workbench(tmp_path, lambda: False, memory_limit="64MB", threads=1) as made:
        yield made


def held(loads: Loads) -> dict[tuple[str, int, uuid.UUID], int]:
    """What the tables and their rejects tables hold after these loads, one after the other."""
    return _rows_of(loads, 0, "") | _rows_of(loads, 1, "__rejects")


def _rows_of(loads: Loads, which: int, suffix: str) -> dict[tuple[str, int, uuid.UUID], int]:
    tables: dict[str, dict[tuple[int, uuid.UUID], int]] = {name: {} for name in TABLES}
    for number, (clears, target, state, files) in enumerate(loads):
        if state is not LoadState.COMMITTED:
            continue
        rows = tables[target]
        for file, load in list(rows):
            if clears is Clears.TABLE or (clears is Clears.FILES and file in files):
                del rows[file, load]
        rows |= {(file, uuid.UUID(int=number)): counts[which] for file, counts in files.items() if counts[which]}
    return {(name + suffix, file, load): count for name, rows in tables.items() for (file, load), count in rows.items()}


def lay_out(bench: Workbench, loads: Loads) -> None:
    for table in ("files", "brought", "loads", "expected", "contradictions"):
        bench.run(f"DROP TABLE {table}" if table in {"expected", "contradictions"} else f"DELETE FROM {table}")
    bench.add("files", FILES, [(n, f"f{n}", "e", "DISCOVERED", False, 0, None, None) for n in range(5)])
    places = iter(range(1_000))
    for number, (clears, target, state, files) in enumerate(loads):
        load = str(uuid.UUID(int=number))
        aside = f"{target}__rejects" if any(rejects for _, rejects in files.values()) else None
        bench.add("loads", LOADS, [(load, state, clears, target, 1, number, number, aside)])
        if state is LoadState.COMMITTED:
            bench.add("brought", BROUGHT, [(next(places), file, load, *counts) for file, counts in files.items()])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads=LOADED)
def test_the_claim_is_what_a_table_would_hold(bench: Workbench, loads: Loads) -> None:
    bench.run("CREATE TABLE IF NOT EXISTS expected (x BIGINT)")
    bench.run("CREATE TABLE IF NOT EXISTS contradictions (x BIGINT)")
    lay_out(bench, loads)

    tables = expect(bench, TABLES[0])

    claimed = {(target, file, load): rows for target, file, load, rows in bench.rows("FROM expected")}
    assert claimed == held(loads)
    assert set(tables) >= {target for target, _, _ in claimed} | {TABLES[0]}
