"""The OpenAPI document: which errors each operation has, which scope it needs, what a problem looks like."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from autoloader.access import Scope
from autoloader.api.callers import Allowed
from autoloader.api.problems import MEDIA_TYPE, URN, FieldProblem, Problem, of_status, status_of
from autoloader.errors import (
    AutoloaderError,
    CatalogUnavailable,
    EditedMeanwhile,
    KeyReused,
    LedgerUnavailable,
    NameTaken,
    NotAllowed,
    NotAuthenticated,
    NotKnown,
    SourceUnavailable,
    UsageError,
    WrongState,
)

DESCRIPTION = """Files that arrive in object storage become rows of Apache Iceberg tables, each file exactly once.

* Errors are problem documents (RFC 9457) whose `type` is stable.
* Lists are paged: give `next_cursor` of one page as `cursor` for the next one.
* An edit that names a version (`If-Match`) is refused when somebody else edited the ingestion meanwhile.
* Creating and running may be repeated safely with an `Idempotency-Key`.
* A token has one of three scopes, each of which holds those before it: `read`, `operate`, `admin`.
"""
EXAMPLES: dict[type[AutoloaderError], tuple[str, str | None]] = {
    NotKnown: ("there is no ingestion 7: it may have been deleted", "ingestion_id"),
    NameTaken: ("an ingestion named 'events' is there already: choose another name, or edit that one", "name"),
    WrongState: ("ingestion events is PAUSED: resume it to let it run", None),
    EditedMeanwhile: ("ingestion events was edited by someone else and has version 4 now: read it again", None),
    KeyReused: ("this Idempotency-Key was used for another request", "Idempotency-Key"),
    NotAuthenticated: ("the token is unknown or revoked: ask whoever runs this service for another one", None),
    NotAllowed: ("token 'dashboard' has the scope read and this needs operate", None),
    SourceUnavailable: ("The store at s3.example.com does not answer. Try again later.", None),
    CatalogUnavailable: ("The catalog did not answer. Try again later.", None),
    LedgerUnavailable: ("the ledger's database is not available: check that it runs", None),
    UsageError: ("source_path 'landing' does not begin with s3://. Write s3://bucket/folder/.", "source_path"),
}
HEADERS = {"ETag": "The version, for `If-Match`.", "Location": "Where it is from now on."}
DETAILS = {
    HTTPStatus.BAD_REQUEST: "There was an error parsing the body",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than 1048576 bytes",
    HTTPStatus.PRECONDITION_REQUIRED: "send If-Match with the ETag of the version that is to be replaced",
}

Documented = dict[int | str, dict[str, Any]]


def answering(status: int, *headers: str, **more: Any) -> Documented:  # noqa: ANN401  parts of an OpenAPI response
    """The documented headers of an answer that is no error."""
    told = {name: {"description": HEADERS[name], "schema": {"type": "string"}} for name in headers}
    return {status: more | {"headers": told}}


def failing(*kinds: type[AutoloaderError] | HTTPStatus) -> Documented:
    """The documented answers of an operation that may fail so."""
    documented: Documented = {}
    for kind in kinds:
        problem = _example(kind)
        documented[problem.status] = {
            "description": problem.title,
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": problem.model_dump(exclude_none=True),
                }
            },
        }
    return documented


def _example(kind: type[AutoloaderError] | HTTPStatus) -> Problem:
    if isinstance(kind, HTTPStatus):
        return of_status(kind, DETAILS[kind])
    detail, field = EXAMPLES[kind]
    status = status_of(kind(detail))
    return Problem(
        type=URN + kind.__name__, title=status.phrase, status=status, detail=detail, field=field, errors=None
    )


def document(app: FastAPI, routers: Iterable[APIRouter]) -> dict[str, Any]:
    """The OpenAPI document of the application.

    Args:
        routers: all that the application has.
    """
    made: dict[str, Any] = FastAPI.openapi(app)
    _, shapes = models_json_schema(
        [(Problem, "serialization"), (FieldProblem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas |= shapes["$defs"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                for method in route.methods or ():
                    _complete(made["paths"][route.path_format][method.lower()], route)
    return made


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    """Add what every operation of its kind has."""
    scope = scope_of(route.dependant)
    more = failing(UsageError) if "422" in operation["responses"] else {}
    if scope is not None:
        operation["x-scope"] = scope
        operation["description"] = f"{operation['description']}\n\nScope: `{scope}`."
        more |= failing(NotAuthenticated, NotAllowed, LedgerUnavailable)
    if "requestBody" in operation:
        more |= failing(HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    answers = operation["responses"] | {str(int(status)): answer for status, answer in more.items()}
    operation["responses"] = dict(sorted(answers.items()))


def scope_of(dependant: Dependant) -> Scope | None:
    """The scope that a route needs; None where anyone may ask."""
    if isinstance(dependant.call, Allowed):
        return dependant.call.scope
    found = (scope_of(inner) for inner in dependant.dependencies)
    return next((scope for scope in found if scope is not None), None)
