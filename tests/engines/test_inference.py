"""A schema told from samples: wide enough for all of them, and nothing is lost by loading them."""

from __future__ import annotations

import io
import json
from decimal import Decimal as Number
from typing import TYPE_CHECKING, Any

import duckdb
import fastavro
import pyarrow as pa
import pyarrow.orc as po
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoloader.engines.embedded import values
from autoloader.engines.embedded.inference import infer_schema
from autoloader.engines.embedded.showing import show
from autoloader.engines.embedded.sql import SESSION
from autoloader.engines.options import JsonOptions, parse_options
from autoloader.errors import UsageError
from autoloader.model import FormatType
from autoloader.schema import parse_hints, to_ddl
from autoloader.schema.types import Decimal, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def infer(tmp_path: Path) -> Callable[..., str]:
    """The DDL inferred from files with these contents."""

    def inferred(format_type: FormatType, *contents: str | bytes, **options: str) -> str:
        paths = []
        for number, content in enumerate(contents):
            path = tmp_path / str(number)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            paths.append(path)
        return to_ddl(infer_schema(paths, format_type, parse_options(format_type, options)))

    return inferred


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["1", "-7", "9223372036854775807"], "BIGINT"),
        (["1", "9223372036854775808"], "DECIMAL(38,0)"),
        (["1" * 39], "STRING"),
        (["1", "2.5"], "DOUBLE"),
        (["1.0"], "DOUBLE"),
        (["1e3"], "DOUBLE"),
        (["0.1", "0.30000000000000004"], "DOUBLE"),
        (["0.1000000000000000055511151231257827"], "DECIMAL(38,34)"),
        (["9007199254740993", "0.5"], "DECIMAL(38,1)"),
        (["1e400"], "STRING"),
        (["1e99999999999999999999"], "STRING"),
        (["1", "true"], "STRING"),
        (["true", "false", "null"], "BOOLEAN"),
        (["1", '"1"'], "STRING"),
        (['"1"'], "STRING"),
        (['"true"'], "STRING"),
        (["null"], "STRING"),
        (['"2024-01-15"'], "DATE"),
        (['"2024-01-15"', '"2024-01-15T10:00:00+02:00"'], "TIMESTAMP"),
        (['"2024-01-15"', '"2024-02-30"'], "STRING"),
        (['"2024-01-15T10:00:00"', '""'], "STRING"),
        (["[]"], "ARRAY<STRING>"),
        (["[1]", "[null, 2.5]", "null"], "ARRAY<DOUBLE>"),
        (["[[1], []]"], "ARRAY<ARRAY<BIGINT>>"),
        (["{}"], "STRING"),
        (['{"x": 1}', '{"y": "a"}'], "STRUCT<x: BIGINT, y: STRING>"),
        (['{"x": 1}', "[1]"], "STRING"),
        (['{"x": 1}', "1"], "STRING"),
        (['{"x": 1, "X": 2}'], "STRING"),
        (['{"": 1}'], "STRING"),
        (["[" * 30 + "]" * 30], "ARRAY<" * 20 + "STRING" + ">" * 20),
    ],
)
def test_a_json_column_gets_the_narrowest_type_that_loses_nothing(
    infer: Callable[..., str], texts: list[str], told: str
) -> None:
    assert infer(FormatType.JSON, "\n".join(f'{{"a": {text}}}' for text in texts)) == f"a {told}"


def test_columns_come_in_order_of_first_appearance_over_all_files(infer: Callable[..., str]) -> None:
    first, second = lines({"b": 1, "a": "x"}, {"c": True}), lines({"d": 1, "b": 2.5})
    assert infer(FormatType.JSON, first, second) == "b DOUBLE, a STRING, c BOOLEAN, d BIGINT"


def test_an_object_used_as_a_dictionary_becomes_text(infer: Callable[..., str]) -> None:
    records = [{"by_user": {f"user-{number}": 1}} for number in range(300)]
    assert infer(FormatType.JSON, lines(*records)) == "by_user STRING"


