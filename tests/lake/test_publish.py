from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Events


def test_a_load_appends_its_rows_in_one_snapshot_that_names_it(events: Events) -> None:
    load_id = events.load({"s3://landing/a.json": [1, 2], "s3://landing/b.json": [3]})

    assert events.rows() == [("s3://landing/a.json", 1), ("s3://landing/a.json", 2), ("s3://landing/b.json", 3)]
    assert events.rows_by_duckdb() == events.rows()
    (summary,) = events.summaries()
    assert summary["autoloader.load-id"] == str(load_id)
    assert (summary["operation"], summary["added-records"], summary["total-records"]) == ("append", "3", "3")


def test_a_changed_file_replaces_only_its_rows_in_one_snapshot(events: Events) -> None:
    a, b, c = "s3://landing/a.json", "s3://landing/b.json", "s3://landing/c.json"
    first = events.load({a: [1, 2], b: [3]})
    events.load({c: [4]})
    events.load({"s3://landing/d.json": [5]})
    before = events.paths()

    events.load({a: [10]}, replaced={a: [first]})

    assert events.rows() == [(a, 10), (b, 3), (c, 4), ("s3://landing/d.json", 5)]
    assert events.rows_by_duckdb() == events.rows()
    untouched = [path for path in before if str(first) not in path]
    assert set(untouched) < set(events.paths())
    summaries = events.summaries()
    assert len(summaries) == 4
    assert summaries[-1]["operation"] == "overwrite"
    assert (summaries[-1]["added-records"], summaries[-1]["deleted-records"]) == ("2", "3")
    assert summaries[-1]["total-records"] == "4"
