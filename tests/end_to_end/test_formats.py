"""Every format by the command line, read back with DuckDB."""

from __future__ import annotations

import gzip
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User


def test_csv_is_matched_by_name_whatever_the_order_of_the_header(user: User) -> None:
    user.landing.put("a.csv", 'id;name;price\n1;plain;1.50\n2;"with;separator";\n')
    user.landing.put("b.csv", 'price;id;name\n2.25;3;"two\nlines"\n')
    user.creates(
        "prices", "--option", "sep=;", "--schema", "id BIGINT, name STRING, price DECIMAL(10,2)", file_format="csv"
    )  # fmt: skip

    assert user.runs("prices")["files_succeeded"] == 2
    assert user.sees("prices", "SELECT id, name, price FROM rows ORDER BY id") == [
        (1, "plain", Decimal("1.50")),
        (2, "with;separator", None),
        (3, "two\nlines", Decimal("2.25")),
    ]


def test_a_csv_file_with_another_header_fails_alone_and_names_the_column(user: User) -> None:
    user.landing.put("good.csv", "id,name\n1,a\n")
    bad = user.landing.put("bad.csv", "id,nome\n2,b\n")
    user.creates("people", "--schema", "id BIGINT, name STRING", file_format="csv")

    assert user.runs("people", code=1)["files_succeeded"] == 1
    assert "name" in user.file("people", bad)["error_message"]


def test_a_json_document_becomes_a_row_for_each_element(user: User) -> None:
    user.landing.put("array.json", json.dumps([{"id": 1, "tags": ["a", "b"]}, {"id": 2, "tags": []}], indent=2))
    user.landing.put("object.json", json.dumps({"id": 3, "tags": None}, indent=2))
    user.creates("documents", "--option", "multiLine=true")

    assert user.runs("documents")["records_ingested"] == 3
    assert user.sees("documents", "SELECT id, tags FROM rows ORDER BY id") == [(1, ["a", "b"]), (2, []), (3, None)]


