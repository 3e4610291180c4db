from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.ledger.ledgers import Ledger, bad, good, objects
from tests.patience import eventually

from autoloader.api.figures import Figures
from autoloader.api.serving import serving
from autoloader.errors import UsageError
from autoloader.runtime import Runtime
from autoloader.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Service

    from autoloader.settings import Connections

NOWHERE = "http://127.0.0.1:1"


def figures(text: str) -> dict[tuple[str, str], float]:
    """Samples by name and the values of their labels."""
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_service_all_of_whose_parts_answer_is_ready(service: Service) -> None:
    alive, ready = httpx.get(f"{service.address}/healthz"), httpx.get(f"{service.address}/readyz")

    assert (alive.status_code, ready.status_code) == (200, 200), ready.text
    assert [(part["name"], part["up"]) for part in ready.json()["parts"]] == [
        ("ledger", True),
        ("store", True),
        ("catalog lake", True),
    ]


@pytest.mark.parametrize("part", ["store", "catalog lake"])
def test_readiness_names_the_part_that_is_down(connections: Connections, database_url: str, part: str) -> None:
    down: dict[str, Any] = {
        "store": {"s3_endpoint_url": NOWHERE},
        "catalog lake": {"catalogs": {"lake": {**connections.catalogs["lake"], "uri": NOWHERE}}},
    }
    parts = dataclasses.replace(connections, database_url=database_url, **down[part])
    with Runtime(Settings(), parts) as runtime, serving(runtime, "127.0.0.1", 0) as address:
        answer = httpx.get(f"{address}/readyz", timeout=30)

    assert answer.status_code == 503
    assert [each["name"] for each in answer.json()["parts"] if not each["up"]] == [part]
    assert all(each["reason"] for each in answer.json()["parts"] if not each["up"])


def test_a_service_whose_ledger_went_away_lives_and_says_so(service: Service, connections: Connections) -> None:
    gone = dataclasses.replace(connections, database_url="postgresql+psycopg://postgres@127.0.0.1:1/none")
    with Runtime(Settings(), gone) as broken:
        service.runtime.database, whole = broken.database, service.runtime.database
        alive, ready, refused, scraped = (
            httpx.get(service.address + path, timeout=30)
            for path in ("/healthz", "/readyz", "/api/v1/runs", "/metrics")
        )
        service.runtime.database = whole

    assert (alive.status_code, ready.status_code) == (200, 503)
    assert [each["name"] for each in ready.json()["parts"] if not each["up"]] == ["ledger"]
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:autoloader:problem:LedgerUnavailable")
    assert refused.headers["retry-after"]
    assert figures(scraped.text)["autoloader_ledger_up", ""] == 0


def test_figures_tell_the_backlog_what_ended_and_what_was_lost(runtime: Runtime) -> None:
    ledger, watched = Ledger(runtime.database), Figures(oldest=timedelta(0))
    before = figures(watched.scraped(runtime).decode())
    first, second = ledger.ingestion(), ledger.ingestion("second")
    run = ledger.discover(first, objects("a", "b", "c", size=10))
    waiting = figures(watched.scraped(runtime).decode())
    load, _ = ledger.claims(run)
    ledger.expire(load)
    with ledger.transaction() as connection:
        from autoloader.ledger import loads

        loads.settle_failed(connection, load.id)
    ledger.finishes(run, good, good, bad)
    ledger.ends(run)
    ledger.join(second)

    after = figures(watched.scraped(runtime).decode())
    again = figures(watched.scraped(runtime).decode())

    assert before["autoloader_backlog_files", ""] == 0
    assert (waiting["autoloader_backlog_files", ""], waiting["autoloader_backlog_bytes", ""]) == (3, 30)
    assert waiting["autoloader_backlog_oldest_seconds", ""] > 0
    assert waiting["autoloader_active_runs", "RUNNING"] == 1
    assert {name: value for name, value in after.items() if name[0] != "autoloader_counted_seconds"} == {
        name: value for name, value in again.items() if name[0] != "autoloader_counted_seconds"
    }
    assert (after["autoloader_files", "SUCCESS"], after["autoloader_files", "FAILED"]) == (2, 1)
    assert (after["autoloader_rows_total", ""], after["autoloader_read_bytes_total", ""]) == (20, 30)
    assert after["autoloader_run_seconds_count", "SUCCESS"] == 1
    assert after["autoloader_load_seconds_count", "COMMITTED"] == 1
    assert after["autoloader_settled_files_total", "FAILED"] == 1
    assert (after["autoloader_load_retries_total", ""], after["autoloader_lease_losses_total", ""]) == (1, 1)


