"""Fields that the schema does not know, through either engine: kept, left out, or refused."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import fastavro
import pyarrow as pa
import pyarrow.orc as po
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloader.model import BadRecords, FormatType, OnBadRecord, UnknownFields

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

RESCUE, FAIL = UnknownFields.RESCUE, UnknownFields.FAIL
QUARANTINE = BadRecords(policy=OnBadRecord.QUARANTINE)


def rescued(result: Any, name: str) -> list[str | None]:
    """What is kept of a file, by its id."""
    rows = sorted((r for r in result.rows if r["_source_file"].endswith(f"/{name}")), key=lambda row: row["id"])
    return [row["_rescued_data"] for row in rows]


def test_what_the_schema_does_not_know_is_kept_as_json_where_it_stood(loads: Any, put: Put) -> None:
    ddl = (
        "id BIGINT, page STRUCT<path: STRING>, items ARRAY<STRUCT<n: INT>>, by MAP<STRING, STRUCT<n: INT>>, any STRING"
    )
    lines = [
        '{"id": 1, "page": {"path": "/"}, "items": [{"n": 1}], "by": {"a": {"n": 1}}, "any": {"of": 1.50}}',
        '{"id": 2, "new": 1.50, "New": [1e3, "\\u00e9", null, {"a": -0}], "ID": 3}',
        '{"id": 3, "page": {"path": "/", "title": "x", "os": {"v": 10.10}}}',
        '{"id": 4, "items": [{"n": 1}, {"n": 2, "m": 7}, null, {}]}',
        '{"id": 5, "by": {"a": {"n": 1}, "b": {"m": true}}, "": ""}',
        '{"id": 6, "new": null, "page": {"title": null}}',
        '{"id": 7, "_rescued_data": "mine", "b": {}, "a": []}',
    ]
    put("a.json", "\n".join(lines))
    put("plain.json", '{"id": 8}\n{"id": 9, "any": "x"}\n')
    put("array.json", "")
    result = loads.load(ddl, unknown_fields=RESCUE)
    expected = [
        None,
        '{"ID":3,"New":[1e3,"é",null,{"a":-0}],"new":1.50}',
        '{"page":{"os":{"v":10.10},"title":"x"}}',
        '{"items":[null,{"m":7},null,null]}',
        '{"":"","by":{"b":{"m":true}}}',
        None,
        '{"_rescued_data":"mine","a":[],"b":{}}',
    ]
    assert rescued(result, "a.json") == expected
    assert rescued(result, "plain.json") == [None, None]
    assert [row["any"] for row in result.rows if row["id"] == 1] == ['{"of":1.50}']


@pytest.mark.parametrize("options", [{"multiLine": "true"}, {"recordPath": "r.all"}])
def test_documents_keep_them_too(loads: Any, put: Put, options: dict[str, str]) -> None:
    records = [{"id": 1, "x": {"y": "z"}}, {"id": 2}, {"id": 3, "p": {"q": 1, "r": 2}}]
    put("a.json", json.dumps(records if "multiLine" in options else {"r": {"all": records, "beside": 1}}))
    result = loads.load("id BIGINT, p STRUCT<q: INT>", unknown_fields=RESCUE, options=options)
    assert rescued(result, "a.json") == ['{"x":{"y":"z"}}', None, '{"p":{"r":2}}']


def test_csv_columns_that_the_schema_does_not_know_are_kept_by_their_names(loads: Any, put: Put) -> None:
    put("plain.csv", "id,new,name,Other\n1,a/b,x,7\n2,,y,\n3,\tt,z,é\n")
    put("quoted.csv", 'Other,id,,name\n"line\nend",1,0,x\n"say ""hi""",2,1,y\n"",3,,z\n,4,,\n')
    put("known.csv", "id,name\n1,x\n")
    result = loads.load("id BIGINT, name STRING", format_type=FormatType.CSV, unknown_fields=RESCUE)
    assert rescued(result, "plain.csv") == ['{"Other":"7","new":"a/b"}', None, '{"Other":"é","new":"\\tt"}']
    assert rescued(result, "quoted.csv") == [
        '{"Other":"line\\nend","_c2":"0"}',
        '{"Other":"say \\"hi\\"","_c2":"1"}',
        '{"Other":""}',
        None,
    ]
    assert rescued(result, "known.csv") == [None]


def test_xml_keeps_children_and_attributes_also_of_elements_that_are_read_as_texts(loads: Any, put: Put) -> None:
    body = """<s><r><id>1</id><price unit="EUR">5</price><new>a</new><new b="c">d</new></r>
    <r><id>2</id><price>6</price><tag>x</tag><tag k="v">y</tag></r><r><id>3</id><in n="1" m="2">t</in></r></s>"""
    put("a.xml", body)
    ddl = "id BIGINT, price DECIMAL(5,2), tag ARRAY<STRING>, in STRUCT<_n: INT>"
    options = {"rowTag": "r"}
    result = loads.load(ddl, format_type=FormatType.XML, options=options, unknown_fields=RESCUE)
    assert rescued(result, "a.xml") == [
        '{"new":["a",{"_b":"c","_VALUE":"d"}],"price":{"_unit":"EUR"}}',
        '{"tag":[null,{"_k":"v"}]}',
        '{"in":{"_VALUE":"t","_m":"2"}}',
    ]
    refused = loads.load(ddl, format_type=FormatType.XML, options=options, unknown_fields=FAIL)
    assert refused.failure("a.xml") == ("BadRecord", 'element 1: the field "new" is not in the schema (unknown_field)')


