"""Every route of the document is walked: by nobody, by each scope, and by the administrator of another tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.api.conftest import TENANT

from autoloader.api import application
from autoloader.ledger.database import transaction
from autoloader.ledger.listing import record_listing
from autoloader.ledger.runs import start_or_join
from autoloader.model import RunTrigger, Scope, SourceObject
from autoloader.plan import Lease, LoadLimits

if TYPE_CHECKING:
    import httpx
    from tests.api.conftest import Service

DOCUMENT = application().openapi()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
SCOPED = [(method, path, operation["x-scope"]) for method, path, operation in OPERATIONS if "x-scope" in operation]
OF_ONE = [(method, path) for method, path, _ in SCOPED if "{" in path]
LISTS = ["/ingestions", "/runs"]


class Owned:
    """What one tenant has: an ingestion, a run, a file that is being loaded, a verification and a validation."""

    def __init__(self, service: Service, client: httpx.Client, draft: dict[str, Any]) -> None:
        self.draft = draft
        made = client.post("/ingestions", json=draft)
        assert made.status_code == 201, made.text
        self.ingestion = made.json()
        self.ids = {"ingestion_id": self.ingestion["id"]} | self._seen(service)

    def _seen(self, service: Service) -> dict[str, object]:
        from datetime import UTC, datetime

        from autoloader.ledger import files, ingestions, loads, validations, verifications

        path = self.draft["source_path"] + "a.json"
        found = SourceObject(path=path, size_bytes=1, etag="1", modified_at=datetime.now(UTC))
        with transaction(service.runtime.database) as connection:
            ingestion = ingestions.by_id(connection, self.ingestion["id"])
            run, _ = start_or_join(connection, ingestion.id, RunTrigger.MANUAL, "w", Lease())
            record_listing(connection, ingestion, run.id, [found], worker="w")
            (file,) = files.find(connection, path, ingestion.id)
            verification, _ = verifications.enqueue(connection, ingestion.id)
            validation, _ = validations.enqueue(connection, ingestion.id, max_files=None)
            table, limits = ingestion.table_name, LoadLimits()
            claimed = loads.claim(connection, run, worker="w", lease=Lease(), limits=limits, table_name=table)
        assert claimed is not None
        ids = {"run_id": run.id, "file_id": file.id, "verification_id": verification.id}
        return ids | {"validation_id": validation.id, "load_id": claimed[0].id}

    def ask(self, client: httpx.Client, method: str, path: str) -> httpx.Response:
        """Ask about it as a client would."""
        body = self.draft if path.endswith(("/ingestions", "preview", "test-connection")) or method == "PUT" else {}
        if path.endswith("/settle"):
            body = {"loaded": False}
        address = str(client.base_url).removesuffix("/api/v1/") + path.format(**self.ids)
        return client.request(method, address, json=body, headers={"If-Match": "*"})


def test_every_operation_needs_a_scope_but_those_that_watch() -> None:
    free = {path for _, path, operation in OPERATIONS if "x-scope" not in operation}

    assert free == {"/healthz", "/readyz", "/metrics"}
    assert {scope for *_, scope in SCOPED} == set(Scope)
    assert all(scope == "read" for method, _, scope in SCOPED if method == "GET")
    assert all(scope != "read" for method, _, scope in SCOPED if method != "GET")


def test_every_operation_asks_for_a_token_and_for_enough_of_a_scope(service: Service, events: dict[str, Any]) -> None:
    clients = {scope: service.client(service.token(scope)) for scope in Scope}
    owned = Owned(service, clients[Scope.ADMIN], events)
    strangers = [service.client(), service.client("al_not-a-token"), service.client()]
    strangers[2].headers["Authorization"] = "Basic YTpi"
    wrong = []
    for method, path, needed in SCOPED:
        wrong += [(method, path) for each in strangers if owned.ask(each, method, path).status_code != 401]
        for scope in Scope:
            if not scope.holds(Scope(needed)) and owned.ask(clients[scope], method, path).status_code != 403:
                wrong.append((method, path))

    assert wrong == []
    assert owned.ask(clients[Scope.READ], "GET", "/api/v1/ingestions/{ingestion_id}").json() == owned.ingestion


def test_the_scope_that_an_operation_names_is_enough(service: Service, events: dict[str, Any]) -> None:
    clients = {scope: service.client(service.token(scope)) for scope in Scope}
    owned = Owned(service, clients[Scope.ADMIN], events)
    # Deleting comes last: nothing can be asked about afterwards.
    ordered = sorted(SCOPED, key=lambda each: (each[0] == "DELETE", each[1].endswith("cancel")))

    refused = [
        (method, path, answer.text)
        for method, path, needed in ordered
        if (answer := owned.ask(clients[Scope(needed)], method, path)).status_code in {401, 403, 500}
    ]

    assert refused == []


@pytest.mark.parametrize(("method", "path"), OF_ONE)
def test_what_another_tenant_has_does_not_exist(
    service: Service, events: dict[str, Any], method: str, path: str
) -> None:
    owned = Owned(service, service.client(service.token()), events)
    other = service.client(service.token(tenant=TENANT))

    answer = owned.ask(other, method, path)

    assert (answer.status_code, answer.json()["type"]) == (404, "urn:autoloader:problem:NotKnown"), answer.text


def test_the_lists_of_another_tenant_are_empty_and_names_are_free_in_each(
    service: Service, events: dict[str, Any]
) -> None:
    owner, other = service.client(service.token()), service.client(service.token(tenant=TENANT))
    owned = Owned(service, owner, events)

    lists = [*LISTS, f"/files?path={events['source_path']}a.json"]
    assert [len(owner.get(path).json()["items"]) for path in lists] == [1, 1, 1]
    assert [other.get(path).json()["items"] for path in lists] == [[], [], []]
    theirs = other.post("/ingestions", json=owned.draft, headers={"Idempotency-Key": "one"}).json()
    assert (theirs["name"], theirs["tenant_id"]) == ("events", TENANT)
    assert [each["id"] for each in other.get("/ingestions").json()["items"]] == [theirs["id"]]
    mine = service.client(service.token(Scope.READ)).get("/ingestions").json()["items"]
    assert [each["id"] for each in mine] == [owned.ingestion["id"]]
    mixed = f"/ingestions/{theirs['id']}/runs/{owned.ids['run_id']}"
    assert other.get(mixed).status_code == 404


@pytest.mark.parametrize(
    "credentials",
    [
        {"aws_access_key_id": "env:AWS_ACCESS_KEY_ID", "aws_secret_access_key": "env:AWS_SECRET_ACCESS_KEY"},
        {"aws_access_key_id": "AKIA", "aws_secret_access_key": "file:/etc/passwd"},
        {"profile": "default"},
        {"role_arn": "arn:aws:iam::123456789012:role/reader"},
    ],
)
def test_another_tenant_may_not_refer_to_what_is_on_the_machine(
    service: Service, events: dict[str, Any], credentials: dict[str, Any]
) -> None:
    other = service.client(service.token(tenant=TENANT))
    where = f"/ingestions/{other.post('/ingestions', json=events).json()['id']}"
    drafted = events | {"name": "more", "source_credentials": credentials}

    answers = [
        other.post("/ingestions", json=drafted),
        other.post("/ingestions/preview", json=drafted),
        other.post("/ingestions/test-connection", json=drafted),
        other.patch(where, json={"source_credentials": credentials}),
        other.put(where, json=drafted, headers={"If-Match": "*"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://example.com"}, {"Host": "rebound.example.com"}, {"Origin": "null"}],
)
def test_a_web_page_cannot_use_a_service_without_tokens(client: httpx.Client, headers: dict[str, str]) -> None:
    assert client.get("/ingestions", headers=headers).status_code == 403
    assert client.get("/ingestions", headers={"Origin": "http://localhost:3000"}).status_code == 200
