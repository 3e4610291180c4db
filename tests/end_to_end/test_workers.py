"""Several workers on one ingestion, and workers that die."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

from tests.patience import eventually

if TYPE_CHECKING:
    from tests.end_to_end.conftest import User

FILES = 120


def arrive(user: User, count: int) -> None:
    for number in range(count):
        user.landing.put(f"part-{number:04}.json", json.dumps({"id": number}) + "\n")


def test_two_workers_on_one_ingestion_load_each_file_once_in_one_run(user: User) -> None:
    arrive(user, FILES)
    user.creates("events", "--schema", "id BIGINT")
    user.environment["AUTOLOADER_MAX_FILES_PER_LOAD"] = "10"

    workers = [user.starts("run", "events", "--json") for _ in range(2)]
    runs = [json.loads(worker.communicate(timeout=100)[0]) for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0]
    assert {run["id"] for run in runs} == {runs[0]["id"]} or runs[1]["files_processed"] == 0
    assert user.sees("events", "SELECT count(*), count(DISTINCT id) FROM rows") == [(FILES, FILES)]
    loads = [snapshot["autoloader.load-id"] for snapshot in user.snapshots("events")]
    assert len(loads) == len(set(loads)) == FILES // 10


def test_a_worker_killed_in_the_middle_is_recovered_by_the_next_run(user: User) -> None:
    arrive(user, FILES)
    user.creates("events", "--schema", "id BIGINT")
    user.environment |= {"AUTOLOADER_MAX_FILES_PER_LOAD": "10", "AUTOLOADER_LEASE_SECONDS": "3"}
    worker = user.starts("run", "events", "--json")
    wait_until_some_rows_are_there(user)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()

    run = user.runs("events")

    assert run["status"] == "SUCCESS"
    assert user.sees("events", "SELECT count(*), count(DISTINCT id) FROM rows") == [(FILES, FILES)]
    assert {file["status"] for file in user.types("files", "events", "--limit", "1000", "--json").json} == {"SUCCESS"}


def wait_until_some_rows_are_there(user: User) -> None:
    def there() -> bool:
        return user.catalog.table_exists(f"{user.namespace}.events") and len(user.snapshots("events")) >= 2

    eventually(there, "the worker loads something")


def test_interrupting_a_run_puts_its_files_back_at_once(user: User) -> None:
    arrive(user, FILES)
    user.creates("events", "--schema", "id BIGINT")
    user.environment["AUTOLOADER_MAX_FILES_PER_LOAD"] = "10"
    worker = user.starts("run", "events", "--json")
    wait_until_some_rows_are_there(user)
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)

    assert worker.returncode == 130
    assert not user.types("files", "events", "--status", "PROCESSING", "--json").json
    assert user.runs("events")["status"] == "SUCCESS"
    assert user.sees("events", "SELECT count(*), count(DISTINCT id) FROM rows") == [(FILES, FILES)]
