"""Other writers of the same table: they append, compact, add columns, expire snapshots, drop it and make it anew."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.types import StringType
from tests.chaos.schedules import append_foreign_row
from tests.chaos.truth import require_exactly_once
from tests.patience import eventually

from autoloader.failpoints import Step
from autoloader.model import RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyiceberg.table import Table
    from tests.chaos.scene import Scene

    from autoloader.model import Ingestion, Run


@contextmanager
def all_the_while(do: Callable[[], object]) -> Iterator[None]:
    """Do something again and again while the block goes on."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.05):
            do()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def loaded_table(scene: Scene, files: int = 4) -> tuple[Ingestion, Table]:
    """An ingestion that has loaded a few files, by one worker that goes on."""
    events = scene.ingestion()
    for number in range(files):
        scene.put(f"events/{number}.json")
    scene.crew.start()
    scene.settle()
    return events, scene.table(events)


def held_before_publishing(scene: Scene, tmp_path: Path, name: str = "held.json") -> tuple[Run, Callable[[], None]]:
    """A load that is prepared and waits; the function lets it go on."""
    scene.put(f"events/{name}")
    run = scene.enqueue(scene.ingestions[0])
    for worker in scene.crew.healthy:
        worker.kill()
    scene.crew.start(f"{Step.LOAD_STORED}=wait:{tmp_path / name}")
    eventually((tmp_path / f"{name}.reached").exists, "the load is prepared")
    return run, (tmp_path / name).touch


@pytest.mark.chaos
def test_another_writer_who_commits_all_the_while_loses_nothing_and_costs_nothing(scene: Scene) -> None:
    events, _ = loaded_table(scene)
    rows: list[int] = []
    with all_the_while(lambda: rows.append(append_foreign_row(scene))):
        for number in range(12):
            scene.put(f"events/more-{number}.json")
        scene.settle()
    require_exactly_once(scene, foreign_rows=sum(rows))
    assert len(rows) > 1
    assert scene.sql("SELECT DISTINCT state FROM loads") == [("COMMITTED",)], events


def test_compaction_all_the_while_neither_loses_nor_doubles_rows_also_of_files_that_change(scene: Scene) -> None:
    _, table = loaded_table(scene)
    with table.transaction() as transaction:
        transaction.set_properties({"commit.retry.num-retries": "0"})  # a retry would write old rows over new ones
    compacted: list[bool] = []
    with all_the_while(lambda: compacted.append(compact(scene))):
        for number in range(8):
            scene.put(f"events/{number}.json")  # the first four are new versions of files that were compacted
        scene.settle()
    eventually(lambda: compact(scene), "it is compacted once more")
    require_exactly_once(scene)
    scene.put("events/0.json")
    scene.settle()
    require_exactly_once(scene)


def compact(scene: Scene) -> bool:
    """Write all rows into one new data file; False when somebody else committed meanwhile."""
    table = scene.table(scene.ingestions[0])
    try:
        table.overwrite(table.scan().to_arrow())
    except CommitFailedException:
        return False
    return True


@pytest.mark.chaos
def test_a_column_added_by_somebody_else_while_a_load_is_on_its_way_stays_null(scene: Scene, tmp_path: Path) -> None:
    events, table = loaded_table(scene)
    _, go_on = held_before_publishing(scene, tmp_path)
    with table.update_schema() as update:
        update.add_column("note", StringType())
    go_on()
    scene.put("events/after.json")
    scene.settle()
    require_exactly_once(scene)
    rows = scene.table(events).scan().to_arrow()
    assert rows["note"].null_count == rows.num_rows


@pytest.mark.chaos
def test_snapshots_expired_while_a_load_is_on_its_way_do_not_keep_it_from_landing(scene: Scene, tmp_path: Path) -> None:
    events, table = loaded_table(scene, files=8)
    _, go_on = held_before_publishing(scene, tmp_path)
    expire_all_but_the_last(table)
    go_on()
    scene.settle()
    assert scene.sql("SELECT DISTINCT status FROM processed_files") == [("SUCCESS",)], events


def expire_all_but_the_last(table: Table) -> None:
    table.refresh()
    current = table.metadata.current_snapshot_id
    old = [snapshot.snapshot_id for snapshot in table.metadata.snapshots if snapshot.snapshot_id != current]
    table.maintenance.expire_snapshots().by_ids(old).commit()


def test_snapshots_expired_while_a_load_was_lost_leave_the_decision_to_a_person(scene: Scene, tmp_path: Path) -> None:
    events, table = loaded_table(scene, files=8)
    run, _ = held_before_publishing(scene, tmp_path)
    scene.crew.healthy[0].kill()
    expire_all_but_the_last(table)
    scene.crew.start()
    ended = scene.ended(run)
    assert (ended.status, ended.errors[0].type) == (RunStatus.FAILED, "HistoryTooShort")
    assert events.table_name in ended.errors[0].message
    assert scene.sql("SELECT state, error_type FROM loads WHERE ended_at IS NULL") == [("LOST", "HistoryTooShort")]
    assert scene.sql("SELECT count(*) FROM processed_files WHERE status = 'PROCESSING'") == [(1,)]


def test_a_table_dropped_under_a_load_fails_the_run_with_that_reason_and_the_next_run_makes_it_anew(
    scene: Scene, tmp_path: Path
) -> None:
    events = scene.ingestion()
    run, go_on = held_before_publishing(scene, tmp_path)
    scene.catalog.drop_table(f"{events.database}.{events.table}")
    go_on()
    ended = scene.ended(run)
    assert (ended.status, ended.errors[0].type) == (RunStatus.FAILED, "TableMismatch")
    assert "dropped" in ended.errors[0].message
    scene.settle()
    require_exactly_once(scene)


def test_a_table_dropped_and_made_again_under_a_load_takes_its_rows_once(scene: Scene, tmp_path: Path) -> None:
    events = scene.ingestion()
    run, go_on = held_before_publishing(scene, tmp_path)
    name = f"{events.database}.{events.table}"
    schema = scene.catalog.load_table(name).schema()
    scene.catalog.drop_table(name)
    scene.catalog.create_table(name, schema)
    go_on()
    ended = scene.ended(run)
    assert (ended.status, ended.errors[0].type) == (RunStatus.FAILED, "TableMismatch")
    assert "made again" in ended.errors[0].message
    scene.settle()
    require_exactly_once(scene)


@pytest.mark.chaos
def test_two_ingestions_into_one_table_by_four_workers_load_each_file_once(scene: Scene) -> None:
    for name in ("left", "right"):
        scene.ingestion(name, table="shared")
        for number in range(10):
            scene.put(f"{name}/{number}.json")
    for ingestion in scene.ingestions:
        scene.enqueue(ingestion)
    for _ in range(4):
        scene.crew.start()
    scene.settle()
    for number in range(3):
        scene.put(f"left/{number}.json")
    scene.settle()
    require_exactly_once(scene)
