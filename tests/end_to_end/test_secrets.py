"""Keys given to an ingestion open its bucket, and show up nowhere."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.engine import make_url
from tests.end_to_end.conftest import COMMAND

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

    from autoloader.settings import Connections

KEY, SECRET = "PLANTEDKEYID0000", "planted/secret+0000=="
ASKED = ["--access-key-id", "-", "--secret-access-key", "-"]


def types_with(user: User, keys: tuple[str, str], *arguments: str) -> str:
    """Run a command that asks for the keys, in a process of its own; returns all it says."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input="\n".join([*keys, ""]),
        capture_output=True,
        text=True,
        check=False,
        env=user.environment | {"AUTOLOADER_LOG_LEVEL": "debug"},
    )
    assert done.returncode == 0, done
    return done.stdout + done.stderr


def creating(user: User, endpoint: str) -> list[str]:
    options = ["--source", user.landing.path, "--format", "json", "--table", user.table("events")]
    return ["create", "events", *options, "--endpoint-url", endpoint, "--region", "us-east-1", *ASKED, "--json"]


def everything_stored(database_url: str) -> str:
    """Every row of every table as text, as `pg_dump` would write it."""
    address = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(tables) > 5
        rows = [connection.execute(f'SELECT t::text FROM "{name}" t'.encode()).fetchall() for (name,) in tables]
    return "\n".join(row[0] for found in rows for row in found)


def test_a_planted_secret_is_in_no_answer_log_error_file_or_table(
    user: User, connections: Connections, database_url: str, tmp_path: Path
) -> None:
    user.landing.put("a.json", '{"id": 1}')
    said = [types_with(user, (KEY, SECRET), *creating(user, connections.s3_endpoint_url or ""))]
    debug = {"AUTOLOADER_LOG_LEVEL": "debug"}
    for arguments, code in (
        (["show", "events"], 0),
        (["show", "events", "--json"], 0),
        (["list", "--json"], 0),
        (["edit", "events", "--max-retries", "1", "--json"], 0),
        (["preview", "events"], 3),
        (["preview", "events", "--json"], 3),
        (["run", "events"], 3),
        (["run", "events", "--json"], 3),
        (["runs", "events", "--json"], 0),
    ):
        answer = user.types(*arguments, code=code, **debug)
        said += [answer.out, answer.err]
    said += [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    said.append(everything_stored(database_url))

    told = "\n".join(said)
    assert "the keys stored with the ingestion" in told
    assert '"***"' in told
    assert "enc:" in said[-1]
    for planted in (KEY, SECRET, KEY.lower(), SECRET.rstrip("=")):
        assert planted not in told


def test_keys_that_are_asked_for_open_the_bucket_and_still_do_after_the_key_was_rotated(
    user: User, connections: Connections
) -> None:
    keys = (connections.s3_access_key_id or "", connections.s3_secret_access_key or "")
    types_with(user, keys, *creating(user, connections.s3_endpoint_url or ""))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del user.environment[name]
    user.landing.put("a.json", '{"id": 1}')
    assert user.runs("events")["files_succeeded"] == 1

    before = user.types("show", "events", "--json").json["ingestion"]
    assert "1 ingestion" in user.types("db", "rotate-key").out
    user.types("db", "rotate-key")
    user.landing.put("b.json", '{"id": 2}')

    assert user.runs("events")["files_succeeded"] == 1
    assert user.types("show", "events", "--json").json["ingestion"] == before


def test_a_machine_with_another_key_says_so(user: User, connections: Connections) -> None:
    types_with(user, (KEY, SECRET), *creating(user, connections.s3_endpoint_url or ""))
    other = user.types("db", "new-key").out.strip()
    (Path(user.environment["AUTOLOADER_HOME"]) / "secret.key").unlink()

    refused = user.types("preview", "events", code=3, AUTOLOADER_SECRET_KEY=other)

    assert "give every machine the same AUTOLOADER_SECRET_KEY" in refused.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--secret-access-key", SECRET], "list of processes"),
        (["--access-key-id", "env:AUTOLOADER_SECRET_KEY", "--secret-access-key", "env:B"], "secrets of this program"),
        (["--access-key-id", "file:keys/id", "--secret-access-key", "env:B"], "file:/path"),
        (["--access-key-id", "env:A"], "go together"),
    ],
)
def test_credentials_that_cannot_be_are_refused_without_being_told(user: User, options: list[str], says: str) -> None:
    arguments = ["--source", "s3://bucket/", "--format", "json", "--table", user.table("events")]

    refused = user.types("create", "events", *arguments, *options, code=2)

    assert says in refused.err
    assert SECRET not in refused.err


def test_saved_keys_do_not_follow_to_another_endpoint(user: User, connections: Connections) -> None:
    types_with(user, (KEY, SECRET), *creating(user, connections.s3_endpoint_url or ""))

    refused = user.types("edit", "events", "--endpoint-url", "http://elsewhere.example", code=2)
    user.types("edit", "events", "--region", "eu-west-1")

    assert "give the key anew" in refused.err
    types_with(user, (KEY, SECRET), "edit", "events", "--endpoint-url", "http://elsewhere.example", *ASKED)


def test_a_token_is_shown_once_and_revoked_by_name(user: User, database_url: str) -> None:
    made = user.types("token", "create", "dashboard", "--scope", "read", "--tenant", "acme", "--json").json
    assert made["token"].startswith("al_")
    assert user.types("token", "create", "dashboard", "--scope", "admin").out.startswith("al_")

    listed = user.types("token", "list", "--json")
    assert [(t["tenant_id"], t["name"], t["scope"]) for t in listed.json] == [
        ("acme", "dashboard", "read"),
        ("default", "dashboard", "admin"),
    ]
    assert "dashboard" in user.types("token", "list").out
    user.types("token", "revoke", "dashboard", "--tenant", "acme")
    user.types("token", "revoke", "dashboard", "--tenant", "acme", code=2)
    user.types("token", "create", "no name", "--scope", "read", code=2)
    assert [t["revoked_at"] is None for t in user.types("token", "list", "--json").json] == [False, True]
    assert made["token"] not in listed.out + everything_stored(database_url)
