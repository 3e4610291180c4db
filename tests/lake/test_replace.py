from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestContent, ManifestWriterV2
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.typedef import Record

from autoloader.errors import TableMismatch
from autoloader.lake.data_files import Uploader
from autoloader.lake.publish import Change, publish
from autoloader.lake.removal import _any_between
from autoloader.model import DataFile as Stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.lake.conftest import Events

A, B, C = "s3://landing/a.json", "s3://landing/b.json", "s3://landing/c.json"


def test_only_rows_of_the_replaced_file_change_and_other_data_files_stay_where_they_are(events: Events) -> None:
    first = events.load({A: [1, 2], B: [3]})
    events.load({C: [4]})
    events.load({"s3://landing/d.json": [5]})
    others = [path for path in events.paths() if str(first) not in path]

    events.load({A: [10]}, replaced={A: [first]})

    assert events.rows() == events.rows_by_duckdb() == [(A, 10), (B, 3), (C, 4), ("s3://landing/d.json", 5)]
    assert set(others) < set(events.paths())
    last = events.summaries()[-1]
    assert len(events.summaries()) == 4
    assert (last["operation"], last["added-records"], last["deleted-records"]) == ("overwrite", "2", "3")
    assert last["total-records"] == "4"


def test_a_data_file_that_held_nothing_else_goes_without_being_written_again(events: Events) -> None:
    first = events.load({A: [1, 2]})
    events.load({B: [3]})

    events.load({A: [10]}, replaced={A: [first]})

    assert events.rows() == [(A, 10), (B, 3)]
    assert [path for path in events.stored() if "/rewritten/" in path] == []


def test_a_file_can_be_replaced_again_and_again_also_out_of_a_rewritten_data_file(events: Events) -> None:
    first = events.load({A: [1], B: [2], C: [3]})
    second = events.load({A: [11]}, replaced={A: [first]})
    events.load({B: [12]}, replaced={B: [first]})
    events.load({A: [111], C: [13]}, replaced={A: [first, second], C: [first]})

    assert events.rows() == events.rows_by_duckdb() == [(A, 111), (B, 12), (C, 13)]
    assert len(events.summaries()) == 4


def test_rows_of_the_same_path_that_another_load_brought_stay(events: Events) -> None:
    first = events.load({A: [1]})
    events.load({A: [2]})

    events.load({A: [3]}, replaced={A: [first]})

    assert events.rows() == [(A, 2), (A, 3)]


