from __future__ import annotations

import json
import threading
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    from tests.api.conftest import Service
    from tests.conftest import Landing


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def saved(client: httpx.Client, draft: dict[str, Any], **changes: Any) -> str:
    answer = client.post("/ingestions", json=draft | changes)
    assert answer.status_code == 201, answer.text
    return f"/ingestions/{answer.json()['id']}"


@pytest.fixture
def worker(service: Service) -> Iterator[None]:
    """One worker beside the service."""
    stopping = Event()
    work = {"concurrency": 1, "stopping": stopping, "grace": timedelta(seconds=20)}
    thread = threading.Thread(target=service.runtime.work, kwargs=work)
    thread.start()
    yield
    stopping.set()
    thread.join()


def ended(client: httpx.Client, run: dict[str, Any]) -> dict[str, Any]:
    """The run when it has ended; the test's time limit is the deadline."""
    pause = Event()
    while run["ended_at"] is None:
        pause.wait(0.1)
        run = client.get(f"/runs/{run['id']}").json()
    return run


def test_a_run_is_accepted_at_once_and_the_same_run_comes_back_while_it_goes_on(
    client: httpx.Client, events: dict[str, Any]
) -> None:
    where = saved(client, events)

    first = client.post(f"{where}/run")
    second = client.post(f"{where}/run")

    assert (first.status_code, first.json()["status"]) == (202, "QUEUED")
    assert first.headers["location"] == f"/api/v1{where}/runs/{first.json()['id']}"
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
    assert client.get(first.headers["location"].removeprefix("/api/v1")).json() == first.json()


def test_a_run_that_is_sent_again_after_it_ended_is_not_run_again(client: httpx.Client, events: dict[str, Any]) -> None:
    where = saved(client, events)
    key = {"Idempotency-Key": "run-1"}

    first = client.post(f"{where}/run", headers=key)
    client.post(f"/runs/{first.json()['id']}/cancel")
    again = client.post(f"{where}/run", headers=key)
    other = client.post(f"{where}/run", headers={"Idempotency-Key": "run-2"})

    assert (again.status_code, again.json()["id"], again.json()["status"]) == (202, first.json()["id"], "CANCELLED")
    assert other.json()["id"] != first.json()["id"]


def test_the_same_key_with_another_body_is_refused(client: httpx.Client, events: dict[str, Any]) -> None:
    where = saved(client, events)
    key = {"Idempotency-Key": "run-1"}
    since = "2024-01-15T08:30:00Z"

    first = client.post(f"{where}/run", headers=key, json={"since": since})
    same = client.post(f"{where}/run", headers=key, json={"since": "2024-01-15T09:30:00+01:00", "max_files": None})
    other = client.post(f"{where}/run", headers=key, json={"since": since, "max_files": 1})
    none = client.post(f"{where}/run", headers=key)

    assert (same.status_code, same.json()) == (202, first.json())
    assert [answer.status_code for answer in (other, none)] == [422, 422]
    assert other.json()["type"].endswith("KeyReused")


