"""The reference page of values is true: every example in its table is tried."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from autoloader.engines.embedded import scalars, values
from autoloader.engines.embedded.sql import SESSION, literal
from autoloader.engines.options import JsonOptions
from autoloader.schema import parse_schema

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "values.md"
EXAMPLES = PAGE.read_text().partition("## Examples")[2].partition("##")[0]
ROWS = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:4]] for line in EXAMPLES.splitlines() if "`" in line
]


@pytest.mark.parametrize(("kind", "good", "bad"), ROWS, ids=[row[0][0] for row in ROWS])
def test_the_page_says_what_loads_and_what_is_bad(kind: list[str], good: list[str], bad: list[str]) -> None:
    column_type = parse_schema(f"a {kind[0]}").columns[0].type
    with duckdb.connect() as duck:
        for statement in SESSION:
            duck.execute(statement)
        for text in [*good, *bad]:
            ((reason,),) = duck.execute(f"SELECT {values.reason(column_type, literal(text), JsonOptions())}").fetchall()
            assert (reason is None) == (text in good), f"{text}: {reason}"


def test_the_page_has_examples_for_every_scalar_type() -> None:
    assert [row[0][0] for row in ROWS] == [
        "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL(5,2)", "BOOLEAN", "TIMESTAMP", "TIMESTAMP_NTZ", "DATE", "BINARY",
    ]  # fmt: skip


def test_the_page_names_every_reason_code_of_the_scalar_types() -> None:
    source = Path(str(scalars.__file__)).read_text()
    codes = set(re.findall(r"['\"]((?:not|out|would|has)_[a-z0-9_]+)['\"]", source))
    assert codes >= {"not_bigint", "out_of_range", "would_round", "has_zone"}
    assert not [code for code in codes if f"`{code}`" not in PAGE.read_text()]
