from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.api.test_api_runs import ended as run_ended
from tests.api.test_api_runs import lines, saved, worker
from tests.patience import eventually

from autoloader.model import Scope

if TYPE_CHECKING:
    import httpx
    from pyiceberg.catalog import Catalog
    from tests.api.conftest import Service
    from tests.conftest import Landing

__all__ = ["worker"]


def verified(client: httpx.Client, where: str) -> tuple[str, dict[str, Any]]:
    """A verification when it has ended, and its address."""
    location = client.post(f"{where}/verify").headers["location"].removeprefix("/api/v1")

    def over() -> dict[str, Any] | None:
        now: dict[str, Any] = client.get(location).json()
        return now if now["ended_at"] else None

    return location, eventually(over, "the verification ends")


def test_a_verification_is_accepted_at_once_and_the_same_one_comes_back_while_it_waits(
    client: httpx.Client, events: dict[str, Any]
) -> None:
    where = saved(client, events)

    first = client.post(f"{where}/verify")
    second = client.post(f"{where}/verify")

    assert (first.status_code, first.json()["status"], first.json()["report"]) == (202, "QUEUED", None)
    assert first.headers["location"] == f"/api/v1{where}/verifications/{first.json()['id']}"
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
    assert [each["id"] for each in client.get(f"{where}/verifications").json()["items"]] == [first.json()["id"]]


def test_a_request_that_is_sent_again_with_its_key_makes_one_verification(
    client: httpx.Client, events: dict[str, Any]
) -> None:
    where, key = saved(client, events), {"Idempotency-Key": "once"}

    first, again = (client.post(f"{where}/verify", headers=key) for _ in range(2))

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]


@pytest.mark.usefixtures("worker")
def test_a_worker_compares_and_what_differs_comes_in_pages(
    client: httpx.Client, events: dict[str, Any], landing: Landing, catalog: Catalog
) -> None:
    for number in range(5):
        landing.put(f"{number}.json", lines({"id": number}))
    where = saved(client, events)
    run_ended(client, client.post(f"{where}/run").json())
    _, clean = verified(client, where)
    assert (clean["status"], clean["report"]["is_clean"], clean["report"]["loaded"]) == ("SUCCESS", True, 5)

    catalog.load_table(f"{events['database']}.events").delete("id < 3")
    location, found = verified(client, where)

    assert (found["status"], found["report"]["is_clean"]) == ("SUCCESS", False)
    assert found["report"]["differences"] == {"rows_missing": 3}
    first = client.get(f"{location}/differences", params={"limit": 2}).json()
    rest = client.get(f"{location}/differences", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    told = [*first["items"], *rest["items"]]
    assert ([each["number"] for each in told], rest["next_cursor"]) == ([1, 2, 3], None)
    assert [each["file_path"] for each in told] == [f"{landing.path}{number}.json" for number in range(3)]
    assert {(each["expected"], each["found"]) for each in told} == {(1, None)}


def test_a_verification_belongs_to_its_tenant_and_its_ingestion_and_whoever_reads_may_not_start_one(
    service: Service, client: httpx.Client, events: dict[str, Any]
) -> None:
    where = saved(client, events)
    other = saved(client, events, name="others")
    location = client.post(f"{where}/verify").headers["location"].removeprefix("/api/v1")
    reader, stranger = (service.client(service.token(Scope.READ, tenant)) for tenant in ("default", "else"))

    assert reader.post(f"{where}/verify").status_code == 403
    assert reader.get(location).json()["status"] == "QUEUED"
    assert reader.get(f"{location}/differences").json() == {"items": [], "next_cursor": None}
    for place in (location, f"{location}/differences", f"{where}/verifications"):
        assert stranger.get(place).status_code == 404
    assert reader.get(location.replace(where, other)).status_code == 404


def test_an_ingestion_is_deleted_with_its_verifications(client: httpx.Client, events: dict[str, Any]) -> None:
    where = saved(client, events)
    location = client.post(f"{where}/verify").headers["location"].removeprefix("/api/v1")

    assert client.delete(where, headers={"If-Match": '"1"'}).status_code == 204
    assert client.get(location).status_code == 404