def test_an_object_with_many_fields_in_every_record_stays_a_struct(infer: Callable[..., str]) -> None:
    told = infer(FormatType.JSON, lines(*[{"m": {f"f{number}": number for number in range(300)}}] * 3))
    assert told.startswith("m STRUCT<f0: BIGINT, f1: BIGINT")


def test_broken_lines_say_nothing_and_keep_the_others_from_nothing(infer: Callable[..., str]) -> None:
    text = '\ufeff{"a": 1}\r\n\r\nnot json\n{"a": 1, "a": "x"}\n[1]\n{"a": NaN}\n{"b": 2'
    assert infer(FormatType.JSON, text, b"\xff\xfe\x00\x01") == "a BIGINT"


def test_documents_are_read_element_by_element(infer: Callable[..., str]) -> None:
    assert infer(FormatType.JSON, '[{"a": 1},\n {"a": 2.5, "b": "x"}]', '{"c": 1}', multiLine="true") == (
        "a DOUBLE, b STRING, c BIGINT"
    )
    assert infer(FormatType.JSON, '[{"a": 1}, {"b": 2}, broken]', multiLine="true") == "a BIGINT, b BIGINT"


def test_patterns_decide_what_a_date_is(infer: Callable[..., str]) -> None:
    text = lines({"d": "05.01.2024", "at": "05.01.2024 10:11", "iso": "2024-01-05"})
    assert infer(FormatType.JSON, text, dateFormat="dd.MM.yyyy", timestampFormat="dd.MM.yyyy HH:mm") == (
        "d DATE, at TIMESTAMP, iso STRING"
    )
    assert infer(FormatType.CSV, "day,n\n20240105,7\n", dateFormat="yyyyMMdd") == "day DATE, n BIGINT"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (["1", "", "2"], "BIGINT"),
        (["1", "2.5", "1e3"], "DOUBLE"),
        (["007"], "STRING"),
        (["+4930123456"], "STRING"),
        (["1", "x"], "STRING"),
        (["TRUE", "false"], "BOOLEAN"),
        (["1", "true"], "STRING"),
        (["yes"], "STRING"),
        (["2024-01-15", ""], "DATE"),
        (["2024-01-15 10:00:00", "2024-01-15"], "TIMESTAMP"),
        (["", '""'], "STRING"),
        (["NaN", "1.5"], "STRING"),
        (['"1"', "2"], "BIGINT"),
        (['"a\nb"', '"say ""hi"""'], "STRING"),
        ([" 1"], "STRING"),
    ],
)
def test_a_csv_column_gets_the_narrowest_type_that_loses_nothing(
    infer: Callable[..., str], fields: list[str], told: str
) -> None:
    assert infer(FormatType.CSV, "k,a\r\n" + "".join(f"x,{field}\r\n" for field in fields)) == f"k STRING, a {told}"


def test_csv_options_are_followed(infer: Callable[..., str]) -> None:
    text = "# made by hand\n\na;'b;c'\n# between\n1;NA\n2;'it\\'s'\n"
    options = {"sep": ";", "quote": "'", "escape": "\\", "comment": "#", "nullValue": "NA"}
    assert infer(FormatType.CSV, text, **options) == "a BIGINT, `b;c` STRING"
    assert infer(FormatType.CSV, "a,b\n1,é\n".encode("utf-16"), encoding="utf-16") == "a BIGINT, b STRING"


def test_csv_files_with_different_headers_give_all_columns(infer: Callable[..., str]) -> None:
    assert infer(FormatType.CSV, "a,b\n1,x\n", "b,c\ny,2.5\n") == "a BIGINT, b STRING, c DOUBLE"


