"""Rejects over HTTP: pages, filters, whose they are, and loading their files again."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Any

from autoloader.ledger import ingestions
from autoloader.ledger.database import transaction
from autoloader.model import Scope
from autoloader.workers import Unwatched

if TYPE_CHECKING:
    import httpx
    from tests.api.conftest import Service
    from tests.conftest import Landing

BAD = 5


def loaded(service: Service, client: httpx.Client, draft: dict[str, Any]) -> int:
    """The ingestion, run once."""
    fields = {"schema_json": "id BIGINT", "on_bad_record": "quarantine", "max_bad_ratio": 0.9}
    told = client.post("/ingestions", json=draft | fields).json()
    assert (told["on_bad_record"], told["max_bad_records"], told["max_bad_ratio"]) == ("quarantine", None, 0.9)
    made: int = told["id"]
    with transaction(service.runtime.database) as connection:
        ingestion = ingestions.by_id(connection, made)
    service.runtime.run(ingestion, observer=Unwatched(), stopping=Event())
    return made


def test_rejects_are_paged_filtered_and_kept_from_other_tenants(
    service: Service, landing: Landing, events: dict[str, Any]
) -> None:
    path = landing.put("a.json", '{"id": 1}\n' + "".join(f'{{"id": "{n}x"}}\n' for n in range(BAD - 1)) + "{\n")
    admin, reader = service.client(service.token()), service.client(service.token(Scope.READ))
    made = loaded(service, admin, events)
    run = admin.get(f"/ingestions/{made}/runs").json()["items"][0]
    assert (run["records_ingested"], run["records_rejected"]) == (1, BAD)
    where = f"/ingestions/{made}/rejects"

    lines, cursor = [], None
    while True:
        page = reader.get(where, params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        lines += [item["line"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(lines) == [2, 3, 4, 5, 6]
    (malformed,) = reader.get(where, params={"reason": "malformed", "path": path}).json()["items"]
    assert (malformed["line"], malformed["column"], malformed["raw"]) == (6, None, "{")
    assert (
        reader.get(where, params={"load_id": malformed["load_id"], "column": "id"}).json()["items"][0]["column"] == "id"
    )

    refused = reader.get(where, params={"cursor": "nonsense"})
    assert (refused.status_code, refused.json()["field"]) == (422, "cursor")
    other = service.client(service.token(tenant="other"))
    assert (other.get(where).status_code, other.post(f"{where}/retry").status_code) == (404, 404)
    assert reader.post(f"{where}/retry").status_code == 403

    assert admin.post(f"{where}/retry", json={"paths": [path]}).json() == {"files": 1}
    again = admin.post(f"{where}/retry", json={"paths": [path]})
    assert (again.status_code, again.json()["detail"]) == (409, f"no rejects, so nothing to mend: {path}")
    assert admin.get("/files", params={"path": path}).json()["items"][0]["status"] == "DISCOVERED"


def test_an_ingestion_without_rejects_has_an_empty_list_and_limits_need_a_policy(
    client: httpx.Client, events: dict[str, Any]
) -> None:
    made = client.post("/ingestions", json=events).json()["id"]
    assert client.get(f"/ingestions/{made}/rejects").json() == {"items": [], "next_cursor": None}
    refused = client.patch(f"/ingestions/{made}", json={"max_bad_records": 3})
    assert (refused.status_code, refused.json()["field"]) == (422, "max_bad_records")
    changed = client.patch(f"/ingestions/{made}", json={"max_bad_records": 3, "on_bad_record": "skip"}).json()
    assert (changed["on_bad_record"], changed["max_bad_records"]) == ("skip", 3)
    assert client.patch(f"/ingestions/{made}", json={"max_bad_records": None}).json()["max_bad_records"] is None
