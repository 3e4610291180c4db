"""Start, find again, mend, watch, stop: with real processes, killed for real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import boto3
import psutil
import psycopg
import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog

from autoloader.errors import StackError
from autoloader.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

    from autoloader.settings import Connections

START_AND_TELL = """
import json, sys
from pathlib import Path
from autoloader.stack import Stack
stack = Stack(Path(sys.argv[1]))
found = stack.start()
print(json.dumps([found.database_url, found.s3_endpoint_url, [part.pid for part in stack.status()]]))
"""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    home = tmp_path / "a home"
    stack = Stack(home)
    yield stack
    if stack.stop():
        shutil.rmtree(home)  # some 50 MB each, which pytest would keep for three runs


def client(connections: Connections) -> S3Client:
    s3: S3Client = boto3.client(
        "s3",
        endpoint_url=connections.s3_endpoint_url,
        aws_access_key_id=connections.s3_access_key_id,
        aws_secret_access_key=connections.s3_secret_access_key,
        region_name=connections.s3_region,
    )
    return s3


def libpq(connections: Connections) -> str:
    return connections.database_url.replace("+psycopg", "")


def properties(connections: Connections) -> Mapping[str, str]:
    return connections.catalogs["lake"]


def pids(stack: Stack) -> dict[str, int | None]:
    return {part.name: part.pid for part in stack.status()}


def states(stack: Stack) -> list[str]:
    return [part.state for part in stack.status()]


def kill(pid: int | None) -> None:
    """Kill as the kernel would when memory runs out, and wait until it is noticed."""
    assert pid is not None
    process = psutil.Process(pid)
    process.kill()
    process.wait(10)


def write_something(connections: Connections) -> None:
    client(connections).put_object(Bucket="landing", Key="events/a b.json", Body=b'{"id": 1}')
    catalog = load_catalog("lake", **properties(connections))
    catalog.create_namespace("raw")
    catalog.create_table("raw.events", pa.schema([("id", pa.int64())])).append(pa.table({"id": [1, 2, 3]}))
    with psycopg.connect(libpq(connections)) as database:
        database.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def read_it_back(connections: Connections) -> tuple[bytes, int, tuple[int] | None]:
    body = client(connections).get_object(Bucket="landing", Key="events/a b.json")["Body"].read()
    rows = load_catalog("lake", **properties(connections)).load_table("raw.events").scan().to_arrow().num_rows
    with psycopg.connect(libpq(connections)) as database:
        return body, rows, database.execute("SELECT answer FROM kept").fetchone()


WHAT_WAS_WRITTEN = (b'{"id": 1}', 3, (42,))


def of_home(home: Path) -> list[psutil.Process]:
    """Every process of this machine that names the home among its arguments or works in it."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(home) in part for part in process.cmdline()) or process.cwd().startswith(str(home)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_before_the_first_start_nothing_runs_and_nothing_is_created(stack: Stack, tmp_path: Path) -> None:
    assert stack.connections() is None
    assert states(stack) == ["stopped"] * 3
    assert stack.stop() is False
    assert list(tmp_path.iterdir()) == []


def test_a_start_gives_buckets_a_catalog_and_a_database(stack: Stack) -> None:
    connections = stack.start()

    assert {bucket["Name"] for bucket in client(connections).list_buckets()["Buckets"]} >= {"landing", "lake"}
    assert load_catalog("lake", **properties(connections)).list_namespaces() == []
    with psycopg.connect(libpq(connections)) as database:
        assert database.execute("SELECT current_database()").fetchone() == ("autoloader_db",)
        settings = "SELECT current_setting('max_connections'), current_setting('fsync'), current_setting('port')"
        assert database.execute(settings).fetchone() == ("200", "on", str(database.info.port))
    assert states(stack) == ["running"] * 3
    assert all(part.log.exists() for part in stack.status())


def test_a_second_start_finds_the_running_stack(stack: Stack, tmp_path: Path) -> None:
    connections = stack.start()
    before = pids(stack)
    said: list[str] = []

    assert Stack(tmp_path / "a home").start(said.append) == connections
    assert Stack(tmp_path / "a home").connections() == connections
    assert pids(stack) == before
    assert said == []


def test_two_starts_at_once_give_one_stack(stack: Stack, tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_AND_TELL, str(tmp_path / "a home")]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [start.communicate(timeout=90)[0] for start in starts]

    assert [start.returncode for start in starts] == [0, 0]
    assert told[0] == told[1]
    assert json.loads(told[0])[2] == [part.pid for part in stack.status()]
    assert stack.connections() is not None


