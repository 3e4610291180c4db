"""``engine: auto``: which engine takes a load."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloader.engines.choosing import Choosing
from autoloader.plan import SPARK_BYTES, SPARK_MEAN_BYTES, is_for_spark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from tests.conftest import Landing
    from tests.contract.loads import Loads

    from autoloader.engines import Work
    from autoloader.model import Outcome

FILES = st.integers(0, 100_000)
BYTES = st.integers(0, 2**45)


@dataclass
class Taking:
    """An engine that takes loads and does nothing with them."""

    taken: list[UUID] = field(default_factory=list)
    abandoned: list[UUID] = field(default_factory=list)

    def prepare(self, work: Work, put: object, report: object) -> Sequence[Outcome]:
        assert callable(put)
        assert callable(report)
        self.taken.append(work.load_id)
        return []

    def abandon(self, load_id: UUID) -> None:
        self.abandoned.append(load_id)


@pytest.mark.parametrize(
    ("files", "size_bytes", "spark"),
    [
        (0, 0, False),
        (1, 5 * 1024**3, True),
        (1, 220_000_000, False),
        (20, 220_000_000, False),
        (200, 2_200_000_000, True),
        (10_000, 220_000_000, False),
        (100_000, 2_200_000_000, False),
        (1, SPARK_BYTES, True),
        (1, SPARK_BYTES - 1, False),
        (2048, 2048 * SPARK_MEAN_BYTES, True),
        (2048, 2048 * SPARK_MEAN_BYTES - 1, False),
    ],
)
def test_large_loads_of_files_that_are_not_small_are_for_spark(files: int, size_bytes: int, *, spark: bool) -> None:
    assert is_for_spark(files, size_bytes) is spark


@given(files=FILES, size_bytes=BYTES, more=BYTES)
def test_more_bytes_never_take_a_load_away_from_spark(files: int, size_bytes: int, more: int) -> None:
    assert is_for_spark(files, size_bytes) <= is_for_spark(files, size_bytes + more)


@given(files=FILES, size_bytes=BYTES, more=FILES)
def test_the_same_bytes_in_more_files_never_bring_a_load_to_spark(files: int, size_bytes: int, more: int) -> None:
    assert is_for_spark(files, size_bytes) >= is_for_spark(files + more, size_bytes)


def test_a_load_goes_whole_to_one_engine_and_what_is_left_of_it_is_stopped_on_both(
    loads: Loads, landing: Landing
) -> None:
    embedded, spark = Taking(), Taking()
    choosing = Choosing(embedded, spark)
    for name in ("a", "b", "c"):
        landing.put(f"{name}.json", "{}\n" if name != "c" else "")
    found = loads.files()
    small = loads.work("id BIGINT", files=found)
    large = loads.work("id BIGINT", files=[replace(each, size_bytes=SPARK_BYTES // 2) for each in found[:2]])
    many_empty = loads.work("id BIGINT", files=[*large.files, *[replace(found[2], file_id=at) for at in range(3000)]])
    for work in (small, large, many_empty):
        choosing.prepare(work, lambda _: None, lambda _: None)
    assert embedded.taken == [small.load_id]
    assert spark.taken == [large.load_id, many_empty.load_id], "empty files are read by nobody, and count for nothing"
    choosing.abandon(large.load_id)
    assert embedded.abandoned == spark.abandoned == [large.load_id]
