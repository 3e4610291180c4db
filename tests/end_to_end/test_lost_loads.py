"""What a person sees of a lost load that the table cannot tell about, and how they decide, in both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from tests.end_to_end.test_scenarios import lines

if TYPE_CHECKING:
    from tests.end_to_end.conftest import Served, User

WRONG_USE, COULD_NOT_RUN = 2, 3
UNKNOWN = "00000000-0000-0000-0000-000000000000"
LOST = """
    WITH chosen AS (
        UPDATE processed_files SET status = 'PROCESSING', load_id = gen_random_uuid(), records_ingested = 1
        WHERE file_path = %s RETURNING id, ingestion_id, run_id, load_id, file_etag, file_size_bytes, file_modified_at
    ), lost AS (
        INSERT INTO loads (id, ingestion_id, run_id, state, worker, lease_until, started_at, prepared_at, table_name,
            files, bytes, clears)
        SELECT load_id, ingestion_id, run_id, 'LOST', 'died', now(), '2001-01-01', now(), %s, 1, 10, 'files' FROM chosen
        RETURNING id
    ), attempted AS (
        INSERT INTO outcomes (file_id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, status,
            records_ingested)
        SELECT id, run_id, load_id, file_etag, file_size_bytes, file_modified_at, 'SUCCESS', 1 FROM chosen
    )
    SELECT id FROM lost"""
"""A file of which nobody knows any more whether its newest load landed."""


def lose(user: User, database: User, path: str) -> str:
    """Make the history too short, and the load of a file lost; the id of that load."""
    table = user.catalog.load_table(f"{user.namespace}.events")
    first = table.metadata.snapshots[0]
    table.maintenance.expire_snapshots().by_id(first.snapshot_id).commit()
    with psycopg.connect(database.environment["AUTOLOADER_DATABASE_URL"].replace("+psycopg", "")) as connection:
        row: Any = connection.execute(LOST, [path, user.table("events")]).fetchone()
    return str(row[0])


@pytest.fixture
def doubted(anyone: User, user: User) -> tuple[User, str, str]:
    """Somebody, the path of a file, and the load of which nobody knows whether it landed."""
    first = anyone.landing.put("first.json", lines({"id": 1}))
    anyone.creates("events")
    anyone.runs("events")
    anyone.landing.put("second.json", lines({"id": 2}))
    anyone.runs("events")
    return anyone, first, lose(anyone, user, first)


def test_a_load_that_nobody_can_decide_is_told_wherever_somebody_looks(doubted: tuple[User, str, str]) -> None:
    person, path, load = doubted
    failed = person.runs("events", code=COULD_NOT_RUN)
    assert failed["errors"][0]["type"] == "HistoryTooShort"
    assert f"autoloader settle {load}" in failed["errors"][0]["message"]
    (told,) = person.types("lost", "--json").json
    assert (told["id"], told["state"], told["error_type"]) == (load, "LOST", "HistoryTooShort")
    assert f"autoloader settle {load}" in told["error_message"]
    assert load in person.types("lost").out
    assert f"its worker went silent in load {load}" in person.types("explain", path).out


def test_a_person_decides_that_it_is_not_loaded_and_the_next_run_loads_it(doubted: tuple[User, str, str]) -> None:
    person, path, load = doubted
    assert "loads its 1 file again" in person.types("settle", load, "--not-loaded").out
    assert person.types("lost").out == "No load is lost.\n"
    assert person.runs("events")["files_succeeded"] == 1
    assert person.file("events", path)["status"] == "SUCCESS"
    assert "only a lost one can be settled" in person.types("settle", load, "--loaded", code=WRONG_USE).err


def test_a_person_decides_that_it_is_loaded_and_nothing_is_loaded_again(doubted: tuple[User, str, str]) -> None:
    person, path, load = doubted
    settled = person.types("settle", load, "--loaded", "--json").json
    assert (settled["state"], settled["error_type"]) == ("COMMITTED", None)
    assert person.runs("events")["files_processed"] == 0
    assert person.file("events", path)["snapshot_id"] == settled["snapshot_id"]
    assert "--not-loaded" in person.types("settle", load, code=WRONG_USE).err
    assert "there is no load" in person.types("settle", UNKNOWN, "--loaded", code=WRONG_USE).err


def test_figures_tell_of_loads_that_wait_for_a_person(served: Served, user: User) -> None:
    user.landing.put("first.json", lines({"id": 1}))
    user.creates("events")
    user.runs("events")
    path = user.landing.put("second.json", lines({"id": 2}))
    user.runs("events")
    lose(user, user, path)
    user.types("run", "events", code=COULD_NOT_RUN)
    figures = httpx.get(f"{served.address.removesuffix('/api/v1')}/metrics", timeout=30).text
    assert 'autoloader_lost_loads{by="person"} 1.0' in figures
    assert 'autoloader_lost_loads{by="recovery"} 0.0' in figures
