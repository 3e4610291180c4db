"""Queued runs and the workers that people start: real processes, stopped and killed."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.patience import eventually

from autoloader.ledger import ingestions, runs
from autoloader.ledger.database import connect, transaction
from autoloader.model import DEFAULT_TENANT, RunTrigger

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from sqlalchemy import Engine
    from tests.end_to_end.conftest import User

FILES = 60


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def arrived(user: User) -> User:
    """An ingestion with files, in loads of five, and workers that are missed after three seconds."""
    for number in range(FILES):
        user.landing.put(f"part-{number:04}.json", json.dumps({"id": number}) + "\n")
    user.creates("events", "--schema", "id BIGINT")
    user.environment |= {"AUTOLOADER_MAX_FILES_PER_LOAD": "5", "AUTOLOADER_LEASE_SECONDS": "3"}
    return user


def enqueue(database: Engine) -> int:
    with transaction(database) as connection:
        ingestion = ingestions.by_name(connection, DEFAULT_TENANT, "events")
        return runs.enqueue(connection, ingestion.id, RunTrigger.MANUAL)[0].id


def run_of(database: Engine, run_id: int) -> Any:
    with transaction(database) as connection:
        return runs.get(connection, run_id)


@contextmanager
def worker(user: User, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A worker process; killed after the block, should it still be there."""
    process = user.starts("worker", *options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_worker_does_what_is_queued_and_ends_cleanly_on_sigterm(arrived: User, database: Engine) -> None:
    run_id = enqueue(database)
    with worker(arrived) as process:
        eventually(lambda: run_of(database, run_id).ended_at, "the run ends")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    ended = run_of(database, run_id)
    assert (str(ended.status), ended.files_succeeded, ended.records_ingested) == ("SUCCESS", FILES, FILES)
    assert arrived.sees("events", "SELECT count(*), count(DISTINCT id) FROM rows") == [(FILES, FILES)]


def test_a_worker_told_to_stop_loses_nothing_and_another_goes_on(arrived: User, database: Engine) -> None:
    run_id = enqueue(database)
    with worker(arrived, "--grace", "3") as process:
        eventually(lambda: run_of(database, run_id).files_succeeded, "it loads something")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert str(run_of(database, run_id).status) == "RUNNING"
    assert arrived.types("files", "events", "--status", "PROCESSING", "--json").json == []
    with worker(arrived):
        eventually(lambda: run_of(database, run_id).ended_at, "the run ends")
    assert arrived.sees("events", "SELECT count(*), count(DISTINCT id) FROM rows") == [(FILES, FILES)]


def test_what_a_killed_worker_had_in_hand_is_taken_over_within_its_lease(arrived: User, database: Engine) -> None:
    run_id = enqueue(database)
    with worker(arrived, "--concurrency", "2") as process, worker(arrived, "--concurrency", "2"):
        eventually(lambda: run_of(database, run_id).files_succeeded, "it loads something")
        process.kill()
        eventually(lambda: run_of(database, run_id).ended_at, "the run ends")
    assert str(run_of(database, run_id).status) == "SUCCESS"
    assert arrived.sees("events", "SELECT count(*), count(DISTINCT id) FROM rows") == [(FILES, FILES)]


def test_typing_run_while_it_is_queued_does_the_work_at_once(arrived: User, database: Engine) -> None:
    run_id = enqueue(database)
    assert arrived.runs("events")["id"] == run_id
    assert run_of(database, run_id).files_succeeded == FILES
