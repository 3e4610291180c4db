"""A worker is killed, or stopped beyond its lease and continued, at every named step; others carry on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.chaos.truth import require_exactly_once

from autoloader.failpoints import Step

if TYPE_CHECKING:
    from tests.chaos.scene import Scene

    from autoloader.model import Run

OF_A_LOAD = [step for step in Step if not step.startswith(("recovery.", "rejects."))]
OF_RECOVERY = [step for step in Step if step.startswith("recovery.")]
OF_PUBLISHING = [Step.LOAD_PUT, Step.LOAD_STORED, Step.LOAD_RENEWED, Step.LOAD_SENT, Step.LOAD_PUBLISHED]
SOME_AND_ALL = [
    pytest.param(OF_PUBLISHING, id="of publishing"),
    pytest.param(OF_A_LOAD, id="all", marks=pytest.mark.chaos),
]


@pytest.mark.parametrize("steps", SOME_AND_ALL)
def test_workers_killed_one_after_another_at_every_step_of_a_load_lose_nothing_and_load_nothing_twice(
    scene: Scene, steps: list[Step]
) -> None:
    events = scene.ingestion()
    for number in range(9):
        scene.put(f"events/{number}.json")
    scene.enqueue(events)
    for step in steps:
        scene.busy_until(scene.crew.start(f"{step}=kill").is_dead, f"{step} is reached")
    scene.crew.start()
    scene.settle()
    require_exactly_once(scene)
    assert scene.sql("SELECT max(retry_count) FROM processed_files") == [(0,)], "a dead worker is no file's fault"


@pytest.mark.parametrize("steps", SOME_AND_ALL)
def test_workers_stopped_at_every_step_of_a_load_go_on_when_others_have_long_done_it_and_change_nothing(
    scene: Scene, steps: list[Step]
) -> None:
    events = scene.ingestion()
    for number in range(9):
        scene.put(f"events/{number}.json")
    scene.enqueue(events)
    zombies = []
    for step in steps:
        zombie = scene.crew.start(f"{step}=stop")
        scene.busy_until(zombie.is_stopped, f"{step} is reached")
        zombies.append(zombie)
    rescuer = scene.crew.start()
    scene.settle()
    rescuer.kill()
    for zombie in zombies:
        zombie.go_on()
    scene.put("events/last.json")
    scene.settle()
    require_exactly_once(scene)
    assert len(scene.crew.healthy) == len(zombies), "they all work again"


@pytest.mark.chaos
def test_recoverers_killed_one_after_another_at_every_step_leave_it_to_the_next(scene: Scene) -> None:
    run = _lost_before_it_was_sent(scene)
    for step in OF_RECOVERY:
        scene.crew.start(f"{step}=kill").dies()
    scene.crew.start()
    scene.ended(run)
    scene.settle()
    require_exactly_once(scene)


@pytest.mark.chaos
def test_recoverers_stopped_at_every_step_go_on_when_others_have_settled_it_and_change_nothing(scene: Scene) -> None:
    run = _lost_before_it_was_sent(scene)
    zombies = []
    for step in (Step.RECOVERY_LOST, Step.RECOVERY_READ, Step.RECOVERY_SENT):
        zombies.append(scene.crew.start(f"{step}=stop"))
        zombies[-1].stops()
    scene.crew.start()
    scene.ended(run)
    scene.settle()
    for zombie in zombies:
        zombie.go_on()
    scene.put("events/last.json")
    scene.settle()
    require_exactly_once(scene)


def _lost_before_it_was_sent(scene: Scene) -> Run:
    """A load whose worker died with the lease renewed and the commit not sent; its data files are in storage."""
    events = scene.ingestion()
    scene.put("events/lost.json")
    run = scene.enqueue(events)
    scene.crew.start(f"{Step.LOAD_RENEWED}=kill").dies()
    return run


def test_a_load_that_landed_unseen_is_found_and_not_loaded_again(scene: Scene) -> None:
    events = scene.ingestion()
    scene.put("events/one.json")
    run = scene.enqueue(events)
    scene.crew.start(f"{Step.LOAD_SENT}=kill").dies()
    landed = scene.table(events).metadata.current_snapshot_id
    scene.crew.start()
    ended = scene.ended(run)
    assert (ended.files_succeeded, ended.records_ingested) == (1, 2)
    assert scene.table(events).metadata.current_snapshot_id == landed, "nothing was added to find that out"
    assert scene.sql("SELECT state, snapshot_id FROM loads") == [("COMMITTED", landed)]
    require_exactly_once(scene)


@pytest.mark.chaos
def test_an_error_that_nobody_foresaw_at_any_step_of_a_load_loses_nothing(scene: Scene) -> None:
    events = scene.ingestion()
    for number in range(9):
        scene.put(f"events/{number}.json")
    scene.enqueue(events)
    worker = scene.crew.start("; ".join(f"{step}=error" for step in OF_A_LOAD))
    scene.settle()
    require_exactly_once(scene)
    assert not worker.is_dead()