def test_a_killed_part_is_mended_alone_and_nothing_is_lost(stack: Stack) -> None:
    connections = stack.start()
    write_something(connections)
    before = pids(stack)

    kill(before["object store"])
    assert states(stack) == ["dead", "dead", "running"]
    assert stack.connections() is None
    assert read_it_back(stack.start()) == WHAT_WAS_WRITTEN
    between = pids(stack)
    assert between["postgresql"] == before["postgresql"]

    kill(between["postgresql"])
    assert states(stack) == ["running", "running", "dead"]
    assert read_it_back(stack.start()) == WHAT_WAS_WRITTEN
    assert pids(stack)["object store"] == between["object store"] != before["object store"]


def test_a_part_that_hangs_is_started_again(stack: Stack) -> None:
    connections = stack.start()
    write_something(connections)
    before = pids(stack)
    psutil.Process(before["object store"]).suspend()

    assert read_it_back(stack.start()) == WHAT_WAS_WRITTEN
    assert pids(stack)["object store"] != before["object store"]
    assert pids(stack)["postgresql"] == before["postgresql"]


def test_stop_leaves_nothing_running_and_a_start_brings_the_data_back(stack: Stack, tmp_path: Path) -> None:
    connections = stack.start()
    write_something(connections)

    assert stack.stop() is True
    assert of_home(tmp_path / "a home") == []
    assert states(stack) == ["stopped"] * 3
    assert stack.stop() is False
    assert stack.connections() is None
    assert read_it_back(stack.start()) == WHAT_WAS_WRITTEN


def test_a_pid_that_is_now_another_programs_is_not_believed(stack: Stack, tmp_path: Path) -> None:
    stack.start()
    stack.stop()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        state_file = tmp_path / "a home" / "state.json"
        state = json.loads(state_file.read_bytes())
        state_file.write_text(json.dumps({**state, "pids": {"object store": stranger.pid, "postgresql": stranger.pid}}))
        (tmp_path / "a home" / "postgresql" / "postmaster.pid").write_text(f"{stranger.pid}\n")

        assert states(stack) == ["dead"] * 3
        assert stack.connections() is None
        stack.start()
        assert states(stack) == ["running"] * 3
        stack.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_a_lost_state_file_does_not_lead_to_a_second_stack(stack: Stack, tmp_path: Path) -> None:
    write_something(stack.start())
    (tmp_path / "a home" / "state.json").unlink()

    assert read_it_back(stack.start()) == WHAT_WAS_WRITTEN
    running = {process.pid for process in of_home(tmp_path / "a home") if process.name() == "weed"}
    assert running == {pids(stack)["object store"]}


def test_a_part_that_cannot_start_says_why_and_leaves_nothing_behind(stack: Stack, tmp_path: Path) -> None:
    write_something(stack.start())
    stack.stop()
    configuration = tmp_path / "a home" / "postgresql" / "postgresql.auto.conf"
    configuration.write_text("no_such_setting = 1\n")

    with pytest.raises(StackError, match="postgresql did not start: it ended with code 1") as caught:
        stack.start()
    assert "no_such_setting" in str(caught.value)
    assert str(tmp_path / "a home" / "logs" / "postgresql.log") in str(caught.value)
    assert of_home(tmp_path / "a home") == []
    assert states(stack) == ["stopped"] * 3

    configuration.write_text("")
    assert read_it_back(stack.start()) == WHAT_WAS_WRITTEN


def test_watch_mends_what_dies_until_it_is_told_to_stop(stack: Stack) -> None:
    enough, mended = threading.Event(), threading.Event()
    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        if said.count("postgresql is ready") > 1:
            mended.set()

    stack.start(report)
    before = pids(stack)["postgresql"]
    watcher = threading.Thread(target=stack.watch, args=(enough,))
    watcher.start()
    os.kill(before or 0, signal.SIGKILL)
    assert mended.wait(60)
    enough.set()
    watcher.join(30)

    assert not watcher.is_alive()
    assert said.index("postgresql had died") > said.index("postgresql is ready")
    assert states(stack) == ["running"] * 3
    assert pids(stack)["postgresql"] != before


def test_watch_ends_when_another_command_stops_the_stack(stack: Stack, tmp_path: Path) -> None:
    stack.start()
    watcher = threading.Thread(target=stack.watch, args=(threading.Event(),))
    watcher.start()

    Stack(tmp_path / "a home").stop()
    watcher.join(60)
    assert not watcher.is_alive()
    assert of_home(tmp_path / "a home") == []
