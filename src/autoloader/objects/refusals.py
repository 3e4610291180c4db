"""What an S3 answer other than success means, as one of our errors."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from autoloader.errors import (
    AutoloaderError,
    BucketNotFound,
    FileChanged,
    FileUnreadable,
    FileVanished,
    SourceAccessDenied,
    SourceError,
    SourceUnavailable,
)
from autoloader.objects.paths import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST, GET = "s3:ListBucket", "s3:GetObject"
REGION_HEADER = "x-amz-bucket-region"

_WRONG_KEY = {
    "InvalidAccessKeyId": "the access key id is not known there",
    "SignatureDoesNotMatch": "the secret access key is wrong",
    "InvalidToken": "the session token is wrong",
    "InvalidClientTokenId": "the access key id is not known there",
    "ExpiredToken": "the session token has expired",
    "TokenRefreshRequired": "the session token has expired",
    "RequestTimeTooSkewed": "the clock of this machine is wrong",
}
_WRONG_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
_TRY_AGAIN = {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "TemporaryRedirect"}
_TRY_AGAIN |= {"RequestLimitExceeded", "OperationAborted"}
_TRY_AGAIN_STATUS = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.TEMPORARY_REDIRECT}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """One GET request: a listing when ``key`` is None, otherwise an object."""

    bucket: str
    key: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """The permission it needs."""
        return LIST if self.key is None else GET

    @property
    def subject(self) -> str:
        """What it is about, for messages."""
        if self.key is None:
            return f"bucket {self.bucket!r}"
        path = path_of(self.bucket, self.key)
        return path if path.isprintable() else repr(path)

    @property
    def resource(self) -> str:
        """What the permission must be granted on."""
        return f"arn:aws:s3:::{self.bucket}" + ("" if self.key is None else "/*")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not the one asked for.

    Attributes:
        code: the store's word for it (``AccessDenied``), or the status where it gives none.
        region: where the bucket is, when the store says so.
    """

    status: int
    code: str
    region: str | None

    @property
    def is_wrong_region(self) -> bool:
        """Whether the same request, signed for ``region``, can succeed."""
        elsewhere = self.status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT}
        return self.region is not None and (elsewhere or self.code in _WRONG_REGION)


def parse_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Read an error answer; a body that is not XML (a proxy's page) leaves only the status."""
    try:
        document = ET.fromstring(body)  # noqa: S314  expat of today bounds entity expansion
    except ET.ParseError:
        document = ET.Element("Error")
    said = {element.tag.rpartition("}")[2]: element.text for element in document.iter()}
    return Refusal(status, said.get("Code") or f"HTTP {status}", headers.get(REGION_HEADER) or said.get("Region"))


def as_error(refusal: Refusal, ask: Ask, *, host: str, origin: str) -> AutoloaderError:
    """What the refusal means for the person who waits for the file.

    Args:
        host: the store's address, for the message.
        origin: where the credentials come from, for the message.
    """
    code = refusal.code
    if code in _WRONG_KEY:
        return SourceAccessDenied(
            f"{host} refused the credentials from {origin} for {ask.subject}: {_WRONG_KEY[code]} ({code}). "
            "Correct the ingestion's source_credentials, or the place they come from."
        )
    if code in _TRY_AGAIN or refusal.status in _TRY_AGAIN_STATUS or refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return SourceUnavailable(f"{host} answered {refusal.status} ({code}) for {ask.subject}.")
    if code == "InvalidObjectState":
        return FileUnreadable(f"{ask.subject} is archived. Restore it in the store, then retry the file.")
    if refusal.status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED}:
        return SourceAccessDenied(
            f"Access to bucket {ask.bucket!r} was denied: {ask.action} on {ask.subject} ({code}, credentials from "
            f"{origin}). Grant {ask.action} on {ask.resource}"
            + (", and kms:Decrypt where its objects are encrypted with a KMS key." if ask.key is not None else ".")
        )
    return _absent(refusal, ask, host) or SourceError(_unexpected(refusal, ask, host))


def _absent(refusal: Refusal, ask: Ask, host: str) -> AutoloaderError | None:
    if refusal.code in {"NoSuchBucket", "InvalidBucketName"}:
        return BucketNotFound(f"There is no bucket {ask.bucket!r} at {host}. Check source_path and endpoint_url.")
    if ask.key is not None and refusal.status == HTTPStatus.NOT_FOUND:
        return FileVanished(f"{ask.subject} was listed but is gone. It was deleted or moved meanwhile.")
    if ask.key is not None and refusal.status == HTTPStatus.PRECONDITION_FAILED:
        return FileChanged(f"{ask.subject} changed after it was listed. Its new version will be loaded instead.")
    return None


def _unexpected(refusal: Refusal, ask: Ask, host: str) -> str:
    if refusal.is_wrong_region:
        return f"Bucket {ask.bucket!r} is in region {refusal.region!r}. Set aws_region in source_credentials."
    return (
        f"{host} answered {refusal.status} ({refusal.code}) to {ask.action} on {ask.subject}. "
        "Check that endpoint_url is the address of an S3 store."
    )
