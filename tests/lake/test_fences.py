from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from autoloader.errors import HistoryTooShort, LeaseLost, TableMismatch
from autoloader.lake.fences import Fenced, fence, look
from autoloader.lake.publish import Change, publish
from autoloader.lake.snapshots import Absent, Landed

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from tests.lake.conftest import Events

A, B = "s3://landing/a.json", "s3://landing/b.json"
START = datetime.now(UTC)


def test_a_load_that_landed_is_found_with_its_snapshot_also_under_later_ones(events: Events) -> None:
    load_id = events.load({A: [1]})
    snapshot = events.table.refresh().current_snapshot()
    assert snapshot is not None
    events.load({B: [2]})

    assert look(events.table, load_id, START) == Landed(snapshot.snapshot_id)
    assert fence(events.table, load_id, START) == Landed(snapshot.snapshot_id)
    assert len(events.summaries()) == 2


def test_a_load_that_is_not_there_is_absent_on_the_snapshot_that_was_looked_at(events: Events) -> None:
    assert look(events.table, uuid.uuid4(), START) == Absent(None)
    events.load({A: [1]})
    base = events.table.refresh().metadata.current_snapshot_id

    assert look(events.table, uuid.uuid4(), START) == Absent(base)


def test_a_fence_is_an_empty_snapshot_set_once_however_often_it_is_asked_for(events: Events) -> None:
    events.load({A: [1]})
    load_id = uuid.uuid4()

    assert fence(events.table, load_id, START) == Fenced()
    assert fence(events.table, load_id, START) == Fenced()

    assert [s.get("autoloader.fence") for s in events.summaries()] == [None, str(load_id)]
    assert events.rows() == events.rows_by_duckdb() == [(A, 1)]


def test_a_table_without_any_snapshot_can_be_fenced(events: Events) -> None:
    assert fence(events.table, uuid.uuid4(), START) == Fenced()

    assert events.rows() == []
    events.load({A: [1]})
    assert events.rows() == [(A, 1)]


def test_many_recoverers_at_once_agree(events: Events) -> None:
    load_id = uuid.uuid4()
    together = threading.Barrier(4)

    def recover(_: int) -> object:
        together.wait()
        return fence(events.table, load_id, START)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(recover, range(4))) == [Fenced()] * 4
    assert [s.get("autoloader.fence") for s in events.summaries()] == [str(load_id)]


def test_a_zombie_that_read_its_base_before_the_fence_never_lands(events: Events) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])

    def lost_between_base_and_commit() -> bool:
        assert fence(events.table, load_id, START) == Fenced()
        return False

    with pytest.raises(LeaseLost):
        publish(events.table, load_id, change, lost_between_base_and_commit)

    assert events.rows() == []


def test_a_worker_that_stalls_after_its_lease_was_renewed_is_refused_once_fenced(events: Events) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])
    leases = iter([True, False])

    def renewed_and_then_stalled() -> bool:
        renewed = next(leases)
        assert fence(events.table, load_id, START) == Fenced()
        return renewed

    with pytest.raises(LeaseLost):
        publish(events.table, load_id, change, renewed_and_then_stalled)

    assert events.rows() == events.rows_by_duckdb() == []


def test_whichever_comes_first_a_commit_or_a_fence_both_sides_see_the_same(events: Events) -> None:
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [1]})])
    together = threading.Barrier(2)
    lost = threading.Event()

    def recover() -> object:
        together.wait()
        lost.set()
        return fence(events.table, load_id, START)

    def work() -> object:
        together.wait()
        try:
            return publish(events.table, load_id, change, lambda: not lost.is_set())
        except LeaseLost:
            return None

    with ThreadPoolExecutor(2) as pool:
        recovered, published = pool.submit(recover), pool.submit(work)
    landed = isinstance(recovered.result(), Landed)
    assert events.rows() == ([(A, 1)] if landed else [])
    assert landed or published.result() is None


def test_a_history_cut_short_after_the_load_started_decides_nothing(events: Events) -> None:
    events.load({A: [1]})
    events.load({B: [2]})
    oldest = events.table.refresh().metadata.snapshots[0]
    events.table.maintenance.expire_snapshots().by_id(oldest.snapshot_id).commit()

    with pytest.raises(HistoryTooShort, match="expired"):
        look(events.table, uuid.uuid4(), START)
    with pytest.raises(HistoryTooShort):
        fence(events.table, uuid.uuid4(), START)
    assert len(events.table.refresh().metadata.snapshots) == 1


def test_a_history_cut_short_before_the_load_started_is_enough(events: Events) -> None:
    events.load({A: [1]})
    events.load({B: [2]})
    oldest = events.table.refresh().metadata.snapshots[0]
    events.table.maintenance.expire_snapshots().by_id(oldest.snapshot_id).commit()

    assert isinstance(look(events.table, uuid.uuid4(), datetime.now(UTC) + timedelta(hours=1)), Absent)


def test_a_load_in_what_is_left_of_a_cut_history_is_found(events: Events) -> None:
    events.load({A: [1]})
    load_id = events.load({B: [2]})
    oldest = events.table.refresh().metadata.snapshots[0]
    events.table.maintenance.expire_snapshots().by_id(oldest.snapshot_id).commit()

    assert isinstance(look(events.table, load_id, START), Landed)


def test_a_dropped_table_is_told(events: Events, catalog: Catalog) -> None:
    catalog.drop_table(events.table.name())

    with pytest.raises(TableMismatch, match="dropped"):
        look(events.table, uuid.uuid4(), START)
