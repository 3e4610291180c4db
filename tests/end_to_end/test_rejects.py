"""Bad records from one end to the other: what loads, what the rejects table holds, and what people are told."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autoloader.errors import UsageError
from autoloader.lake.rejected import page
from autoloader.model import WantedRejects

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

LINES = '{"id": 1}\n{"id": "x"}\n{"id": 3}\n{"id": \n'


def test_bad_records_go_to_the_rejects_table_and_leave_it_with_their_version(user: User) -> None:
    a, b = user.landing.put("a.json", LINES), user.landing.put("b.json", '{"id": 10}\n')
    user.creates("events", "--schema", "id BIGINT", "--on-bad-record", "quarantine", "--max-bad-records", "5")
    assert user.types("preview", "events", "--json").json["problems"] == [
        {"path": a, "reason": "2 of its records are bad; the others would load"}
    ]
    run = user.runs("events")
    assert (run["files_succeeded"], run["records_ingested"], run["records_rejected"]) == (2, 3, 2)
    assert user.sees("events", "SELECT id FROM rows ORDER BY id") == [(1,), (3,), (10,)]
    told = "SELECT _source_file, line, column_name, reason, message, raw FROM rows ORDER BY line"
    assert user.sees("events__rejects", told) == [
        (a, 2, "id", "not_bigint", 'line 2, column "id": "x" is not a BIGINT (not_bigint)', '{"id": "x"}'),
        (
            a,
            4,
            None,
            "malformed",
            "line 4: the record is malformed: Expecting value at character 8",
            '{"id": ',
        ),
    ]
    file = user.file("events", a)
    ids = "SELECT DISTINCT _load_id, file_etag, _loaded_at IS NOT NULL FROM rows"
    assert user.sees("events__rejects", ids) == [(file["load_id"], file["file_etag"], True)]
    assert (file["records_ingested"], file["records_rejected"]) == (2, 2)
    assert user.file("events", b)["records_rejected"] == 0

    user.landing.put("a.json", '{"id": 1}\n{"id": 2}\n{"id": y}\n')
    assert user.runs("events")["records_rejected"] == 1
    assert user.sees("events__rejects", "SELECT line, raw FROM rows") == [(3, '{"id": y}')]
    assert user.sees("events", "SELECT id FROM rows ORDER BY id") == [(1,), (2,), (10,)]
    user.landing.put("a.json", '{"id": 1}\n')
    assert user.runs("events")["records_rejected"] == 0
    assert user.sees("events__rejects", "SELECT count(*) FROM rows") == [(0,)]
    assert user.types("verify", "events").code == 0


def test_a_file_of_bad_records_only_is_loaded_with_no_row_and_all_its_rejects(user: User) -> None:
    user.landing.put("a.json", "x\ny\n")
    user.creates("events", "--schema", "id BIGINT", "--on-bad-record", "quarantine")
    run = user.runs("events")
    assert (run["status"], run["records_ingested"], run["records_rejected"]) == ("SUCCESS", 0, 2)
    assert user.sees("events__rejects", "SELECT line, raw FROM rows ORDER BY line") == [(1, "x"), (2, "y")]
    assert user.types("verify", "events").code == 0


def test_verify_tells_when_the_rejects_are_not_those_that_the_ledger_counted(user: User) -> None:
    a = user.landing.put("a.json", LINES)
    user.creates("events", "--schema", "id BIGINT", "--on-bad-record", "quarantine")
    user.runs("events")
    report = user.types("verify", "events", "--json").json["report"]
    assert {(t["name"], t["rows_claimed"], t["rows_found"]) for t in report["tables"]} == {
        (user.table("events"), 2, 2),
        (user.table("events__rejects"), 2, 2),
    }
    user.catalog.load_table(f"{user.namespace}.events__rejects").delete("line = 2")
    answer = user.tries("verify", "events")
    assert answer.code != 0
    assert "the ledger claims 2 rows of this file, and the table holds 1" in answer.out
    assert a in answer.out


def test_an_overwritten_table_has_the_rejects_of_its_files_only(user: User) -> None:
    user.landing.put("a.json", LINES)
    options = ("--schema", "id BIGINT", "--on-bad-record", "quarantine", "--write-mode", "overwrite")
    user.creates("events", *options)
    user.runs("events")
    b = user.landing.put("b.json", '{"id": 5}\nno\n')
    user.runs("events")
    assert user.sees("events", "SELECT id FROM rows") == [(5,)]
    assert user.sees("events__rejects", "SELECT _source_file, raw FROM rows") == [(b, "no")]


def test_fields_that_make_no_sense_with_the_policy_are_refused_by_name(user: User) -> None:
    def refused(*options: str, file_format: str = "json") -> str:
        source = ("--source", user.landing.path, "--format", file_format, "--table", user.table("t"))
        return user.types("create", "t", *source, *options, code=2).err

    assert "max_bad_records: with on_bad_record fail_file" in refused("--max-bad-records", "3")
    assert "max_bad_ratio: with on_bad_record fail_file" in refused("--max-bad-ratio", "0.1")
    assert "on_bad_record quarantine: parquet" in refused("--on-bad-record", "quarantine", file_format="parquet")
    assert "max_bad_ratio" in refused("--on-bad-record", "skip", "--max-bad-ratio", "1.5")
    user.creates("events", "--on-bad-record", "skip", "--max-bad-records", "3", "--max-bad-ratio", "0.25")
    assert "skip; more than 3 fail a file; a part over 0.25 fails a file" in user.types("show", "events").out
    user.types("edit", "events", "--max-bad-records", "none")
    exported = user.types("export", "events").out
    assert "on_bad_record: skip" in exported
    assert "max_bad_ratio: 0.25" in exported
    assert "max_bad_records" not in exported


def test_anyone_may_list_the_rejects_and_load_their_files_again_after_a_mend(anyone: User) -> None:
    a, b = anyone.landing.put("a.json", LINES), anyone.landing.put("b.json", '{"id": 10}\n{"id": 1.5}\n')
    anyone.creates("events", "--schema", "id BIGINT", "--on-bad-record", "quarantine")
    assert "3 rows, 3 bad records left out" in anyone.types("run", "events").out
    listed = anyone.types("rejects", "events", "--json").json
    assert {(r["file_path"], r["line"], r["column"], r["reason"]) for r in listed} == {
        (a, 2, "id", "not_bigint"),
        (a, 4, None, "malformed"),
        (b, 2, "id", "not_bigint"),
    }
    (one,) = anyone.types("rejects", "events", "--file", b, "--json").json
    assert (one["raw"], one["file_etag"]) == ('{"id": 1.5}', anyone.file("events", b)["file_etag"])
    load = one["load_id"]
    for options, count in (
        (("--reason", "malformed"), 1),
        (("--column", "id"), 2),
        (("--load", load), 3),
        (("--load", load.replace(load[0], "0" if load[0] != "0" else "1")), 0),
        (("--file", a, "--column", "id"), 1),
        (("--limit", "2"), 2),
    ):
        assert len(anyone.types("rejects", "events", *options, "--json").json) == count, options
    told = anyone.types("rejects", "events", "--limit", "1").out
    assert "The first 1 are shown" in told
    assert "not a BIGINT (not_bigint)" in anyone.types("rejects", "list", "events", "--column", "id").out

    anyone.landing.put("c.json", '{"id": 20}\n')
    anyone.runs("events")
    assert (
        "no rejects, so nothing to mend"
        in anyone.types("rejects", "retry", "events", f"{anyone.landing.path}c.json", code=2).err
    )
    assert "never seen" in anyone.types("rejects", "retry", "events", "s3://landing/no", code=2).err
    anyone.types("edit", "events", "--schema", "id DOUBLE")
    assert anyone.types("rejects", "retry", "events", b, "--json").json == {"files": 1}
    assert anyone.sees("events__rejects", "SELECT count(*) FROM rows") == [(3,)], "they stay until the load"


def test_files_loaded_again_after_a_mend_bring_their_rows_and_rejects_anew(user: User) -> None:
    user.landing.put("a.json", '{"d": "2024-01-02"}\n{"d": "03.01.2024"}\nno\n')
    b = user.landing.put("b.json", '{"d": "2024-01-05"}\n')
    user.creates("events", "--schema", "d DATE", "--on-bad-record", "quarantine")
    user.runs("events")
    before = user.file("events", b)
    user.types("edit", "events", "--option", "dateFormat=dd.MM.yyyy")
    assert "1 file will be loaded again" in user.types("rejects", "retry", "events").out
    run = user.runs("events")
    assert (run["files_succeeded"], run["records_ingested"], run["records_rejected"]) == (1, 1, 2)
    assert user.sees("events", "SELECT CAST(d AS VARCHAR) FROM rows ORDER BY d") == [("2024-01-03",), ("2024-01-05",)]
    assert user.sees("events__rejects", "SELECT line FROM rows ORDER BY line") == [(1,), (3,)]
    assert user.file("events", b) == before, "a file without rejects is left alone"
    assert "No rejects of none" in user.tries("rejects", "none").out or user.types("rejects", "none", code=2).err
    user.types("edit", "events", "--on-changed", "append")
    assert "the rows of these files would come twice" in user.types("rejects", "retry", "events", code=2).err
    assert user.types("verify", "events").code == 0


def test_the_place_of_each_record_is_told_where_it_is_asked_for(user: User) -> None:
    schema = ("--schema", "id BIGINT", "--option", "sourceRow=true")
    user.landing.put("l/a.json", '{"id": 1}\n\n{"id": x}\n{"id": 4}\n')
    user.creates("lines", *schema, "--pattern", "l/*", "--on-bad-record", "skip")
    user.landing.put("d/a.json", '[{"id": 1},\n{"id": 2}]')
    user.creates("elements", *schema, "--pattern", "d/*", "--option", "multiLine=true")
    user.landing.put("c/a.csv", 'id,s\n1,"a\nb"\n\n2,c\n')
    csv = ("--schema", "id BIGINT, s STRING", "--option", "sourceRow=true")
    user.creates("fields", *csv, "--pattern", "c/*", file_format="csv")
    written = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([7, 8], pa.int64())}), written)
    user.landing.put("p/a.parquet", written.getvalue())
    user.creates("rows", *schema, "--pattern", "p/*", file_format="parquet")
    user.landing.put("o/a.json", '{"id": 1}\n')
    user.creates("without", "--schema", "id BIGINT", "--pattern", "o/*")
    for name in ("lines", "elements", "fields", "rows", "without"):
        assert user.runs(name)["files_failed"] == 0
    user.types("edit", "without", "--option", "sourceRow=true")
    user.landing.put("o/b.json", '{"id": 2}\n')
    user.runs("without")
    told = "SELECT id, _source_row FROM rows ORDER BY id"
    assert user.sees("lines", told) == [(1, 1), (4, 4)]
    assert user.sees("elements", told) == [(1, 1), (2, 2)]
    assert user.sees("fields", told) == [(1, 2), (2, 5)]
    assert user.sees("rows", told) == [(7, 1), (8, 2)]
    assert user.sees("without", told) == [(1, None), (2, 1)]


def test_pages_of_rejects_show_one_moment_and_end(user: User) -> None:
    user.creates("events", "--schema", "id BIGINT", "--on-bad-record", "quarantine")
    for name in ("a", "b"):
        user.landing.put(f"{name}.json", "".join(f"bad {name} {number}\n" for number in range(7)))
        user.runs("events")
    table = user.catalog.load_table(f"{user.namespace}.events__rejects")
    seen, after = [], None
    while True:
        found = page(table, WantedRejects(), limit=3, after=after)
        assert len(found.items) <= 3
        seen += [item.raw for item in found.items]
        after = found.following
        if after is None:
            break
        user.landing.put("a.json", "gone\n")
        user.runs("events")
        table.refresh()
    assert seen == [f"bad {name} {number}" for name in "ba" for number in range(7)]
    late = iter(range(0, 10_000, 100))
    first = page(table, WantedRejects(reason="none"), limit=3, clock=lambda: next(late))
    assert first.items == []
    assert first.following is not None, "a page that took too long says where to go on"
    with pytest.raises(UsageError, match="begin anew"):
        page(table, WantedRejects(), limit=1, after=replace(first.following, snapshot_id=1))
