"""A full disk, a crowd of loads: the work slows down, tells why, and breaks nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.chaos.truth import require_exactly_once
from tests.patience import eventually

if TYPE_CHECKING:
    from tests.chaos.scene import Scene

LARGEST_FILE = 64 * 1024
"""Bytes that a file of the limited worker may have: a disk that is full, told to one process (RLIMIT_FSIZE)."""


def test_a_full_disk_postpones_the_run_and_another_worker_loads_all_of_it(scene: Scene) -> None:
    events = scene.ingestion()
    for number in range(3):
        scene.put(f"events/{number}.json", rows=2 * LARGEST_FILE // 16)
    run = scene.enqueue(events)
    full = scene.crew.start(limits={"RLIMIT_FSIZE": LARGEST_FILE})
    full.says("SpoolFull")
    assert scene.sql("SELECT DISTINCT status FROM processed_files WHERE status = 'FAILED'") == []
    assert scene.run(run).files_failed == 0
    full.kill()
    scene.crew.start()
    scene.settle()
    require_exactly_once(scene)


@pytest.mark.chaos
def test_sixteen_loads_at_once_share_a_bounded_number_of_connections(scene: Scene) -> None:
    for name in ("a", "b", "c"):
        scene.ingestion(name, table="shared")
        for number in range(12):
            scene.put(f"{name}/{number}.json", rows=1)
    for ingestion in scene.ingestions:
        scene.enqueue(ingestion)
    scene.crew.start(concurrency=16)
    most = 0

    def over() -> bool:
        nonlocal most
        ((sessions,),) = scene.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        most = max(most, sessions)
        return not scene.sql("SELECT id FROM runs WHERE ended_at IS NULL")

    eventually(over, "all runs end")
    assert most <= 40, "a pool of ten and thirty more, whatever the number of loads"
    scene.settle()
    require_exactly_once(scene)