def test_each_path_loses_only_the_rows_of_its_own_loads(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    second = events.load({A: [3], B: [4]})

    events.load({}, replaced={A: [first], B: [second]})

    assert events.rows() == [(A, 3), (B, 2)]


def test_replacing_finds_rows_that_were_compacted_into_files_of_other_names(events: Events) -> None:
    loads = [events.load({A: [1]}), events.load({B: [2]}), events.load({C: [3]})]
    table = events.table.refresh()
    table.overwrite(table.scan().to_arrow())
    assert not any(str(load) in path for load in loads for path in events.paths())

    events.load({B: [20]}, replaced={B: [loads[1]]})

    assert events.rows() == events.rows_by_duckdb() == [(A, 1), (B, 20), (C, 3)]


def test_ten_thousand_replaced_paths_are_one_snapshot(events: Events) -> None:
    paths = [f"s3://landing/events/part-{n:05}.json" for n in range(10_000)]
    first = events.load({path: [n] for n, path in enumerate(paths)} | {A: [-1]})

    events.load({path: [-n] for n, path in enumerate(paths, 1)}, replaced={path: [first] for path in paths})

    assert events.rows_by_duckdb() == [(A, -1), *((path, -n) for n, path in enumerate(paths, 1))]
    assert len(events.summaries()) == 2


def test_wide_rows_are_rewritten_in_several_row_groups(events: Events) -> None:
    first = uuid.uuid4()
    path = events.write(first, {A: range(10), B: range(40)})
    narrow = pq.read_table(path)
    wide = pa.array([str(n) * 1024**2 for n in range(10, 60)])
    pq.write_table(narrow.set_column(narrow.schema.get_field_index("kind"), narrow.schema.field("kind"), wide), path)
    entry = Uploader(events.table, first).upload(Stored(location=path, records=50))
    publish(events.table, first, Change(added=[entry]), lambda: True)

    events.load({}, replaced={A: [first]})

    (rewritten,) = events.paths()
    with events.table.io.new_input(rewritten).open() as stream:
        footer = pq.read_metadata(cast("IO[Any]", stream))
    assert (footer.num_rows, footer.num_row_groups) == (40, 2)
    assert events.rows() == [(B, n) for n in range(40)]


def test_data_files_without_our_columns_are_left_alone(events: Events) -> None:
    table = events.table.refresh()
    foreign = pa.table({"id": pa.array([7], pa.int64())})
    table.append(foreign)
    (theirs,) = events.paths()
    first = events.load({A: [1]})

    events.load({}, replaced={A: [first]})

    assert events.paths() == [theirs]


def test_a_file_in_another_format_stops_the_rewrite_with_its_name(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    foreign = events.uploaded(first, {A: [3]})
    foreign[1], foreign[2] = f"{events.table.location()}/data/other.orc", FileFormat.ORC
    publish(events.table, uuid.uuid4(), Change(added=[foreign]), lambda: True)

    with pytest.raises(TableMismatch, match=r"other\.orc is .*ORC"):
        events.load({}, replaced={A: [first]})

    assert [path for path in events.stored() if "/rewritten/" in path] == []


def test_keys_of_every_kind_are_found_again(events: Events) -> None:
    odd = [f"s3://landing/{key}" for key in ("a b", "a+b", "a%20b", "ü", "u\u0308", "'\"", "\U0001f600" * 40, "x\x01y")]
    first = events.load({path: [n] for n, path in enumerate(odd)} | {A: [99]})

    events.load({}, replaced={path: [first] for path in odd})

    assert events.rows() == [(A, 99)]


def test_in_a_partitioned_table_rewritten_files_keep_their_partition(make_events: Callable[..., Events]) -> None:
    events = make_events(partition_columns=["kind", "day(at)"])
    first = uuid.uuid4()
    days = (datetime(2024, 1, 15, tzinfo=UTC), datetime(2024, 1, 16, tzinfo=UTC))
    files = [
        events.uploaded(first, {A: [n], B: [10 + n]}, kind=kind, at=day, partition=(kind, 19737 + n))
        for kind in ("x", "y")
        for n, day in enumerate(days)
    ]
    publish(events.table, first, Change(added=files), lambda: True)

    events.load({A: [7]}, replaced={A: [first]}, kind="x", at=days[0], partition=("x", 19737))

    assert events.rows() == events.rows_by_duckdb() == [(A, 7), *((B, n) for n in (10, 10, 11, 11))]
    only_y = events.table.scan(row_filter="kind = 'y' and at < '2024-01-16T00:00:00+00:00'").to_arrow()
    assert only_y["id"].to_pylist() == [10]
    partitions = events.table.inspect.partitions().to_pylist()
    assert sorted((p["partition"]["kind"], str(p["partition"]["at_day"])) for p in partitions) == [
        ("x", "2024-01-15"),
        ("x", "2024-01-16"),
        ("y", "2024-01-15"),
        ("y", "2024-01-16"),
    ]


def test_files_written_before_the_table_was_partitioned_otherwise_are_rewritten_as_they_were(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    events.table.refresh()
    with events.table.update_spec() as update:
        update.add_identity("kind")

    events.load({A: [3]}, replaced={A: [first]}, kind="x", partition=("x",))

    assert events.rows() == events.rows_by_duckdb() == [(A, 3), (B, 2)]
    assert sorted(task.file.spec_id for task in events.table.scan().plan_files()) == [0, 1]


def test_columns_added_and_dropped_since_do_not_disturb_a_rewrite(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    events.table.refresh()
    with events.table.update_schema() as update:
        update.delete_column("at")
        update.rename_column("kind", "sort")
        update.add_column("extra", events.table.schema().find_type("id"))

    events.load({}, replaced={A: [first]})

    read = events.table.refresh().scan().to_arrow()
    assert (read["id"].to_pylist(), read["sort"].to_pylist(), read["extra"].to_pylist()) == ([2], ["a"], [None])


def test_rows_that_another_engine_deleted_do_not_come_back(events: Events) -> None:
    first = events.load({A: [1, 2], B: [3, 4, 5]})
    _delete_positions(events, [1, 3])
    assert events.rows() == [(A, 1), (B, 3), (B, 5)]

    events.load({A: [10]}, replaced={A: [first]})

    assert events.rows() == events.rows_by_duckdb() == [(A, 10), (B, 3), (B, 5)]


def test_a_file_of_which_only_deleted_rows_are_meant_is_left_alone(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    _delete_positions(events, [0])
    before = events.paths()

    events.load({}, replaced={A: [first]})

    assert events.paths() == before
    assert events.rows() == [(B, 2)]


def test_overwrite_takes_the_delete_files_away_too(events: Events) -> None:
    events.load({A: [1, 2]})
    _delete_positions(events, [0])

    events.load({C: [3]}, overwrite=True)

    last = events.summaries()[-1]
    assert (last["total-delete-files"], last["total-position-deletes"]) == ("0", "0")
    assert events.table.refresh().inspect.delete_files().num_rows == 0
    assert events.rows() == [(C, 3)]


def test_equality_deletes_stop_a_rewrite_with_what_to_do(events: Events) -> None:
    first = events.load({A: [1], B: [2]})
    _commit_delete_file(events, _delete_file(events, "s3://nowhere", content=DataFileContent.EQUALITY_DELETES))

    with pytest.raises(TableMismatch, match="compact the table"):
        events.load({}, replaced={A: [first]})

    assert len(events.summaries()) == 2


def _delete_positions(events: Events, positions: list[int]) -> None:
    """What a merge-on-read engine does; PyIceberg reads position deletes but does not write them."""
    (path,) = events.paths()
    location = f"{events.table.location()}/data/deletes-{uuid.uuid4()}.parquet"
    path_field = pa.field("file_path", pa.string(), metadata={"PARQUET:field_id": "2147483546"})
    position_field: pa.Field[Any] = pa.field("pos", pa.int64(), metadata={"PARQUET:field_id": "2147483545"})
    deletes = pa.table([[path] * len(positions), positions], schema=pa.schema([path_field, position_field]))
    with events.table.io.new_output(location).create() as stream:
        pq.write_table(deletes, cast("IO[Any]", stream))
    _commit_delete_file(events, _delete_file(events, location, rows=len(positions)))


def _delete_file(
    events: Events, location: str, *, rows: int = 1, content: DataFileContent = DataFileContent.POSITION_DELETES
) -> DataFile:
    size = len(events.table.io.new_input(location)) if rows > 1 or "deletes-" in location else 1
    made = DataFile.from_args(
        content=content,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=rows,
        file_size_in_bytes=size,
        equality_ids=[1] if content == DataFileContent.EQUALITY_DELETES else None,
    )
    made.spec_id = 0
    return made


class _DeleteManifestWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _AppendDeletes(_FastAppendFiles):
    """A snapshot that adds a manifest of delete files, as a merge-on-read engine commits it."""

    def new_manifest_writer(self, spec: Any) -> _DeleteManifestWriter:
        return _DeleteManifestWriter(
            spec, self.schema(), self.new_manifest_output(), self.snapshot_id, self._compression
        )


def _commit_delete_file(events: Events, delete_file: DataFile) -> None:
    with events.table.refresh().transaction() as transaction:
        producer = _AppendDeletes(operation=Operation.OVERWRITE, transaction=transaction, io=events.table.io)
        producer.append_data_file(delete_file)
        producer.commit()


texts = st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass"))


@given(values=st.lists(texts, min_size=1, max_size=8), bounds=st.tuples(texts, texts).map(sorted))
def test_bounds_exclude_a_file_only_when_no_value_can_be_in_it(values: list[bytes], bounds: list[bytes]) -> None:
    lower, upper = bounds
    assert _any_between(sorted(values), lower, upper) == any(lower <= value <= upper for value in values)
    assert _any_between(sorted(values), None, None)
    assert _any_between(sorted(values), lower, None) == any(lower <= value for value in values)
