"""Fields that are to become columns: their types rest on every value, however few texts are remembered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from autoloader.engines.embedded import newcomers
from autoloader.engines.embedded.evidence import Place
from autoloader.engines.embedded.inference import Judge, thinned
from autoloader.engines.embedded.newcomers import Newcomers
from autoloader.engines.embedded.strict_json import parsed
from autoloader.engines.options import CsvOptions, JsonOptions, ParquetOptions
from autoloader.model import DataFile
from autoloader.schema import to_ddl
from autoloader.schema.types import Schema

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

LARGE = ["9223372036854775807", "9223372036854775808"]
PRECISE = "0.1000000000000000055511151231257827021"
NUMBERS = st.sampled_from(["0", "-0", "1", "-1", "1.5", "-0.1", "1e3", "1e400", "1.50", PRECISE, *LARGE])
INSTANTS = ["2024-01-15", "2024-02-30", "2024-01-15T10:00:00Z"]
STRINGS = st.sampled_from(["", "true", "FALSE", "x", "007", "12", "1.5", *INSTANTS])
VALUES = st.recursive(
    NUMBERS | STRINGS.map(json.dumps) | st.sampled_from(["null", "true"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{','.join(parts)}]")
        | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2).map(
            lambda members: "{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}"
        )
    ),
    max_leaves=6,
)


@given(values=st.lists(VALUES, max_size=12), options=st.sampled_from([JsonOptions(), CsvOptions()]))
def test_what_is_forgotten_does_not_change_the_type(values: list[str], options: JsonOptions | CsvOptions) -> None:
    whole, thin = Place(), Place()
    with Judge(options) as judge:
        for value in values:
            whole.see(parsed(value))
            thin.see(parsed(value))
            thinned(thin, judge)
        assert judge.type(thin) == judge.type(whole)


def columns(folder: Path, *records: Any, known: tuple[str, ...] = ("id",)) -> str:
    """What records with these unknown fields ask for, as DDL."""
    seen = Newcomers(known, JsonOptions())
    texts = [None if record is None else json.dumps(record) for record in records]
    path = folder / "a.parquet"
    pq.write_table(pa.table({"_rescued_data": pa.array(texts, pa.string())}), path)
    seen.look_into([DataFile(location=path, records=len(texts))])
    return to_ddl(Schema(seen.columns()))


def test_only_names_that_a_table_can_have_are_asked_for(tmp_path: Path) -> None:
    found = columns(tmp_path, {"new": 1, "NEW": 2, "Id": 3, "": 4, "page": {"x": 5}, "_load_id": 6, "ok": True}, None)
    assert found == "NEW BIGINT, ok BOOLEAN, page STRUCT<x: BIGINT>"
    assert columns(tmp_path, {"page": {"x": 1}}, known=("id", "page")) == ""


def test_memory_does_not_grow_with_the_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newcomers, "_TEXTS_HELD", 10)
    records = [{"n": at, "s": f"2024-01-{at % 28 + 1:02}", "x": f"{at}"} for at in range(500)]
    seen = Newcomers(["id"], JsonOptions())
    path = tmp_path / "a.parquet"
    for _ in range(3):
        pq.write_table(pa.table({"_rescued_data": [json.dumps(record) for record in records]}), path)
        seen.look_into([DataFile(location=path, records=500)])
        assert seen._top.texts < 20
    assert to_ddl(Schema(seen.columns())) == "n BIGINT, s DATE, x STRING"


def test_columns_of_typed_files_are_as_wide_as_their_kind_and_those_that_contradict_each_other_are_left_out() -> None:
    seen = Newcomers(["id"], ParquetOptions())
    seen.see_typed([pa.field("n", pa.int32()), pa.field("f", pa.float32()), pa.field("m", pa.int64())])
    seen.see_typed([pa.field("n", pa.int64()), pa.field("m", pa.string()), pa.field("u", pa.uint64())])
    seen.see_typed([pa.field("m", pa.int64()), pa.field("d", pa.decimal128(5, 2))])
    assert to_ddl(Schema(seen.columns())) == "d DECIMAL(38,2), f DOUBLE, n BIGINT"