def test_a_field_that_is_to_fail_makes_its_record_bad(loads: Any, put: Put) -> None:
    put(
        "a.json", '{"id": 1}\n{"id": 2, "p": {"q": 1, "z": 2, "y": 3}}\n{"id": "x", "new": 1}\n{"id": 4, "new": null}\n'
    )
    put("good.json", '{"id": 5, "p": {"q": 1}}\n')
    ddl = "id BIGINT, p STRUCT<q: INT>"
    result = loads.load(ddl, unknown_fields=FAIL)
    assert result.values("id") == [5]
    assert result.failure("a.json") == ("BadRecord", 'line 2: the field "p.y" is not in the schema (unknown_field)')
    set_apart = loads.load(ddl, unknown_fields=FAIL, bad_records=QUARANTINE)
    assert set_apart.values("id") == [1, 4, 5]
    assert sorted((r["line"], r["column_name"], r["reason"], r["message"], r["raw"]) for r in set_apart.rejects) == [
        (
            2,
            "p.y",
            "unknown_field",
            'line 2: the field "p.y" is not in the schema (unknown_field)',
            '{"id": 2, "p": {"q": 1, "z": 2, "y": 3}}',
        ),
        (3, "id", "not_bigint", 'line 3, column "id": "x" is not a BIGINT (not_bigint)', '{"id": "x", "new": 1}'),
    ]


def test_a_csv_column_that_is_to_fail_makes_the_records_bad_that_have_a_value_there(loads: Any, put: Put) -> None:
    put("a.csv", "id,new\n1,\n2,x\n")
    put("b.csv", 'id,more,new\n1,,\n2,"a\nb",x\n')
    usual = {"format_type": FormatType.CSV, "unknown_fields": FAIL}
    result = loads.load("id BIGINT", **usual)
    assert [result.failure(name)[1] for name in ("a.csv", "b.csv")] == [
        'line 3: the field "new" is not in the schema (unknown_field)',
        'line 3: the field "more" is not in the schema (unknown_field)',
    ]
    set_apart = loads.load("id BIGINT", bad_records=QUARANTINE, **usual)
    assert set_apart.values("id") == [1, 1]
    assert sorted((r["column_name"], r["reason"]) for r in set_apart.rejects) == [
        ("more", "unknown_field"),
        ("new", "unknown_field"),
    ]


def test_ignored_fields_leave_no_trace(loads: Any, put: Put) -> None:
    put("a.json", '{"id": 1, "new": 2}\n')
    result = loads.load("id BIGINT", unknown_fields=UnknownFields.IGNORE)
    assert [set(row) & {"new", "_rescued_data"} for row in result.rows] == [set()]


