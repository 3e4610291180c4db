"""Unknown fields and columns told by keys, by the command line and through a service, read back with DuckDB."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.end_to_end.conftest import User


def test_a_field_that_comes_later_is_kept_and_the_column_for_it_is_added_to_a_table_that_has_none(
    anyone: User, user: User
) -> None:
    anyone.landing.put("a.json", '{"id": 1}\n')
    anyone.creates("events", "--unknown-fields", "ignore")
    assert anyone.runs("events")["records_ingested"] == 1
    assert "_rescued_data" not in [name for name, *_ in user.sees("events", "DESCRIBE rows")]

    anyone.types("edit", "events", "--unknown-fields", "rescue")
    anyone.landing.put("b.json", '{"id": 2, "new": {"a": 1.50}}\n')
    assert anyone.runs("events")["records_ingested"] == 1
    assert user.sees("events", "SELECT id, _rescued_data FROM rows ORDER BY id") == [
        (1, None),
        (2, '{"new":{"a":1.50}}'),
    ]
    # DuckDB reads what was kept as JSON.
    assert user.sees("events", "SELECT CAST(_rescued_data->'$.new.a' AS DOUBLE) FROM rows WHERE id = 2") == [(1.5,)]


def test_a_new_ingestion_keeps_what_its_schema_does_not_know(user: User) -> None:
    user.landing.put("a.csv", "id,more\n1,x\n")
    user.creates("kept", "--schema", "id BIGINT", file_format="csv")
    assert user.runs("kept")["records_ingested"] == 1
    assert user.sees("kept", "SELECT id, _rescued_data FROM rows") == [(1, '{"more":"x"}')]
    assert "rescue" in user.types("show", "kept").out


def test_an_unknown_field_that_is_refused_is_told_with_its_name_and_set_apart_where_that_is_asked(user: User) -> None:
    path = user.landing.put("a.json", '{"id": 1}\n{"id": 2, "p": {"q": 1}}\n')
    user.creates("strict", "--schema", "id BIGINT", "--unknown-fields", "fail")
    assert user.runs("strict", code=1)["files_failed"] == 1
    assert user.file("strict", path)["error_message"] == 'line 2: the field "p" is not in the schema (unknown_field)'

    user.types("edit", "strict", "--on-bad-record", "quarantine")
    user.types("retry", "strict")
    assert user.runs("strict")["records_rejected"] == 1
    (told,) = user.types("rejects", "strict", "--json").json
    assert (told["column"], told["reason"]) == ("p", "unknown_field")


def test_columns_told_by_keys_are_typed_previewed_and_partition_the_table(anyone: User, user: User) -> None:
    for day in ("2024-01-15", "2024-01-16"):
        anyone.landing.put(f"dt={day}/region=eu%2Fwest/a.json", f'{{"n": "{day}"}}\n')
    given = ("--path-column", "dt", "--path-column", "region", "--partition-by", "dt", "--partition-by", "region")
    anyone.creates("days", *given)
    seen = anyone.types("preview", "days", "--json").json
    assert seen["columns"] == ["n", "dt", "region"]
    assert sorted(row[1:] for row in seen["rows"]) == [["2024-01-15", "eu/west"], ["2024-01-16", "eu/west"]]

    odd = anyone.landing.put("dt=2024-01-17/b.json", '{"n": "2024-01-17"}\n')
    run = anyone.runs("days", code=1)
    assert (run["files_succeeded"], run["files_failed"]) == (2, 1)
    assert anyone.file("days", odd)["error_type"] == "PathMismatch"
    assert user.sees("days", "SELECT dt, region, n = dt FROM rows ORDER BY dt") == [
        (date(2024, 1, day), "eu/west", True) for day in (15, 16)
    ]
    table = user.catalog.load_table(f"{user.namespace}.days")
    assert [field.name for field in table.spec().fields] == ["dt", "region"]
    assert len(list(table.scan(row_filter="dt = '2024-01-15'").plan_files())) == 1, "the other file is pruned"


def test_what_was_listed_is_taken_away_by_none(user: User) -> None:
    user.creates("days", "--schema", "n INT, dt DATE", "--path-column", "dt", "--option", "multiLine=true")
    shown = user.types("edit", "days", "--path-column", "none", "--option", "none", "--json").json
    assert (shown["path_columns"], shown["format_options"]) == ([], {})


def test_a_preview_shows_unknown_fields_where_there_are_some(user: User) -> None:
    user.landing.put("a.json", '{"id": 1, "more": 2}\n')
    described = ("--source", user.landing.path, "--format", "json", "--table", user.table("none"))
    seen = user.types("preview", *described, "--schema", "id BIGINT", "--json").json
    assert (seen["columns"], seen["rows"]) == (["id", "_rescued_data"], [[1, '{"more":2}']])
    known = user.types("preview", *described, "--schema", "id BIGINT, more INT", "--json").json
    assert known["columns"] == ["id", "more"]


def test_what_cannot_be_is_refused_when_it_is_saved(user: User) -> None:
    for given, message in {
        ("--schema", "id BIGINT, _rescued_data STRING"): "with unknown_fields rescue the column _rescued_data is",
        ("--path-column", "dt", "--path-column", "DT"): "path_columns: DT stands there twice",
        ("--path-column", "a/b"): "path_columns: 'a/b' cannot be the name of a folder",
        ("--path-column", "_load_id"): "path_columns: the column _load_id is written by the service",
        (
            "--path-column",
            "dt",
            "--schema",
            "id INT, DT DATE",
        ): "the column DT of the schema differ only by case",
        ("--path-column", "dt", "--schema", "dt DATE"): "it has no column but those of path_columns",
        ("--path-column", "dt", "--schema", "id INT, dt ARRAY<INT>"): "dt must be of a simple type",
    }.items():
        command = ("create", "no", "--source", user.landing.path, "--format", "json", "--table", user.table("no"))
        assert message in user.types(*command, *given, code=2).err


def test_both_settings_are_declared_and_written_down_as_they_were(user: User, tmp_path: Path) -> None:
    document = {
        "name": "declared",
        "source_path": user.landing.path,
        "format_type": "json",
        "database": user.namespace,
        "table": "declared",
        "schema_json": "id BIGINT, dt DATE",
        "path_columns": ["dt", "where"],
        "unknown_fields": "fail",
    }
    path = tmp_path / "declared.yaml"
    path.write_text(json.dumps(document))
    user.types("apply", str(path), "--yes")
    assert "Nothing to do" in user.types("apply", str(path)).out
    written = user.types("export", "declared").out
    assert "path_columns:\n- dt\n- where\n" in written
    assert "unknown_fields: fail\n" in written
