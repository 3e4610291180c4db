from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from tests.ledger.ledgers import Ledger, good, new, objects

from autoloader.errors import NameTaken, NotKnown, UsageError, VaultError, WrongState
from autoloader.ledger import ingestions, sealing
from autoloader.model import (
    FormatType,
    Ingestion,
    IngestionStatus,
    OnBadRecord,
    OnChangedFile,
    SourceCredentials,
    WriteMode,
)

EVERYTHING: dict[str, Any] = {
    "status": IngestionStatus.PAUSED,
    "source_file_pattern": "**/*.{json,gz}",
    "source_credentials": SourceCredentials(endpoint_url="http://127.0.0.1:8333", aws_access_key_id="env:KEY"),
    "path_columns": ("dt", "land"),
    "format_type": FormatType.CSV,
    "format_options": {"sep": ";", "quote": "'"},
    "schema_json": '{"type":"struct","fields":[]}',
    "write_mode": WriteMode.OVERWRITE,
    "partition_columns": ("day(at)", "bucket(16, id)"),
    "table_properties": {"write.format.default": "parquet"},
    "max_file_size_bytes": 2**62,
    "max_retries": 0,
    "on_changed_file": OnChangedFile.FAIL,
    "on_bad_record": OnBadRecord.QUARANTINE,
    "max_bad_records": 2**62,
    "max_bad_ratio": 0.1,
    "cluster_id": "c-1",
    "spark_connect_url": "sc://host",
    "spark_connect_token": "env:TOKEN",
}


def change(ledger: Ledger, ingestion: Ingestion, **changes: object) -> Ingestion:
    with ledger.transaction() as connection:
        return ingestions.update(connection, ingestion.id, changes)


def by_name(ledger: Ledger, name: str, tenant: str = "default") -> Ingestion:
    with ledger.transaction() as connection:
        return ingestions.by_name(connection, tenant, name)


def delete(ledger: Ledger, ingestion: Ingestion) -> None:
    with ledger.transaction() as connection:
        ingestions.delete(connection, ingestion.id)


def test_every_field_comes_back_as_it_was_saved(ledger: Ledger) -> None:
    saved = ledger.ingestion(**EVERYTHING)
    assert by_name(ledger, "events") == saved
    described = new(**EVERYTHING)
    assert {name: getattr(saved, name) for name in EVERYTHING} == {
        name: getattr(described, name) for name in EVERYTHING
    }
    assert saved.version == 1
    assert saved.created_at == saved.updated_at


def test_defaults_come_back_too(ledger: Ledger) -> None:
    saved = ledger.ingestion()
    assert saved.source_credentials == SourceCredentials()
    assert (saved.path_columns, saved.format_options, saved.schema_json) == ((), {}, None)


def test_a_name_can_be_used_once_in_each_tenant(ledger: Ledger) -> None:
    ledger.ingestion()
    with pytest.raises(NameTaken, match="'events' is there already") as caught:
        ledger.ingestion()
    assert caught.value.field == "name"
    assert ledger.ingestion(tenant_id="other").tenant_id == "other"


def test_an_unknown_name_is_answered_with_names_that_look_like_it(ledger: Ledger) -> None:
    for name in ("events", "event_log", "customers"):
        ledger.ingestion(name)
    with pytest.raises(NotKnown, match="named 'evnts'; did you mean events"):
        by_name(ledger, "evnts")
    with pytest.raises(NotKnown, match="known: customers, event_log, events"):
        by_name(ledger, "zzz")
    with pytest.raises(NotKnown, match="none yet"):
        by_name(ledger, "events", tenant="other")


def test_ingestions_are_listed_by_name_in_their_tenant(ledger: Ledger) -> None:
    for name in ("b", "c", "a"):
        ledger.ingestion(name)
    ledger.ingestion("d", tenant_id="other")
    with ledger.transaction() as connection:
        assert [found.name for found in ingestions.list_all(connection, "default")] == ["a", "b", "c"]


def test_an_edit_changes_what_it_names_and_counts(ledger: Ledger) -> None:
    saved = ledger.ingestion()
    after = change(ledger, saved, name="renamed", max_retries=9, partition_columns=("dt",), format_options={"sep": "|"})
    assert (after.name, after.max_retries, after.partition_columns) == ("renamed", 9, ("dt",))
    assert after.format_options == {"sep": "|"}
    assert (after.id, after.source_path, after.version) == (saved.id, saved.source_path, 2)
    assert after.updated_at > saved.updated_at
    assert by_name(ledger, "renamed") == after


def test_an_edit_keeps_the_history_of_the_files(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects("a.json"))
    change(ledger, ingestion, name="renamed", status=IngestionStatus.PAUSED, source_file_pattern="*.csv")
    assert [version.status for version in ledger.history(ingestion, "a.json")] == ["SUCCESS"]


def test_an_edit_to_a_taken_name_is_refused_and_the_transaction_goes_on(ledger: Ledger) -> None:
    ledger.ingestion("a")
    second = ledger.ingestion("b")
    with ledger.transaction() as connection:
        with pytest.raises(NameTaken):
            ingestions.update(connection, second.id, {"name": "a"})
        ingestions.update(connection, second.id, {"max_retries": 7})
    assert by_name(ledger, "b").max_retries == 7


