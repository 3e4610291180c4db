"""CSV through the embedded engine alone: blocks, every encoding, and whatever the csv module writes."""

from __future__ import annotations

import csv
import gzip
import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoloader.model import FormatType

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]


def load(loads: Any, ddl: str, **options: str) -> Any:
    return loads.load(ddl, format_type=FormatType.CSV, options=options)


def test_a_compressed_file_of_several_blocks_keeps_its_lines(loads: Any, put: Put) -> None:
    lines = [f'{at},"{"long " * 40}{at}"' for at in range(30_000)]
    lines[25_000] = f'25000,"{"long " * 40}\n25000"'
    put("good.csv", gzip.compress(("id,s\n" + "\n".join(lines)).encode(), 1))
    lines[29_000] = "x,bad"
    put("bad.csv", ("id,s\n" + "\n".join(lines)).encode())
    result = load(loads, "id BIGINT, s STRING")
    assert result.values("id") == sorted(range(30_000), key=str)
    assert result.failure("bad.csv")[1] == 'line 29003, column "id": "x" is not a BIGINT (not_bigint)'


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "UTF-8"])
def test_text_is_recoded_from_the_encoding_that_the_options_name(loads: Any, put: Put, encoding: str) -> None:
    put("a.csv", 'id,s\n1,Größe\n2,"zwei\nZeilen"\n'.encode(encoding))
    assert load(loads, "id BIGINT, s STRING", encoding=encoding).values("s") == ["Größe", "zwei\nZeilen"]


def test_text_in_another_encoding_than_the_options_name_is_unreadable(loads: Any, put: Put) -> None:
    put("a.csv", b"id,s\n1,x\n" + b"2,\x81\n")
    kind, message = load(loads, "id BIGINT, s STRING", encoding="cp1252").failure("a.csv")
    assert kind == "FileUnreadable"
    assert message is not None
    assert "cp1252" in message


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.lists(st.tuples(FIELDS, FIELDS), max_size=5), min_size=1, max_size=6))
def test_what_the_csv_module_writes_comes_out_equal(
    loads: Any, landing: Any, files: list[list[tuple[str, str]]]
) -> None:
    landing.prefix = f"{landing.prefix.split('/x/')[0].rstrip('/')}/x/{abs(hash(str(files)))}/"
    for at, rows in enumerate(files):
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([("a", "b"), *rows])
        landing.put(f"{at}.csv", text.getvalue())
    found = sorted((row["a"], row["b"]) for row in load(loads, "a STRING, b STRING").rows)
    assert found == sorted(row for rows in files for row in rows)
