"""The fast way to one object: obstore. What it cannot name, or fails at, is asked again by signed requests."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import S3Store as NativeClient

from autoloader.errors import SourceUnavailable
from autoloader.objects import CHUNK_BYTES
from autoloader.objects.signed import CONNECT_SECONDS, READ_SECONDS

if TYPE_CHECKING:
    from collections.abc import Generator

    from obstore import GetResult
    from obstore.store import ClientConfig, S3Credential

    from autoloader.objects.access import Access
    from autoloader.objects.endpoints import Endpoint

# Empty segments, "." and "..", and control characters: obstore refuses them or drops slashes.
_UNNAMEABLE = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f]")
# The client asks again five minutes before the end; botocore's are good for ten minutes or more.
_CREDENTIALS_FOR = timedelta(minutes=9)


class NotAnswered(Exception):  # noqa: N818  not an error yet: the signed request says what it is
    """The object was refused in a way that asking again cannot change."""


def can_name(key: str) -> bool:
    """Whether obstore asks for exactly this key."""
    return _UNNAMEABLE.search(key) is None


def open_native(access: Access, endpoint: Endpoint) -> NativeClient:
    """A client for the bucket at this endpoint. It tries once: waiting and trying again is ours."""

    def provide() -> S3Credential:
        frozen = access.frozen()
        return {
            "access_key_id": frozen.access_key or "",
            "secret_access_key": frozen.secret_key or "",
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_FOR,
        }

    return NativeClient(
        # The address holds the bucket already. Said twice, because the environment could name another.
        endpoint=endpoint.url,
        aws_endpoint_url_s3=endpoint.url,
        virtual_hosted_style_request=True,
        bucket="bucket",
        region=endpoint.region,
        skip_signature=False,
        credential_provider=provide,
        client_options=_client_options(access),
        retry_config={"max_retries": 0},
    )


def _client_options(access: Access) -> ClientConfig:
    options: ClientConfig = {
        "allow_http": True,
        "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        "read_timeout": timedelta(seconds=READ_SECONDS),
        "timeout": timedelta(days=7),  # of the whole answer: a large file and a slow reader may take long
    }
    bundle = access.ca_bundle
    if bundle is not None and bundle.is_file():
        options["root_certificate"] = bundle.read_bytes()
    return options


def begin(client: NativeClient, key: str, etag: str) -> Generator[bytes]:
    """Ask for one version of an object. What comes is its chunks, which may raise SourceUnavailable as well.

    Raises:
        NotAnswered: refused.
        SourceUnavailable: the connection failed, or the store did.
    """
    try:
        result = obstore.get(client, key, options={"if_match": f'"{etag}"'})
    except (PreconditionError, FileNotFoundError, PermissionDeniedError, UnauthenticatedError) as error:
        raise NotAnswered from error
    except BaseError as error:
        raise _failed(error) from error
    return _chunks(result)


def _chunks(result: GetResult) -> Generator[bytes]:
    _, size = result.range
    try:
        if size <= CHUNK_BYTES:
            yield bytes(result.bytes())
        else:
            yield from result.stream(CHUNK_BYTES)
    except BaseError as error:
        raise _failed(error) from error


def _failed(error: BaseError) -> SourceUnavailable:
    return SourceUnavailable(f"The native client failed: {type(error).__name__}.")
