"""What is wrong is refused in one clear sentence, with an exit code that says whose turn it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

WRONG_USE = 2
COULD_NOT_RUN = 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--pattern", "[abc"], "source_file_pattern"),
        (["--pattern", ""], "pattern"),
        (["--schema", "id NUMBERISH"], "schema"),
        (["--schema", "id BIGINT, ID STRING"], "ID"),
        (["--schema", '{"type": "struct"'], "schema"),
        (["--option", "multiline=perhaps"], "multiLine"),
        (["--option", "speed=high"], "speed"),
        (["--option", "mode=PERMISSIVE"], "mode"),
        (["--source", "/local/folder"], "s3://"),
        (["--source", "s3://"], "bucket"),
        (["--table", "events"], "catalog.database.table"),
        (["--table", "lake.Raw.events"], "lower"),
        (["--partition-by", "week(at)"], "week"),
        (["--max-file-size", "big"], "max_file_size_bytes"),
        (["--max-retries", "-1"], "max_retries"),
        (["--access-key-id", "AKIAPLANTEDKEY"], "env:"),
        (["--region", "eu west"], "aws_region"),
    ],
)
def test_a_draft_that_cannot_be_is_refused_with_the_field_named(user: User, options: list[str], says: str) -> None:
    given = {"--source": user.landing.path, "--format": "json", "--table": user.table("events")}
    rest = {**given, **dict(zip(options[::2], options[1::2], strict=True))}

    refused = user.types("create", "events", *[word for pair in rest.items() for word in pair], code=WRONG_USE)

    assert says in refused.err
    assert "AKIAPLANTEDKEY" not in refused.err
    assert user.types("list", "--json").json == []


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 129, "'; DROP TABLE ingestions; --"])
def test_a_name_that_cannot_be_is_refused(user: User, name: str) -> None:
    refused = user.types(
        "create", name, "--source", "s3://bucket/", "--format", "json", "--table", "lake.raw.t", code=WRONG_USE
    )

    assert "name" in refused.err


def test_a_name_that_is_taken_is_refused(user: User) -> None:
    user.creates("events")

    refused = user.types(
        "create", "events", "--source", "s3://bucket/", "--format", "json", "--table", "lake.raw.t", code=WRONG_USE
    )

    assert "events" in refused.err


def test_an_unknown_ingestion_is_told_with_the_nearest_name(user: User) -> None:
    user.creates("events")

    assert "events" in user.types("run", "event", code=WRONG_USE).err


def test_errors_are_json_where_json_was_asked_for(user: User) -> None:
    problem = json.loads(user.types("show", "nothing", "--json", code=WRONG_USE).err)["error"]

    assert problem["type"] == "NotKnown"
    assert "nothing" in problem["message"]


def test_an_unknown_bucket_is_named(user: User) -> None:
    user.creates("events", "--source", "s3://no-such-bucket-here/x/")

    run = user.runs("events", code=COULD_NOT_RUN)

    assert run["status"] == "FAILED"
    assert "no-such-bucket-here" in run["errors"][0]["message"]


def test_a_wrong_key_says_what_was_denied(user: User) -> None:
    user.creates("events")

    run = user.types("run", "events", "--json", code=COULD_NOT_RUN, AWS_SECRET_ACCESS_KEY="wrong").json

    assert run["errors"][0]["type"] == "SourceAccessDenied"
    assert "landing" in run["errors"][0]["message"]
    assert "wrong" not in json.dumps(run).replace("is wrong", "")


def test_a_table_that_does_not_fit_stops_the_run_with_every_difference(user: User) -> None:
    user.landing.put("a.json", '{"id": 1}\n')
    user.creates("events", "--schema", "id BIGINT, name STRING")
    user.runs("events")
    user.creates("other", "--table", user.table("events"), "--schema", "id STRING, size INT, name STRING")

    run = user.runs("other", code=COULD_NOT_RUN)

    message = run["errors"][0]["message"]
    assert run["errors"][0]["type"] == "TableMismatch"
    assert "id" in message
    assert "size" in message
    assert user.sees("events", "SELECT count(*) FROM rows") == [(1,)]


def test_a_database_that_does_not_answer_is_said_without_its_password(user: User) -> None:
    answer = user.types(
        "list", code=COULD_NOT_RUN, AUTOLOADER_DATABASE_URL="postgresql://me:planted-secret@127.0.0.1:1/autoloader_db"
    )

    assert "127.0.0.1" in answer.err
    assert "planted-secret" not in answer.err


def test_a_catalog_that_does_not_answer_fails_the_run_and_the_next_run_loads_the_files(user: User) -> None:
    user.landing.put("a.json", '{"id": 1}\n')
    user.creates("events")

    run = user.types(
        "run", "events", "--json", code=COULD_NOT_RUN, PYICEBERG_CATALOG__LAKE__URI="http://127.0.0.1:1"
    ).json

    assert run["errors"][0]["type"] == "CatalogUnavailable"
    assert user.runs("events")["files_succeeded"] == 1


def test_a_setting_that_cannot_be_is_named(user: User) -> None:
    assert "AUTOLOADER_LEASE_SECONDS" in user.types("list", code=WRONG_USE, AUTOLOADER_LEASE_SECONDS="soon").err


def test_files_that_are_not_what_they_say_fail_with_a_reason_each(user: User) -> None:
    paths = {
        "binary": user.landing.put("binary.json", bytes(range(256)) * 10),
        "truncated": user.landing.put("truncated.json", '{"id": 1}\n{"id": '),
        "typed": user.landing.put("typed.json", '{"id": 1}\n{"id": "many"}\n'),
        "array": user.landing.put("array.json", "[1, 2]\n"),
        "latin": user.landing.put("latin.json", b'{"id": 1, "name": "\xe9"}\n'),
        "gzip": user.landing.put("gzip.json", b"\x1f\x8b\x08\x00broken"),
    }
    user.landing.put("good.json", '{"id": 7, "name": "x"}\n')
    user.creates("events", "--schema", "id BIGINT, name STRING")

    run = user.runs("events", code=1)

    assert (run["files_succeeded"], run["files_failed"]) == (1, len(paths))
    for path in paths.values():
        assert user.file("events", path)["error_message"]
    assert "line 2" in user.file("events", paths["typed"])["error_message"]
    assert user.sees("events", "SELECT id FROM rows") == [(7,)]


ODD = [
    "with space", "plus+plus", "per%cent", "per%20cent", "ha#sh", "que?stion", "st*ar", "quo'te", 'dou"ble',
    "br[ack]et", "brace{s}", "bell\x07", "new\nline", "tab\tbed", "nfc-\u00e9", "nfd-e\u0301", "emoji-\U0001f600",
    "\u202eright-to-left", "ampers&and", "semi;colon", "dollar$(HOME)", "back`tick", "-dash", ".hidden", "x" * 200,
]  # fmt: skip


def test_odd_keys_are_loaded_like_any_other(user: User) -> None:
    paths = [user.landing.put(f"{name}.json", json.dumps({"id": number})) for number, name in enumerate(ODD)]
    user.creates("events", "--pattern", "*.json")

    run = user.runs("events")

    assert (run["status"], run["files_succeeded"]) == ("SUCCESS", len(ODD))
    assert user.sees("events", "SELECT _source_file FROM rows ORDER BY id") == [(path,) for path in paths]
    for path in paths:
        assert user.types("explain", path, "--json").json[0]["file"]["status"] == "SUCCESS"
