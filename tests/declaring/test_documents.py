"""A field decides what its text means, and what is wrong is refused with file, line and field."""

from __future__ import annotations

import pytest

from autoloader.declaring import Document, parse
from autoloader.errors import UsageError


def one(text: str) -> Document:
    (document,) = parse(text, "a.yaml")
    assert isinstance(document, Document), document
    return document


def refusal(text: str) -> UsageError:
    (refused,) = parse(text, "a.yaml")
    assert isinstance(refused, UsageError), refused
    return refused


@pytest.mark.parametrize(
    "text", ["no", "on", "Yes", "true", "1.0", "0123", "1_000", "2024-01-15", "12:30", ".inf", "1e3"]
)
def test_a_text_is_what_is_written_also_without_quotes(text: str) -> None:
    document = one(f"name: {text}\npartition_columns: [{text}]\nformat_options: {{{text}: {text}}}")

    assert document.draft == {"name": text, "partition_columns": (text,), "format_options": {text: text}}


def test_every_value_knows_its_line() -> None:
    document = one("# two lines\n\nname: a\nformat_options:\n  sep: ;\npartition_columns:\n- x\n- y\n")

    assert document.place() == "a.yaml:3"
    assert document.place("format_options.sep") == "a.yaml:5"
    assert document.place("partition_columns.1") == "a.yaml:8"
    assert document.place("format_options.unknown") == "a.yaml:4"
    assert document.place("source_path") == "a.yaml:3"


def test_documents_are_parted_by_a_line_and_empty_ones_are_none() -> None:
    found = parse("---\n# nothing\n---\nname: a\n---\n---\nname: b\n...\n", "a.yaml")

    assert [each.name for each in found if isinstance(each, Document)] == ["a", "b"]


def test_a_bad_document_does_not_hide_those_after_it() -> None:
    first, second, third = parse("name: a\nsped: 1\n---\nname: b\n---\n- c\n", "a.yaml")

    assert isinstance(second, Document)
    assert str(first).startswith("a.yaml:2: sped")
    assert str(third).startswith("a.yaml:6: a document is one ingestion")


@pytest.mark.parametrize(
    ("text", "line", "says", "field"),
    [
        ("name: a\nsource_paht: s3://b/", 2, "did you mean source_path?", "source_paht"),
        ("name: a\npattern: x", 2, "did you mean source_file_pattern?", "pattern"),
        ("name: a\nmotor: spark", 2, "is not a field of an ingestion", "motor"),
        ("name: a\nsource_credentials:\n  region: x", 3, "did you mean aws_region?", "source_credentials.region"),
        ("name: a\n\nname: b", 3, "stands twice, first in line 1", "name"),
        ("name: a\nformat_options:\n  sep: x\n  sep: y", 4, "stands twice, first in line 3", "format_options.sep"),
        ("table: a\n", 1, "name is required", "name"),
        ("name: a\ntable:\n", 2, "has no value", "table"),
        ("name: a\ntable: ~\n", 2, "has no value", "table"),
        ("name: a\nformat_options: {nullValue: null}", 2, "stand in quotes", "format_options.nullValue"),
        ("name: a\nsource_credentials:\n", 2, "must be a mapping, not a text", "source_credentials"),
        ("name: a\npartition_columns: day(at)\n", 2, "must be a list, not a text", "partition_columns"),
        ("name: a\npartition_columns: [[x]]\n", 2, "must be a text, not a list", "partition_columns.0"),
        ("name: a\nsource_file_pattern: {a,b}\n", 2, "must be a text, not a mapping", "source_file_pattern"),
        ("name: a\nmax_retries: three\n", 2, "give a whole number", "max_retries"),
        ("name: a\nmax_retries: 3.0\n", 2, "give a whole number", "max_retries"),
        ("name: a\nmax_retries: -1\n", 2, "give a whole number", "max_retries"),
        ("name: a\nstatus: ERROR\n", 2, "what the service finds", "status"),
        ("name: !!python/name:os.system a\n", 1, "tags are not taken", "name"),
        ("name: a\nmax_retries: !!int 3\n", 2, "tags are not taken", "max_retries"),
        ("!ingestion\nname: a\n", 1, "tags are not taken", None),
        ("x: &x {table: b}\nname: a\n<<: *x\n", 1, "is not a field", "x"),
        ("name: a\n<<: {table: b}\n", 2, "write the fields out", "<<"),
        ('name: "a\\0b"\n', 1, "cannot be stored", "name"),
        ('name: "a\\ud800"\n', 1, "cannot be stored", "name"),
        ("name: a\nsource_file_pattern: *.json\n", 2, "stands in quotes", None),
        ("name: a\nsource_file_pattern: *json\n", 2, "stands in quotes", None),
        ("name: a\nschema_json: m STRUCT<ip: STRING>\n", 2, "stands in quotes", None),
        ("name: a\n\ttable: b\n", 2, "not YAML", None),
        ("name: a\x07\n", 1, "U+0007", None),
        ("just a text", 1, "must be a mapping", None),
    ],
)
def test_what_cannot_be_is_refused_with_its_line_and_field(text: str, line: int, says: str, field: str | None) -> None:
    refused = refusal(text)

    assert str(refused).startswith(f"a.yaml:{line}: ")
    assert says in str(refused)
    assert refused.field == field


@pytest.mark.parametrize("name", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"])
@pytest.mark.parametrize("key", ["AKIAPLANTED", "enc:PLANTED", "env:1PLANTED", "''", "'**** PLANTED'", "!PLANTED x"])
def test_a_key_itself_is_refused_by_the_name_of_its_field_and_not_told(name: str, key: str) -> None:
    refused = refusal(f"name: a\nsource_credentials:\n  {name}: {key}\n")

    assert str(refused).startswith(f"a.yaml:3: source_credentials.{name}")
    assert "PLANTED" not in str(refused)


@pytest.mark.parametrize("key", ["*PLANTED", "!PLANTED!x y"])
def test_a_key_that_yaml_trips_over_is_not_told_either(key: str) -> None:
    assert "PLANTED" not in str(refusal(f"name: a\nsource_credentials:\n  aws_session_token: {key}\n"))


def test_an_alias_of_an_alias_costs_nothing() -> None:
    bomb = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 60))])

    assert "a0 is not a field" in str(refusal(f"{bomb}\nname: a"))
    assert "must be a text, not a list" in str(refusal("name: a\npartition_columns: &a [x, *a]\n"))


def test_an_alias_of_a_text_is_that_text() -> None:
    assert one("name: &n events\ntable: *n\n").draft == {"name": "events", "table": "events"}
