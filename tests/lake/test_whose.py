"""Whose rows a snapshot holds, which snapshot it is, and what is stored: as other tools made it."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.manifest import DataFileContent
from tests.lake.test_replace import _commit_delete_file, _delete_file, _delete_positions

from autoloader.errors import TableMismatch
from autoloader.lake import whose
from autoloader.lake.history import before, history
from autoloader.lake.storage import Storage, referred_to
from autoloader.lake.whose import _count, manifests_at, rows

if TYPE_CHECKING:
    from tests.lake.conftest import Events

A, B, C = "s3://landing/a.json", "s3://landing/b.json", "s3://landing/c.json"


def counted(events: Events) -> dict[tuple[str | None, str | None], int]:
    """Rows by file and load, of the newest snapshot."""
    table = events.table.refresh()
    snapshot = table.current_snapshot()
    assert snapshot is not None
    total: Counter[Any] = Counter()
    for part in rows(table, manifests_at(table, snapshot)):
        for row in part.counted.to_pylist():
            total[row["path"], row["load"]] += row["rows"]
    return dict(total)


def test_rows_are_counted_by_file_and_load_over_all_data_files(events: Events) -> None:
    first, second = events.load({A: [1, 2], B: [3]}), events.load({A: [4]})

    assert counted(events) == {(A, str(first)): 2, (B, str(first)): 1, (A, str(second)): 1}


def test_rows_that_another_engine_deleted_by_position_are_not_there(events: Events) -> None:
    load = events.load({A: [1, 2], B: [3]})
    _delete_positions(events, [0, 2])

    assert counted(events) == {(A, str(load)): 1}


def test_equality_deletes_are_refused_with_what_to_do(events: Events) -> None:
    events.load({A: [1]})
    _commit_delete_file(events, _delete_file(events, "s3://nowhere", content=DataFileContent.EQUALITY_DELETES))

    with pytest.raises(TableMismatch, match="nor counted: compact the table"):
        counted(events)


def test_rows_without_our_columns_are_nobodys(events: Events) -> None:
    events.load({A: [1]})
    events.table.refresh().append(pa.table({"id": pa.array([7, 8], pa.int64())}))

    found = counted(events)

    assert (found[None, None], len(found)) == (2, 2)


def test_a_large_data_file_is_handed_over_in_parts(events: Events) -> None:
    paths = {f"s3://landing/{number}.json": [1] for number in range(whose.LARGE + 5)}
    events.load(paths)

    table = events.table.refresh()
    snapshot = table.current_snapshot()
    assert snapshot is not None
    parts = list(rows(table, manifests_at(table, snapshot)))

    assert [part.last for part in parts] == [False, True]
    assert sum(part.counted.num_rows for part in parts) == len(paths)


names = st.none() | st.text(max_size=2)


@given(pairs=st.lists(st.tuples(names, names), max_size=30))
def test_pairs_are_counted_as_a_plain_count_would(pairs: list[tuple[str | None, str | None]]) -> None:
    found: Counter[Any] = Counter()
    columns = [pa.array([pair[number] for pair in pairs], pa.string()) for number in range(2)]

    _count(pa.record_batch(columns, names=["a", "b"]), found)

    assert found == Counter(pairs)


def test_the_snapshot_before_a_load_holds_nothing_of_it_nor_of_what_came_after(events: Events) -> None:
    loads = [events.load({path: [1]}) for path in (A, B, C)]
    metadata = events.table.refresh().metadata
    ids = [snapshot.snapshot_id for snapshot in metadata.snapshots]

    def chosen(*later: uuid.UUID) -> int | None:
        snapshot, there = before(metadata, later)
        assert there
        return None if snapshot is None else snapshot.snapshot_id

    assert chosen() == ids[2]
    assert chosen(loads[2]) == ids[1]
    assert chosen(loads[1], loads[2]) == ids[0]
    assert chosen(loads[1]) == ids[0]
    assert chosen(loads[0]) is None
    assert chosen(uuid.uuid4()) == ids[2]


def test_history_tells_loads_of_main_from_loads_that_main_has_left(events: Events) -> None:
    first, second = events.load({A: [1]}), events.load({B: [2]})
    table = events.table.refresh()
    table.manage_snapshots().set_current_snapshot(snapshot_id=table.snapshots()[0].snapshot_id).commit()

    found = history(events.table.refresh().metadata)

    assert (set(found.main), set(found.aside)) == ({first}, {second})


def test_what_is_stored_for_loads_is_found_with_its_load_whoever_refers_to_it(events: Events) -> None:
    load = events.load({A: [1], B: [2]})
    events.load({A: [3]}, replaced={A: [load]})
    table = events.table.refresh()
    with table.io.new_output(f"{table.location()}/data/by-hand.parquet").create() as output:
        output.write(b"PAR1")

    stored = {each.location: each.load_id for found in Storage(table).below_loads() for each in found}
    referred = {location for locations in referred_to(table, table.snapshots()) for location in locations}

    assert set(stored) == set(events.stored()) - {f"{table.location()}/data/by-hand.parquet"} == referred
    assert load in stored.values()
    assert Storage(table).still_there([*stored, "s3://lake/nowhere.parquet"]) == set(stored)
