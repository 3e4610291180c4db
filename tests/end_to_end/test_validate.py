"""`autoloader validate`: it tells beforehand what a run then does, and writes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pyiceberg.exceptions import NoSuchTableError

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

REFUSED = 1


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def validated(user: User, *options: str, name: str = "events", code: int = 0) -> Any:
    return user.types("validate", name, "--json", *options, code=code).json


def ledger(user: User) -> list[tuple[Any, ...]]:
    """All that the ledger says about files, runs and ingestions, read with psycopg."""
    url = user.environment["AUTOLOADER_DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
    tables = ("ingestions", "processed_files", "runs", "loads", "outcomes")
    with psycopg.connect(url) as connection:
        return [row for table in tables for row in connection.execute(f"SELECT * FROM {table} ORDER BY id".encode())]


def by_name(found: Any, user: User) -> dict[str, Any]:
    return {each["file_path"].removeprefix(user.landing.path): each for each in found}


@pytest.fixture
def mixed(user: User) -> User:
    """Somebody with a good file, one with two bad records of four, and one that is no file of the format at all."""
    user.landing.put("good.json", lines({"id": 1}, {"id": 2}))
    user.landing.put("mixed.json", '{"id": 1}\n{"id": 1.5}\n{"id": 3}\n{"id": 4\n')
    user.landing.put("broken.json", b"\x1f\x8b\x08" + b"no gzip at all")
    return user


def test_every_refused_record_is_told_with_file_line_column_reason_and_text(mixed: User) -> None:
    mixed.creates("events", "--schema", "id BIGINT")

    told = validated(mixed, code=REFUSED)

    mixed_path = mixed.landing.path + "mixed.json"
    assert {(r["file_path"], r["line"], r["column"], r["reason"], r["raw"]) for r in told["refused"]} == {
        (mixed_path, 2, "id", "not_bigint", '{"id": 1.5}'),
        (mixed_path, 4, None, "malformed", '{"id": 4'),
    }
    assert (told["is_clean"], told["report"]["waiting"], told["report"]["validated"]) == (False, {"new": 3}, 3)
    files = by_name(told["files"], mixed)
    assert (files["good.json"]["prospect"], files["good.json"]["records"]) == ("loads", 2)
    assert (files["broken.json"]["prospect"], files["broken.json"]["error_type"]) == ("fails", "FileUnreadable")


@pytest.mark.parametrize(
    ("options", "prospect"),
    [
        ((), "fails"),
        (("--on-bad-record", "quarantine"), "quarantined"),
        (("--on-bad-record", "skip"), "partly"),
        (("--on-bad-record", "quarantine", "--max-bad-records", "1"), "fails"),
        (("--on-bad-record", "skip", "--max-bad-ratio", "0.4"), "fails"),
        (("--on-bad-record", "skip", "--max-bad-ratio", "0.5"), "partly"),
    ],
)
def test_a_run_then_does_what_was_told(mixed: User, options: tuple[str, ...], prospect: str) -> None:
    mixed.creates("events", "--schema", "id BIGINT", *options)

    told = validated(mixed, code=REFUSED)
    mixed.runs("events", code=1)

    files = by_name(told["files"], mixed)
    assert files["mixed.json"]["prospect"] == prospect
    for name, file in files.items():
        became = mixed.file("events", mixed.landing.path + name)
        assert became["records_ingested"] == file["records"], name
        assert (became["status"] == "FAILED") == (file["prospect"] == "fails"), name
        assert (became["error_type"], became["error_message"]) == (file["error_type"], file["error_message"]), name
    assert mixed.sees("events", "SELECT count(*) FROM rows") == [(told["report"]["records"],)]


def test_nothing_is_written(mixed: User) -> None:
    mixed.creates("events")
    before = ledger(mixed)

    told = validated(mixed, code=REFUSED)

    assert told["report"]["inferred"]
    assert ledger(mixed) == before
    with pytest.raises(NoSuchTableError):
        mixed.catalog.load_table(f"{mixed.namespace}.events")


def test_only_what_the_next_run_would_load_is_read(user: User) -> None:
    user.landing.put("loaded.json", lines({"id": 1}))
    user.landing.put("changed.json", lines({"id": 1}))
    user.landing.put("failed.json", "{\n")
    user.creates("events", "--schema", "id BIGINT", "--max-file-size", "1kB")
    user.runs("events", code=1)
    user.landing.put("changed.json", lines({"id": 1}, {"id": 2}))
    user.landing.put("new.json", lines({"id": 3}))
    user.landing.put("large.json", lines(*({"id": number} for number in range(1000))))
    user.landing.put("packed.zip", "PK")

    told = validated(user, code=REFUSED)

    assert told["report"]["waiting"] == {"changed": 1, "new": 1, "retried": 1}
    assert told["report"]["skipped"] == {"TooLarge": 1, "Archive": 1}
    files = by_name(told["files"], user)
    assert {name: (file["waiting"], file["records"]) for name, file in files.items()} == {
        "changed.json": ("changed", 2),
        "new.json": ("new", 1),
        "failed.json": ("retried", 0),
    }


def test_where_all_would_load_the_exit_code_is_0_and_a_person_is_told_so(user: User) -> None:
    user.landing.put("a.json", lines({"id": 1}, {"id": 2}))
    user.creates("events")

    answer = user.types("validate", "events")

    assert "1 file would load." in answer.out
    assert "2 rows would load, 0 records would be refused." in answer.out
    assert user.types("run", "events").code == 0
    assert "0 files waiting" in user.types("validate", "events").out


def test_a_person_sees_why_each_file_would_fail_and_which_records_are_at_fault(mixed: User) -> None:
    mixed.creates("events", "--schema", "id BIGINT")

    answer = mixed.types("validate", "events", code=REFUSED)

    assert "2 files would fail." in answer.out
    assert "not_bigint" in answer.out
    assert "gzip" in answer.out


def test_at_most_so_many_files_are_read_and_how_many_wait_is_told_all_the_same(user: User) -> None:
    for number in range(5):
        user.landing.put(f"{number}.json", lines({"id": number}))
    user.creates("events", "--schema", "id BIGINT")

    told = validated(user, "--max-files", "2")

    assert (told["report"]["waiting"], told["report"]["validated"], told["report"]["records"]) == ({"new": 5}, 2, 2)


def test_a_table_that_does_not_fit_is_told_before_any_file_is_read(user: User) -> None:
    user.landing.put("a.json", lines({"id": 1}))
    user.creates("events", "--schema", "id BIGINT")
    user.runs("events")
    user.landing.put("b.json", lines({"id": 2}))
    user.types("edit", "events", "--schema", "id STRING")

    told = validated(user, code=REFUSED)

    assert "does not fit" in told["report"]["problem"]
    assert (told["report"]["validated"], told["files"]) == (0, [])


@pytest.mark.parametrize(
    ("file_format", "body", "schema"),
    [
        ("csv", "id,name\n1,a\nx,b\n3,c,d\n", "id BIGINT, name STRING"),
        ("xml", "<rows><row><id>1</id></row><row><id>x</id></row></rows>", "id BIGINT"),
        ("parquet", "PAR1 is not all it takes", "id BIGINT"),
    ],
)
def test_of_every_format_is_told_what_a_run_then_does(user: User, file_format: str, body: str, schema: str) -> None:
    path = user.landing.put(f"a.{file_format}", body)
    options = ("--option", "rowTag=row") if file_format == "xml" else ()
    user.creates("events", "--schema", schema, *options, file_format=file_format)

    (told,) = validated(user, code=REFUSED)["files"]
    user.runs("events", code=1)

    became = user.file("events", path)
    assert (told["prospect"], became["status"]) == ("fails", "FAILED")
    assert (told["error_type"], told["error_message"]) == (became["error_type"], became["error_message"])
