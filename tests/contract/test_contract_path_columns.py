"""Columns whose values stand in the key of a file, through either engine."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from autoloader.model import FormatType, UnknownFields

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

DDL = "id BIGINT, dt DATE, hour INT"


def by_id(result: Any, *columns: str) -> dict[int, tuple[Any, ...]]:
    return {row["id"]: tuple(row[column] for column in columns) for row in result.rows}


def test_folders_of_the_key_become_columns_typed_by_the_schema(loads: Any, put: Put) -> None:
    put("dt=2024-01-15/hour=07/a.json", '{"id": 1}\n')
    put("dt=2024-01-16/hour=__HIVE_DEFAULT_PARTITION__/b.json", '{"id": 2}\n{"id": 3}\n')
    put("dt=1999-01-01/x=1/dt=2024-01-17/hour=-1/c.json", '{"id": 4}\n')
    result = loads.load(DDL, path_columns=("dt", "hour"))
    assert by_id(result, "dt", "hour") == {
        1: (date(2024, 1, 15), 7),
        2: (date(2024, 1, 16), None),
        3: (date(2024, 1, 16), None),
        4: (date(2024, 1, 17), -1),
    }


def test_texts_are_percent_decoded_and_strings_where_the_schema_says_nothing(loads: Any, put: Put) -> None:
    values = {"a%2Fb": "a/b", "1+1": "1+1", "50%25": "50%", "%C3%A9 é": "é é", "": "", "x=y": "x=y", "007": "007"}
    for at, text in enumerate(values):
        put(f"where={text}/{at}.json", f'{{"id": {at}}}\n')
    result = loads.load("id BIGINT", path_columns=("where",))
    assert by_id(result, "where") == {at: (text,) for at, text in enumerate(values.values())}


def test_a_key_without_the_folder_or_with_another_kind_of_value_fails_its_file_alone(loads: Any, put: Put) -> None:
    put("dt=2024-01-15/hour=1/good.json", '{"id": 1}\n')
    put("dt=2024-01-15/hour=1/empty.json", "")
    put("dt=2024-01-15/lacks.json", '{"id": 2}\n')
    put("hour=1/dt=2024-01-15", '{"id": 2}\n')
    put("dt=2024-02-30/hour=1/day.json", '{"id": 3}\n')
    put("dt=2024-01-15/hour=99999999999/hour.json", '{"id": 4}\n')
    put("dt=%FF/hour=1/bytes.json", '{"id": 5}\n')
    result = loads.load(DDL, path_columns=("dt", "hour"))
    assert result.values("id") == [1]
    told = {name: result.failure(name) for name, outcome in result.outcomes.items() if outcome.error_type}
    advice = "which path_columns needs: mend the key, or leave such files out by source_file_pattern"
    assert told == {
        "dt=2024-01-15/lacks.json": ("PathMismatch", f"the key has no folder hour=…/, {advice}"),
        "hour=1/dt=2024-01-15": ("PathMismatch", f"the key has no folder dt=…/, {advice}"),
        "dt=2024-02-30/hour=1/day.json": (
            "PathMismatch",
            'the folder dt="2024-02-30" of the key is not a DATE (not_date)',
        ),
        "dt=2024-01-15/hour=99999999999/hour.json": (
            "PathMismatch",
            'the folder hour="99999999999" of the key is out of range (out_of_range)',
        ),
        "dt=%FF/hour=1/bytes.json": (
            "PathMismatch",
            "the folder dt=%FF of the key is not UTF-8 once it is percent-decoded",
        ),
    }


def test_a_field_of_the_records_with_the_name_of_a_path_column_is_unknown(loads: Any, put: Put) -> None:
    put("dt=2024-01-15/a.json", '{"id": 1, "dt": "1999-01-01"}\n')
    result = loads.load("id BIGINT, dt DATE", path_columns=("dt",), unknown_fields=UnknownFields.RESCUE)
    assert by_id(result, "dt", "_rescued_data") == {1: (date(2024, 1, 15), '{"dt":"1999-01-01"}')}


def test_they_are_there_in_every_format_and_partition_the_table(loads: Any, put: Put) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": pa.array([1])}), sink)
    put("dt=2024-01-15/hour=1/a.parquet", sink.getvalue())
    partition = [("dt", "identity"), ("hour", "bucket[4]")]
    usual: dict[str, Any] = {"path_columns": ("dt", "hour"), "partition": partition}
    result = loads.load(DDL, format_type=FormatType.PARQUET, **usual)
    assert by_id(result, "dt", "hour") == {1: (date(2024, 1, 15), 1)}
    assert [len(made.partition) for made, _ in result.data_files] == [2]
    put("dt=2024-01-15/hour=1/a.parquet", "")
    put("dt=2024-01-16/hour=2/b.csv", "id\n2\n")
    put("dt=2024-01-17/hour=2/b.csv", 'id\n"3"\n')
    files = [file for file in loads.files() if file.path.endswith("csv")]
    result = loads.load(DDL, format_type=FormatType.CSV, files=files, **usual)
    assert by_id(result, "dt", "hour") == {2: (date(2024, 1, 16), 2), 3: (date(2024, 1, 17), 2)}
    assert len(result.data_files) == 2
