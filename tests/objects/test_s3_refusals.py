"""What the store refuses, and what it cannot do just now, said in words that help."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.objects.answering import BUCKET, SECRET, Answer, Answering, Asked, error, found, listing

from autoloader.errors import (
    AutoloaderError,
    BucketNotFound,
    FileChanged,
    FileUnreadable,
    FileVanished,
    SourceAccessDenied,
    SourceError,
)
from autoloader.model import SourceCredentials
from autoloader.objects.s3 import S3Store, open_s3

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Landing

    from autoloader.settings import Connections

PATH = f"s3://{BUCKET}/a.json"
ODD_PATH = f"s3://{BUCKET}/a\n.json"


def _list(store: S3Store) -> list[str]:
    return [each.path for page in store.pages("") for each in page]


def _read(store: S3Store, path: str = PATH) -> bytes:
    return b"".join(store.read(path, "v1"))


# --- the embedded stack -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "secret", "says"),
    [
        ("MADE_UP", "STACK_SECRET", "env:MADE_UP.*access key id is not known"),
        ("STACK_KEY", "MADE_UP", "env:STACK_KEY.*secret access key is wrong"),
    ],
)
def test_a_wrong_key_is_told_from_a_missing_permission(
    landing: Landing, connections: Connections, monkeypatch: pytest.MonkeyPatch, key: str, secret: str, says: str
) -> None:
    monkeypatch.setenv("MADE_UP", SECRET)
    monkeypatch.setenv("STACK_KEY", connections.s3_access_key_id or "")
    monkeypatch.setenv("STACK_SECRET", connections.s3_secret_access_key or "")
    path = landing.put("a.json", b"{}")
    credentials = SourceCredentials(
        endpoint_url=connections.s3_endpoint_url, aws_access_key_id=f"env:{key}", aws_secret_access_key=f"env:{secret}"
    )
    store = open_s3(landing.bucket, credentials, connections, 4)
    for ask in (lambda: list(store.pages(landing.prefix)), lambda: list(store.read(path, "e"))):
        with pytest.raises(SourceAccessDenied, match=says) as caught:
            ask()
        assert SECRET not in str(caught.value)
    store.close()


def test_a_bucket_that_is_not_there_is_named(connections: Connections) -> None:
    store = open_s3("no-such-bucket", SourceCredentials(), connections, 4)
    with pytest.raises(BucketNotFound, match="no bucket 'no-such-bucket' at http://"):
        list(store.pages(""))
    store.close()


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "expected", "says"),
    [
        (error(403, "AccessDenied"), SourceAccessDenied, "Grant s3:ListBucket on arn:aws:s3:::somewhere"),
        (error(403, "InvalidAccessKeyId"), SourceAccessDenied, "the embedded stack.*not known there"),
        (error(400, "ExpiredToken"), SourceAccessDenied, "token has expired"),
        (error(403, "RequestTimeTooSkewed"), SourceAccessDenied, "clock of this machine"),
        (error(404, "NoSuchBucket"), BucketNotFound, "no bucket 'somewhere'"),
        (error(301, "PermanentRedirect"), SourceError, "301"),
        (error(400, "InvalidRequest"), SourceError, "400.*endpoint_url"),
        (Answer(status=403, body=b"<html>a proxy</html>"), SourceAccessDenied, "HTTP 403"),
        (Answer(status=404, body=b"nothing here"), SourceError, "404.*endpoint_url"),
        (Answer(body=b"<html><body>a console</body></html>"), SourceError, "not a listing"),
        (Answer(body=b"<ListBucketResult>\x01</ListBucketResult>"), SourceError, "not XML"),
    ],
)
def test_a_listing_that_is_refused_says_why_and_what_to_do(
    server: Answering, answer: Answer, expected: type[AutoloaderError], says: str
) -> None:
    server.answer = lambda _: answer
    with pytest.raises(expected, match=says) as caught:
        _list(server.store())
    assert type(caught.value) is expected
    assert len(server.asked) == 1
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("path", [PATH, ODD_PATH])
@pytest.mark.parametrize(
    ("answer", "expected", "says"),
    [
        (error(403, "AccessDenied"), SourceAccessDenied, r"Grant s3:GetObject on arn:aws:s3:::somewhere/\*"),
        (error(403, "SignatureDoesNotMatch"), SourceAccessDenied, "secret access key is wrong"),
        (error(403, "InvalidObjectState"), FileUnreadable, "archived"),
        (error(404, "NoSuchKey"), FileVanished, "gone"),
        (error(404, "NoSuchBucket"), BucketNotFound, "no bucket"),
        (error(412, "PreconditionFailed"), FileChanged, "changed"),
    ],
)
def test_an_object_that_is_refused_says_why_and_what_to_do(
    server: Answering, path: str, answer: Answer, expected: type[AutoloaderError], says: str
) -> None:
    server.answer = lambda _: answer
    with pytest.raises(expected, match=says) as caught:
        _read(server.store(), path)
    assert SECRET not in str(caught.value)


def test_a_refusal_is_still_told_when_the_rest_of_its_page_is_lost(server: Answering) -> None:
    server.answer = lambda _: Answer(status=403, body=b"<Error>" + b" " * 5_000, cut_at=20)
    with pytest.raises(SourceAccessDenied, match="HTTP 403"):
        _list(server.store())


def test_a_listing_that_gives_one_page_for_ever_ends(server: Answering) -> None:
    server.answer = lambda _: listing({"a": b"1"}, token="same")
    with pytest.raises(SourceError, match="does not advance"):
        _list(server.store())


def test_a_listing_that_says_more_follows_but_not_how_is_not_taken_for_whole(server: Answering) -> None:
    body = listing({"a": b"1"}).body.replace(b">false<", b">true<")
    server.answer = lambda _: Answer(body=body)
    with pytest.raises(SourceError, match="no token to go on"):
        _list(server.store())


# --- another region ---------------------------------------------------------------------------------------------------


def _only_in(region: str, refusal: Answer) -> Callable[[Asked], Answer]:
    def answer(asked: Asked) -> Answer:
        if f"/{region}/s3/aws4_request" not in asked.headers["authorization"]:
            return refusal
        return listing({"a.json": b"body"}) if asked.is_listing else found(b"body")

    return answer


@pytest.mark.parametrize(
    "refusal",
    [
        error(301, "PermanentRedirect", x_amz_bucket_region="eu-central-1"),
        error(400, "AuthorizationHeaderMalformed", x_amz_bucket_region="eu-central-1"),
        Answer(
            status=400,
            body=b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-central-1</Region></Error>",
        ),
    ],
)
def test_a_bucket_in_another_region_is_found_there(server: Answering, refusal: Answer) -> None:
    server.answer = _only_in("eu-central-1", refusal)
    store = server.store()
    assert _read(store) == b"body"
    assert _list(store) == [PATH]
    asked = len(server.asked)
    assert _read(store) == _read(store, ODD_PATH) == b"body"
    assert len(server.asked) == asked + 2  # nobody asks in the wrong region again


def test_a_bucket_that_is_in_no_region_it_names_is_given_up(server: Answering) -> None:
    server.answer = lambda _: error(301, "PermanentRedirect", x_amz_bucket_region="eu-central-1")
    with pytest.raises(SourceError, match=r"in region 'eu-central-1'\. Set aws_region"):
        _list(server.store())
    assert len(server.asked) == 2
