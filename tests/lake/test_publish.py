from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from autoloader.errors import HistoryTooShort, LeaseLost, TableMismatch
from autoloader.lake.data_files import discard
from autoloader.lake.publish import Change, publish

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.catalog import Catalog
    from tests.lake.conftest import Events

A, B, C = "s3://landing/a.json", "s3://landing/b.json", "s3://landing/c.json"


def yes() -> bool:
    return True


def test_a_load_appends_its_rows_in_one_snapshot_that_names_it(events: Events) -> None:
    load_id = events.load({A: [1, 2], B: [3]})

    assert events.rows() == [(A, 1), (A, 2), (B, 3)]
    assert events.rows_by_duckdb() == events.rows()
    (summary,) = events.summaries()
    assert summary["autoloader.load-id"] == str(load_id)
    assert (summary["operation"], summary["added-records"], summary["total-records"]) == ("append", "3", "3")


def test_the_snapshot_carries_the_marks_that_people_look_for(events: Events) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])

    snapshot_id = publish(events.table, load_id, change, yes, marks={"autoloader.ingestion": "shop"})

    current = events.table.refresh().current_snapshot()
    assert current is not None
    assert current.snapshot_id == snapshot_id
    assert events.summaries()[-1]["autoloader.ingestion"] == "shop"


def test_publishing_a_load_again_adds_nothing_and_names_the_same_snapshot(events: Events) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])

    first = publish(events.table, load_id, change, yes)
    again = publish(events.table, load_id, change, yes)

    assert again == first
    assert events.rows() == [(A, 1)]


def test_a_load_with_nothing_to_change_makes_no_commit(events: Events) -> None:
    events.load({A: [1]})

    assert publish(events.table, uuid.uuid4(), Change(), yes) is None
    assert publish(events.table, uuid.uuid4(), Change(replaced={B: frozenset({uuid.uuid4()})}), yes) is None
    assert len(events.summaries()) == 1


def test_a_refused_lease_stops_the_load_before_anything_is_sent(events: Events) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])

    with pytest.raises(LeaseLost, match=str(load_id)):
        publish(events.table, load_id, change, lambda: False)

    assert events.summaries() == []


def test_a_refused_lease_leaves_no_rewritten_file_behind(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    load_id = uuid.uuid4()
    before = events.stored()
    change = Change(replaced={A: frozenset({first})})

    with pytest.raises(LeaseLost):
        publish(events.table, load_id, change, lambda: False)

    assert events.stored() == before


def test_four_threads_publish_to_one_table_and_each_load_is_there_once(events: Events) -> None:
    loads = [uuid.uuid4() for _ in range(8)]
    changes = {load_id: Change(added=[events.uploaded(load_id, {A: [n]})]) for n, load_id in enumerate(loads)}
    together = threading.Barrier(4)

    def publish_two(pair: list[uuid.UUID]) -> None:
        together.wait()
        for load_id in pair:
            publish(events.table, load_id, changes[load_id], yes)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish_two, [loads[i : i + 2] for i in range(0, 8, 2)]))

    assert events.rows() == [(A, n) for n in range(8)]
    assert sorted(s["autoloader.load-id"] for s in events.summaries()) == sorted(map(str, loads))


def test_threads_that_replace_files_in_one_table_never_undo_each_other(events: Events) -> None:
    paths = [f"s3://landing/{n}.json" for n in range(4)]
    first = events.load({path: [n] for n, path in enumerate(paths)})
    together = threading.Barrier(4)

    def replace(path: str) -> None:
        together.wait()
        events.again().load({path: [100]}, replaced={path: [first]})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(replace, paths))

    assert events.rows() == [(path, 100) for path in paths]
    assert events.rows_by_duckdb() == events.rows()
    assert len(events.summaries()) == 5


def test_files_of_attempts_that_came_to_nothing_are_removed(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    load_id = uuid.uuid4()
    change = Change(replaced={A: frozenset({first})})
    interrupted = iter([True])

    def renew_while_another_commits() -> bool:
        if next(interrupted, False):
            events.load({C: [3]})
        return True

    publish(events.table, load_id, change, renew_while_another_commits)

    assert events.rows() == [(B, 2), (C, 3)]
    rewritten = [path for path in events.stored() if "/rewritten/" in path]
    assert rewritten == [path for path in events.paths() if "/rewritten/" in path]
    assert len(rewritten) == 1


def test_overwrite_leaves_only_the_new_rows_in_one_snapshot(events: Events) -> None:
    events.load({A: [1]})
    events.load({B: [2]})

    events.load({C: [3]}, overwrite=True)

    assert events.rows() == events.rows_by_duckdb() == [(C, 3)]
    last = events.summaries()[-1]
    assert len(events.summaries()) == 3
    assert (last["operation"], last["deleted-data-files"], last["total-records"]) == ("overwrite", "2", "1")


def test_overwrite_without_data_files_empties_the_table(events: Events) -> None:
    events.load({A: [1]})

    events.load({}, overwrite=True)

    assert events.rows() == []
    assert events.summaries()[-1]["total-data-files"] == "0"


def test_rows_that_come_while_an_overwrite_is_on_its_way_are_overwritten_too(events: Events) -> None:
    events.load({A: [1]})
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {C: [3]})], overwrite=True)
    interrupted = iter([True])

    def renew_while_another_commits() -> bool:
        if next(interrupted, False):
            events.load({B: [2]})
        return True

    publish(events.table, load_id, change, renew_while_another_commits)

    assert events.rows() == [(C, 3)]


def test_a_table_dropped_meanwhile_is_told_and_not_made_again(events: Events, catalog: Catalog) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])
    catalog.drop_table(events.table.name())

    with pytest.raises(TableMismatch, match="dropped"):
        publish(events.table, load_id, change, yes)


def test_a_table_made_again_under_the_same_name_takes_no_rows_of_the_old_load(
    events: Events, catalog: Catalog, make_events: Callable[..., Events]
) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])
    catalog.drop_table(events.table.name())
    again = make_events()

    with pytest.raises(TableMismatch, match="dropped and made again"):
        publish(events.table, load_id, change, yes)

    assert again.rows() == []


def test_a_load_that_was_rolled_back_is_shown_and_not_landed_again(events: Events) -> None:
    events.load({A: [1]})
    before = events.table.refresh().current_snapshot()
    assert before is not None
    load_id = events.load({B: [2]})
    events.table.refresh().manage_snapshots().rollback_to_snapshot(before.snapshot_id).commit()

    with pytest.raises(HistoryTooShort, match="rolled back"):
        publish(events.table, load_id, Change(added=[events.uploaded(load_id, {B: [2]})]), yes)

    assert events.rows() == [(A, 1)]


def test_discarding_a_failed_load_removes_its_files_and_no_others(events: Events) -> None:
    kept = events.load({A: [1]})
    failed = uuid.uuid4()
    events.uploaded(failed, {B: [2]})
    events.uploaded(failed, {C: [3]})

    assert discard(events.table, failed) == 2

    assert events.rows_by_duckdb() == [(A, 1)]
    assert [path for path in events.stored() if str(failed) in path] == []
    assert any(str(kept) in path for path in events.stored())


def test_the_files_of_a_load_that_landed_are_never_discarded(events: Events) -> None:
    landed = events.load({A: [1]})

    with pytest.raises(TableMismatch, match="stay"):
        discard(events.table, landed)

    assert events.rows_by_duckdb() == [(A, 1)]
