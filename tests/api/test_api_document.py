"""The document tells the truth: what it allows works, what it forbids is refused, and nothing breaks the service."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from autoloader.api import application

if TYPE_CHECKING:
    from tests.api.conftest import Service

ROOT = Path(__file__).parents[2]
DOCUMENT = application().openapi()
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
FEW = settings(
    max_examples=12,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_the_committed_document_is_that_of_the_code() -> None:
    committed = json.loads((ROOT / "docs/reference/openapi.json").read_text("utf-8"))

    assert committed == DOCUMENT


def test_every_operation_is_described_with_its_errors_and_every_body_has_an_example() -> None:
    for method, path in OPERATIONS:
        operation = DOCUMENT["paths"][path][method]
        assert operation["summary"], path
        assert len(operation["description"].split()) > 3, path
        for status, answer in operation["responses"].items():
            if status.startswith(("4", "5")) and path != "/readyz":
                (told,) = answer["content"].values()
                assert told["example"]["status"] == int(status)
    bodies = {
        content["schema"]["$ref"].rpartition("/")[2]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for content in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in content["schema"]
    }
    assert bodies == {"NewIngestion", "IngestionChanges", "Settling"}
    assert all(DOCUMENT["components"]["schemas"][name]["examples"] for name in bodies)


def without_tokens(document: dict[str, Any]) -> dict[str, Any]:
    """The document of a service where no token was made; tokens have tests of their own."""
    copy: dict[str, Any] = json.loads(json.dumps(document))
    for methods in copy["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    return copy


@pytest.mark.no_cover
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_whatever_is_sent_the_answer_is_one_that_the_document_tells(
    service: Service, events: dict[str, Any], method: str, path: str
) -> None:
    client = service.client()
    made = client.post("/ingestions", json=events).json()
    run = client.post(f"/ingestions/{made['id']}/run").json()
    verification = client.post(f"/ingestions/{made['id']}/verify").json()
    validation = client.post(f"/ingestions/{made['id']}/validate").json()
    real = {"ingestion_id": made["id"], "run_id": run["id"], "verification_id": verification["id"]}
    real |= {"validation_id": validation["id"]}
    operation = schemathesis.openapi.from_dict(without_tokens(DOCUMENT))[path][method.upper()]
    asked = []

    def ask(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=service.address)
        asked.append(answer.status_code)
        if answer.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:  # refused as well; schemathesis does not know it
            case.validate_response(answer, checks=CHECKS)

    @FEW
    @given(case=operation.as_strategy(GenerationMode.POSITIVE))
    def as_the_document_allows(case: schemathesis.Case[Any]) -> None:
        case.path_parameters = {name: real.get(name, value) for name, value in case.path_parameters.items()}
        ask(case)

    @FEW
    @given(case=operation.as_strategy(GenerationMode.NEGATIVE))
    def as_it_forbids(case: schemathesis.Case[Any]) -> None:
        ask(case)

    as_the_document_allows()
    if any(True for _ in operation.iter_parameters()) or operation.body:
        as_it_forbids()
    assert asked
