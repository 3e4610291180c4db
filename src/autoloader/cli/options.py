"""The options that describe an ingestion, for ``create``, ``edit`` and ``preview``; only those given make a draft."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autoloader.errors import UsageError
from autoloader.model import EngineName, FormatType, OnBadRecord, OnChangedFile, UnknownFields, WriteMode
from autoloader.vault import CREDENTIAL_SECRETS, FILE, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., Any]")
TABLE_PARTS = 3
HIDDEN = "env:NAME|file:/PATH|-"
NOTHING = ("none",)
"""What a person types to take away what was there."""

DESCRIBING = [
    click.option("--source", metavar="S3_PATH", help="Where the files are: s3://bucket/prefix/."),
    click.option("--pattern", metavar="GLOB", help="Which files below it, such as '*.json' or '**/dt=2024-*/**'."),
    click.option(
        "--format", "format_type", type=click.Choice([str(f) for f in FormatType]), help="What the files are."
    ),
    click.option("--table", metavar="CATALOG.DB.TABLE", help="The Iceberg table, made if it is not there."),
    click.option(
        "--schema",
        metavar="DDL|@FILE",
        help="Columns and types, such as 'id BIGINT, at TIMESTAMP', Spark's JSON, or @file. Default: inferred.",
    ),
    click.option(
        "--schema-hints",
        metavar="DDL|@FILE|none",
        help="Types of some columns, such as 'id BIGINT, price DECIMAL(10,2)': the rest of the schema is inferred.",
    ),
    click.option(
        "--option",
        "options",
        multiple=True,
        metavar="NAME=VALUE|none",
        help="A reader option, such as sep=';' or multiLine=true. Repeatable; none takes all away.",
    ),
    click.option(
        "--path-column",
        "path_columns",
        multiple=True,
        metavar="NAME|none",
        help="A column whose value comes from a folder NAME=value of the key, such as dt=2024-01-15/. Repeatable; "
        "none takes all away.",
    ),
    click.option(
        "--partition-by",
        "partition_columns",
        multiple=True,
        metavar="COLUMN|TRANSFORM",
        help="A column, day(at), bucket(16, id), … Repeatable.",
    ),
    click.option(
        "--table-property",
        "properties",
        multiple=True,
        metavar="NAME=VALUE",
        help="A property of the table when it is made. Repeatable.",
    ),
    click.option(
        "--write-mode",
        type=click.Choice([str(m) for m in WriteMode]),
        help="append (default), or overwrite: a run's files become the whole table.",
    ),
    click.option(
        "--on-changed",
        "on_changed_file",
        type=click.Choice([str(c) for c in OnChangedFile]),
        help="What a new version of a loaded file means. Default: replace.",
    ),
    click.option(
        "--on-bad-record",
        type=click.Choice([str(c) for c in OnBadRecord]),
        help="What a bad record means: its file fails (default), it goes to <table>__rejects, or it is only counted.",
    ),
    click.option(
        "--unknown-fields",
        type=click.Choice([str(c) for c in UnknownFields]),
        help="What becomes of a field that the schema does not know: kept as JSON in _rescued_data (default), left "
        "out, a reason to refuse its record, or a new column.",
    ),
    click.option(
        "--max-bad-records", metavar="N|none", help="A file with more bad records fails. Default: none, no limit."
    ),
    click.option(
        "--max-bad-ratio", metavar="R|none", help="A file fails when a larger part is bad, such as 0.01. Default: none."
    ),
    click.option(
        "--max-file-size", "max_file_size_bytes", metavar="SIZE", help="Larger files are skipped. Default: 5GiB."
    ),
    click.option(
        "--max-retries", type=int, metavar="N", help="How often later runs try a failed file again. Default: 3."
    ),
    click.option(
        "--engine",
        type=click.Choice([str(engine) for engine in EngineName]),
        help="What loads the files: this process, a Spark cluster, or for each load what suits it. Default: embedded.",
    ),
    click.option(
        "--spark-connect-url", metavar="URL", help="The Spark Connect server, sc://host:port. Default: the setting."
    ),
    click.option("--spark-connect-token", metavar=HIDDEN, help="Variable or file that holds its token, or '-'."),
    click.option("--endpoint-url", metavar="URL", help="An S3-compatible store other than AWS."),
    click.option("--region", "aws_region", metavar="NAME", help="The bucket's region."),
    click.option("--profile", metavar="NAME", help="A profile of the AWS configuration."),
    click.option("--role-arn", metavar="ARN", help="A role to assume for reading the bucket."),
    click.option(
        "--access-key-id", "aws_access_key_id", metavar=HIDDEN, help="Variable or file that holds the key id."
    ),
    click.option(
        "--secret-access-key",
        "aws_secret_access_key",
        metavar=HIDDEN,
        help="Likewise the key. With '-' it is asked for, or read from stdin, and stored sealed.",
    ),
    click.option("--session-token", "aws_session_token", metavar=HIDDEN, help="Likewise the session token."),
]
CREDENTIALS = (
    "endpoint_url",
    "aws_region",
    "profile",
    "role_arn",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
)
PLAIN = (
    "format_type",
    "write_mode",
    "on_changed_file",
    "on_bad_record",
    "unknown_fields",
    "max_file_size_bytes",
    "max_retries",
    "engine",
    "spark_connect_url",
)


def describing(command: Command) -> Command:
    """Add the options that describe an ingestion."""
    for option in reversed(DESCRIBING):
        command = option(command)
    return command


def draft_of(given: dict[str, Any]) -> dict[str, Any]:
    """The contract's fields from the options a person gave; what was not given is not in it.

    Raises:
        UsageError: an option that cannot be read; the message names it.
    """
    draft: dict[str, Any] = {name: given[name] for name in PLAIN if given.get(name) is not None}
    for name, kind in (("max_bad_records", int), ("max_bad_ratio", float)):
        if given.get(name) is not None:
            draft[name] = _number_or_none(name, given[name], kind)
    for option, name in (("source", "source_path"), ("pattern", "source_file_pattern")):
        if given.get(option) is not None:
            draft[name] = given[option]
    if given.get("table") is not None:
        draft["catalog"], draft["database"], draft["table"] = _table(given["table"])
    if given.get("schema") is not None:
        draft["schema_json"] = _text(given["schema"], "--schema")
    if given.get("schema_hints") is not None:
        hints = _text(given["schema_hints"], "--schema-hints")
        draft["schema_hints"] = None if (hints,) == NOTHING else hints
    if given.get("options"):
        draft["format_options"] = _pairs(given["options"], "--option")
    if given.get("properties"):
        draft["table_properties"] = _pairs(given["properties"], "--table-property")
    draft |= {name: _listed(given[name]) for name in ("partition_columns", "path_columns") if given.get(name)}
    if given.get("spark_connect_token") is not None:
        draft["spark_connect_token"] = _secret("spark_connect_token", given["spark_connect_token"])
    credentials = {name: given[name] for name in CREDENTIALS if given.get(name) is not None}
    if credentials:
        secrets = {name: _secret(name, credentials[name]) for name in CREDENTIAL_SECRETS if name in credentials}
        draft["source_credentials"] = credentials | secrets
    return draft


def _number_or_none(name: str, text: str, kind: type[int | float]) -> float | None:
    if (text,) == NOTHING:
        return None
    try:
        return kind(text)
    except ValueError:
        option = f"--{name.replace('_', '-')}"
        raise UsageError(f"{option} {text!r}: write a number, or none for no limit", field=name) from None


def _secret(name: str, value: str) -> str:
    """A reference as it is; for ``-`` the secret itself. What is typed on a command line, every user can see."""
    if value.startswith((VARIABLE, FILE)):
        return value
    if value != "-":
        raise UsageError(
            f"{name} would be seen in the list of processes: write env:NAME, file:/path, or - to be asked for it",
            field=name if name == "spark_connect_token" else f"source_credentials.{name}",
        )
    if sys.stdin.isatty():
        asked: str = click.prompt(name, hide_input=True, err=True)
        return asked
    return sys.stdin.readline().strip()


def _table(text: str) -> tuple[str, str, str]:
    parts = text.split(".")
    if len(parts) < TABLE_PARTS or not all(parts):
        raise UsageError(f"--table {text!r}: write catalog.database.table, such as lake.raw.events", field="table")
    return parts[0], ".".join(parts[1:-1]), parts[-1]


def _listed(texts: tuple[str, ...]) -> list[str]:
    return [] if texts == NOTHING else list(texts)


def _pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = {}
    for text in _listed(texts):
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageError(f"{option} {text!r}: write NAME=VALUE", field=option)
        pairs[name] = value
    return pairs


def _text(value: str, option: str) -> str:
    """The text itself, or with ``@`` before it the content of that file."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option}: {value[1:]} cannot be read: {error}", field=option) from None
