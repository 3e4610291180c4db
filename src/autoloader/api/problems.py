"""Errors as RFC 9457 problem documents. The one table from an error to its status; no other module names one."""

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from autoloader import errors
from autoloader.errors import AutoloaderError, UsageError

if TYPE_CHECKING:
    from autoloader.api.callers import Asking

MEDIA_TYPE = "application/problem+json"
URN = "urn:autoloader:problem:"
RETRY_AFTER_SECONDS = "5"

STATUS: dict[type[AutoloaderError], HTTPStatus] = {
    errors.AutoloaderError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.UsageError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotKnown: HTTPStatus.NOT_FOUND,
    errors.NameTaken: HTTPStatus.CONFLICT,
    errors.WrongState: HTTPStatus.CONFLICT,
    errors.EditedMeanwhile: HTTPStatus.PRECONDITION_FAILED,
    errors.NotAuthenticated: HTTPStatus.UNAUTHORIZED,
    errors.NotAllowed: HTTPStatus.FORBIDDEN,
    # What the ingestion names is at fault, not this service.
    errors.SourceError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SourceUnavailable: HTTPStatus.FAILED_DEPENDENCY,
    errors.FileError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.CatalogMisconfigured: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TableMismatch: HTTPStatus.CONFLICT,
    errors.SparkError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SparkUnavailable: HTTPStatus.FAILED_DEPENDENCY,
    # A part of this service is at fault: the same request may do later.
    errors.CatalogUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.LedgerError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SpoolFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.StackError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Interrupted: HTTPStatus.SERVICE_UNAVAILABLE,
}
FIELDS: dict[type[AutoloaderError], str] = {
    errors.BucketNotFound: "source_path",
    errors.SourceAccessDenied: "source_credentials",
    errors.CredentialsMissing: "source_credentials",
    errors.CatalogMisconfigured: "catalog",
    errors.SparkError: "spark_connect_url",
}
"""The field at fault where the error itself names none."""

KINDS: dict[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "Malformed",
    HTTPStatus.NOT_FOUND: "NoSuchAddress",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "BodyTooLarge",
    HTTPStatus.PRECONDITION_REQUIRED: "VersionRequired",
}
"""The type of a problem that is one of HTTP alone."""

log = structlog.get_logger(__name__)


class FieldProblem(BaseModel):
    """One field that is not as it should be."""

    field: str = Field(description="Its name, with dots between the levels.", examples=["source_path"])
    message: str = Field(description="What is wrong with it.", examples=["Field required"])


class Problem(BaseModel):
    """What went wrong, as RFC 9457 says it."""

    type: str = Field(description="Stable; one for each kind of problem.", examples=[URN + "NotKnown"])
    title: str = Field(description="The kind of problem in words.", examples=["Not Found"])
    status: int = Field(description="The HTTP status.", examples=[404])
    detail: str = Field(
        description="What happened, to which thing, and what to do.",
        examples=["there is no ingestion 7: it may have been deleted"],
    )
    field: str | None = Field(None, description="The field at fault, where one is.", examples=["ingestion_id"])
    errors: list[FieldProblem] | None = Field(None, description="Every field at fault, where the body is not valid.")


def status_of(error: AutoloaderError) -> HTTPStatus:
    """The status of an error: that of its nearest class in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def answer(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """The problem as a response."""
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=headers)


def of_status(status: int, detail: str) -> Problem:
    """A problem of HTTP itself."""
    known = HTTPStatus(status)
    kind = KINDS.get(known, "".join(part.capitalize() for part in re.findall(r"\w+", known.phrase)))
    return Problem(type=URN + kind, title=known.phrase, status=status, detail=detail)


def install(app: FastAPI) -> None:
    """Make every error of the application a problem document."""
    app.add_exception_handler(AutoloaderError, _ours)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _unforeseen)


def _ours(_request: Request, error: Exception) -> Response:
    if not isinstance(error, AutoloaderError):
        raise error
    status = status_of(error)
    field = error.field if isinstance(error, UsageError) else FIELDS.get(type(error))
    headers = {"WWW-Authenticate": "Bearer"} if status is HTTPStatus.UNAUTHORIZED else {}
    if error.retryable:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request.failed", error=error.error_type, reason=str(error))
    problem = Problem(
        type=URN + error.error_type, title=status.phrase, status=status, detail=str(error), field=field, errors=None
    )
    return answer(problem, headers)


def _not_valid(request: Request, error: Exception) -> Response:
    """The input itself is never repeated: it may hold a secret. Whoever may not ask at all is told that instead."""
    if not isinstance(error, RequestValidationError):
        raise error
    asking: Asking | None = getattr(request.state, "asking", None)
    if asking is not None:
        try:
            asking.caller()
        except AutoloaderError as refused:
            return _ours(request, refused)
    found = [FieldProblem(field=_name(entry), message=str(entry["msg"])) for entry in error.errors()]
    first = found[0]
    problem = of_status(HTTPStatus.UNPROCESSABLE_ENTITY, _sentence(first))
    return answer(problem.model_copy(update={"type": URN + "UsageError", "field": first.field, "errors": found}))


def _name(entry: dict[str, Any]) -> str:
    """The field's name without the part of the request it was in, which stands for a body as a whole."""
    where, *rest = entry["loc"]
    if entry["type"] == "json_invalid":
        return str(where)
    return ".".join(str(part) for part in rest) or str(where)


def _sentence(problem: FieldProblem) -> str:
    """What is wrong, in the words that ``defining`` has for it as well."""
    if problem.message == "Field required":
        return f"{problem.field} is required"
    first, rest = problem.message[0], problem.message[1:]
    return f"{problem.field}: {first if rest[:1].isupper() else first.lower()}{rest}"


def _of_http(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return answer(of_status(error.status_code, error.detail), dict(error.headers or {}))


def _unforeseen(request: Request, error: Exception) -> Response:
    log.error("request.broken", method=request.method, path=request.url.path, exc_info=error)
    return answer(
        of_status(
            HTTPStatus.INTERNAL_SERVER_ERROR, "this is a mistake in the service; its log tells what went on: report it"
        )
    )
