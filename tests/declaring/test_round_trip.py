"""What is written can be read, and says the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.declaring.drafts import DRAFTS, TEXTS

from autoloader.declaring import Document, dump, parse
from autoloader.declaring.writing import DEFAULTS, ORDER, size
from autoloader.defining import FIELDS, define
from autoloader.errors import UsageError
from autoloader.model import IngestionStatus, SourceCredentials
from autoloader.settings import Settings
from autoloader.vault import CREDENTIAL_SECRETS, Vault

if TYPE_CHECKING:
    from autoloader.model import NewIngestion

VAULT = Vault(Settings(home=Path("/nowhere")))
MINIMAL = {"name": "a", "source_path": "s3://landing/", "format_type": "json", "database": "raw", "table": "a"}


def read_back(text: str, saved: NewIngestion) -> NewIngestion:
    (document,) = parse(text, "a.yaml")
    assert isinstance(document, Document), document
    return define(document.draft, VAULT, saved)


@given(DRAFTS)
def test_a_document_declares_the_ingestion_it_was_written_from(draft: dict[str, Any]) -> None:
    ingestion = define(draft, VAULT)

    assert read_back(dump(ingestion), ingestion) == ingestion


@given(DRAFTS)
def test_any_other_yaml_reader_finds_the_same_fields(draft: dict[str, Any]) -> None:
    ingestion = define(draft, VAULT)
    document, found = parse(dump(ingestion), "a.yaml")[0], yaml.safe_load(dump(ingestion))

    assert isinstance(document, Document)
    assert list(found) == [name for name in ORDER if name in found]
    lists: dict[str, object] = {name: tuple(found.get(name, ())) for name in ("path_columns", "partition_columns")}
    assert found | lists == {
        "path_columns": (),
        "partition_columns": (),
        **document.draft,
        **{name: found[name] for name in ("max_file_size_bytes",) if name in found},
    }


@given(DRAFTS, st.sets(st.sampled_from(CREDENTIAL_SECRETS), min_size=1))
def test_a_sealed_key_is_not_written_and_stays_as_it_is(draft: dict[str, Any], sealed: set[str]) -> None:
    ingestion = define(draft, VAULT)
    keys = {"aws_access_key_id": "env:KEY", "aws_secret_access_key": "env:KEY"} | dict.fromkeys(
        sealed, "enc:gAAAAAPLANTED"
    )
    ingestion = dataclasses.replace(
        ingestion, source_credentials=dataclasses.replace(ingestion.source_credentials, **keys)
    )

    assert "PLANTED" not in dump(ingestion)
    assert dump(ingestion).startswith("# A key that is '***' is stored sealed")
    assert read_back(dump(ingestion), ingestion) == ingestion


@given(st.lists(DRAFTS, max_size=4))
def test_documents_in_one_file_are_read_one_by_one(drafts: list[dict[str, Any]]) -> None:
    ingestions = [define(draft, VAULT) for draft in drafts]

    found = parse("---\n".join(dump(ingestion) for ingestion in ingestions), "all.yaml")

    assert [each.name for each in found if isinstance(each, Document)] == [ingestion.name for ingestion in ingestions]


@given(st.integers(1, 2**63 - 1) | st.integers(1, 10**6).map(lambda n: n * 1024**2))
def test_a_size_for_people_says_exactly_as_many_bytes(count: int) -> None:
    assert define({**MINIMAL, "max_file_size_bytes": size(count)}, VAULT).max_file_size_bytes == count


def test_what_is_as_by_default_is_left_out() -> None:
    assert dump(define(MINIMAL, VAULT)) == (
        "name: a\nsource_path: s3://landing/\nformat_type: json\ndatabase: raw\ntable: a\n"
    )


def test_the_defaults_are_those_of_a_draft() -> None:
    ingestion = define(MINIMAL, VAULT)

    assert {name: getattr(ingestion, name) for name in DEFAULTS} == DEFAULTS | {
        "source_credentials": SourceCredentials()
    }
    assert sorted(ORDER) == sorted(FIELDS)


def test_a_schema_stands_one_column_a_line_without_quotes() -> None:
    schema = "id BIGINT, meta STRUCT<ip: STRING, n: MAP<STRING, INT>>, `a b` DECIMAL(10,2)"

    assert (
        "schema_json: |-\n  id BIGINT,\n  meta STRUCT<ip: STRING, n: MAP<STRING, INT>>,\n  `a b` DECIMAL(10,2)\n"
    ) in dump(define({**MINIMAL, "schema_json": schema}, VAULT))


def test_a_status_that_the_service_found_is_not_declared() -> None:
    assert "status" not in dump(dataclasses.replace(define(MINIMAL, VAULT), status=IngestionStatus.ERROR))


@given(TEXTS | st.text("ab:-# \n'\"[]{}*&!|>%@`?,~<\t\\Ux0", max_size=60))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    for found in parse(text, "any.yaml") + parse(f"name: {text}\n", "any.yaml") + parse(f'name: "{text}"', "any.yaml"):
        assert isinstance(found, Document) or re.match(r"any\.yaml(:\d+)?: ", str(found)), found


@pytest.mark.parametrize(
    "text", ["[" * 5000, '"\\UFFFFFFFF"', '"\\U00110000"', "{" * 5000, "? " * 5000, "%YAML 9.9\n---\n"]
)
def test_a_text_made_to_break_a_reader_is_refused(text: str) -> None:
    (refused,) = parse(text, "any.yaml")

    assert isinstance(refused, UsageError)
