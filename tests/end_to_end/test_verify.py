"""`autoloader verify`: clean after everything that loading does by itself, and every kind of damage found and named."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest
from tests.end_to_end.test_scenarios import lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table import Table
    from tests.end_to_end.conftest import User

DIFFERS = 1


def arrive(user: User, *names: str, rows: int = 3) -> list[str]:
    return [
        user.landing.put(name, "\n".join(json.dumps({"id": number, "of": name}) for number in range(rows)) + "\n")
        for name in names
    ]


def verified(user: User, name: str = "events", code: int = 0) -> Any:
    return user.types("verify", name, "--json", code=code).json


def found(user: User, name: str = "events") -> set[tuple[str, str | None]]:
    """Kinds of differences with the file each is about."""
    report = verified(user, name, code=DIFFERS)
    return {(each["kind"], each["file_path"]) for each in report["differences"]}


def table(user: User, name: str = "events") -> Table:
    return user.catalog.load_table(f"{user.namespace}.{name}")


def sql(user: User, statement: str, *values: object) -> None:
    """What somebody does to the ledger by hand."""
    url = user.environment["AUTOLOADER_DATABASE_URL"].replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url) as connection:
        assert connection.execute(statement.encode(), values).rowcount > 0


def rows_of(user: User, path: str) -> pa.Table:
    return table(user).scan(row_filter=f"_source_file = '{path}'").to_arrow()


@pytest.fixture
def loaded(user: User) -> User:
    """Somebody with three files of three rows in the table, and one that failed."""
    arrive(user, "a.json", "b.json", "c.json")
    user.landing.put("bad.json", "{")
    user.creates("events", "--schema", "id BIGINT, of STRING")
    user.runs("events", code=1)
    return user


def test_after_a_run_nothing_differs_and_every_file_is_counted_once(loaded: User) -> None:
    arrive(loaded, "later.json")

    report = verified(loaded)["report"]

    assert (report["listed"], report["loaded"], report["failed"]) == (5, 3, 1)
    assert (report["waiting"], report["skipped"], report["gone"]) == ({"new": 1}, {}, 0)
    (only,) = report["tables"]
    assert (only["rows_claimed"], only["rows_found"], only["rows_of_others"]) == (9, 9, 0)
    assert report["differences"] == {}


def test_rows_that_somebody_deleted_are_missing(loaded: User) -> None:
    path = loaded.landing.path + "b.json"
    table(loaded).delete(f"_source_file = '{path}' and id < 2")

    (difference,) = verified(loaded, code=DIFFERS)["differences"]

    assert (difference["kind"], difference["file_path"]) == ("rows_missing", path)
    assert (difference["expected"], difference["found"]) == (3, 1)


def test_rows_that_somebody_appended_again_are_too_many(loaded: User) -> None:
    path = loaded.landing.path + "c.json"
    table(loaded).append(rows_of(loaded, path))

    assert found(loaded) == {("rows_too_many", path)}
