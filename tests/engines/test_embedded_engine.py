"""What holds for every format: versions, cancellation, a full disk, bounded memory, and two paths that agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.patience import eventually

from autoloader.engines.embedded.batching import batches
from autoloader.engines.embedded.screen import Screen, ndjson_pattern
from autoloader.engines.embedded.spool import Segment
from autoloader.engines.embedded.strict_json import NotJson, parsed
from autoloader.errors import LeaseLost, SourceAccessDenied, SourceError, SpoolFull
from autoloader.model import FileStatus
from autoloader.schema.parse import parse_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]


def test_a_file_that_changed_or_vanished_since_it_was_claimed_fails_alone(loads: Any, put: Put, landing: Any) -> None:
    for name in ("changed.json", "gone.json", "good.json"):
        put(name, '{"id": 1}\n')
    files = loads.files()
    put("changed.json", '{"id": 2}\n')
    landing.delete("gone.json")
    result = loads.load("id BIGINT", files=files)
    assert result.failure("changed.json")[0] == "FileChanged"
    assert result.failure("gone.json")[0] == "FileVanished"
    assert {path["_source_file"][-9:] for path in result.rows} == {"good.json"}


def test_a_bucket_that_refuses_us_fails_the_load_and_not_its_files(loads: Any, put: Put, connections: Any) -> None:
    from autoloader.model import SourceCredentials
    from autoloader.objects.s3 import open_s3

    put("a.json", '{"id": 1}\n')
    wrong = replace(connections, s3_secret_access_key="not the key")
    store = open_s3("landing", SourceCredentials(), wrong, 2)
    with pytest.raises(SourceError) as refused:
        loads.load("id BIGINT", store=store)
    assert isinstance(refused.value, SourceAccessDenied)
    store.close()


def test_a_lost_lease_stops_the_engine_between_steps(loads: Any, put: Put) -> None:
    for at in range(20):
        put(f"{at}.json", '{"id": 1}\n')
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 2

    work = loads.work("id BIGINT", cancelled=cancelled)
    written: list[Any] = []
    with pytest.raises(LeaseLost, match=str(work.load_id)):
        loads.engine.prepare(work, written.append, lambda _: None)


def test_an_error_of_put_reaches_the_caller(loads: Any, put: Put) -> None:
    put("a.json", '{"id": 1}\n')

    def refuse(_: object) -> None:
        raise SourceAccessDenied("the lake refuses")

    with pytest.raises(SourceAccessDenied, match="the lake refuses"):
        loads.engine.prepare(loads.work("id BIGINT"), refuse, lambda _: None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_a_full_disk_is_said_to_be_full(tmp_path: Path) -> None:
    full = tmp_path / "segment"
    full.symlink_to("/dev/full")
    segment = Segment(full)
    segment.append(b"x" * 100, longest=100)
    with pytest.raises(SpoolFull, match="No room left in the spool"):
        segment.close()


def test_small_batches_give_the_same_rows_in_more_data_files(loads: Any, put: Put) -> None:
    for at in range(10):
        put(f"{at}.json", f'{{"id": {at}, "s": "{"x" * 400_000}"}}\n')
    loads.engine._batch_bytes = 1_000_000
    result = loads.load("id BIGINT, s STRING")
    assert sorted(row["id"] for row in result.rows) == list(range(10))
    assert len(result.data_files) == 6


def test_a_data_file_is_put_while_the_next_batch_is_parsed(loads: Any, put: Put) -> None:
    for at in range(4):
        put(f"{at}.json", f'{{"id": {at}, "s": "{"x" * 400_000}"}}\n')
    loads.engine._batch_bytes = 1_000_000
    work = loads.work("id BIGINT, s STRING")
    taken: list[int] = []

    def take(made: Any) -> None:
        if not taken:
            eventually((work.spool / "out-1").exists, "the second batch is parsed")
        taken.append(pq.read_metadata(made.location).num_rows)
        made.location.unlink()

    outcomes = loads.engine.prepare(work, take, lambda _: None)
    assert [outcome.status for outcome in outcomes] == [FileStatus.SUCCESS] * 4
    assert sum(taken) == 4


def test_a_batch_holds_whole_files_and_a_larger_file_goes_alone(loads: Any, put: Put) -> None:
    put("a.json", "1")
    (claimed,) = loads.files()
    sizes = [40, 70, 500, 40, 50, 10]
    files = [replace(claimed, file_id=at, size_bytes=size) for at, size in enumerate(sizes)]
    files.append(replace(claimed, file_id=6, path=claimed.path + ".gz", size_bytes=20))
    found = [[ordinal for ordinal, _ in batch] for batch in batches(files, 100)]
    assert found == [[0], [1], [2], [3, 4, 5], [6]]


def test_the_first_batches_are_smaller_where_there_is_enough_for_more_of_them(loads: Any, put: Put) -> None:
    put("a.json", "1")
    (claimed,) = loads.files()

    def sizes(count: int) -> list[int]:
        files = [replace(claimed, file_id=at, size_bytes=10) for at in range(count)]
        return [len(batch) for batch in batches(files, 160)]

    assert sizes(40) == [4, 8, 16, 12]
    assert sizes(8) == [8]


def test_keys_that_are_hard_to_name_are_read_like_any_other(loads: Any, put: Put) -> None:
    names = ["a b.json", "a+b.json", "100%.json", "%20.json", "q?*.json", "quo'te\".json", "é.json", "e\u0301.json"]
    for at, name in enumerate(names):
        put(name, f'{{"id": {at}}}\n')
    result = loads.load("id BIGINT")
    assert {row["id"]: str(row["_source_file"]) for row in result.rows} == {
        at: loads.landing.path + name for at, name in enumerate(names)
    }


DDL = "id BIGINT, s STRING, d DOUBLE, o BOOLEAN, t ARRAY<STRING>, p STRUCT<x: BIGINT, y: ARRAY<DOUBLE>>"
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=True)
BIGINTS = st.integers(-(2**63), 2**63 - 1)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.none() | BIGINTS,
        "s": st.none() | TEXT,
        "d": st.none() | DOUBLES,
        "o": st.none() | st.booleans(),
        "t": st.none() | st.lists(st.none() | TEXT, max_size=3),
        "p": st.none()
        | st.fixed_dictionaries(
            {}, optional={"x": st.none() | BIGINTS, "y": st.none() | st.lists(st.none() | DOUBLES, max_size=3)}
        ),
        "unknown": TEXT,
    },
)


def completed(record: dict[str, Any]) -> dict[str, Any]:
    """A record as a row: every column is there, whatever the schema does not know is not."""
    row = {name: record.get(name) for name in ("id", "s", "d", "o", "t", "p")}
    if row["p"] is not None:
        row["p"] = {name: row["p"].get(name) for name in ("x", "y")}
    return row


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.tuples(st.booleans(), st.lists(RECORDS, max_size=6)), min_size=1, max_size=5))
def test_what_the_json_module_writes_comes_out_equal(loads: Any, landing: Any, files: list[Any]) -> None:
    landing.prefix = f"{landing.prefix.split('/x/')[0].rstrip('/')}/x/{uuid.uuid4().hex}/"
    for at, (escaped, records) in enumerate(files):
        landing.put(f"{at}.json", "".join(json.dumps(r, ensure_ascii=escaped) + "\n" for r in records))
    result = loads.load(DDL)
    found = [{name: row[name] for name in ("id", "s", "d", "o", "t", "p")} for row in result.rows]
    expected = [completed(record) for _, records in files for record in records]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


# Built from the pieces that readers disagree about, so that most examples are nearly right.
WORDS = [
    '{"s":',
    '{"id":',
    '"p":',
    '{"x":',
    "}",
    "]",
    "[",
    ",",
    ":",
    "1",
    "-0",
    "1.50",
    "1e3",
    "NaN",
    "null",
    " ",
    "\t",
]
WORDS += ['"', '"s"', '"a\\u00e9"', '"\\ud800"', '"\\ud83d\\ude00"', '"é"', "true", '"t":["x"]', '"d":0.5', "\\", "\0"]
PIECES = st.lists(st.sampled_from(WORDS), max_size=9).map("".join)


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(PIECES, min_size=50, max_size=200))
def test_nothing_that_is_not_strict_json_is_ever_plain(lines: list[str]) -> None:
    verdicts = SCREEN.plain([line.encode() + b"\n" for line in lines])
    trusted = [line for line, plain in zip(lines, verdicts, strict=True) if plain and line.strip(" \t")]
    for line in trusted:
        assert refusal(line) in {None, "duplicate"}, "only duplicate keys are left to DuckDB, which refuses them"


def refusal(line: str) -> str | None:
    """Why the strict parser does not take the line as a record."""
    try:
        return None if isinstance(parsed(line), dict) else "not an object"
    except NotJson as error:
        return "duplicate" if "comes twice" in str(error) else str(error)


SCREEN = Screen(ndjson_pattern(parse_schema(DDL)))


def both_ways(loads: Any, landing: Any, bodies: list[str]) -> list[Any]:
    """Rows and verdicts of the same lines, once as they are and once with a blank before them: never plain."""
    found = []
    for way, before in (("plain", ""), ("exact", " ")):
        landing.prefix = f"{landing.prefix.split('/x/')[0].rstrip('/')}/x/{way}{uuid.uuid4().hex}/"
        for at, body in enumerate(bodies):
            landing.put(f"{at}.json", before + body + "\n")
        result = loads.load("s STRING, i INT, n DECIMAL(9,3), f FLOAT, d DOUBLE")
        rows = sorted(repr([row[name] for name in ("s", "i", "n", "f", "d")]) for row in result.rows)
        verdicts = {name: (o.status, o.error_message) for name, o in result.outcomes.items()}
        found.append((rows, verdicts))
    return found


NUMBERS = st.one_of(
    st.from_regex(r"\A-?(?:0|[1-9][0-9]{0,21})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,3})?\Z"),
    st.integers(-(2**70), 2**70).map(str),
    DOUBLES.map(repr),
    st.decimals(-(10**6), 10**6, places=3).map(str),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=st.lists(st.tuples(st.sampled_from("sinfd"), NUMBERS), min_size=1, max_size=12))
def test_the_fast_path_and_the_exact_path_agree_on_every_number(loads: Any, landing: Any, numbers: Any) -> None:
    plain, exact = both_ways(loads, landing, [f'{{"{column}":{number}}}' for column, number in numbers])
    assert plain == exact


MEMORY = """
import re, sys, uuid
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.contract.loads import table_shape
from autoloader.engines import Reading, Work
from autoloader.engines.embedded import EmbeddedEngine
from autoloader.model import ClaimedFile, FormatType
from autoloader.schema.parse import parse_schema

