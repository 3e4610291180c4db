"""Ingestions that live in files: applied, pruned, exported, and nothing done by halves."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.declaring.drafts import DRAFTS
from tests.end_to_end.conftest import COMMAND

from autoloader.declaring import Backend, carry_out, make_plan, read
from autoloader.defining import check, create, edit
from autoloader.errors import EditedMeanwhile, NameTaken
from autoloader.ledger import ingestions
from autoloader.ledger.database import connect, transaction
from autoloader.settings import Settings
from autoloader.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.conftest import User

    from autoloader.model import Ingestion, NewIngestion

WRONG_USE, COULD_NOT_RUN, DIFFERENT, INTERRUPTED = 2, 3, 4, 130


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "ingestions"
    made.mkdir()
    return made


def document(user: User, name: str, **fields: str) -> str:
    values = {
        "name": name,
        "source_path": user.landing.path,
        "format_type": "json",
        "database": user.namespace,
        "table": name,
    } | fields
    return "".join(f"{field}: {value}\n" for field, value in values.items())


def names(user: User) -> list[str]:
    return [each["name"] for each in user.types("list", "--json").json]


def shown(user: User, name: str) -> Any:
    return user.types("show", name, "--json").json["ingestion"]


def test_a_folder_is_applied_and_then_there_is_nothing_to_do(user: User, folder: Path) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / ".github").mkdir()
    (folder / ".github" / "ci.yml").write_text("on: push\n")
    (folder / "README.md").write_text("not one\n")
    (folder / "a.yaml").write_text(document(user, "a") + "---\n" + document(user, "b", max_retries="7"))
    (folder / "deep" / "er" / "c.yml").write_text(document(user, "c", source_file_pattern="'*.json'"))

    said = user.types("apply", "-f", str(folder), "--yes").out

    assert f"+ create b  ({folder}/a.yaml:7)\n" in said
    assert "    max_retries: 7\n" in said
    assert "Plan: 3 to create." in said
    assert said.endswith("Created a.\nCreated b.\nCreated c.\n")
    assert names(user) == ["a", "b", "c"]
    assert user.types("apply", "-f", str(folder)).out == "Nothing to do: 3 ingestions as declared.\n"


def test_what_a_declared_ingestion_loads_is_in_its_table(user: User, folder: Path) -> None:
    user.landing.put("a.json", '{"id": 1}')
    (folder / "events.yaml").write_text(document(user, "events"))
    user.types("apply", "-f", str(folder), "--yes")

    assert user.runs("events")["files_succeeded"] == 1
    assert user.sees("events", "SELECT id FROM rows") == [(1,)]
    assert shown(user, "events")["schema_json"] is not None
    assert "Nothing to do" in user.types("apply", "-f", str(folder)).out


def test_only_what_differs_is_changed_and_a_line_that_is_gone_is_a_default_again(user: User, folder: Path) -> None:
    file = folder / "events.yaml"
    file.write_text(document(user, "events", max_retries="7", format_options="{multiLine: true}"))
    user.types("apply", str(file), "--yes")
    file.write_text(document(user, "events", schema_json="id BIGINT", on_changed_file="append"))

    said = user.types("apply", str(file), "--yes").out

    assert said == (
        f"~ change events  ({file}:1)\n"
        "    format_options.multiLine: true → –\n"
        "    schema_json:\n      + id BIGINT\n"
        "    on_changed_file: replace → append\n"
        "    max_retries: 7 → 3\n"
        "Plan: 1 to change.\nChanged events.\n"
    )
    after = shown(user, "events")
    assert (after["max_retries"], after["on_changed_file"], after["format_options"]) == (3, "append", {})


def test_a_pause_stays_where_the_document_does_not_speak_of_it(user: User, folder: Path) -> None:
    file = folder / "events.yaml"
    file.write_text(document(user, "events"))
    user.types("apply", str(file), "--yes")
    user.types("edit", "events", "--status", "PAUSED")

    assert "Nothing to do" in user.types("apply", str(file)).out
    file.write_text(document(user, "events", status="ACTIVE"))
    assert "status: PAUSED → ACTIVE" in user.types("apply", str(file), "--yes").out


def test_a_dry_run_writes_nothing_and_tells_by_its_code_where_it_is_asked_to(user: User, folder: Path) -> None:
    (folder / "a.yaml").write_text(document(user, "a"))

    assert "+ create a" in user.types("apply", "-f", str(folder), "--dry-run").out
    user.types("apply", "-f", str(folder), "--dry-run", "--detailed-exitcode", code=DIFFERENT)
    assert names(user) == []
    user.types("apply", "-f", str(folder), "--yes")
    user.types("apply", "-f", str(folder), "--dry-run", "--detailed-exitcode")


def test_without_a_terminal_and_without_yes_nothing_is_done(user: User, folder: Path) -> None:
    (folder / "a.yaml").write_text(document(user, "a"))

    refused = user.types("apply", "-f", str(folder), code=WRONG_USE)

    assert "+ create a" in refused.out
    assert "--yes" in refused.err
    assert names(user) == []


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, ["a"]), ("n\n", INTERRUPTED, [])])
def test_on_a_terminal_it_asks_in_colour(user: User, folder: Path, answer: str, code: int, left: list[str]) -> None:
    (folder / "a.yaml").write_text(document(user, "a"))
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "apply", "-f", str(folder)], stdin=theirs, stdout=theirs, stderr=theirs, env=user.environment
    ) as process:
        os.close(theirs)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 4096)
        os.write(ours, answer.encode())
    os.close(ours)

    assert process.returncode == code
    assert b"\x1b[32m\x1b[1m+ create a" in said
    assert b"Do this (1 to create)?" in said
    assert names(user) == left


def test_documents_come_from_stdin_as_well(user: User) -> None:
    done = subprocess.run(
        [*COMMAND, "apply", "-f", "-", "--yes"],
        input=document(user, "a"),
        capture_output=True,
        text=True,
        check=True,
        env=user.environment,
    )

    assert "+ create a  (stdin:1)" in done.stdout
    assert names(user) == ["a"]


def test_prune_deletes_what_is_not_declared_and_says_what_that_loses(user: User, folder: Path) -> None:
    user.landing.put("a.json", '{"id": 1}')
    user.creates("old")
    user.runs("old")
    (folder / "new.yaml").write_text(document(user, "new"))

    kept = user.types("apply", "-f", str(folder), "--yes").out
    assert "Not declared, and left alone (--prune deletes them): old\n" in kept
    assert names(user) == ["new", "old"]
    pruned = user.types("apply", "-f", str(folder), "--prune", "--yes").out

    assert f"- delete old  with the history of 1 file; table {user.table('old')} keeps its rows\n" in pruned
    assert names(user) == ["new"]
    assert user.sees("old", "SELECT id FROM rows") == [(1,)]


def test_another_name_is_another_ingestion_and_the_way_to_rename_is_told(user: User, folder: Path) -> None:
    file = folder / "events.yaml"
    file.write_text(document(user, "events"))
    user.types("apply", str(file), "--yes")
    file.write_text(document(user, "clicks", table="events"))

    said = user.types("apply", str(file), "--prune", "--dry-run").out

    assert "+ create clicks" in said
    assert "- delete events" in said
    assert "loads every file again. To rename and keep the history: autoloader edit events --name clicks" in said
    user.types("edit", "events", "--name", "clicks")
    assert "Nothing to do" in user.types("apply", str(file), "--prune").out


def test_nothing_declared_is_not_everything_deleted(user: User, folder: Path) -> None:
    user.creates("events")
    empty = user.types("apply", "-f", str(folder), "--prune", "--yes", code=WRONG_USE)
    (folder / "a.yaml").write_text("# none\n---\n")
    none = user.types("apply", "-f", str(folder), "--prune", "--yes", code=WRONG_USE)

    assert "holds no file" in empty.err
    assert "nothing is declared" in none.err
    assert names(user) == ["events"]


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_done(user: User, folder: Path) -> None:
    (folder / "a.yaml").write_text(document(user, "a") + "---\n" + document(user, "b", source_file_pattern="'[a'"))
    (folder / "c.yaml").write_text(document(user, "c", format_options="\n  sped: high\n"))
    (folder / "d.yaml").write_text(document(user, "d", table="Upper"))

    refused = user.types("apply", "-f", str(folder), "--yes", code=WRONG_USE)

    assert "3 problems, and nothing was done" in refused.err
    assert f"  {folder}/a.yaml:12: source_file_pattern '[a'" in refused.err
    assert f"  {folder}/c.yaml:7: format option sped" in refused.err
    assert f"  {folder}/d.yaml:5: " in refused.err
    assert refused.out == ""
    assert names(user) == []


def test_two_documents_of_one_name_are_refused_with_both_places(user: User, folder: Path) -> None:
    (folder / "a.yaml").write_text(document(user, "events"))
    (folder / "b.yaml").write_text("# again\n" + document(user, "events", max_retries="5"))

    refused = user.types("apply", "-f", str(folder), str(folder / "a.yaml"), "--yes", code=WRONG_USE)

    assert f"{folder}/b.yaml:2: events is declared already, at {folder}/a.yaml:1" in refused.err
    assert names(user) == []


def test_a_catalog_that_is_not_there_is_told_before_anything_is_done(user: User, folder: Path) -> None:
    (folder / "a.yaml").write_text(document(user, "a") + "---\n" + document(user, "b", catalog="nowhere"))

    refused = user.types("apply", "-f", str(folder), "--yes", code=COULD_NOT_RUN)

    assert f"{folder}/a.yaml:7: There is no catalog 'nowhere'" in refused.err
    assert names(user) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"\xff\xfe", "bad.yaml:1: not UTF-8"), (b"name: a\n" * 5_000_000, "larger than"), (None, "cannot be read")],
)
def test_a_file_that_cannot_be_one_is_named(user: User, folder: Path, content: bytes | None, says: str) -> None:
    if content is not None:
        (folder / "bad.yaml").write_bytes(content)

    assert says in user.types("apply", str(folder / "bad.yaml"), "--dry-run", code=WRONG_USE).err


def test_options_that_make_no_sense_together_are_refused(user: User) -> None:
    assert "-f" in user.types("apply", code=WRONG_USE).err
    assert "--dry-run" in user.types("apply", "x", "--detailed-exitcode", code=WRONG_USE).err
    assert "--yes" in user.types("apply", "x", "--json", code=WRONG_USE).err


def test_programs_read_the_plan_as_json(user: User, folder: Path) -> None:
    user.creates("old")
    (folder / "a.yaml").write_text(document(user, "a", schema_json="id BIGINT"))

    looked = user.types("apply", "-f", str(folder), "--dry-run", "--json").json
    done = user.types("apply", "-f", str(folder), "--prune", "--yes", "--json").json

    assert looked["undeclared"] == ["old"]
    assert [(step["action"], step["done"]) for step in looked["steps"]] == [("create", False)]
    assert {"field": "schema_json", "before": None, "after": ["id BIGINT"]} in looked["steps"][0]["differences"]
    assert [(step["action"], step["name"], step["done"]) for step in done["steps"]] == [
        ("create", "a", True),
        ("delete", "old", True),
    ]


def with_sealed_keys(user: User, name: str) -> None:
    """An ingestion whose keys were typed in, and are stored sealed."""
    options = ["--access-key-id", "-", "--secret-access-key", "-", "--endpoint-url", "http://127.0.0.1:9"]
    arguments = ["create", name, "--source", user.landing.path, "--format", "json", "--table", user.table(name)]
    subprocess.run(
        [*COMMAND, *arguments, *options],
        input="PLANTEDID\nPLANTEDSECRET\n",
        capture_output=True,
        text=True,
        check=True,
        env=user.environment,
    )


def stored(database_url: str, name: str) -> Ingestion:
    database = connect(database_url)
    try:
        with transaction(database) as connection:
            return ingestions.by_name(connection, "default", name)
    finally:
        database.dispose()


def test_a_sealed_key_is_kept_by_its_mark_and_lost_only_after_it_was_said(
    user: User, folder: Path, database_url: str
) -> None:
    with_sealed_keys(user, "events")
    before = stored(database_url, "events")
    user.types("export", "-o", str(folder))
    file = folder / "events.yaml"

    text = file.read_text()
    assert text.startswith("# A key that is '***' is stored sealed")
    assert "PLANTED" not in text
    assert "enc:" not in text
    file.write_text(text + "max_retries: 9\n")
    user.types("apply", str(file), "--yes")
    after = stored(database_url, "events")
    assert after.source_credentials == before.source_credentials
    assert after.max_retries == 9

    file.write_text(document(user, "events"))
    said = user.types("apply", str(file), "--yes").out
    assert "    source_credentials.aws_secret_access_key: *** → –\n" in said
    assert "! source_credentials.aws_secret_access_key: the key that is stored sealed is lost" in said
    assert stored(database_url, "events").source_credentials.aws_secret_access_key is None


def test_a_sealed_key_does_not_follow_to_another_endpoint(user: User, folder: Path) -> None:
    with_sealed_keys(user, "events")
    user.types("export", "-o", str(folder))
    file = folder / "events.yaml"
    file.write_text(file.read_text().replace("http://127.0.0.1:9", "http://evil.example.com"))

    refused = user.types("apply", str(file), "--yes", code=WRONG_USE)

    assert f"{file}:" in refused.err
    assert "the endpoint is another one" in refused.err


def test_a_mark_for_a_key_that_is_not_stored_is_refused(user: User, folder: Path) -> None:
    file = folder / "a.yaml"
    keys = "\n  aws_access_key_id: '***'\n  aws_secret_access_key: '***'\n"
    file.write_text(document(user, "a", source_credentials=keys))

    assert f"{file}:7: aws_access_key_id is ***" in user.types("apply", str(file), "--yes", code=WRONG_USE).err


def test_export_writes_one_file_an_ingestion_into_a_folder_or_all_into_one_file(user: User, tmp_path: Path) -> None:
    for name in ("a", "b"):
        user.creates(name, "--schema", "id BIGINT, at TIMESTAMP", "--partition-by", "day(at)")

    user.types("export", "-o", str(tmp_path / "new" / "folder"))
    user.types("export", "b", "-o", str(tmp_path / "one.yaml"))

    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["a.yaml", "b.yaml"]
    assert (
        (tmp_path / "one.yaml").read_text()
        == user.types("export", "b").out
        == (
            f"name: b\nsource_path: {user.landing.path}\nformat_type: json\n"
            "schema_json: |-\n  id BIGINT,\n  at TIMESTAMP\n"
            f"database: {user.namespace}\ntable: b\npartition_columns:\n- day(at)\n"
        )
    )
    assert "no ingestion named 'ab'" in user.types("export", "ab", code=WRONG_USE).err
    assert "cannot be written" in user.types("export", "-o", "/proc/none/", code=WRONG_USE).err


def test_export_of_nothing_writes_nothing(user: User, tmp_path: Path) -> None:
    answer = user.types("export", "-o", str(tmp_path / "folder"))

    assert answer.out == ""
    assert "No ingestion yet" in answer.err
    assert not (tmp_path / "folder").exists()


class Direct:
    """The ledger, reached as the command line reaches it, without a catalog."""

    def __init__(self, database_url: str, home: Path) -> None:
        self.database = connect(database_url)
        self.vault = Vault(Settings(home=home))

    def backend(self) -> Backend:
        return Backend(
            list_all=self.list_all,
            check=lambda draft, before: check(draft, before, self.any_table, self.vault),
            create=lambda draft: create(self.database, draft, self.any_table, self.vault),
            edit=lambda before, changes: edit(self.database, before, changes, self.any_table, self.vault),
            delete=self.delete,
            count_files=lambda _: 0,
        )

    def any_table(self, _: NewIngestion) -> None:
        """Every name will do."""

    def list_all(self) -> list[Ingestion]:
        with transaction(self.database) as connection:
            return ingestions.list_all(connection, "default")

    def delete(self, ingestion: Ingestion) -> None:
        with transaction(self.database) as connection:
            ingestions.delete(connection, ingestion.id, version=ingestion.version)


@pytest.fixture
def direct(database_url: str, tmp_path: Path) -> Any:
    made = Direct(database_url, tmp_path)
    yield made
    made.database.dispose()


MEANWHILE: dict[str, tuple[Callable[[User], object], type[Exception]]] = {
    "edited": (lambda user: user.types("edit", "changed", "--max-retries", "8"), EditedMeanwhile),
    "made": (lambda user: user.creates("created"), NameTaken),
    "doomed": (lambda user: user.types("edit", "doomed", "--max-retries", "8"), EditedMeanwhile),
}


@pytest.mark.parametrize("what", MEANWHILE)
def test_what_changed_since_the_plan_was_made_is_refused_and_kept(
    user: User, folder: Path, direct: Direct, what: str
) -> None:
    meanwhile, error = MEANWHILE[what]
    user.creates("changed")
    user.creates("doomed")
    documents = document(user, "created") + "---\n" + document(user, "changed", max_retries="5")
    (folder / "a.yaml").write_text(documents)
    plan = make_plan(read([str(folder)]), direct.backend(), prune=True)
    meanwhile(user)
    before = {each.name: each for each in direct.list_all()}

    with pytest.raises(error) as refused:
        list(carry_out(plan, direct.backend()))

    assert "apply again for a new plan" in str(refused.value)
    after = {each.name: each for each in direct.list_all()}
    about = {"edited": "changed", "made": "created", "doomed": "doomed"}[what]
    assert after[about] == before[about]
    if about != "doomed":
        assert f"{folder}/a.yaml:" in str(refused.value)


@given(st.lists(DRAFTS, min_size=1, max_size=6, unique_by=lambda draft: draft["name"]))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_exported_is_applied_with_nothing_to_do(
    user: User, folder: Path, direct: Direct, drafts: list[dict[str, Any]]
) -> None:
    for saved in direct.list_all():
        direct.delete(saved)
    for draft in drafts:
        direct.backend().create(draft)
    file = folder / "all.yaml"
    user.types("export", "-o", str(file))

    plan = user.types("apply", str(file), "--prune", "--dry-run", "--detailed-exitcode", "--json").json

    assert {step["action"] for step in plan["steps"]} == {"unchanged"}
    assert len(plan["steps"]) == len(drafts)
    for saved in direct.list_all():
        direct.delete(saved)
    before = make_plan(read([str(file)]), direct.backend(), prune=True)
    assert {step.name for step in carry_out(before, direct.backend())} == {draft["name"] for draft in drafts}
    assert json.loads(user.types("apply", str(file), "--dry-run", "--json").out)["steps"] == plan["steps"]
