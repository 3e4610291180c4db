"""Any record, any schema: 20,000 of them on either engine, which says of each what the reference says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.contract.conftest import IN_TASKS
from tests.corpus import generated, generated_typed
from tests.reference.agreement import Said, by_engine, by_reference, differences

from autoloader.model import EngineName, FormatType

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.corpus.generated_typed import Written
    from tests.corpus.groups import Group

    Put = Callable[[str, bytes | str], str]

SEEDS = st.integers(0, 2**64 - 1)


def some(loads: int) -> Callable[[Any], Any]:
    """So many loads of 2,000 records; a smaller seed is no smaller load, so none is looked for."""
    return settings(
        max_examples=loads,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        deadline=None,
    )


def agrees(loads: Any, put: Put, group: Group) -> None:
    same(loads, put, group, by_reference(group.bodies, group.asked, tolerant=True), tolerant=True)


def same(loads: Any, put: Put, group: Group, expected: dict[str, Said], *, tolerant: bool) -> None:
    files = group.bodies
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, files.keys(), files.values()))
    different = differences(expected, by_engine(loads, files, group.asked, tolerant=tolerant), files)
    assert not different, "\n".join([f"{group.name}: {group.asked}", *different[:5]])


def holds(loads: Any, put: Put, written: Written) -> None:
    expected: dict[str, Said] = {name: (None, None, rows, []) for name, rows in written.rows.items()}
    same(loads, put, written.group, expected, tolerant=False)


@some(6)
@given(seed=SEEDS)
def test_any_line_of_json_is_what_the_reference_says(loads: Any, put: Put, seed: int) -> None:
    agrees(loads, put, generated.ndjson(seed))


@some(2)
@given(seed=SEEDS)
def test_any_document_is_what_the_reference_says(loads: Any, put: Put, seed: int) -> None:
    agrees(loads, put, generated.documents(seed))


@some(2)
@given(seed=SEEDS)
def test_any_csv_record_is_what_the_reference_says(loads: Any, put: Put, seed: int) -> None:
    agrees(loads, put, generated.csv(seed))


LONG = [
    lambda: generated.ndjson(0, (2, 3_200)),
    lambda: generated.documents(10, (2, 4_600)),
    lambda: generated.csv(4, (2, 10_000)),
]
"""Files that are read in several blocks of 1 MiB, and lines by several tasks of Spark."""


@pytest.mark.parametrize("make", LONG, ids=["ndjson", "documents", "csv"])
def test_a_record_that_stands_where_blocks_meet_is_what_the_reference_says(
    loads: Any, put: Put, make: Callable[[], Group]
) -> None:
    agrees(loads, put, make())


@some(2)
@given(seed=SEEDS)
def test_any_parquet_file_gives_the_rows_that_were_written(loads: Any, put: Put, seed: int) -> None:
    holds(loads, put, generated_typed.with_arrow(seed, FormatType.PARQUET))


@pytest.mark.parametrize("loads", [str(EngineName.EMBEDDED), IN_TASKS], indirect=True)
@some(3)
@given(seed=SEEDS)
def test_any_orc_file_gives_the_rows_that_were_written(loads: Any, put: Put, seed: int) -> None:
    holds(loads, put, generated_typed.with_arrow(seed, FormatType.ORC))


@pytest.mark.parametrize("loads", [str(EngineName.EMBEDDED), IN_TASKS], indirect=True)
@some(3)
@given(seed=SEEDS)
def test_any_avro_file_gives_the_rows_that_were_written(loads: Any, put: Put, seed: int) -> None:
    holds(loads, put, generated_typed.with_fastavro(seed))
