"""Runs on either engine: what a changed file means, and what a run makes of the table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.contract.conftest import BOTH, IN_TASKS, on_cluster

from autoloader.model import EngineName

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

IDS = "SELECT list(id ORDER BY id) FROM rows"


@pytest.fixture(params=[*BOTH, IN_TASKS])
def person(request: pytest.FixtureRequest, user: User) -> User:
    """Somebody who says ``--engine`` whenever an ingestion is made."""
    engine, _, in_tasks = str(request.param).partition(", ")
    if engine == EngineName.SPARK:
        user = on_cluster(user, request.getfixturevalue("with_spark"), "python" if in_tasks else "sql")
    return replace(user, environment=user.environment | {"ENGINE": engine})


def creates(person: User, name: str, *options: str, file_format: str = "json") -> None:
    engine = person.environment["ENGINE"]
    person.creates(name, "--schema", "id BIGINT", "--engine", engine, *options, file_format=file_format)


def test_a_changed_file_means_what_the_ingestion_says(person: User) -> None:
    path = person.landing.put("a.json", '{"id": 1}\n{"id": 2}\n')
    person.landing.put("b.json", '{"id": 3}\n')
    for policy in ("replace", "append", "ignore", "fail"):
        creates(person, policy, "--on-changed", policy)
        assert person.runs(policy)["records_ingested"] == 3
    person.landing.put("a.json", '{"id": 10}\n')

    for policy in ("replace", "append", "ignore"):
        person.runs(policy)
    person.runs("fail", code=1)

    assert person.sees("replace", IDS) == [([3, 10],)]
    assert person.sees("append", IDS) == [([1, 2, 3, 10],)]
    assert person.sees("ignore", IDS) == person.sees("fail", IDS) == [([1, 2, 3],)]
    assert person.file("ignore", path)["status"] == "SKIPPED"
    assert person.file("fail", path)["error_type"] == "ChangedRefused"

    person.landing.put("a.json", '{"id": 11}\n{\n')
    person.runs("replace", code=1)
    assert person.sees("replace", IDS) == [([3, 10],)], "the rows of the last good version stay"


def test_overwriting_makes_the_files_of_a_run_the_whole_table_also_of_a_partitioned_one(person: User) -> None:
    person.landing.put("monday.csv", "id\n1\n2\n")
    creates(person, "stock", "--write-mode", "overwrite", "--partition-by", "truncate(10, id)", file_format="csv")
    person.runs("stock")
    person.landing.put("tuesday.csv", "id\n3\n40\n")
    person.landing.put("wednesday.csv", "id\nx\n")

    run = person.runs("stock", code=1)

    assert (run["files_succeeded"], run["files_failed"]) == (1, 1)
    assert person.sees("stock", IDS) == [([3, 40],)]
    person.landing.put("wednesday.csv", "id\n5\n")
    assert person.runs("stock")["files_processed"] == 1
    assert person.sees("stock", IDS) == [([5],)]
    assert person.runs("stock")["files_processed"] == 0, "a run without new files changes nothing"
    assert person.sees("stock", IDS) == [([5],)]


@pytest.mark.parametrize("file_format", ["json", "csv"])
def test_new_fields_become_columns_and_are_then_loaded_by_whichever_engine(person: User, file_format: str) -> None:
    def put(name: str, *records: dict[str, object]) -> None:
        if file_format == "json":
            person.landing.put(f"{name}.json", "".join(json.dumps(record) + "\n" for record in records))
        else:
            lines = [",".join(records[0]), *(",".join(map(str, record.values())) for record in records)]
            person.landing.put(f"{name}.csv", "\n".join(lines) + "\n")

    creates(person, "grows", "--unknown-fields", "add", file_format=file_format)
    further: list[dict[str, object]] = [
        {},
        {"n": 1, "a.b": "x"},
        {},
        {"n": 2, "at": "2024-01-15"},
        {"at": "2024-01-16"},
    ]
    for at, more in enumerate(further):
        put(str(at), {"id": at, **more})
        assert person.runs("grows")["files_succeeded"] == 1
    assert person.sees("grows", 'SELECT id, n, "a.b", "at"::VARCHAR, _rescued_data FROM rows ORDER BY id') == [
        (0, None, None, None, None),
        (1, 1, "x", None, None),
        (2, None, None, None, None),
        (3, 2, None, "2024-01-15", None),
        (4, None, None, "2024-01-16", None),
    ]
    assert person.types("verify", "grows").code == 0