def test_parquet_is_loaded_with_its_types(user: User) -> None:
    table = pa.table(
        {
            "id": pa.array([1, 2], pa.int32()),
            "at": pa.array([datetime(2026, 11, 24, 10, tzinfo=UTC)] * 2, pa.timestamp("us", "UTC")),
            "day": pa.array([date(2026, 11, 24)] * 2),
            "amount": pa.array([Decimal("1.25"), None], pa.decimal128(10, 2)),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    user.landing.put("a.parquet", sink.getvalue())
    user.creates("typed", file_format="parquet")

    assert user.runs("typed")["records_ingested"] == 2
    assert user.sees("typed", 'SELECT id, "at", day, amount FROM rows ORDER BY id') == [
        (1, datetime(2026, 11, 24, 10, tzinfo=UTC), date(2026, 11, 24), Decimal("1.25")),
        (2, datetime(2026, 11, 24, 10, tzinfo=UTC), date(2026, 11, 24), None),
    ]


def test_other_formats_tell_their_columns_and_land_beside_each_other(user: User) -> None:
    schema = {
        "type": "record",
        "name": "r",
        "fields": [{"name": "id", "type": "long"}, {"name": "s", "type": "string"}],
    }
    sink = io.BytesIO()
    fastavro.writer(sink, schema, [{"id": 1, "s": "a"}])
    user.landing.put("a.avro", sink.getvalue())
    user.landing.put("trail.json", json.dumps({"Records": [{"id": 2, "s": "b"}, {"id": 3, "s": "c"}]}))
    user.landing.put("books.xml", '<shop><book id="4"><s>d</s></book></shop>')
    user.landing.put("plain.log", "e\n\nf\n")
    user.creates("avros", "--pattern", "*.avro", file_format="avro")
    user.creates("trails", "--pattern", "*.json", "--option", "recordPath=Records")
    user.creates("books", "--pattern", "*.xml", "--option", "rowTag=book", file_format="xml")
    user.creates("logs", "--pattern", "*.log", "--option", "lineNumber=line", file_format="text")

    records = {name: user.runs(name)["records_ingested"] for name in ("avros", "trails", "books", "logs")}

    assert records == {"avros": 1, "trails": 2, "books": 1, "logs": 3}
    assert user.sees("avros", "SELECT id, s FROM rows") == [(1, "a")]
    assert user.sees("trails", "SELECT id, s FROM rows ORDER BY id") == [(2, "b"), (3, "c")]
    assert user.sees("books", "SELECT _id, s FROM rows") == [(4, "d")]
    assert user.sees("logs", "SELECT line, value FROM rows ORDER BY line") == [(1, "e"), (2, ""), (3, "f")]


def test_compression_is_told_by_the_bytes_and_not_by_the_name(user: User) -> None:
    user.landing.put("named.json.gz", gzip.compress(b'{"id": 1}\n'))
    user.landing.put("unnamed.json", gzip.compress(b'{"id": 2}\n') + gzip.compress(b'{"id": 3}\n'))
    user.landing.put("lies.json.gz", b'{"id": 4}\n')
    user.creates("events")

    user.runs("events")

    assert user.sees("events", "SELECT list(id ORDER BY id) FROM rows") == [([1, 2, 3, 4],)]


def test_values_are_judged_by_their_text_and_never_changed_in_silence(user: User) -> None:
    bad = {
        "half": '{"n": 1.5}',
        "exponent": '{"n": 1e3}',
        "truth": '{"n": true}',
        "trailing comma": '{"n": 1,}',
        "twice": '{"n": 1, "n": 2}',
        "not a number": '{"d": NaN}',
        "yes": '{"b": "yes"}',
        "midnight": '{"t": "2026-01-01T24:00:00Z"}',
        "too fine": '{"p": 1.005}',
    }
    paths = {name: user.landing.put(f"{name}.json", text) for name, text in bad.items()}
    user.landing.put("good.json", '{"n": "12", "d": 1e3, "b": "TRUE", "t": "2026-01-01", "p": 1.50, "s": 1.50}')
    schema = "n BIGINT, d DOUBLE, b BOOLEAN, t TIMESTAMP, p DECIMAL(10,2), s STRING"
    user.creates("strict", "--schema", schema)

    run = user.runs("strict", code=1)

    assert (run["files_succeeded"], run["files_failed"]) == (1, len(bad))
    failed = {file["file_path"] for file in user.types("files", "strict", "--status", "FAILED", "--json").json}
    assert failed == set(paths.values())
    assert user.sees("strict", "SELECT n, d, b, t, p, s FROM rows") == [
        (12, 1000.0, True, datetime(2026, 1, 1, tzinfo=UTC), Decimal("1.50"), "1.50")
    ]


def test_a_preview_shows_what_a_run_would_do_and_writes_nothing(user: User) -> None:
    user.landing.put("good.json", '{"id": 1, "at": "2026-01-01T00:00:00Z"}\n')
    large = user.landing.put("large.json", '{"id": 2, "note": "' + "x" * 2000 + '"}\n')
    user.landing.put("other.txt", "not meant")
    archive = user.landing.put("more.json.zip", "PK")
    user.creates("events", "--pattern", "*.{json,zip}", "--max-file-size", "1kB")

    seen = user.types("preview", "events", "--json").json

    assert seen["matching"]["files"] == 3
    assert [skipped["path"] for skipped in seen["skipped"]] == [large, archive]
    assert seen["columns"] == ["id", "at"]
    assert seen["rows"] == [[1, "2026-01-01T00:00:00+00:00"]]
    assert user.types("files", "events", "--json").json == []
    assert not user.catalog.table_exists(f"{user.namespace}.events")


def test_history_survives_renaming_pausing_and_editing(user: User) -> None:
    path = user.landing.put("a.json", '{"id": 1}\n')
    user.creates("events")
    user.runs("events")

    user.types("edit", "events", "--name", "renamed", "--status", "PAUSED", "--pattern", "*.json")
    assert "PAUSED" in user.types("run", "renamed", code=2).err
    user.types("edit", "renamed", "--status", "ACTIVE")

    assert user.runs("renamed")["files_processed"] == 0
    assert user.file("renamed", path)["status"] == "SUCCESS"


def test_the_story_of_a_file_names_every_version(user: User) -> None:
    path = user.landing.put("a.json", '{"id": 1}\n')
    user.creates("events")
    user.runs("events")
    user.landing.put("a.json", '{"id": "x"}\n')
    user.runs("events", code=1)
    user.landing.put("a.json", '{"id": 2}\n{"id": 3}\n')
    user.runs("events")

    story = user.types("explain", path).out

    assert story.index("1 row loaded") < story.index("failed in load") < story.index("2 rows loaded")
    assert "not_bigint" in story
    assert str(user.catalog.load_table(f"{user.namespace}.events").current_snapshot().snapshot_id) in story  # type: ignore[union-attr]
