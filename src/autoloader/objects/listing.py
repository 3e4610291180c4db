"""ListObjectsV2, as fast as a native client and true to every key: the answer is parsed by the standard XML parser."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from autoloader.errors import SourceError, SourceUnavailable
from autoloader.model import SourceObject
from autoloader.objects.ahead import fetch_ahead
from autoloader.objects.paths import path_of
from autoloader.objects.refusals import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from autoloader.objects.patience import Patience
    from autoloader.objects.signed import SignedRequests

PAGE_KEYS = 1_000
_BODY_BYTES = 1024**2
_ROOT = b"ListBucketResult"
_TOKEN = re.compile(rb"<NextContinuationToken>[^<]*</NextContinuationToken>")


def list_pages(requests: SignedRequests, patience: Patience, bucket: str, prefix: str) -> Iterator[list[SourceObject]]:
    """The objects below a prefix, a page at a time; while one page is parsed and consumed the next is on its way.

    Raises:
        SourceError: as for ``ObjectStore.pages``.
    """
    for body in fetch_ahead(_bodies(requests, patience, bucket, prefix), "listing"):
        yield parse_page(body, bucket)


def _bodies(requests: SignedRequests, patience: Patience, bucket: str, prefix: str) -> Iterator[bytes]:
    token, last = None, None
    while True:
        ask = Ask(bucket=bucket, query=_query(prefix, token))
        body = patience.call(partial(_body, requests, ask))
        yield body
        token, last = next_token(body), token
        if token is None:
            return
        if token == last:
            raise SourceError(f"The listing of bucket {bucket!r} does not advance: the store gave one page twice.")


def _body(requests: SignedRequests, ask: Ask) -> bytes:
    body = b"".join(requests.body_chunks(requests.get(ask), _BODY_BYTES))
    if _ROOT not in body[:1_000]:
        raise SourceError(f"The answer for {ask.subject} is not a listing. Is endpoint_url that of an S3 store?")
    if _ROOT not in body[-100:]:
        raise SourceUnavailable(f"The listing of {ask.subject} was cut short.")
    return body


def _query(prefix: str, token: str | None) -> dict[str, str]:
    query = {"list-type": "2", "encoding-type": "url", "max-keys": str(PAGE_KEYS), "prefix": prefix}
    return query if token is None else {**query, "continuation-token": token}


def next_token(body: bytes) -> str | None:
    """The continuation token, found without parsing so that the next page can be asked for at once.

    Keys cannot hold the tag: a ``<`` in a key is written as an entity, or percent-encoded.
    """
    found = _TOKEN.search(body)
    return ET.fromstring(found.group()).text if found else None  # noqa: S314  one element, text only


def parse_page(body: bytes, bucket: str) -> list[SourceObject]:
    """Read one answer; directory markers are left out.

    Raises:
        SourceError: it is not XML, or it says that more follows but not how to go on.
    """
    try:
        document = ET.fromstring(body)  # noqa: S314  expat of today bounds entity expansion
    except ET.ParseError as error:
        raise SourceError(f"The listing of bucket {bucket!r} is not XML: {error}.") from error
    space = document.tag.removesuffix(_ROOT.decode())
    if document.findtext(f"{space}IsTruncated") == "true" and next_token(body) is None:
        raise SourceError(f"The store says that bucket {bucket!r} holds more, but gives no token to go on with.")
    decode = unquote_plus if document.findtext(f"{space}EncodingType") == "url" else str
    return list(_objects(document, space, path_of(bucket, ""), decode))


def _objects(document: ET.Element, space: str, root: str, decode: Callable[[str], str]) -> Iterator[SourceObject]:
    key_tag, size_tag = f"{space}Key", f"{space}Size"
    etag_tag, modified_tag = f"{space}ETag", f"{space}LastModified"
    for element in document.iter(f"{space}Contents"):
        said = {child.tag: child.text or "" for child in element}
        key, size = decode(said[key_tag]), int(said[size_tag])
        if size == 0 and key.endswith("/"):
            continue
        yield SourceObject(
            path=root + key,
            size_bytes=size,
            etag=said[etag_tag].strip('"'),
            modified_at=datetime.fromisoformat(said[modified_tag]),
        )