@pytest.mark.parametrize(
    ("format_type", "contents", "options", "told"),
    [
        (FormatType.JSON, [], {}, "no file to infer it from was found"),
        (FormatType.JSON, ["", "\n\n"], {}, "the 2 sampled files hold no readable json record"),
        (FormatType.JSON, ["nothing like it"], {}, "check the format and its options, or write a schema_json"),
        (FormatType.PARQUET, ["PAR0"], {}, "no readable parquet record"),
        (FormatType.CSV, ["a,b\n"], {}, "no readable csv record"),
        (FormatType.CSV, ["a,b,a\n1,2,3\n"], {}, "names a more than once"),
        (FormatType.CSV, ["1,2\n"], {"header": "false"}, "without a header need a schema_json"),
        (FormatType.JSON, ['{"a": 1, "A": 2}'], {}, "two columns are named a and A"),
        (FormatType.JSON, ['{"_load_id": "x"}'], {}, "_load_id is written by the service"),
        (FormatType.JSON, ['{"": 1}'], {}, "a column has an empty name"),
    ],
)
def test_a_sample_that_tells_no_schema_is_refused_with_what_to_do(
    infer: Callable[..., str], format_type: FormatType, contents: list[str], options: dict[str, str], told: str
) -> None:
    with pytest.raises(UsageError, match="schema") as refusal:
        infer(format_type, *contents, **options)
    assert told in str(refusal.value)
    assert refusal.value.field == "schema_json"


def parquet(path: Path, **arrays: pa.Array[Any]) -> Path:
    pq.write_table(pa.table(arrays), path)
    return path


def test_parquet_types_are_kept_and_widened_by_icebergs_promotions_only(tmp_path: Path) -> None:
    first = parquet(
        tmp_path / "1",
        i=pa.array([1], pa.int16()),
        u=pa.array([1], pa.uint32()),
        f=pa.array([1.5], pa.float32()),
        p=pa.array([Number("1.50")], pa.decimal128(5, 2)),
        utc=pa.array([0], pa.timestamp("ms", "Europe/Berlin")),
        ntz=pa.array([0], pa.timestamp("us")),
        d=pa.array([0], pa.date32()),
        b=pa.array([b"x"], pa.binary()),
        s=pa.array(["x"]).dictionary_encode(),
        l=pa.array([[1]], pa.list_(pa.int32())),
        m=pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        z=pa.array([{"x": 1}], pa.struct([("x", pa.int64())])),
    )
    second = parquet(
        tmp_path / "2",
        i=pa.array([1], pa.int64()),
        f=pa.array([1.5], pa.float64()),
        p=pa.array([Number("1.50")], pa.decimal128(9, 2)),
        more=pa.array([True]),
    )
    assert to_ddl(infer_schema([first, second], FormatType.PARQUET, parse_options(FormatType.PARQUET, {}))) == (
        "i BIGINT, u BIGINT, f DOUBLE, p DECIMAL(9,2), utc TIMESTAMP, ntz TIMESTAMP_NTZ, d DATE, b BINARY, s STRING, "
        "l ARRAY<INT>, m MAP<STRING, BIGINT>, z STRUCT<x: BIGINT>, more BOOLEAN"
    )


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (pa.uint64(), "column a has the Parquet type uint64"),
        (pa.timestamp("ns"), "column a has the Parquet type timestamp[ns]"),
        (pa.time64("us"), "column a has the Parquet type time64[us]"),
        (pa.decimal256(40, 2), "column a has the Parquet type decimal256(40, 2)"),
        (pa.struct([("x", pa.list_(pa.uint64()))]), "column a.x.element has the Parquet type uint64"),
    ],
)
def test_a_parquet_type_without_a_home_is_refused_by_name(tmp_path: Path, kind: pa.DataType, told: str) -> None:
    path = parquet(tmp_path / "1", a=pa.array([None], kind))
    with pytest.raises(UsageError) as refusal:
        infer_schema([path], FormatType.PARQUET, parse_options(FormatType.PARQUET, {}))
    assert told in str(refusal.value)


