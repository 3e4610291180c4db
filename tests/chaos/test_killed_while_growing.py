"""Workers killed or stopped while a load adds columns: rows and columns come together, once, or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.chaos.truth import require_exactly_once

from autoloader.model import UnknownFields

if TYPE_CHECKING:
    from tests.chaos.crew import Worker
    from tests.chaos.scene import Scene

STEPS = ["load.put", "load.prepared", "load.stored", "load.renewed", "load.sent", "load.published"]
SOME = ["load.put", "load.stored", "load.sent"]
SOME_AND_ALL = [pytest.param(SOME, id="some"), pytest.param(STEPS, id="all", marks=pytest.mark.chaos)]


def put(scene: Scene, number: int) -> None:
    """A file whose records have a field of their own."""
    path = scene.put(f"events/{number}.json")
    lines = [json.dumps({"id": each, f"field{number}": f"v{each}"}) for each in scene.content[path]]
    scene.landing.put(f"events/{number}.json", "\n".join(lines))


@pytest.mark.parametrize("action", ["kill", "stop"])
@pytest.mark.parametrize("steps", SOME_AND_ALL)
def test_every_field_is_a_column_with_each_value_once_wherever_workers_are_killed_or_stopped(
    scene: Scene, steps: list[str], action: str
) -> None:
    events = scene.ingestion(unknown_fields=UnknownFields.ADD)
    zombies: list[Worker] = []
    for number, step in enumerate(steps):
        put(scene, number)
        scene.enqueue(events)
        zombies.append(scene.crew.start(f"{step}={action}"))
        there = zombies[-1].is_dead if action == "kill" else zombies[-1].is_stopped
        scene.busy_until(there, f"{step} is reached")
    scene.crew.start()
    scene.settle()
    for zombie in zombies:
        zombie.go_on()
    put(scene, len(steps))
    scene.settle()
    require_exactly_once(scene)
    table = scene.catalog.load_table(f"{events.database}.{events.table}")
    fields = [f"field{number}" for number in range(len(steps) + 1)]
    assert sorted(each.name for each in table.schema().fields if each.name.startswith("field")) == fields
    with duckdb.connect() as database:
        database.register("events", table.scan().to_arrow())
        for number, name in enumerate(fields):
            right = f"bool_and(coalesce({name} = 'v' || id, false))"
            query = f"SELECT {right}, count(*) FROM events WHERE _source_file LIKE ?"
            assert database.execute(query, [f"%/{number}.json"]).fetchall() == [(True, 2)]
