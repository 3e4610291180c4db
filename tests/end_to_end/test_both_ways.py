"""The command line does the same, says the same and ends the same, with the database itself and through a service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.end_to_end.test_scenarios import lines
from tests.end_to_end.test_secrets import ASKED, types_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import Served, User

WRONG_USE, COULD_NOT_RUN = 2, 3


def describing(user: User, name: str, *more: str) -> list[str]:
    return ["--source", user.landing.path, "--format", "json", "--table", user.table(name), *more]


def test_a_person_does_the_whole_job(anyone: User) -> None:
    for number in range(3):
        anyone.landing.put(f"{number}.json", lines({"id": number, "at": "2024-01-15T10:00:00Z"}))
    bad = anyone.landing.put("bad.json", "{")
    anyone.creates("events", "--max-retries", "0", "--option", "dateFormat=yyyy-MM-dd")
    assert "reading works" in anyone.types("test", "events").out

    seen = anyone.types("preview", "events", "--json").json
    assert (seen["inferred"], seen["columns"], len(seen["rows"])) == (True, ["id", "at"], 3)
    assert [problem["path"] for problem in seen["problems"]] == [bad]
    narrowed = anyone.types("preview", "events", "--pattern", "1.json", "--json").json
    assert (narrowed["matching"]["files"], narrowed["rows"][0][0]) == (1, 1)

    ended = anyone.types("run", "events", code=1)
    assert "3 files loaded, 3 rows, 1 failed" in ended.out
    assert f"{bad}: line 1" in ended.out
    assert anyone.sees("events", "SELECT list(id ORDER BY id) FROM rows") == [([0, 1, 2],)]
    assert "nothing new" in anyone.types("run", "events").out

    assert [file["file_path"] for file in anyone.types("files", "events", "--status", "failed", "--json").json] == [bad]
    assert "1 of 4 shown" in anyone.types("files", "events", "--limit", "1").out
    assert "failed in load" in anyone.types("explain", bad).out
    assert len(anyone.types("runs", "events", "--json").json) == 2
    assert "3 SUCCESS, 1 FAILED" in anyone.types("show", "events").out

    anyone.landing.put("bad.json", lines({"id": 9, "at": "2024-01-15T10:00:00Z"}))
    anyone.types("retry", "events", bad)
    assert anyone.runs("events")["files_succeeded"] == 1
    history = [version["status"] for version in anyone.types("explain", bad, "--json").json[0]["history"]]
    assert (history[0], history[-1]) == ("FAILED", "SUCCESS")

    edited = anyone.types("edit", "events", "--option", "multiLine=true", "--name", "things", "--json").json
    assert (edited["name"], edited["format_options"]) == ("things", {"multiLine": "true"})
    assert anyone.types("delete", "things", "--yes").out.startswith("Deleted things.")
    assert anyone.types("list", "--json").json == []


def test_a_run_takes_so_many_files_and_none_older_than_asked(anyone: User) -> None:
    for number in range(5):
        anyone.landing.put(f"{number}.json", lines({"id": number}))
    anyone.creates("events")

    assert anyone.runs("events", "--max-files", "2")["files_succeeded"] == 2
    later = anyone.runs("events", "--since", "2999-01-01")
    assert (later["since"], later["files_discovered"]) == ("2999-01-01T00:00:00+00:00", 0)
    assert anyone.runs("events")["files_succeeded"] == 3


def test_a_paused_ingestion_is_refused_until_it_is_resumed(anyone: User) -> None:
    anyone.landing.put("1.json", lines({"id": 1}))
    anyone.creates("events")

    assert "autoloader resume events" in anyone.types("pause", "events").out
    refused = anyone.tries("run", "events")
    assert (refused.code, "PAUSED" in refused.err) == (2, True)
    assert anyone.types("pause", "events", "--json").json["status"] == "PAUSED"
    assert anyone.types("resume", "events", "--json").json["status"] == "ACTIVE"
    assert anyone.runs("events")["files_succeeded"] == 1


def test_every_answer_is_the_same_in_both_ways(worked: Served) -> None:
    here, there = worked.user, worked.person()
    for number in range(25):
        here.landing.put(f"{number:02}.json", lines({"id": number, "at": "2024-01-15T10:00:00.123456Z", "x": 1.5}))
    odd = here.landing.put("odd \u00e9+%20\n#.json", "{")
    large = here.landing.put("large.json", " " * 900)
    there.creates("events", "--max-file-size", "800B", "--partition-by", "day(at)", "--option", "multiLine=false")
    there.runs("events", code=1)
    there.runs("events", code=1)
    questions = [
        ["list"],
        ["show", "events"],
        ["runs"],
        ["runs", "events", "--limit", "1"],
        ["files", "events"],
        ["files", "events", "--limit", "3"],
        ["files", "events", "--status", "FAILED"],
        ["files", "events", "--path", "*/1?.json"],
        ["explain", odd],
        ["explain", large],
        ["explain", here.landing.path + "07.json"],
        ["test", "events"],
        ["test", *describing(here, "new")],
        ["preview", "events"],
        ["preview", *describing(here, "new", "--pattern", "0*.json")],
        ["preview", "events", "--pattern", "2?.json"],
    ]

    for question in questions:
        assert here.types(*question).out == there.types(*question).out
        assert here.types(*question, "--json").json == there.types(*question, "--json").json


def test_every_refusal_is_the_same_in_both_ways(worked: Served) -> None:
    here, there = worked.user, worked.person()
    here.landing.put("a.json", lines({"id": 1}))
    here.creates("events")
    ended = here.runs("events")["id"]
    here.creates("paused")
    here.types("pause", "paused")
    questions = [
        ["show", "event"],
        ["show", "../x"],
        ["run", "paused"],
        ["pause", "nothing"],
        ["edit", "nothing", "--name", "something"],
        ["create", "events", *describing(here, "events")],
        ["create", "a b", *describing(here, "events")],
        ["create", "new"],
        ["create", "new", *describing(here, "new", "--pattern", "[abc")],
        ["create", "new", *describing(here, "new", "--max-retries", "-1")],
        ["create", "new", *describing(here, "new", "--option", "speed=high")],
        ["create", "new", *describing(here, "new", "--region", "eu west")],
        ["create", "new", *describing(here, "new", "--access-key-id", "env:HALF")],
        ["create", "new", *describing(here, "new", "--table", "nowhere.raw.new")],
        ["edit", "events", "--schema", "id NUMBERISH"],
        ["edit", "events", "--name", "paused"],
        ["preview", *describing(here, "new", "--source", "s3://no-such-bucket-here/")],
        ["test", "events", "--source", "s3://no-such-bucket-here/"],
        ["explain", "s3://elsewhere/x"],
        ["explain", here.landing.path + "b.json"],
        ["retry", "events", here.landing.path + "a.json"],
        ["retry", "events", "s3://elsewhere/x"],
        ["cancel", str(ended)],
        ["cancel", "999999"],
    ]

    for question in questions:
        refused, likewise = here.tries(*question, "--json"), there.tries(*question, "--json")
        assert json.loads(refused.err)["error"] == json.loads(likewise.err)["error"]
        assert refused.code == likewise.code != 0


def test_a_token_is_asked_for_and_its_scope_is_enough_or_not(served: Served, tmp_path: Path) -> None:
    here = served.user
    here.creates("events")
    reading, operating = (
        here.types("token", "create", scope, "--scope", scope, "--json").json["token"] for scope in ("read", "operate")
    )
    holder = tmp_path / "token"
    holder.write_text(operating + "\n", "utf-8")

    assert "asks for a token" in served.person().types("list", code=COULD_NOT_RUN).err
    assert "unknown or revoked" in served.person("al_wrong").types("list", code=COULD_NOT_RUN).err
    assert served.person(reading).types("list", "--json").json[0]["name"] == "events"
    refused = served.person(reading).types("run", "events", "--detach", "--json", code=COULD_NOT_RUN)
    assert json.loads(refused.err)["error"]["type"] == "NotAllowed"
    person = served.person()
    for reference in (f"file:{holder}", "env:MINE"):
        made = person.types("--token", reference, "run", "events", "--detach", "--json", MINE=operating)
        assert made.json["status"] == "QUEUED"
    assert "--token" in person.types("--token", "env:UNSET", "list", code=WRONG_USE).err
    for wrong in (reading, "two words", "line\nbreak"):
        seen = person.types("--token", wrong, "list", code=WRONG_USE).err
        assert "list of processes" in seen
        assert wrong not in seen
    seen = served.person("planted\nsecret").types("list", code=WRONG_USE).err
    assert "AUTOLOADER_TOKEN" in seen
    assert "secret" not in seen


def test_changes_are_previewed_by_whoever_may_make_them(served: Served) -> None:
    served.user.landing.put("a.json", lines({"id": 1}))
    served.user.creates("events")
    operating, admin = (
        served.person(served.user.types("token", "create", scope, "--scope", scope, "--json").json["token"])
        for scope in ("operate", "admin")
    )

    assert operating.types("preview", "events", "--json").json["matching"]["files"] == 1
    assert "admin" in operating.types("preview", "events", "--pattern", "b", code=COULD_NOT_RUN).err
    assert "admin" in operating.types("test", "events", "--endpoint-url", "http://x.test", code=COULD_NOT_RUN).err
    assert admin.types("preview", "events", "--pattern", "b", "--json").json["matching"]["files"] == 0
    assert admin.types("show", "events", "--json").json["ingestion"]["source_file_pattern"] == "**"


@pytest.mark.parametrize(
    "arguments",
    [["up"], ["down"], ["status"], ["env"], ["db", "upgrade"], ["demo"], ["serve"], ["worker"], ["token", "list"]],
)
def test_what_is_about_this_machine_refuses_a_service(user: User, arguments: list[str]) -> None:
    assert "--url" in user.types("--url", "http://127.0.0.1:1", *arguments, code=WRONG_USE).err


def test_what_is_about_this_machine_does_not_mind_the_variable(user: User) -> None:
    user.types("token", "create", "mine", "--scope", "read", AUTOLOADER_URL="http://127.0.0.1:1")

    assert "mine" in user.types("token", "list", AUTOLOADER_URL="http://127.0.0.1:1").out


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8080", "ftp://host", "http://", "http://me:planted@host", "http://h?x=1"]
)
def test_an_address_that_cannot_be_one_is_refused(user: User, address: str) -> None:
    refused = user.types("--url", address, "list", code=WRONG_USE).err

    assert "--url" in refused
    assert "planted" not in refused


def test_a_service_that_does_not_run_is_said_in_one_sentence(user: User) -> None:
    refused = user.types("--url", "http://127.0.0.1:1", "list", code=COULD_NOT_RUN).err

    assert "http://127.0.0.1:1 cannot be reached" in refused
    assert len(refused.splitlines()) == 1


def test_an_argument_that_is_no_text_is_refused(user: User) -> None:
    assert "UTF-8" in user.types("explain", "s3://landing/\udcff", code=WRONG_USE).err


def test_keys_that_are_asked_for_reach_the_service_and_open_the_bucket(served: Served) -> None:
    user, person = served.user, served.person()
    user.landing.put("a.json", lines({"id": 1}))
    keys = (user.environment["AWS_ACCESS_KEY_ID"], user.environment["AWS_SECRET_ACCESS_KEY"])
    options = describing(user, "events", "--endpoint-url", user.environment["AUTOLOADER_S3_ENDPOINT_URL"])

    said = types_with(person, keys, "create", "events", *options, "--region", "us-east-1", *ASKED, "--json")
    shown = person.types("show", "events", "--json").json["ingestion"]["source_credentials"]

    assert (shown["aws_access_key_id"], shown["aws_secret_access_key"]) == ("***", "***")
    assert keys[1] not in said
    assert person.types("test", "events", "--json").json["listed"] == 1
    kept = person.types("edit", "events", "--region", "eu-west-1", "--json").json["source_credentials"]
    assert (kept["aws_region"], kept["aws_secret_access_key"]) == ("eu-west-1", "***")
    assert "give the key anew" in person.types("edit", "events", "--endpoint-url", "http://x.test", code=WRONG_USE).err


def test_ingestions_are_declared_in_files(anyone: User, tmp_path: Path) -> None:
    anyone.landing.put("a.json", lines({"id": 1}))
    anyone.creates("events", "--on-changed", "append")
    anyone.creates("others")
    folder = tmp_path / "ingestions"
    anyone.types("export", "-o", f"{folder}/")
    assert "Nothing to do: 2 ingestions as declared" in anyone.types("apply", str(folder), "--prune").out

    declared = folder / "events.yaml"
    declared.write_text(declared.read_text().replace("on_changed_file: append", "max_retries: 7"))
    (folder / "new.yaml").write_text(declared.read_text().replace("name: events", "name: new"))
    (folder / "others.yaml").unlink()
    planned = anyone.types("apply", str(folder), "--prune", "--dry-run").out
    assert "max_retries: 3 → 7" in planned
    assert "1 to create, 1 to change, 1 to delete" in planned
    anyone.types("apply", str(folder), "--prune", "--yes")

    saved = {each["name"]: each for each in anyone.types("list", "--json").json}
    assert {name: (each["max_retries"], each["on_changed_file"]) for name, each in saved.items()} == {
        "events": (7, "replace"),
        "new": (7, "replace"),
    }
    assert "Nothing to do" in anyone.types("apply", str(folder)).out
    declared.write_text(declared.read_text().replace("format_type: json", "format_type: cvs"))
    refused = anyone.tries("apply", str(folder), "--yes")
    assert refused.code == WRONG_USE
    assert "events.yaml:" in refused.err


def test_what_differs_is_told_in_both_ways(anyone: User) -> None:
    for number in range(3):
        anyone.landing.put(f"{number}.json", lines({"id": number}))
    anyone.creates("events")
    anyone.runs("events")
    assert "3 listed = 3 loaded + 0 failed + 0 skipped + 0 waiting" in anyone.types("verify", "events").out
    anyone.catalog.load_table(f"{anyone.namespace}.events").delete("id = 1")

    found = anyone.types("verify", "events", "--json", code=1).json

    assert found["is_clean"] is False
    assert found["report"]["differences"] == {"rows_missing": 1}
    (difference,) = found["differences"]
    assert (difference["file_path"], difference["expected"]) == (f"{anyone.landing.path}1.json", 1)
    assert "1 thing differs: 1 rows_missing." in anyone.types("verify", "events", code=1).out
    assert "did you mean events?" in anyone.types("verify", "event", code=WRONG_USE).err


def test_why_it_cannot_be_verified_is_told_in_both_ways(anyone: User) -> None:
    anyone.types(
        "create", "events", "--source", "s3://no-such-bucket-here/x/", "--format", "json", "--table", "lake.a.b"
    )

    assert "no-such-bucket-here" in anyone.types("verify", "events", code=COULD_NOT_RUN).err


def test_what_would_load_and_what_not_is_told_in_both_ways(anyone: User) -> None:
    good = anyone.landing.put("good.json", lines({"id": 1}, {"id": 2}))
    bad = anyone.landing.put("bad.json", lines({"id": 1}) + '{"id": 1.5}\n')
    anyone.creates("events", "--schema", "id BIGINT", "--on-bad-record", "quarantine")

    found = anyone.types("validate", "events", "--json", code=1).json

    assert (found["is_clean"], found["report"]["files"]) == (False, {"loads": 1, "quarantined": 1})
    files = {each["file_path"]: (each["prospect"], each["records"], each["refused"]) for each in found["files"]}
    assert files == {good: ("loads", 2, 0), bad: ("quarantined", 1, 1)}
    (refused,) = found["refused"]
    assert (refused["file_path"], refused["line"], refused["column"]) == (bad, 2, "id")
    assert (refused["reason"], refused["raw"]) == ("not_bigint", '{"id": 1.5}')
    assert "3 rows would load, 1 record would be refused." in anyone.types("validate", "events", code=1).out
    assert anyone.types("validate", "events", "--max-files", "1", "--json", code=1).json["report"]["validated"] == 1
    assert anyone.types("files", "events", "--json").json == []


def test_a_preview_shows_what_the_schema_rests_on_and_hints_change_it_in_both_ways(anyone: User) -> None:
    anyone.landing.put("1.json", lines({"id": 1, "price": 1.5}, {"id": None, "price": 2}))
    odd = anyone.landing.put("2.json", lines({"id": "x", "price": 3}))
    anyone.creates("events", "--schema-hints", "price DECIMAL(10,2)")

    seen = anyone.types("preview", "events", "--json").json

    by_column = {each["column"]: each for each in seen["evidence"]}
    assert (by_column["id"]["type"], by_column["id"]["types"]) == ("STRING", ["BIGINT", "STRING"])
    assert (by_column["id"]["records"], by_column["id"]["of_records"], by_column["id"]["nulls"]) == (3, 3, 1)
    assert (by_column["price"]["type"], by_column["price"]["hinted"]) == ("DECIMAL(10,2)", True)
    assert {(each["path"].rpartition("/")[2], each["column"]) for each in seen["disagreements"]} == {("1.json", "id")}
    assert odd in [each["path"] for each in seen["examples"]]
    shown = anyone.types("preview", "events").out
    assert "DECIMAL(10,2) (hint)" in shown
    assert "BIGINT in this file, STRING in the schema" in shown
    anyone.runs("events")
    assert anyone.sees("events", "SELECT sum(price)::VARCHAR FROM rows") == [("6.50",)]


def test_hints_that_cannot_be_read_are_refused_by_their_name_in_both_ways(anyone: User) -> None:
    refused = anyone.tries(
        "create",
        "events",
        "--source",
        anyone.landing.path,
        "--format",
        "json",
        "--table",
        "lake.a.b",
        "--schema-hints",
        "id NUMBER",
        "--json",
    )

    assert refused.code == WRONG_USE
    assert json.loads(refused.err)["error"]["field"] == "schema_hints"
