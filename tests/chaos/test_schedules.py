"""A few of the random schedules that ``make chaos`` plays, always the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.chaos.lane import Lane
from tests.chaos.schedules import play

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def lane() -> Iterator[Lane]:
    with Lane() as made:
        yield made


@pytest.mark.parametrize("seed", [3])
def test_whatever_a_schedule_breaks_every_file_is_in_the_table_once(lane: Lane, seed: int) -> None:
    played = play(lane, seed)
    assert played.fault is None, f"{'; '.join(played.story)}\n{played.fault}"
