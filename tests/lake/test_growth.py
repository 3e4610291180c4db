"""Columns that come with a load: in its commit, by ids that were foreseen, or not at all."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.io.pyarrow import schema_to_pyarrow

from autoloader.errors import TableMoved
from autoloader.lake.growth import Growth, grown
from autoloader.lake.intake import Intake
from autoloader.lake.publish import Change, publish
from autoloader.lake.tables import ensure_table
from autoloader.model import DataFile
from autoloader.schema import parse_schema

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from autoloader.schema.types import Column

N = parse_schema("n BIGINT").columns
S = parse_schema("`s.t` STRING, m STRUCT<a: INT>").columns


@pytest.fixture
def base(catalog: Catalog, namespace: str) -> Table:
    return ensure_table(catalog, namespace, "grows", parse_schema("id BIGINT"))


def load(base: Table, columns: tuple[Column, ...], folder: Path) -> int | None:
    """A load that was prepared for ``base``, and adds columns."""
    load_id, after = uuid.uuid4(), grown(base, columns)
    path = folder / f"{load_id}.parquet"
    pq.write_table(pa.Table.from_pylist([{"id": 1}], schema=schema_to_pyarrow(after.schema())), path)
    added = Intake(after, load_id).take(DataFile(location=path, records=1))
    return publish(base, load_id, Change(added=added, growth=Growth(columns, after.schema())), lambda: True)


def names(table: Table) -> list[str]:
    fields = table.catalog.load_table(table.name()).schema().fields
    return [field.name for field in fields if not field.name.startswith("_")]


def test_two_loads_that_foresaw_the_same_columns_both_land_and_add_them_once(base: Table, tmp_path: Path) -> None:
    assert load(base, S, tmp_path) is not None
    assert load(base, S, tmp_path) is not None
    assert names(base) == ["id", "s.t", "m"]
    table = base.catalog.load_table(base.name())
    assert (len(table.schemas()), table.scan().to_arrow().num_rows) == (2, 2)


def test_a_load_that_foresaw_other_columns_is_sent_back_before_anything_is_sent(base: Table, tmp_path: Path) -> None:
    load(base, N, tmp_path)
    with pytest.raises(TableMoved, match="got other columns while a load was on its way") as moved:
        load(base, S, tmp_path)
    assert not moved.value.sent
    assert names(base) == ["id", "n"]
    assert load(base.catalog.load_table(base.name()), S, tmp_path) is not None, "prepared anew it lands"
    assert names(base) == ["id", "n", "s.t", "m"]


def test_a_load_of_which_nothing_landed_adds_no_column(base: Table) -> None:
    change = Change(growth=Growth(N, grown(base, N).schema()), always=True)
    assert publish(base, uuid.uuid4(), change, lambda: True) is not None
    assert names(base) == ["id"]