def test_files_are_counted_for_the_next_scrape_and_not_while_this_one_waits(runtime: Runtime) -> None:
    ledger, watched = Ledger(runtime.database), Figures(rest=timedelta(0))
    ledger.discover(ledger.ingestion(), objects("a"))
    watched.scraped(runtime)
    ledger.discover(ledger.ingestion("second"), objects("b", "c"))

    def counted_again() -> dict[tuple[str, str], float] | None:
        watched.count(runtime)  # rests for some times as long as it took before
        found = figures(watched.scraped(runtime).decode())
        return found if found["autoloader_files", "DISCOVERED"] == 3 else None

    old = figures(watched.scraped(runtime).decode())
    new = eventually(counted_again, "the files that came are counted")

    assert old["autoloader_files", "DISCOVERED"] == 1
    assert 0 <= new["autoloader_counted_seconds", ""] < old["autoloader_counted_seconds", ""] + 60


def test_latency_is_counted_by_route_and_not_by_address(service: Service) -> None:
    for number in (7, 8):
        service.client().get(f"/ingestions/{number}")
    service.client().get("/no/such/route")

    counted = figures(httpx.get(f"{service.address}/metrics").text)

    assert counted["autoloader_request_seconds_count", "GET,/api/v1/ingestions/{ingestion_id},404"] == 2
    assert counted["autoloader_request_seconds_count", "unknown,unknown,404"] == 1


def test_without_a_token_no_address_but_a_loopback_one_is_taken(runtime: Runtime) -> None:
    with pytest.raises(UsageError, match="autoloader token create"), serving(runtime, "0.0.0.0", 0):  # noqa: S104
        pass


def test_an_address_in_use_is_refused(service: Service) -> None:
    port = int(service.address.rpartition(":")[2])

    with pytest.raises(UsageError, match="cannot listen"), serving(service.runtime, "127.0.0.1", port):
        pass


def test_the_command_serves_until_it_is_told_to_stop(
    connections: Connections, database_url: str, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOLOADER_", "AWS_"))}
    environment |= {"AUTOLOADER_DATABASE_URL": database_url, "AUTOLOADER_HOME": str(tmp_path)}
    environment["AUTOLOADER_S3_ENDPOINT_URL"] = connections.s3_endpoint_url or ""
    command = [sys.executable, "-m", "autoloader", "serve", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        warning, serving_line = process.stderr.readline(), process.stderr.readline()
        address = serving_line.split()[-1]
        answer = httpx.get(f"{address}/runs", timeout=30)
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read()

    assert "WARNING: no token was made yet" in warning
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})
    assert process.returncode == 0, rest
    assert "Traceback" not in rest


def test_the_command_refuses_to_be_open_to_others(database_url: str, tmp_path: Path) -> None:
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment = unmeasured | {"AUTOLOADER_DATABASE_URL": database_url, "AUTOLOADER_HOME": str(tmp_path)}

    refused = subprocess.run(
        [sys.executable, "-m", "autoloader", "serve", "--host", "0.0.0.0"],  # noqa: S104  that is what is refused
        capture_output=True,
        text=True,
        env=environment,
        check=False,
        timeout=60,
    )

    assert refused.returncode == 2
    assert "autoloader token create" in refused.stderr


def test_the_document_can_be_had_from_the_service(service: Service) -> None:
    from pathlib import Path

    committed = Path(__file__).parents[2] / "docs/reference/openapi.json"

    assert service.client().get("/openapi.json").json() == json.loads(committed.read_text("utf-8"))