def test_parquet_files_that_contradict_each_other_are_refused_with_both_types(tmp_path: Path) -> None:
    paths = [parquet(tmp_path / "1", a=pa.array([1])), parquet(tmp_path / "2", a=pa.array(["1"]))]
    with pytest.raises(UsageError, match="column a is BIGINT in one file and STRING in another"):
        infer_schema(paths, FormatType.PARQUET, parse_options(FormatType.PARQUET, {}))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:E}")
    | st.sampled_from(["2024-01-15", "2024-01-15T10:00:00Z", "2024-02-30", "24:00", "", "1"])
)


@settings(deadline=None, max_examples=30)  # each example opens databases
@given(st.lists(SCALARS, min_size=1, max_size=6))
def test_every_sampled_value_loads_without_being_bad_or_changed(tmp_path_factory: Any, found: list[Any]) -> None:
    path = tmp_path_factory.mktemp("sample") / "sample"
    path.write_text(lines(*({"a": value} for value in found)))
    (column,) = infer_schema([path], FormatType.JSON, JsonOptions()).columns
    assert isinstance(column.type, (Scalar, Decimal))
    texts = [value if isinstance(value, str) else json.dumps(value) for value in found if value is not None]
    with duckdb.connect() as duck:
        for statement in SESSION:
            duck.execute(statement)
        judgement = f"{values.typed(column.type, 'x', JsonOptions())}, {values.reason(column.type, 'x', JsonOptions())}"
        rows = duck.execute(f"SELECT x, {judgement} FROM (SELECT unnest($1::VARCHAR[]) AS x)", [texts]).fetchall()
    for text, value, reason in rows:
        assert reason is None
        if isinstance(value, (int, float, Number)) and not isinstance(value, bool):
            assert Number(repr(value) if isinstance(value, float) else value) == Number(text)


def test_xml_elements_get_one_form_over_all_files(infer: Callable[..., str]) -> None:
    first = '<s><r id="1"><n>1</n><t>a</t><p>5</p><e/></r><r><n/><p unit="EUR">6.5</p></r></s>'
    second = '<s><r id="x"><t>b</t><t at="2026-01-01">c</t><q><z>1</z></q></r><r><q><z>2</z></q><broken></r></s>'
    assert infer(FormatType.XML, first, second, "not xml", rowTag="r") == (
        "_id STRING, n BIGINT, t ARRAY<STRUCT<_VALUE: STRING, _at: DATE>>, p STRUCT<_VALUE: DOUBLE, _unit: STRING>, "
        "e STRING, q STRUCT<z: BIGINT>"
    )


def test_plain_text_has_the_columns_that_its_options_ask_for(infer: Callable[..., str]) -> None:
    assert infer(FormatType.TEXT, "1\n2\n") == "value STRING"
    assert infer(FormatType.TEXT, "1\n2\n", lineNumber="no") == "value STRING, no BIGINT"


def test_avro_and_orc_files_tell_their_own_schema(infer: Callable[..., str]) -> None:
    page = {"type": "record", "name": "page", "fields": [{"name": "x", "type": ["null", "long"]}]}
    fields: dict[str, Any] = {"i": "int", "at": {"type": "long", "logicalType": "timestamp-micros"}, "p": page}
    first = avro(fields)
    head = avro({"s": "string"}, *({"s": "x" * 100} for _ in range(1000)))[:2000]
    assert infer(FormatType.AVRO, first, b"not avro", head) == ("i INT, at TIMESTAMP, p STRUCT<x: BIGINT>, s STRING")
    assert infer(FormatType.AVRO, first, avro({"i": "long"})) == "i BIGINT, at TIMESTAMP, p STRUCT<x: BIGINT>"
    sink = io.BytesIO()
    columns = {"at": pa.array([1], pa.timestamp("ns", "UTC")), "ntz": pa.array([1], pa.timestamp("ns"))}
    po.write_table(pa.table(columns | {"t": pa.array([[1]], pa.list_(pa.int16()))}), sink)
    assert infer(FormatType.ORC, sink.getvalue()) == "at TIMESTAMP, ntz TIMESTAMP_NTZ, t ARRAY<INT>"


