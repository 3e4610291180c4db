from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.api.test_api_runs import lines, saved, worker
from tests.patience import eventually

from autoloader.model import Scope

if TYPE_CHECKING:
    import httpx
    from tests.api.conftest import Service
    from tests.conftest import Landing

__all__ = ["worker"]


def validated(client: httpx.Client, where: str, **body: Any) -> tuple[str, dict[str, Any]]:
    """A validation when it has ended, and its address."""
    location = client.post(f"{where}/validate", json=body).headers["location"].removeprefix("/api/v1")

    def over() -> dict[str, Any] | None:
        now: dict[str, Any] = client.get(location).json()
        return now if now["ended_at"] else None

    return location, eventually(over, "the validation ends")


def test_a_validation_is_accepted_at_once_and_the_same_one_comes_back_while_it_waits(
    client: httpx.Client, events: dict[str, Any]
) -> None:
    where = saved(client, events)

    first = client.post(f"{where}/validate", json={"max_files": 7})
    second = client.post(f"{where}/validate")

    assert (first.status_code, first.json()["status"], first.json()["report"]) == (202, "QUEUED", None)
    assert first.json()["max_files"] == 7
    assert first.headers["location"] == f"/api/v1{where}/validations/{first.json()['id']}"
    assert (second.status_code, second.json()["id"]) == (200, first.json()["id"])
    assert [each["id"] for each in client.get(f"{where}/validations").json()["items"]] == [first.json()["id"]]


@pytest.mark.usefixtures("worker")
def test_a_worker_reads_what_waits_and_files_and_refused_records_come_in_pages(
    client: httpx.Client, events: dict[str, Any], landing: Landing
) -> None:
    where = saved(client, events | {"schema_json": "id BIGINT", "on_bad_record": "skip"})
    for number in range(3):
        landing.put(f"{number}.json", lines({"id": number}) + '{"id": "x"}\n' * number)

    location, ended = validated(client, where)

    report = ended["report"]
    assert (ended["status"], report["is_clean"], report["waiting"]) == ("SUCCESS", False, {"new": 3})
    assert (report["files"], report["records"], report["refused"]) == ({"loads": 1, "partly": 2}, 3, 3)
    first = client.get(f"{location}/refused", params={"limit": 2}).json()
    rest = client.get(f"{location}/refused", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [(each["number"], each["reason"]) for each in first["items"] + rest["items"]] == [
        (1, "not_bigint"),
        (2, "not_bigint"),
        (3, "not_bigint"),
    ]
    assert rest["next_cursor"] is None
    files = client.get(f"{location}/files").json()["items"]
    assert [each["prospect"] for each in files] == ["partly", "partly", "loads"]
    loading = client.get(f"{location}/files", params={"prospect": "loads"}).json()["items"]
    assert [each["file_path"] for each in loading] == [landing.path + "0.json"]
    assert client.get(f"{where}/files").json()["items"] == []


def test_a_validation_belongs_to_its_tenant_and_its_ingestion_and_whoever_reads_may_not_start_one(
    service: Service, client: httpx.Client, events: dict[str, Any]
) -> None:
    where = saved(client, events)
    other = saved(client, events | {"name": "other"})
    location = client.post(f"{where}/validate").headers["location"].removeprefix("/api/v1")
    reader, stranger = (service.client(service.token(Scope.READ, tenant)) for tenant in ("default", "else"))

    assert reader.post(f"{where}/validate").status_code == 403
    assert reader.get(location).status_code == 200
    assert reader.get(location.replace(where, other)).status_code == 404
    for place in (location, f"{location}/files", f"{location}/refused", f"{where}/validations"):
        assert stranger.get(place).status_code == 404


def test_an_ingestion_is_deleted_with_its_validations(client: httpx.Client, events: dict[str, Any]) -> None:
    where = saved(client, events)
    location = client.post(f"{where}/validate").headers["location"].removeprefix("/api/v1")

    assert client.delete(where, headers={"If-Match": '"1"'}).status_code == 204
    assert client.get(location).status_code == 404
