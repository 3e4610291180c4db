"""The promises of the first page, each as a user would try it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.end_to_end.conftest import User


def lines(*records: Mapping[str, object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_files_of_a_bucket_become_rows_of_a_table_in_one_snapshot(user: User) -> None:
    for number in range(20):
        user.landing.put(f"2024/part-{number}.json", lines({"id": number, "at": "2024-01-15T10:00:00Z", "price": 1.5}))
    user.creates("events")

    run = user.runs("events")

    assert run["status"] == "SUCCESS"
    assert (run["files_discovered"], run["files_succeeded"], run["records_ingested"]) == (20, 20, 20)
    assert user.sees("events", "SELECT count(*), sum(id), sum(price) FROM rows") == [(20, 190, 30.0)]
    assert len(user.snapshots("events")) == 1


def test_every_row_says_where_it_came_from(user: User) -> None:
    path = user.landing.put("a.json", lines({"id": 1}, {"id": 2}))
    user.creates("events")
    user.runs("events")

    rows = user.sees(
        "events", "SELECT id, _source_file, _load_id, _source_modified_at <= _loaded_at FROM rows ORDER BY id"
    )
    (snapshot,) = user.snapshots("events")

    assert rows == [(1, path, snapshot["autoloader.load-id"], True), (2, path, snapshot["autoloader.load-id"], True)]


def test_one_bad_file_among_good_ones_fails_alone_with_its_line_and_reason(user: User) -> None:
    for number in range(99):
        user.landing.put(f"good-{number}.json", lines({"id": number}))
    bad = user.landing.put("bad.json", lines({"id": 1}, {"id": 2}) + '{"id": 3,\n')
    user.creates("events", "--schema", "id BIGINT")

    run = user.runs("events", code=1)

    assert (run["status"], run["files_succeeded"], run["files_failed"]) == ("SUCCESS", 99, 1)
    assert user.sees("events", "SELECT count(*) FROM rows") == [(99,)]
    failed = user.file("events", bad)
    assert failed["status"] == "FAILED"
    assert failed["error_type"] == "BadRecord"
    assert "line 3" in failed["error_message"]


def test_a_second_run_over_the_same_files_loads_nothing(user: User) -> None:
    user.landing.put("a.json", lines({"id": 1}))
    user.creates("events")
    user.runs("events")

    again = user.runs("events")

    assert again["status"] == "SUCCESS"
    assert (again["files_discovered"], again["files_processed"], again["records_ingested"]) == (0, 0, 0)
    assert user.sees("events", "SELECT count(*) FROM rows") == [(1,)]
    assert len(user.snapshots("events")) == 1


def test_a_late_file_that_sorts_before_the_others_is_loaded(user: User) -> None:
    user.landing.put("m.json", lines({"id": 1}))
    user.creates("events")
    user.runs("events")
    user.landing.put("a.json", lines({"id": 2}))

    assert user.runs("events")["files_succeeded"] == 1
    assert user.sees("events", "SELECT list(id ORDER BY id) FROM rows") == [([1, 2],)]


def test_a_changed_file_replaces_its_own_rows_and_no_others(user: User) -> None:
    user.landing.put("kept.json", lines({"id": 1}, {"id": 2}))
    user.landing.put("changed.json", lines({"id": 3}, {"id": 4}))
    user.creates("events")
    user.runs("events")
    user.landing.put("changed.json", lines({"id": 40}))

    run = user.runs("events")

    assert (run["files_succeeded"], run["records_ingested"]) == (1, 1)
    assert user.sees("events", "SELECT list(id ORDER BY id) FROM rows") == [([1, 2, 40],)]
    assert len(user.snapshots("events")) == 2


def test_a_changed_file_that_is_broken_leaves_its_old_rows(user: User) -> None:
    path = user.landing.put("a.json", lines({"id": 1}))
    user.creates("events")
    user.runs("events")
    user.landing.put("a.json", "{")

    user.runs("events", code=1)

    assert user.sees("events", "SELECT list(id) FROM rows") == [([1],)]
    assert user.file("events", path)["status"] == "FAILED"


def test_appending_keeps_the_rows_of_both_versions(user: User) -> None:
    user.landing.put("a.json", lines({"id": 1}))
    user.creates("events", "--on-changed", "append")
    user.runs("events")
    user.landing.put("a.json", lines({"id": 2}))
    user.runs("events")

    assert user.sees("events", "SELECT list(id ORDER BY id) FROM rows") == [([1, 2],)]


def test_an_ignored_change_is_skipped_with_its_reason(user: User) -> None:
    path = user.landing.put("a.json", lines({"id": 1}))
    user.creates("events", "--on-changed", "ignore")
    user.runs("events")
    user.landing.put("a.json", lines({"id": 2}))

    run = user.runs("events")

    assert (run["status"], run["files_skipped"], run["files_processed"]) == ("SUCCESS", 1, 0)
    assert user.file("events", path)["status"] == "SKIPPED"
    assert user.sees("events", "SELECT list(id) FROM rows") == [([1],)]


def test_a_change_that_must_not_be_fails_the_file(user: User) -> None:
    path = user.landing.put("a.json", lines({"id": 1}))
    user.creates("events", "--on-changed", "fail")
    user.runs("events")
    user.landing.put("a.json", lines({"id": 2}))

    user.runs("events", code=1)

    assert user.file("events", path)["error_type"] == "ChangedRefused"
    assert user.sees("events", "SELECT list(id) FROM rows") == [([1],)]


def test_overwriting_makes_the_files_of_a_run_the_whole_table_in_one_commit(user: User) -> None:
    user.landing.put("monday.json", lines({"id": 1}, {"id": 2}))
    user.creates("stock", "--write-mode", "overwrite")
    user.runs("stock")
    user.landing.put("tuesday-1.json", lines({"id": 3}))
    user.landing.put("tuesday-2.json", lines({"id": 4}))
    user.runs("stock")

    assert user.sees("stock", "SELECT list(id ORDER BY id) FROM rows") == [([3, 4],)]
    assert len(user.snapshots("stock")) == 2


def test_empty_files_are_loaded_with_no_rows(user: User) -> None:
    empty = user.landing.put("empty.json", "")
    user.landing.put("blank.json", "\n\n")
    user.landing.put("full.json", lines({"id": 1}))
    user.creates("events")

    run = user.runs("events")

    assert (run["status"], run["files_succeeded"], run["records_ingested"]) == ("SUCCESS", 3, 1)
    assert user.file("events", empty)["status"] == "SUCCESS"


def test_a_file_that_is_too_large_is_skipped_with_the_reason(user: User) -> None:
    path = user.landing.put("large.json", lines(*({"id": number} for number in range(100))))
    user.landing.put("small.json", lines({"id": 1}))
    user.creates("events", "--max-file-size", "500B")

    run = user.runs("events")

    assert (run["status"], run["files_succeeded"], run["files_skipped"]) == ("SUCCESS", 1, 1)
    skipped = user.file("events", path)
    assert skipped["status"] == "SKIPPED"
    assert "500" in skipped["error_message"]


def test_a_failed_file_is_tried_again_as_often_as_the_ingestion_says(user: User) -> None:
    path = user.landing.put("bad.json", "{")
    user.creates("events", "--schema", "id BIGINT", "--max-retries", "1")

    assert user.runs("events", code=1)["files_failed"] == 1
    assert user.runs("events", code=1)["files_failed"] == 1
    assert user.runs("events")["files_processed"] == 0
    user.types("retry", "events", path)
    assert user.runs("events", code=1)["files_failed"] == 1
    assert user.sees("events", "SELECT count(*) FROM rows") == [(0,)]


def test_one_file_at_a_time_reaches_every_file(user: User) -> None:
    for number in range(3):
        user.landing.put(f"{number}.json", lines({"id": number}))
    user.creates("events")

    found = [user.runs("events", "--max-files", "2")["files_succeeded"] for _ in range(3)]

    assert found == [2, 1, 0]
    assert user.sees("events", "SELECT list(id ORDER BY id) FROM rows") == [([0, 1, 2],)]


def test_partitions_by_column_and_by_transform_hold_what_they_say(user: User) -> None:
    records = [{"id": n, "at": f"2024-01-{1 + n % 3:02}T10:00:00Z", "kind": "ab"[n % 2]} for n in range(30)]
    user.landing.put("a.json", lines(*records))
    user.creates(
        "events", "--partition-by", "kind", "--partition-by", "day(at)", "--partition-by", "bucket(4, id)",
        "--schema", "id BIGINT, at TIMESTAMP, kind STRING",
    )  # fmt: skip
    user.runs("events")

    table = user.catalog.load_table(f"{user.namespace}.events")
    assert [field.name for field in table.spec().fields] == ["kind", "at_day", "id_bucket"]
    assert user.sees("events", "SELECT count(*), count(DISTINCT id) FROM rows") == [(30, 30)]
    only_a = table.scan(row_filter="kind == 'a' and at < '2024-01-02T00:00:00+00:00'")
    assert len(list(only_a.plan_files())) <= 4
    assert only_a.to_arrow().num_rows == 5