def test_an_avro_column_without_a_type_here_is_refused_by_its_name(infer: Callable[..., str]) -> None:
    for kind in (["int", "string"], {"type": "long", "logicalType": "time-micros"}):
        with pytest.raises(UsageError, match="the column odd has the Avro type"):
            infer(FormatType.AVRO, avro({"odd": kind}))


def avro(fields: dict[str, Any], *records: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    schema = {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in fields.items()]}
    fastavro.writer(sink, schema, records)
    return sink.getvalue()


@settings(deadline=None, max_examples=20)
@given(
    found=st.lists(
        st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS, min_size=1), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    ),
    shuffle=st.randoms(),
)
def test_the_order_of_files_does_not_matter_for_any_type(tmp_path_factory: Any, found: list[Any], shuffle: Any) -> None:
    folder = tmp_path_factory.mktemp("files")
    paths = [folder / str(number) for number in range(len(found))]
    for path, records in zip(paths, found, strict=True):
        path.write_text(lines(*records))
    others = list(paths)
    shuffle.shuffle(others)

    one, other = (infer_schema(order, FormatType.JSON, JsonOptions()) for order in (paths, others))

    assert {c.name: c.type for c in one.columns} == {c.name: c.type for c in other.columns}


@pytest.mark.parametrize(
    ("hints", "told"),
    [
        ("id INT", "id INT, at DATE, s STRUCT<a: BIGINT>"),
        ("ID DECIMAL(10,2)", "id DECIMAL(10,2), at DATE, s STRUCT<a: BIGINT>"),
        ("at STRING, later BOOLEAN", "id BIGINT, at STRING, s STRUCT<a: BIGINT>, later BOOLEAN"),
        ("s STRUCT<a: STRING>", "id BIGINT, at DATE, s STRUCT<a: STRING>"),
        ("s STRING", "id BIGINT, at DATE, s STRING"),
    ],
)
def test_hints_are_taken_in_place_of_what_the_sample_shows(tmp_path: Path, hints: str, told: str) -> None:
    sample = tmp_path / "0"
    sample.write_text(lines({"id": 1, "at": "2024-01-15", "s": {"a": 1}}))

    assert to_ddl(infer_schema([sample], FormatType.JSON, JsonOptions(), parse_hints(hints))) == told


def test_the_evidence_counts_records_nulls_and_files_and_names_the_files_that_disagree(tmp_path: Path) -> None:
    samples = []
    contents: list[list[Any]] = [
        [{"id": 1, "s": {"a": None}, "h": "7"}, {"id": None}],
        [{"id": "x", "s": {"a": True}, "h": "no"}],
    ]
    for number, records in enumerate(contents):
        (tmp_path / str(number)).write_text(lines(*records))
        samples.append((f"s3://b/{number}", tmp_path / str(number)))
    options, hints = JsonOptions(), parse_hints("h INT")
    schema = infer_schema([path for _, path in samples], FormatType.JSON, options, hints)

    evidence, disagreements = show(samples, options, schema, hints)

    assert {
        (e.column, e.type, e.hinted, e.files, e.records, e.of_records, e.nulls, e.types, e.example) for e in evidence
    } == {
        ("id", "STRING", False, 2, 3, 3, 1, ("BIGINT", "STRING"), "1"),
        ("s", "STRUCT<a: BOOLEAN>", False, 2, 2, 3, 0, ("STRUCT<a: STRING>", "STRUCT<a: BOOLEAN>"), None),
        ("s.a", "BOOLEAN", False, 2, 2, 2, 1, ("BOOLEAN",), "true"),
        ("h", "INT", True, 2, 2, 3, 0, ("STRING",), "7"),
    }
    assert [(d.path, d.column, d.message) for d in disagreements] == [
        ("s3://b/0", "id", "BIGINT in this file, STRING in the schema"),
        ("s3://b/1", "h", "this file has values that are no INT, as schema_hints says"),
    ]
