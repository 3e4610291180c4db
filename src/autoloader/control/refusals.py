"""Problem documents (RFC 9457) of a service as the errors they were made from: the same class, the same sentence."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autoloader import errors
from autoloader.errors import AutoloaderError, ServiceError, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

URN = "urn:autoloader:problem:"
PASSING = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
"""What a service, or a proxy before it, answers while it cannot answer."""


def error_of(response: httpx.Response) -> AutoloaderError:
    """The error that an answer tells of, which is none of success."""
    problem = _problem(response)
    if problem is None:
        return _foreign(response)
    kind = str(problem["type"]).removeprefix(URN)
    detail, field = str(problem["detail"]), problem.get("field")
    found = _KINDS.get(kind)
    if found is not None:
        return found(detail, field=field) if issubclass(found, UsageError) else found(detail)
    if response.status_code == HTTPStatus.NOT_FOUND:
        return ServiceError(f"the service at {response.url} does not know this request: is it of an older version?")
    if response.is_client_error:
        return UsageError(detail, field=field if isinstance(field, str) else None)
    return ServiceError(f"the service at {response.url} failed: {detail}")


def error_named(kind: str, message: str) -> AutoloaderError:
    """The error of which the service tells that it ended a job."""
    return _KINDS.get(kind, ServiceError)(message)


def _problem(response: httpx.Response) -> dict[str, Any] | None:
    """The problem document, or None where it is something else."""
    try:
        told = response.json()
    except ValueError:
        return None
    return told if isinstance(told, dict) and str(told.get("type", "")).startswith(URN) and "detail" in told else None


def _foreign(response: httpx.Response) -> ServiceError:
    """Somebody answered who is not our service: a proxy before it, or another program altogether."""
    said = f"{response.url} answered {response.status_code} {response.reason_phrase}".rstrip()
    if response.status_code in PASSING:
        return ServiceUnavailable(f"{said}: the service is not there at the moment. Try again later.")
    return ServiceError(f"{said}, which is no answer of an Autoloader service: check --url or AUTOLOADER_URL")


def _kinds(kind: type[AutoloaderError]) -> Iterator[tuple[str, type[AutoloaderError]]]:
    """Every class of error that is made from a sentence, by the name that the service gives it."""
    yield kind.__name__, kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)


_KINDS = dict(_kinds(AutoloaderError)) | {errors.BadRecord.__name__: errors.FileError}
