"""Files beyond every limit: bounded memory and time, a clear refusal, and the other files of the load land."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    Load = Callable[..., tuple[int, dict[str, Any]]]

LOAD = """
import gzip, json, re, sys, uuid
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.contract.loads import table_shape
from autoloader.engines import Reading, Work
from autoloader.engines.embedded import EmbeddedEngine
from autoloader.errors import AutoloaderError
from autoloader.model import BadRecords, ClaimedFile, FormatType, OnBadRecord
from autoloader.schema.parse import parse_schema

MB = 2**20
FILES = {name: eval(chunks) for name, chunks in json.loads(sys.argv[3]).items()}

class Generated:
    def pages(self, prefix):
        return iter(())
    def read(self, path, etag):
        return FILES[path]()

schema = parse_schema(sys.argv[4])
now = datetime.now(UTC)
size = 2**30
files = [ClaimedFile(file_id=at, path=p, size_bytes=size, etag="e", modified_at=now) for at, p in enumerate(FILES)]
reading = Reading(format_type=FormatType(sys.argv[5]), options=json.loads(sys.argv[6]), schema=schema,
    bad_records=BadRecords(policy=OnBadRecord(sys.argv[8])))
work = Work(load_id=uuid.uuid4(), table_name="lake.a.b", loaded_at=now, files=files, shape=table_shape(schema),
    store=Generated(), spool=Path(sys.argv[2]), reading=reading, cancelled=lambda: False)
engine = EmbeddedEngine(sys.argv[7], 2, 8, 256 * MB)
try:
    outcomes = engine.prepare(work, lambda made: made.location.unlink(), lambda _: None)
    told = {files[o.file_id].path: o.error_message or o.records_ingested for o in outcomes}
except AutoloaderError as error:
    told = {error.error_type: str(error)}
# Not ru_maxrss: it begins with the memory of the process that started this one.
peak = int(re.search("VmHWM:[^0-9]*([0-9]+)", Path("/proc/self/status").read_text())[1])
print(json.dumps([peak // 1024, told]))
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load generated files in a process of their own: its peak in MiB, and for each file its records or its error.

    A file is Python that makes an iterator of its chunks when it is called.
    """

    def loaded(
        files: dict[str, str],
        ddl: str,
        format_type: str = "json",
        *,
        memory: str = "256MB",
        bad: str = "fail_file",
        **options: str,
    ) -> tuple[int, dict[str, Any]]:
        spool = tmp_path / f"spool{len(list(tmp_path.iterdir()))}"
        spool.mkdir()
        arguments = [str(Path(__file__).parents[2]), str(spool), json.dumps(files), ddl, format_type]
        unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        ran = subprocess.run(
            [sys.executable, "-c", LOAD, *arguments, json.dumps(options), memory, bad],
            capture_output=True, text=True, check=False, env=unmeasured, timeout=120,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        peak, told = json.loads(ran.stdout)
        return peak, told

    return loaded


BOMB = "lambda: iter([gzip.compress((b' ' * 1023 + b'\\n') * 8192)] * 4096)"
FILES = {
    "good": 'lambda: iter([b\'{"s": "good"}\'])',
    "a record of 40 MB": "lambda: iter([b'{\"s\": \"', *[b'x' * MB] * 40, b'\"}'])",
    "a line of 2 GB": "lambda: (b'x' * MB for _ in range(2048))",
    "a line of 2 GB, packed": "lambda: (gzip.compress(b'x' * MB) for _ in range(2048))",
    "a bomb": BOMB,
    "a million blank lines": "lambda: iter([b'\\n' * 1_000_000 + b'{\"s\": \"good\"}'])",
    "1,000 deep": "lambda: iter([b'{\"s\": ' + b'[' * 1000 + b']' * 1000 + b'}'])",
    "100,000 deep": "lambda: iter([b'{\"s\": ' + b'{\"a\":' * 100_000 + b'1' + b'}' * 100_000 + b'}'])",
    "5,000 keys": "lambda: iter([json.dumps({f'k{at}': at for at in range(5000)} | {'s': 'good'}).encode()])",
}
TOLD: dict[str, int | str] = {
    "good": 1,
    "a record of 40 MB": "over 16 MiB",
    "a line of 2 GB": "over 16 MiB",
    "a line of 2 GB, packed": "over 16 MiB",
    "a bomb": "over 200 times its size: it is taken for a compression bomb",
    "a million blank lines": 1,
    "1,000 deep": "it is nested too deeply",
    "100,000 deep": "it is nested too deeply",
    "5,000 keys": 1,
}
XML = {
    "good": "lambda: iter([b'<r><s>good</s></r>'])",
    "a record of 40 MB": "lambda: iter([b'<r><s>', *[b'x' * MB] * 40, b'</s></r>'])",
    "a line of 2 GB": "lambda: iter([b'<r s=\"', *[b'x' * MB] * 2048, b'\"/>'])",
    "a line of 2 GB, packed": "lambda: (gzip.compress((b'' if at else b'<!--') + b'x' * MB) for at in range(2048))",
    "a bomb": BOMB,
    "1,000 deep": "lambda: iter([b'<r>' + b'<s>' * 1000 + b'</s>' * 1000 + b'</r>'])",
    "5,000 keys": f"lambda: iter([b'<r><s>good</s>{''.join(f'<k{at}>1</k{at}>' for at in range(5000))}</r>'])",
}


@pytest.mark.parametrize(
    ("files", "format_type", "options"),
    [(FILES, "json", {}), (FILES, "json", {"multiLine": "true"}), (XML, "xml", {"rowTag": "r"})],
)
def test_what_is_too_much_is_refused_in_bounded_memory_and_the_others_land(
    load: Load, files: dict[str, str], format_type: str, options: dict[str, str]
) -> None:
    peak, told = load(files, "s STRING", format_type, **options)
    for name in files:
        expected = TOLD[name]
        assert told[name] == expected or str(expected) in str(told[name]), name
    assert peak < 600, "MiB, whatever comes"


def test_what_is_too_much_is_set_apart_in_bounded_memory_where_bad_records_are(load: Load) -> None:
    peak, told = load(FILES, "s STRING", bad="quarantine")
    for name in FILES:
        expected = 0 if isinstance(TOLD[name], str) else TOLD[name]
        refused = name in {"a bomb", "a line of 2 GB, packed"}
        assert "it is taken for a compression bomb" in told[name] if refused else told[name] == expected, name
    assert peak < 600, "MiB, whatever comes"


WIDE = ", ".join(f"k{at} BIGINT" for at in range(5000))
WIDE_LINES = "b''.join(json.dumps({f'k{at}': at for at in range(5000)}).encode() + b'\\n' for _ in range(20))"


def test_thousands_of_columns_load_where_the_memory_for_them_is_given(load: Load) -> None:
    peak, told = load({"wide": f"lambda: iter([{WIDE_LINES}])"}, WIDE, memory="800MB")
    assert told == {"wide": 20}
    assert peak < 900, "MiB"


def test_thousands_of_columns_are_refused_with_the_setting_where_the_memory_is_too_little(load: Load) -> None:
    peak, told = load({"wide": f"lambda: iter([{WIDE_LINES}])"}, WIDE)
    assert "5,004 columns: raise AUTOLOADER_MEMORY_LIMIT" in told["MemoryShort"]
    assert peak < 600, "MiB"
