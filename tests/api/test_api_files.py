"""Files across ingestions and how many there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from autoloader.ledger import ingestions
from autoloader.ledger.database import transaction
from autoloader.ledger.listing import record_listing
from autoloader.ledger.runs import start_or_join
from autoloader.model import RunTrigger, SourceObject
from autoloader.plan import Lease

if TYPE_CHECKING:
    import httpx
    from tests.api.conftest import Service


def seen(service: Service, client: httpx.Client, draft: dict[str, Any], *paths: str) -> int:
    """An ingestion that has seen these paths."""
    made: int = client.post("/ingestions", json=draft).json()["id"]
    found = [SourceObject(path=path, size_bytes=1, etag="1", modified_at=datetime.now(UTC)) for path in paths]
    with transaction(service.runtime.database) as connection:
        ingestion = ingestions.by_id(connection, made)
        run, _ = start_or_join(connection, made, RunTrigger.MANUAL, "w", Lease())
        record_listing(connection, ingestion, run.id, found, worker="w")
    return made


def test_a_path_is_found_in_every_ingestion_of_the_tenant_and_in_no_other(
    service: Service, events: dict[str, Any]
) -> None:
    path = events["source_path"] + "odd +%20#?\u00e9\n.json"
    admin, other = service.client(service.token()), service.client(service.token(tenant="acme"))
    first = seen(service, admin, events, path, path + "x")
    second = seen(service, admin, events | {"name": "more"}, path)
    theirs = seen(service, other, events, path)

    found = admin.get("/files", params={"path": path}).json()
    assert [(file["ingestion_id"], file["file_path"]) for file in found["items"]] == [(first, path), (second, path)]
    assert found["next_cursor"] is None
    assert [file["ingestion_id"] for file in other.get("/files", params={"path": path}).json()["items"]] == [theirs]
    assert admin.get("/files", params={"path": path[:-1]}).json()["items"] == []
    refused = admin.get("/files")
    assert (refused.status_code, refused.json()["field"], refused.json()["detail"]) == (422, "path", "path is required")


def test_files_are_counted_by_status(service: Service, client: httpx.Client, events: dict[str, Any]) -> None:
    where = events["source_path"]
    made = seen(service, client, events, f"{where}a", f"{where}b")

    assert client.get(f"/ingestions/{made}/files/counts").json() == {
        "files": {"DISCOVERED": 2, "PROCESSING": 0, "SUCCESS": 0, "FAILED": 0, "SKIPPED": 0}
    }
