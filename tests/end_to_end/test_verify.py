"""`autoloader verify`: clean after everything that loading does by itself, and every kind of damage found and named."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest
from tests.end_to_end.test_scenarios import lines

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from tests.end_to_end.conftest import User

DIFFERS = 1


def arrive(user: User, *names: str, rows: int = 3) -> list[str]:
    return [
        user.landing.put(name, "\n".join(json.dumps({"id": number, "of": name}) for number in range(rows)) + "\n")
        for name in names
    ]


def verified(user: User, name: str = "events", code: int = 0) -> Any:
    return user.types("verify", name, "--json", code=code).json


def found(user: User, name: str = "events") -> set[tuple[str, str | None]]:
    """Kinds of differences with the file each is about."""
    report = verified(user, name, code=DIFFERS)
    return {(each["kind"], each["file_path"]) for each in report["differences"]}


def table(user: User, name: str = "events") -> Table:
    return user.catalog.load_table(f"{user.namespace}.{name}")


def sql(user: User, statement: str, *values: object) -> None:
    """What somebody does to the ledger by hand."""
    url = user.environment["AUTOLOADER_DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection:
        assert connection.execute(statement.encode(), values).rowcount > 0


def rows_of(user: User, path: str) -> pa.Table:
    return table(user).scan(row_filter=f"_source_file = '{path}'").to_arrow()


@pytest.fixture
def loaded(user: User) -> User:
    """Somebody with three files of three rows in the table, and one that failed."""
    arrive(user, "a.json", "b.json", "c.json")
    user.landing.put("bad.json", "{")
    user.creates("events", "--schema", "id BIGINT, of STRING", "--max-retries", "0")
    user.runs("events", code=1)
    return user


def test_after_a_run_nothing_differs_and_every_file_is_counted_once(loaded: User) -> None:
    arrive(loaded, "later.json")

    report = verified(loaded)["report"]

    assert (report["listed"], report["loaded"], report["failed"]) == (5, 3, 1)
    assert (report["waiting"], report["skipped"], report["gone"]) == ({"new": 1}, {}, 0)
    (only,) = report["tables"]
    assert (only["rows_claimed"], only["rows_found"], only["rows_of_others"]) == (9, 9, 0)
    assert report["differences"] == {}


def test_rows_that_somebody_deleted_are_missing(loaded: User) -> None:
    path = loaded.landing.path + "b.json"
    table(loaded).delete(f"_source_file = '{path}' and id < 2")

    (difference,) = verified(loaded, code=DIFFERS)["differences"]

    assert (difference["kind"], difference["file_path"]) == ("rows_missing", path)
    assert (difference["expected"], difference["found"]) == (3, 1)


def test_rows_that_somebody_appended_again_are_too_many(loaded: User) -> None:
    path = loaded.landing.path + "c.json"
    table(loaded).append(rows_of(loaded, path))

    assert found(loaded) == {("rows_too_many", path)}


def test_rows_of_files_that_the_ledger_forgot_are_of_unknown_files(loaded: User) -> None:
    path = loaded.landing.path + "a.json"
    sql(loaded, "DELETE FROM processed_files WHERE file_path = %s", path)

    report = verified(loaded, code=DIFFERS)

    (difference,) = report["differences"]
    assert (difference["kind"], difference["file_path"]) == ("rows_of_unknown_file", path)
    assert (difference["found"], difference["expected"]) == (3, None)
    assert report["report"]["waiting"] == {"new": 1}


def test_a_ledger_that_forgot_a_load_contradicts_itself_and_does_not_know_its_snapshot(loaded: User) -> None:
    sql(loaded, "DELETE FROM outcomes")
    sql(loaded, "DELETE FROM loads")
    good = {loaded.landing.path + name for name in ("a.json", "b.json", "c.json")}

    differences = found(loaded)

    assert {path for kind, path in differences if kind == "ledger_contradiction"} == good
    assert ("snapshot_unrecorded", None) in differences
    assert {kind for kind, _ in differences} == {"ledger_contradiction", "snapshot_unrecorded"}


def test_rows_of_a_load_that_nobody_knows_are_named_where_the_file_is_one_of_ours(loaded: User) -> None:
    foreign = rows_of(loaded, loaded.landing.path + "a.json").to_pylist()
    ours, elsewhere = loaded.landing.path + "by-hand.json", "s3://elsewhere/x.json"
    schema = table(loaded).scan().to_arrow().schema
    for path in (ours, elsewhere):
        marks = {"_source_file": path, "_load_id": str(uuid.uuid4())}
        made = [row | marks for row in foreign]
        table(loaded).append(pa.Table.from_pylist(made, schema=schema))
    unmarked = [row | {"_source_file": None, "_load_id": None} for row in foreign]
    table(loaded).append(pa.Table.from_pylist(unmarked, schema=schema))

    report = verified(loaded, code=DIFFERS)

    (difference,) = report["differences"]
    assert (difference["kind"], difference["file_path"], difference["found"]) == ("rows_of_unknown_load", ours, 3)
    assert report["report"]["tables"][0]["rows_of_others"] == 9


def test_a_stray_data_file_in_the_folder_of_a_load_is_orphaned(loaded: User) -> None:
    load = loaded.file("events", loaded.landing.path + "a.json")["load_id"]
    stray = [f"{table(loaded).location()}/data/{folder}/x.parquet" for folder in (load, f"rewritten/{uuid.uuid4()}")]
    for location in (*stray, f"{table(loaded).location()}/data/somebody-elses.parquet"):
        with table(loaded).io.new_output(location).create() as output:
            output.write(b"PAR1")

    assert found(loaded) == {("orphaned_data_file", location) for location in stray}


def test_a_table_that_was_rolled_back_lost_a_load_and_its_files(loaded: User) -> None:
    before = table(loaded).current_snapshot()
    arrive(loaded, "d.json", "e.json")
    loaded.runs("events", code=0)
    assert before is not None
    table(loaded).manage_snapshots().set_current_snapshot(snapshot_id=before.snapshot_id).commit()

    report = verified(loaded, code=DIFFERS)

    lost = {loaded.landing.path + name for name in ("d.json", "e.json")}
    rolled_back, *missing = report["differences"]
    load = loaded.file("events", min(lost))
    assert rolled_back["kind"] == "rolled_back"
    assert (rolled_back["load_id"], rolled_back["snapshot_id"]) == (load["load_id"], load["snapshot_id"])
    assert {(each["kind"], each["file_path"], each["found"]) for each in missing} == {
        ("rows_missing", path, None) for path in lost
    }
    assert "rolled back" in loaded.types("verify", "events", code=DIFFERS).out


def test_a_table_that_was_dropped_is_one_difference_not_one_for_each_file(loaded: User) -> None:
    loaded.catalog.drop_table(f"{loaded.namespace}.events")

    (difference,) = verified(loaded, code=DIFFERS)["differences"]

    assert (difference["kind"], difference["expected"], difference["found"]) == ("table_missing", 9, 0)


def test_a_table_that_was_dropped_and_made_again_lost_every_load(loaded: User) -> None:
    loaded.catalog.drop_table(f"{loaded.namespace}.events")
    arrive(loaded, "d.json")
    loaded.runs("events")

    differences = found(loaded)

    lost = {loaded.landing.path + name for name in ("a.json", "b.json", "c.json")}
    assert {path for kind, path in differences if kind == "rows_missing"} == lost
    assert ("rolled_back", None) in differences


def test_a_table_without_the_column_of_the_source_file_cannot_be_compared(loaded: User) -> None:
    with table(loaded).update_schema() as update:
        update.delete_column("_source_file")

    (difference,) = verified(loaded, code=DIFFERS)["differences"]

    assert difference["kind"] == "column_missing"
    assert "_source_file" in difference["message"]


def test_an_ingestion_that_never_ran_has_nothing_that_could_differ(user: User) -> None:
    arrive(user, "a.json")
    user.creates("events")

    report = verified(user)["report"]

    assert (report["listed"], report["waiting"], report["tables"][0]["snapshot_id"]) == (1, {"new": 1}, None)


def test_snapshots_that_were_expired_are_said_and_no_difference(loaded: User) -> None:
    arrive(loaded, "d.json")
    loaded.runs("events")
    first = table(loaded).snapshots()[0].snapshot_id
    table(loaded).maintenance.expire_snapshots().by_id(first).commit()

    report = verified(loaded)["report"]

    assert report["tables"][0]["loads_expired"] == 1
    assert report["tables"][0]["rows_found"] == 12
    assert "1 load of" in loaded.types("verify", "events").out


@pytest.mark.parametrize(
    ("on_changed", "rows", "changed"),
    [("replace", 8, {}), ("append", 11, {}), ("ignore", 9, {"ChangedIgnored": 1}), ("fail", 9, {})],
)
def test_changed_files_are_clean_whatever_a_change_means(
    user: User, on_changed: str, rows: int, changed: dict[str, int]
) -> None:
    arrive(user, "a.json", "b.json", "c.json")
    user.creates("events", "--schema", "id BIGINT, of STRING", "--on-changed", on_changed)
    user.runs("events")
    arrive(user, "a.json", rows=2)
    assert verified(user)["report"]["waiting"] == {"changed": 1}

    user.runs("events", code=1 if on_changed == "fail" else 0)

    report = verified(user)["report"]
    assert (report["tables"][0]["rows_found"], report["skipped"]) == (rows, changed)


def test_how_changes_were_treated_then_is_what_counts_not_how_they_are_treated_now(user: User) -> None:
    arrive(user, "a.json")
    user.creates("events", "--schema", "id BIGINT, of STRING", "--on-changed", "append")
    user.runs("events")
    arrive(user, "a.json", rows=2)
    user.runs("events")
    user.types("edit", "events", "--on-changed", "replace")

    assert verified(user)["report"]["tables"][0]["rows_found"] == 5

    arrive(user, "a.json", rows=1)
    user.runs("events")
    assert verified(user)["report"]["tables"][0]["rows_found"] == 1


def test_older_rows_that_somebody_put_back_are_outdated(user: User) -> None:
    (path,) = arrive(user, "a.json")
    user.creates("events", "--schema", "id BIGINT, of STRING")
    user.runs("events")
    old = table(user).scan().to_arrow()
    arrive(user, "a.json", rows=2)
    user.runs("events")
    table(user).append(old)

    assert found(user) == {("rows_outdated", path)}


def test_an_overwritten_table_holds_the_last_run_and_no_other(user: User) -> None:
    arrive(user, "a.json", "b.json")
    user.creates("events", "--schema", "id BIGINT, of STRING", "--write-mode", "overwrite")
    user.runs("events")
    arrive(user, "c.json", rows=2)
    user.runs("events")

    assert verified(user)["report"]["tables"][0]["rows_claimed"] == 2


def test_partitions_change_nothing_about_whose_rows_they_are(user: User) -> None:
    user.landing.put("a.json", lines(*({"id": i, "at": f"2024-01-{1 + i % 9:02}T00:00:00Z"} for i in range(50))))
    user.creates("events", "--schema", "id BIGINT, at TIMESTAMP", "--partition-by", "day(at)")
    user.runs("events")

    (standing,) = verified(user)["report"]["tables"]

    assert (standing["rows_found"], standing["data_files"]) == (50, 9)


def test_two_ingestions_in_one_table_are_judged_each_by_its_own_rows(loaded: User) -> None:
    loaded.landing.put("second/z.json", lines({"id": 1, "of": "z"}))
    loaded.types("edit", "events", "--pattern", "[abc].json")
    source = loaded.landing.path + "second/"
    target = loaded.table("events")
    loaded.types("create", "others", "--source", source, "--format", "json", "--table", target)
    loaded.runs("others")

    (first,), (second,) = (verified(loaded, name)["report"]["tables"] for name in ("events", "others"))

    assert (first["rows_found"], first["rows_of_others"]) == (9, 1)
    assert (second["rows_found"], second["rows_of_others"]) == (1, 9)


def test_an_ingestion_that_was_pointed_at_another_table_is_looked_for_in_both(loaded: User) -> None:
    loaded.types("edit", "events", "--table", loaded.table("newer"))
    arrive(loaded, "d.json")
    loaded.runs("events")

    standings = {t["name"]: t["rows_found"] for t in verified(loaded)["report"]["tables"]}
    assert standings == {loaded.table("events"): 9, loaded.table("newer"): 3}

    loaded.catalog.drop_table(f"{loaded.namespace}.events")
    assert found(loaded) == {("table_missing", None)}


def test_files_that_left_the_bucket_are_counted_and_no_difference(loaded: User) -> None:
    loaded.landing.delete("a.json")

    report = verified(loaded)["report"]

    assert (report["listed"], report["gone"], report["tables"][0]["rows_found"]) == (3, 1, 9)


def test_a_file_with_an_odd_name_is_compared_like_any_other(user: User) -> None:
    arrive(user, "odd é+%20\n#'\"\\.json", "\U0010fffd.json")
    user.creates("events", "--schema", "id BIGINT, of STRING")
    user.runs("events")

    assert verified(user)["report"]["tables"][0]["rows_found"] == 6


def test_a_person_reads_what_differs_and_how_much_more_there_is(user: User) -> None:
    arrive(user, *(f"{number:02}.json" for number in range(25)), rows=1)
    user.creates("events", "--schema", "id BIGINT, of STRING")
    user.runs("events")
    assert "Nothing differs." in user.types("verify", "events").out
    table(user).delete("id = 0")

    said = user.types("verify", "events", code=DIFFERS).out

    assert "25 listed = 25 loaded + 0 failed + 0 skipped + 0 waiting" in said
    assert "25 things differ: 25 rows_missing." in said
    assert "… and 5 more" in said


def test_a_bucket_that_is_not_there_cannot_be_verified(loaded: User) -> None:
    loaded.types("edit", "events", "--source", "s3://no-such-bucket-here/x/")

    assert "no-such-bucket-here" in loaded.types("verify", "events", code=3).err
    assert "did you mean events?" in loaded.types("verify", "event", code=2).err


def test_verifying_writes_nothing(loaded: User) -> None:
    def everything() -> tuple[object, ...]:
        stored = table(loaded).metadata_location
        url = loaded.environment["AUTOLOADER_DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(url) as connection:
            rows = [
                connection.execute(f"SELECT * FROM {name} ORDER BY 1".encode()).fetchall()
                for name in ("ingestions", "runs", "loads", "processed_files", "outcomes", "verifications")
            ]
        spool = Path(loaded.environment["AUTOLOADER_HOME"]) / "spool"
        return stored, rows, sorted(spool.iterdir())

    before = everything()
    verified(loaded)

    assert everything() == before