def test_an_empty_body_asks_for_what_no_body_asks_for(client: httpx.Client, events: dict[str, Any]) -> None:
    where = saved(client, events)
    key = {"Idempotency-Key": "run-1"}
    assert client.post(f"{where}/run", headers=key).status_code == 202
    assert client.post(f"{where}/run", headers=key, json={}).status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"since": "2024-01-15T08:30:00"}, "since"),
        ({"since": "yesterday"}, "since"),
        ({"since": 1705307400}, "since"),
        ({"since": "1705307400"}, "since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "since"),
        ({"max_files": 0}, "max_files"),
        ({"max_files": 2**63}, "max_files"),
        ({"max_files": "many"}, "max_files"),
        ({"files": 3}, "files"),
    ],
)
def test_a_run_that_is_not_asked_for_rightly_is_refused_with_the_field(
    client: httpx.Client, events: dict[str, Any], body: dict[str, Any], field: str
) -> None:
    where = saved(client, events)
    answer = client.post(f"{where}/run", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert client.get("/runs").json()["items"] == []


@pytest.mark.usefixtures("worker")
def test_a_run_takes_so_many_files_and_none_older_than_asked(
    client: httpx.Client, landing: Landing, events: dict[str, Any]
) -> None:
    for number in range(5):
        landing.put(f"{number}.json", lines({"id": number}))
    where = saved(client, events, schema_json="id BIGINT")

    first = ended(client, client.post(f"{where}/run", json={"max_files": 2}).json())
    assert (first["max_files"], first["files_discovered"], first["files_succeeded"]) == (2, 2, 2)
    seen = client.get(f"{where}/files", params={"status": "SUCCESS"}).json()["items"]
    assert [each["file_path"] for each in seen] == [f"{landing.path}{number}.json" for number in range(2)]

    none = ended(client, client.post(f"{where}/run", json={"since": "2999-01-01T00:00:00Z"}).json())
    assert (none["status"], none["since"], none["files_discovered"]) == ("SUCCESS", "2999-01-01T00:00:00Z", 0)

    rest = ended(client, client.post(f"{where}/run", json={"since": seen[0]["file_modified_at"]}).json())
    assert (rest["max_files"], rest["files_succeeded"]) == (None, 3)


def test_a_run_that_goes_on_comes_back_as_it_was_asked_for(client: httpx.Client, events: dict[str, Any]) -> None:
    where = saved(client, events)
    first = client.post(f"{where}/run", json={"max_files": 2})
    second = client.post(f"{where}/run", json={"max_files": 9})
    assert (second.status_code, second.json()) == (200, first.json())


@pytest.mark.usefixtures("worker")
def test_the_contract_through_http_with_a_worker_beside(
    client: httpx.Client, service: Service, landing: Landing, events: dict[str, Any]
) -> None:
    for number in range(5):
        landing.put(f"good-{number}.json", lines({"id": number}, {"id": number + 100}))
    bad = landing.put("bad.json", "{")
    where = saved(client, events, schema_json="id BIGINT", max_retries=0)

    run = ended(client, client.post(f"{where}/run").json())

    assert (run["status"], run["files_succeeded"], run["files_failed"], run["records_ingested"]) == (
        "SUCCESS",
        5,
        1,
        10,
    )
    failed = client.get(f"{where}/files", params={"status": "FAILED"}).json()["items"]
    assert [(each["file_path"], each["error_type"]) for each in failed] == [(bad, "BadRecord")]
    first = client.get(f"{where}/files", params={"limit": 4}).json()
    rest = client.get(f"{where}/files", params={"limit": 4, "cursor": first["next_cursor"]}).json()
    paths = [each["file_path"] for each in first["items"] + rest["items"]]
    assert (len(first["items"]), len(paths), rest["next_cursor"]) == (4, 6, None)
    assert paths == sorted(paths)
    loaded = client.get(f"{where}/files", params={"path": f"{landing.path}good-*"}).json()["items"]
    assert {each["status"] for each in loaded} == {"SUCCESS"}
    story = client.get(f"/files/{loaded[0]['id']}").json()
    assert [each["status"] for each in story["history"]] == ["SUCCESS"]
    assert story["snapshot_id"] == story["history"][0]["snapshot_id"]
    assert client.get(f"{where}/files", params={"since": run["ended_at"]}).json()["items"] == []

    landing.put("bad.json", lines({"id": 7}))
    assert client.post(f"{where}/files/retry", json={"paths": [bad]}).json() == {"files": 1}
    again = ended(client, client.post(f"{where}/run").json())
    assert (again["status"], again["records_ingested"]) == ("SUCCESS", 1)
    assert client.post(f"{where}/files/retry").json() == {"files": 0}
    assert client.post(f"{where}/files/retry", json={"paths": [bad]}).status_code == 409
    assert client.post(f"{where}/files/retry", json={"paths": ["s3://no/such"]}).status_code == 404

    figures = client.get(f"{service.address}/metrics").text
    assert 'autoloader_files{status="SUCCESS"} 6.0' in figures


def test_the_lists_of_runs_are_paged_filtered_and_the_newest_is_first(
    client: httpx.Client, events: dict[str, Any]
) -> None:
    one, other = saved(client, events), saved(client, events, name="other")
    made = []
    for where in (one, other, one):
        run = client.post(f"{where}/run").json()
        made.append(run["id"])
        client.post(f"/runs/{run['id']}/cancel")
    made.append(client.post(f"{other}/run").json()["id"])

    first = client.get("/runs", params={"limit": 3}).json()
    rest = client.get("/runs", params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [run["id"] for run in first["items"] + rest["items"]] == made[::-1]
    assert [run["id"] for run in client.get(f"{one}/runs").json()["items"]] == [made[2], made[0]]
    queued = client.get("/runs", params={"status": "QUEUED"}).json()["items"]
    assert [run["id"] for run in queued] == [made[3]]
    cancelled = client.get(f"{other}/runs", params={"status": "CANCELLED"}).json()["items"]
    assert [run["id"] for run in cancelled] == [made[1]]
    assert client.get(f"{one}/runs/{made[1]}").status_code == 404


def test_a_run_is_cancelled_once_and_one_that_has_ended_otherwise_cannot_be(
    client: httpx.Client, service: Service, events: dict[str, Any]
) -> None:
    from autoloader.ledger import runs
    from autoloader.ledger.database import transaction

    where = saved(client, events)
    run = client.post(f"{where}/run").json()

    assert client.post(f"/runs/{run['id']}/cancel").json()["status"] == "CANCELLED"
    assert client.post(f"/runs/{run['id']}/cancel").status_code == 200
    failing = client.post(f"{where}/run").json()
    with transaction(service.runtime.database) as connection:
        runs.fail(connection, failing["id"], "the bucket is gone", "BucketNotFound")
    refused = client.post(f"/runs/{failing['id']}/cancel")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:autoloader:problem:WrongState")
    assert client.get(f"/runs/{failing['id']}").json()["errors"][0]["type"] == "BucketNotFound"
