"""Workers whose clocks are wrong: leases and decisions are by the clock of the database."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.chaos.truth import require_exactly_once

from autoloader.failpoints import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.scene import Scene

SHIFTED = Path(__file__).with_name("shifted")
TEN_MINUTES = 600
"""Within what S3 takes: a request whose date is off by more than a quarter of an hour is refused."""


@contextmanager
def worker_with_clock(scene: Scene, seconds: int, failpoints: str = "") -> Iterator[subprocess.Popen[str]]:
    """A worker in an interpreter of its own whose clock is off by so much."""
    environment = scene.crew.environment | {
        "PYTHONPATH": str(SHIFTED),
        "CHAOS_CLOCK_SECONDS": str(seconds),
        "AUTOLOADER_FAILPOINTS": failpoints,
    }
    command = [sys.executable, "-W", "ignore", "-m", "autoloader", "worker", "--concurrency", "1"]
    log = scene.crew.folder / f"clock{seconds}.log"
    with log.open("w") as said, subprocess.Popen(command, env=environment, stderr=said, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.chaos
def test_workers_whose_clocks_differ_by_twenty_minutes_load_side_by_side(scene: Scene) -> None:
    events = scene.ingestion()
    for number in range(16):
        scene.put(f"events/{number}.json")
    run = scene.enqueue(events)
    with worker_with_clock(scene, TEN_MINUTES), worker_with_clock(scene, -TEN_MINUTES):
        scene.ended(run)
        scene.settle()
    require_exactly_once(scene)
    assert scene.sql("SELECT DISTINCT state FROM loads") == [("COMMITTED",)], "no lease was thought to have passed"


@pytest.mark.chaos  # an interpreter that starts with a wrong clock takes long
def test_a_worker_whose_clock_runs_ahead_keeps_no_other_from_committing_after_it(scene: Scene) -> None:
    events = scene.ingestion()
    scene.put("events/first.json")
    with worker_with_clock(scene, TEN_MINUTES):
        scene.settle()
    scene.put("events/second.json")
    scene.crew.start()
    scene.settle()
    require_exactly_once(scene)
    stamps = [snapshot.timestamp_ms for snapshot in scene.table(events).metadata.snapshots]
    assert stamps == sorted(stamps)


@pytest.mark.chaos
def test_a_load_lost_by_a_worker_whose_clock_is_wrong_is_recovered_at_once(scene: Scene) -> None:
    events = scene.ingestion()
    scene.put("events/one.json")
    run = scene.enqueue(events)
    with worker_with_clock(scene, -TEN_MINUTES, f"{Step.LOAD_SENT}=kill") as died:
        assert died.wait(60) == -9
    scene.crew.start()
    assert scene.ended(run).files_succeeded == 1
    require_exactly_once(scene)
