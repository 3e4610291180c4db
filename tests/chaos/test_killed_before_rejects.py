"""Workers killed or stopped between a load and its rejects: each reject is there once, none of a lost load."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.chaos.truth import faults_of_storage, require_exactly_once

from autoloader.model import OnBadRecord

if TYPE_CHECKING:
    from tests.chaos.crew import Worker
    from tests.chaos.scene import Scene

    from autoloader.model import Ingestion

STEPS = [
    "load.put",
    "load.prepared",
    "load.stored",
    "load.renewed",
    "load.sent",
    "load.published",
    "rejects.read",
    "load.renewed=@2",
    "load.sent=@2",
    "rejects.published",
]
"""Those within the publication of the rejects are reached a second time there."""
SOME = ["load.stored", "load.published", "load.renewed=@2", "load.sent=@2"]
SOME_AND_ALL = [pytest.param(SOME, id="some"), pytest.param(STEPS, id="all", marks=pytest.mark.chaos)]


def armed(step: str, action: str) -> str:
    name, _, nth = step.partition("=")
    return f"{name}={action}{nth}"


def put(scene: Scene, name: str) -> str:
    """A file, or a new version of one, with two good records and two bad ones."""
    path = scene.put(name)
    good = [json.dumps({"id": number}) for number in scene.content[path]]
    scene.landing.put(name, "\n".join([good[0], "{", good[1], '{"id": "x"}']))
    return path


def require_rejects_once(scene: Scene, events: Ingestion) -> None:
    """Lines 2 and 4 of every file, each once, of the load that brought the file; nothing more, also in storage."""
    table = scene.catalog.load_table(f"{events.database}.{events.table}__rejects")
    with duckdb.connect() as database:
        database.register("rejects", table.scan().to_arrow())
        found = Counter(database.execute("SELECT _source_file, _load_id, line FROM rejects").fetchall())
    loads = scene.sql("SELECT file_path, load_id FROM processed_files WHERE records_rejected = 2")
    assert {path for path, _ in loads} == {path for path in scene.content if "/more-" not in path}
    assert found == Counter((path, str(load), line) for path, load in loads for line in (2, 4))
    assert faults_of_storage(scene, table) == []


@pytest.mark.parametrize("action", ["kill", "stop"])
@pytest.mark.parametrize("steps", SOME_AND_ALL)
def test_rejects_land_once_with_their_load_wherever_workers_are_killed_or_stopped(
    scene: Scene, steps: list[str], action: str
) -> None:
    events = scene.ingestion(on_bad_record=OnBadRecord.QUARANTINE)
    for number in range(3):
        put(scene, f"events/{number}.json")
    first = scene.crew.start()
    scene.settle()
    first.kill()
    zombies: list[Worker] = []
    for step in steps:
        put(scene, f"events/{len(zombies)}.json")
        scene.enqueue(events)
        zombies.append(scene.fallen(armed(step, action), action))
    scene.crew.start()
    scene.settle()
    for zombie in zombies:
        zombie.go_on()
    scene.put("events/last.json")
    put(scene, "events/last.json")
    scene.settle()
    require_exactly_once(scene)
    require_rejects_once(scene, events)