@pytest.mark.parametrize("field", ["id", "tenant_id", "version", "created_at", "nonsense"])
def test_fields_that_are_not_a_persons_to_decide_cannot_be_edited(ledger: Ledger, field: str) -> None:
    ingestion = ledger.ingestion()
    with pytest.raises(UsageError, match=f"{field} is not a field") as caught:
        change(ledger, ingestion, **{field: "x"})
    assert caught.value.field == field
    assert by_name(ledger, "events") == ingestion


def test_a_schema_is_inferred_once(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    with ledger.transaction() as connection:
        first = ingestions.fix_schema(connection, ingestion.id, "first")
    with ledger.transaction() as connection:
        second = ingestions.fix_schema(connection, ingestion.id, "second")
    assert (first.schema_json, second.schema_json) == ("first", "first")
    assert second.version == first.version == 2


def test_what_is_not_there_cannot_be_read_changed_or_deleted(ledger: Ledger) -> None:
    for action in (
        lambda c: ingestions.by_id(c, 404),
        lambda c: ingestions.update(c, 404, {"max_retries": 1}),
        lambda c: ingestions.fix_schema(c, 404, "x"),
        lambda c: ingestions.delete(c, 404),
    ):
        with ledger.transaction() as connection, pytest.raises(NotKnown, match="404"):
            action(connection)


def test_deleting_takes_the_history_and_nothing_of_others(ledger: Ledger) -> None:
    doomed, kept = ledger.ingestion("doomed"), ledger.ingestion("kept")
    for ingestion in (doomed, kept):
        ledger.loads_all(ingestion, objects("a.json", "b.json"))
    delete(ledger, doomed)
    for table, left in {"ingestions": 1, "runs": 1, "loads": 1, "processed_files": 2, "outcomes": 2}.items():
        assert ledger.sql(f"SELECT count(*) FROM {table}") == [(left,)]
    assert [version.status for version in ledger.history(kept, "a.json")] == ["SUCCESS"]


def test_an_ingestion_that_runs_cannot_be_deleted(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json"))
    with pytest.raises(WrongState, match="events is running"):
        delete(ledger, ingestion)
    ledger.finishes(run, good)
    ledger.ends(run)
    delete(ledger, ingestion)


def test_an_ingestion_with_a_lost_load_cannot_be_deleted(ledger: Ledger) -> None:
    ingestion = ledger.ingestion()
    run = ledger.discover(ingestion, objects("a.json"))
    load, _ = ledger.claims(run)
    ledger.expire(load)
    ledger.sql("UPDATE runs SET status = 'CANCELLED', ended_at = now()")
    with pytest.raises(WrongState, match="a load to recover"):
        delete(ledger, ingestion)


@pytest.mark.parametrize(
    "fields",
    [
        {"source_credentials": SourceCredentials(aws_access_key_id="PLANTED")},
        {"source_credentials": SourceCredentials(aws_secret_access_key="PLANTED")},
        {"source_credentials": SourceCredentials(aws_session_token="PLANTED")},
        {"spark_connect_token": "PLANTED"},
    ],
)
def test_a_secret_that_is_not_sealed_is_not_stored_and_not_told(ledger: Ledger, fields: dict[str, Any]) -> None:
    with pytest.raises(VaultError, match="unsealed") as refused:
        ledger.ingestion(**fields)
    assert "PLANTED" not in str(refused.value)
    assert ledger.sql("SELECT id FROM ingestions") == []


@pytest.mark.parametrize("name", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"])
def test_the_database_itself_takes_no_secret_that_is_not_sealed(ledger: Ledger, name: str) -> None:
    ledger.ingestion()

    with pytest.raises(IntegrityError, match="ingestions_secrets_check"):
        ledger.sql("UPDATE ingestions SET source_credentials = jsonb_build_object(cast(:name AS text), 'x')", name=name)
    with pytest.raises(IntegrityError, match="ingestions_secrets_check"):
        ledger.sql("UPDATE ingestions SET spark_connect_token = 'x'")


def test_secrets_are_sealed_anew_in_place_and_nothing_else_changes(ledger: Ledger) -> None:
    sealed = ledger.ingestion(
        "sealed",
        source_credentials=SourceCredentials(
            aws_region="eu-west-1", aws_access_key_id="enc:old", aws_secret_access_key="env:KEY"
        ),
        spark_connect_token="enc:old",
    )
    ledger.ingestion("open")

    with ledger.transaction() as connection:
        assert sealing.reseal_all(connection, lambda stored: stored.replace("enc:old", "enc:new")) == 1
        after = ingestions.by_id(connection, sealed.id)

    credentials = SourceCredentials(
        aws_region="eu-west-1", aws_access_key_id="enc:new", aws_secret_access_key="env:KEY"
    )
    assert after == replace(sealed, source_credentials=credentials, spark_connect_token="enc:new")
