"""PostgreSQL, or the object store with the catalog in it, is killed and started again while workers load."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.chaos.lane import LEDGER, STORE, Lane
from tests.chaos.truth import require_exactly_once

from autoloader.failpoints import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.scene import Scene


@pytest.fixture(scope="module")
def lane() -> Iterator[Lane]:
    with Lane() as made:
        yield made


@pytest.fixture
def scene(lane: Lane) -> Iterator[Scene]:
    made = lane.scene()
    yield made
    made.close()


@pytest.mark.parametrize("part", [LEDGER, STORE])
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Step.LOAD_CLAIMED, marks=pytest.mark.chaos),
        Step.LOAD_RENEWED,
        pytest.param(Step.LOAD_SENT, marks=pytest.mark.chaos),
    ],
)
def test_a_part_that_is_killed_in_the_midst_of_a_load_comes_back_and_nothing_is_lost(
    lane: Lane, scene: Scene, part: str, step: Step
) -> None:
    events = scene.ingestion()
    for number in range(6):
        scene.put(f"events/{number}.json")
    run = scene.enqueue(events)
    go = scene.crew.folder / "go"
    worker = scene.crew.start(f"{step}=wait:{go}")
    scene.busy_until(go.with_name("go.reached").exists, f"{step} is reached")
    lane.kill(part)
    go.touch()
    lane.mend()
    scene.ended(run)
    scene.settle()
    require_exactly_once(scene)
    assert not worker.is_dead()