class Generated:
    def pages(self, prefix):
        return iter(())
    def read(self, path, etag):
        line = b'{"id": 12345, "at": "2024-01-15T10:00:00Z", "note": "' + b"x" * 120 + b'", "d": 0.25%s}\\n'
        block = line % (b', "unknown": 1' if "exact" in path else b"") * 5000
        for _ in range(int(sys.argv[2]) * 2**20 // len(block)):
            yield block

schema = parse_schema("id BIGINT, at TIMESTAMP, note STRING, d DOUBLE")
spool = Path(sys.argv[3])
now = datetime.now(UTC)
file = ClaimedFile(file_id=1, path=sys.argv[4], size_bytes=int(sys.argv[2]) * 2**20, etag="e", modified_at=now)
work = Work(load_id=uuid.uuid4(), table_name='lake.a.b', loaded_at=now, files=[file], shape=table_shape(schema),
    store=Generated(), spool=spool, reading=Reading(format_type=FormatType.JSON, options={}, schema=schema),
    cancelled=lambda: False)
engine = EmbeddedEngine("512MB", 2, 16, 256 * 2**20)
(outcome,) = engine.prepare(work, lambda data_file: data_file.location.unlink(), lambda _: None)
# Not ru_maxrss: it begins with the memory of the process that started this one.
peak = int(re.search("VmHWM:[^0-9]*([0-9]+)", Path("/proc/self/status").read_text())[1])
print(outcome.status, outcome.records_ingested, peak // 1024)
"""


@pytest.mark.parametrize(("path", "megabytes"), [("s3://b/plain.json", 400), ("s3://b/exact.json", 60)])
def test_a_large_file_is_read_in_bounded_memory(tmp_path: Path, path: str, megabytes: int) -> None:
    command = [sys.executable, "-c", MEMORY, str(Path(__file__).parents[2]), str(megabytes), str(tmp_path), path]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=unmeasured)
    assert ran.returncode == 0, ran.stderr
    status, records, resident_megabytes = ran.stdout.split()
    assert status == FileStatus.SUCCESS
    assert int(records) > megabytes * 4000
    assert int(resident_megabytes) < 800, "bounded whatever the size"


def test_every_field_of_a_data_file_carries_the_id_of_the_table(loads: Any, put: Put) -> None:
    put("a.json", '{"id": 1}\n')
    ddl = "id BIGINT, p STRUCT<x: INT, `q r`: ARRAY<STRUCT<y: STRING>>>, m MAP<STRING, ARRAY<INT>>"
    work = loads.work(ddl)
    schema = loads.load(ddl).footers[0].to_arrow_schema()
    found: dict[tuple[str, ...], int] = {}

    def walk(path: tuple[str, ...], arrow_field: pa.Field[Any]) -> None:
        assert arrow_field.metadata is not None, path
        found[path] = int(arrow_field.metadata[b"PARQUET:field_id"])
        kind = arrow_field.type
        if isinstance(kind, pa.StructType):
            for inner in kind:
                walk((*path, inner.name), inner)
        elif isinstance(kind, pa.MapType):
            walk((*path, "key"), kind.key_field)
            walk((*path, "value"), kind.item_field)
        elif isinstance(kind, pa.ListType):
            walk((*path, "element"), kind.value_field)

    for arrow_field in schema:
        walk((arrow_field.name,), arrow_field)
    assert found == dict(work.shape.field_ids)
