"""Without settings: the embedded stack, by the commands that people type."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.patience import eventually

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "autoloader"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AUTOLOADER_", "AWS_", "PYICEBERG_"))
    }
    return kept | {"AUTOLOADER_HOME": str(tmp_path / "home")}


def types(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_the_demo_shows_the_whole_job(environment: dict[str, str]) -> None:
    demo = types(environment, "demo")

    assert demo.returncode == 0, demo.stdout + demo.stderr
    for line in (
        "299 files loaded, 29,900 rows, 1 failed",
        "part-0137.json: line 50",
        "1 file loaded, 50 rows",
        "nothing new",
    ):
        assert line in demo.stdout


def test_up_is_the_whole_service_and_a_client_needs_nothing_but_http(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "up", "--port", "0"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        try:
            address = next(line.split()[2].rstrip(".") for line in up.stdout if line.startswith("Up, serving"))
            put_event(environment)
            with httpx.Client(base_url=address, timeout=30) as client:
                draft = {
                    "name": "events",
                    "source_path": "s3://landing/events/",
                    "format_type": "json",
                    "catalog": "lake",
                    "database": "raw",
                    "table": "events",
                }
                made = client.post(f"{address}/ingestions", json=draft)
                assert made.status_code == 201, made.text
                queued = client.post(f"{address}/ingestions/{made.json()['id']}/run")
                assert queued.status_code == 202, queued.text
                path = f"{address}/ingestions/{made.json()['id']}/runs/{queued.json()['id']}"
                eventually(lambda: client.get(path).json()["ended_at"], "the run ends")
                run = client.get(path).json()
                assert (run["status"], run["files_succeeded"], run["records_ingested"]) == ("SUCCESS", 1, 2)
        finally:
            up.send_signal(signal.SIGINT)
            up.communicate(timeout=60)
    assert up.returncode == 0
    assert types(environment, "status").returncode == 1


def put_event(environment: dict[str, str]) -> None:
    exports = dict(line.removeprefix("export ").split("=", 1) for line in types(environment, "env").stdout.splitlines())
    plain = {name: value.strip("'") for name, value in exports.items()}
    body = 'b\'{"id": 1}\\n{"id": 2}\\n\''
    code = f"import boto3; boto3.client('s3').put_object(Bucket='landing', Key='events/a.json', Body={body})"
    subprocess.run([sys.executable, "-c", code], env=environment | plain, check=True)


def test_a_stack_goes_up_by_itself_tells_other_tools_where_it_is_and_goes_down(environment: dict[str, str]) -> None:
    try:
        first = types(environment, "list")
        assert first.returncode == 0, first.stderr
        assert "Starting the embedded stack" in first.stderr
        assert "Starting" not in types(environment, "list").stderr
        assert types(environment, "status").returncode == 0

        exports = dict(
            line.removeprefix("export ").split("=", 1) for line in types(environment, "env").stdout.splitlines()
        )
        code = (
            "import boto3; from pyiceberg.catalog import load_catalog;"
            "print(*sorted(b['Name'] for b in boto3.client('s3').list_buckets()['Buckets']));"
            "print(load_catalog('lake').list_namespaces())"
        )
        plain = {name: value.strip("'") for name, value in exports.items()}
        told = subprocess.run(
            [sys.executable, "-c", code], env=environment | plain, capture_output=True, text=True, check=False
        )
        assert "landing" in told.stdout, told.stderr
    finally:
        down = types(environment, "down")
    assert down.returncode == 0
    assert types(environment, "status").returncode == 1
    assert types(environment, "env").returncode == 3