def parquet(**columns: pa.Array[Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def orc(**columns: pa.Array[Any]) -> bytes:
    sink = io.BytesIO()
    po.write_table(pa.table(columns), sink)
    return sink.getvalue()


TYPED = "id BIGINT, page STRUCT<n: BIGINT>, all ARRAY<STRUCT<n: BIGINT>>"


def test_parquet_keeps_every_value_so_that_it_can_be_read_again(loads: Any, put: Put) -> None:
    at = datetime(2024, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
    body = parquet(
        id=pa.array([1, 2]),
        page=pa.array([{"n": 1, "m": 2}, {"n": 1, "m": None}]),
        all=pa.array([[{"n": 1, "m": "x"}, None, {"n": 2, "m": None}], []]),
        big=pa.array([2**64 - 1, None], pa.uint64()),
        price=pa.array([Decimal("1.50"), None], pa.decimal128(38, 2)),
        at=pa.array([at, None], pa.timestamp("us", tz="UTC")),
        raw=pa.array([b"\x00\xff", None]),
        odd=pa.array([float("nan"), 0.25]),
        s=pa.array([{"a": 'say "hi"', "b": None}, None]),
        m=pa.array([[("k", 1), ("a", None)], []], pa.map_(pa.string(), pa.int32())),
        t=pa.array([[time(1, 2, 3), None], None], pa.list_(pa.time64("us"))),
    )
    put("a.parquet", body)
    put("plain.parquet", parquet(id=pa.array([1])))
    result = loads.load(TYPED, format_type=FormatType.PARQUET, unknown_fields=RESCUE)
    assert rescued(result, "a.parquet") == [
        (
            '{"all":[{"m":"x"},null,null],"at":"2024-01-15 10:30:00.123456+00","big":18446744073709551615,'
            '"m":{"a":null,"k":1},"odd":"nan","page":{"m":2},"price":1.50,"raw":"AP8=",'
            '"s":{"a":"say \\"hi\\"","b":null},"t":["01:02:03",null]}'
        ),
        '{"m":{},"odd":0.25}',
    ]
    assert rescued(result, "plain.parquet") == [None]


def test_a_typed_file_fails_by_a_column_that_is_to_fail_whatever_its_values(loads: Any, put: Put) -> None:
    put("a.parquet", parquet(id=pa.array([1]), new=pa.array([None], pa.int64())))
    put("b.parquet", parquet(id=pa.array([1]), page=pa.array([{"n": 1, "m": 2}])))
    put("c.parquet", parquet(id=pa.array([1]), page=pa.array([{"n": 1}])))
    result = loads.load(TYPED, format_type=FormatType.PARQUET, unknown_fields=FAIL)
    assert result.values("id") == [1]
    assert [result.failure(f"{name}.parquet") for name in "ab"] == [
        ("TypeMismatch", 'the field "new" of the file is not in the schema (unknown_field)'),
        ("TypeMismatch", 'the field "page.m" of the file is not in the schema (unknown_field)'),
    ]


def test_avro_and_orc_keep_theirs_too(loads: Any, put: Put) -> None:
    put("a.orc", orc(id=pa.array([1, 2]), new=pa.array(["x", None]), page=pa.array([{"n": 1, "m": 2}, None])))
    result = loads.load(TYPED, format_type=FormatType.ORC, unknown_fields=RESCUE)
    assert rescued(result, "a.orc") == ['{"new":"x","page":{"m":2}}', None]
    put("a.orc", "")
    fields = [
        {"name": "id", "type": "long"},
        {"name": "new", "type": ["null", "int"]},
        {"name": "any", "type": ["null", "int", "string"]},
    ]
    sink = io.BytesIO()
    records = [{"id": 1, "new": 5, "any": "x"}, {"id": 2, "new": None, "any": None}]
    fastavro.writer(sink, {"type": "record", "name": "r", "fields": fields}, records)
    put("a.avro", sink.getvalue())
    files = [file for file in loads.files() if file.path.endswith("avro")]
    result = loads.load(TYPED, format_type=FormatType.AVRO, unknown_fields=RESCUE, files=files)
    assert rescued(result, "a.avro") == ['{"any":"\\"x\\"","new":5}', None]


KEYS = st.sampled_from(["id", "x", "yy", "ID", "é", "p", "a.b"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.dictionaries(KEYS, SCALARS, max_size=2))
RECORDS = st.lists(st.dictionaries(KEYS.filter(lambda key: key != "id"), VALUES, max_size=4), min_size=1, max_size=6)


@pytest.mark.parametrize("loads", ["embedded"], indirect=True)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, ascii_only=st.booleans())
def test_what_is_kept_is_what_was_written_whichever_way_it_was_read(
    loads: Any,
    put: Put,
    records: list[dict[str, Any]],
    ascii_only: bool,  # noqa: FBT001  Hypothesis names it
) -> None:
    put("a.json", "\n".join(json.dumps({"id": at, **r}, ensure_ascii=ascii_only) for at, r in enumerate(records)))
    kept = rescued(loads.load("id BIGINT", unknown_fields=RESCUE), "a.json")
    expected = [dict(sorted((name, v) for name, v in record.items() if v is not None)) for record in records]
    texts = [json.dumps(left, ensure_ascii=False, separators=(",", ":")) if left else None for left in expected]
    assert kept == texts


def test_files_with_plain_unknown_fields_are_read_fast_and_those_that_hide_a_key_twice_are_not(
    loads: Any, put: Put
) -> None:
    plain = "".join(f'{{"id": {at}, "x": "v{at}", "n": {at}.5, "l": [1, "a", null]}}\n' for at in range(1, 200))
    put("plain.json", plain)
    put("more.json", '{"id": 1000, "x": null, "later": true}\n{"id": 1001}\n')
    put("twice.json", plain.replace('"id": 7,', '"x": 1, "id": 7,'))
    put("object.json", '{"id": 2000, "o": {"a": [1.5, "x"], "b": {}}}\n{"id": 2001, "o": {"b": null, "a": 1}}\n')
    put("within.json", '{"id": 1, "x": 5}\n{"id": 1, "x": {"a": 1, "a": 2}}\n')
    put("value.json", plain.replace('"id": 9,', '"id": "nine",'))
    result = loads.load("id BIGINT", unknown_fields=RESCUE)
    assert rescued(result, "plain.json")[:2] == [
        '{"l":[1,"a",null],"n":1.5,"x":"v1"}',
        '{"l":[1,"a",null],"n":2.5,"x":"v2"}',
    ]
    assert rescued(result, "object.json") == ['{"o":{"a":[1.5,"x"],"b":{}}}', '{"o":{"b":null,"a":1}}']
    assert rescued(result, "more.json") == ['{"later":true}', None]
    told = {name: result.failure(f"{name}.json")[1] for name in ("twice", "within", "value")}
    assert told == {
        "twice": 'line 7: the record is malformed: the key "x" comes twice',
        "within": 'line 2: the record is malformed: the key "a" comes twice',
        "value": 'line 9, column "id": "nine" is not a BIGINT (not_bigint)',
    }
