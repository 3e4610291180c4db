"""Signed GET requests to one bucket over kept connections: botocore's signer, endpoints and HTTP session, no parser."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError, SSLError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from autoloader.errors import SourceUnavailable
from autoloader.objects.endpoints import Endpoint, resolve_endpoint
from autoloader.objects.refusals import Ask, Refusal, as_error, parse_refusal

if TYPE_CHECKING:
    from collections.abc import Generator

    from botocore.awsrequest import AWSResponse

    from autoloader.objects.access import Access

CONNECT_SECONDS, READ_SECONDS = 10, 60
_REFUSAL_BYTES = 64 * 1024


class SignedRequests:
    """Asks one bucket; each call is one try. Safe to use from many threads."""

    def __init__(self, bucket: str, access: Access, concurrency: int) -> None:
        self.access = access
        self._bucket = bucket
        self._endpoint = resolve_endpoint(access, bucket, access.region)
        bundle = access.ca_bundle
        options: dict[str, Any] = {  # the stubs are narrower than what botocore itself passes
            "verify": str(bundle) if bundle is not None else True,
            "proxies": get_environ_proxies(self._endpoint.url),
            "timeout": (CONNECT_SECONDS, READ_SECONDS),
            "max_pool_connections": concurrency,
        }
        self._http = URLLib3Session(**options)

    @property
    def endpoint(self) -> Endpoint:
        """Where the bucket answers, as far as is known by now."""
        return self._endpoint

    def get(self, ask: Ask) -> AWSResponse:
        """Send a request; the body of the answer is still to be read with ``body_chunks``.

        A bucket that turns out to be in another region is asked again there, once.

        Raises:
            SourceError: as the answer says.
            FileError: as the answer says, where one object was asked for.
        """
        endpoint = self._endpoint
        answer = self._send(endpoint, ask)
        if isinstance(answer, Refusal) and answer.is_wrong_region and answer.region != endpoint.region:
            self._endpoint = endpoint = resolve_endpoint(self.access, self._bucket, answer.region)
            answer = self._send(endpoint, ask)
        if isinstance(answer, Refusal):
            raise as_error(answer, ask, host=_host(endpoint), origin=self.access.origin)
        return answer

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    def _send(self, endpoint: Endpoint, ask: Ask) -> AWSResponse | Refusal:
        url = endpoint.url if ask.key is None else endpoint.object_url(ask.key)
        if ask.query:
            url += "?" + "&".join(f"{name}={quote(ask.query[name], safe='-_.~')}" for name in sorted(ask.query))
        request = AWSRequest(method="GET", url=url, headers=dict(ask.headers), stream_output=True)
        S3SigV4Auth(self.access.frozen(), "s3", endpoint.region).add_auth(request)
        try:
            response = self._http.send(request.prepare())
        except (NoConnection, HTTPClientError) as error:
            raise _no_answer(endpoint, error) from error
        good = response.status_code in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}
        return response if good else _refusal_of(response)

    def body_chunks(self, response: AWSResponse, size: int) -> Generator[bytes]:
        """The body in chunks of ``size`` bytes, the last one shorter; the connection is kept if all of it is read.

        Raises:
            SourceUnavailable: the connection was lost before the end.
        """
        left = int(response.headers.get("content-length", -1))
        try:
            while chunk := response.raw.read(size):
                left -= len(chunk)
                yield chunk
        except (HTTPError, OSError) as error:
            raise _no_answer(self._endpoint, error) from error
        finally:
            response.raw.close()
        if left > 0:
            raise SourceUnavailable(f"{_host(self._endpoint)} closed the connection {left} bytes before the end.")


def _refusal_of(response: AWSResponse) -> Refusal:
    try:
        body = response.raw.read(_REFUSAL_BYTES)
    except (HTTPError, OSError):
        body = b""  # the status alone says enough
    finally:
        response.raw.close()
    return parse_refusal(response.status_code, response.headers, body)


def _no_answer(endpoint: Endpoint, error: Exception) -> SourceUnavailable:
    said = f"No answer from {_host(endpoint)}: {type(error).__name__}."
    if isinstance(error, SSLError):
        said += " Is its certificate trusted? AWS_CA_BUNDLE names the file of those that are."
    return SourceUnavailable(said)


def _host(endpoint: Endpoint) -> str:
    parts = urlsplit(endpoint.url)
    return f"{parts.scheme}://{parts.netloc}"
