"""A store that is throttled, out of reach, or breaks off: tried again, taken up again, given up in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tenacity import wait_none
from tests.objects.answering import AT_ONCE, BUCKET, SECRET, Answer, Answering, Asked, error, found, listing

from autoloader.errors import FileChanged, SourceAccessDenied, SourceUnavailable
from autoloader.model import SourceCredentials
from autoloader.objects.patience import Patience
from autoloader.objects.s3 import S3Store, open_s3
from autoloader.settings import Connections

if TYPE_CHECKING:
    from collections.abc import Callable

PATH = f"s3://{BUCKET}/a.json"
ODD_PATH = f"s3://{BUCKET}/a\n.json"
BODY = bytes(range(256)) * 16_000  # four chunks


def _list(store: S3Store) -> list[str]:
    return [each.path for page in store.pages("") for each in page]


def _read(store: S3Store, path: str = PATH) -> bytes:
    return b"".join(store.read(path, "v1"))


SLOW_DOWN = error(503, "SlowDown")
NOT_NOW = [SLOW_DOWN, error(500, "InternalError"), Answer(status=429), Answer(cut_at=0, body=b"x")]


@pytest.mark.parametrize("refusal", NOT_NOW)
def test_a_throttled_listing_is_asked_for_again_after_a_while(server: Answering, refusal: Answer) -> None:
    server.in_turn([refusal, refusal, listing({"a.json": b"1"})])
    waits: list[float] = []
    assert _list(server.store(Patience(sleep=waits.append))) == [PATH]
    assert len(server.asked) == 3
    assert len(waits) == 2
    assert all(0 <= wait <= 0.4 for wait in waits)


@pytest.mark.parametrize("path", [PATH, ODD_PATH])
@pytest.mark.parametrize("refusal", NOT_NOW)
def test_a_throttled_read_is_asked_for_again_after_a_while(server: Answering, path: str, refusal: Answer) -> None:
    server.in_turn([refusal, refusal, found(b"body")])
    waits: list[float] = []
    assert _read(server.store(Patience(sleep=waits.append)), path) == b"body"
    assert len(server.asked) == 3
    assert len(waits) == 2


def test_the_waits_grow_and_are_not_all_the_same(server: Answering) -> None:
    server.answer = lambda _: SLOW_DOWN
    waits: list[float] = []
    store = server.store(Patience(sleep=waits.append))
    for _ in range(20):
        with pytest.raises(SourceUnavailable):
            _list(store)
    first, last = waits[::7], waits[6::7]
    assert max(first) <= 0.2
    assert max(last) > 2
    assert max(waits) <= 10
    assert len(set(waits)) > 100


@pytest.mark.parametrize("ask", [_list, _read, lambda store: _read(store, ODD_PATH)])
def test_a_store_that_stays_throttled_is_given_up_after_some_tries(
    server: Answering, ask: Callable[[S3Store], object]
) -> None:
    server.answer = lambda _: SLOW_DOWN
    with pytest.raises(SourceUnavailable, match=r"503 \(SlowDown\).*Tried 8 times") as caught:
        ask(server.store())
    assert caught.value.retryable
    assert len(server.asked) == 8


def test_a_store_that_cannot_be_reached_is_named() -> None:
    connections = Connections(
        database_url="", s3_endpoint_url="http://127.0.0.1:9", s3_access_key_id="AKID", s3_secret_access_key=SECRET
    )
    store = open_s3(BUCKET, SourceCredentials(), connections, 4, patience=Patience(attempts=2, wait=wait_none()))
    with pytest.raises(SourceUnavailable, match=r"No answer from http://127.0.0.1:9.*Tried 2 times"):
        _list(store)
    with pytest.raises(SourceUnavailable, match=r"No answer from http://127.0.0.1:9.*Tried 2 times"):
        _read(store)
    store.close()


def test_a_store_that_does_not_speak_tls_is_said_to_be_so(server: Answering) -> None:
    connections = Connections(
        database_url="",
        s3_endpoint_url=server.url.replace("http:", "https:"),
        s3_access_key_id="AKID",
        s3_secret_access_key=SECRET,
    )
    store = open_s3(BUCKET, SourceCredentials(), connections, 4, patience=AT_ONCE)
    with pytest.raises(SourceUnavailable, match=r"SSLError.*certificate.*AWS_CA_BUNDLE"):
        _list(store)
    store.close()


def test_a_listing_cut_in_the_middle_is_asked_for_again(server: Answering) -> None:
    whole = listing({"a.json": b"1"})
    without_length = Answer(body=whole.body[:300])
    server.in_turn([Answer(body=whole.body, cut_at=300), without_length, whole])
    assert _list(server.store()) == [PATH]


# --- connections lost in the middle of an object ----------------------------------------------------------------------


@pytest.mark.parametrize("path", [PATH, ODD_PATH])
def test_a_large_object_goes_on_where_the_connection_broke(server: Answering, path: str) -> None:
    def answer(asked: Asked) -> Answer:
        return found(BODY, asked=asked, cut_at=1_500_000)

    server.answer = answer
    assert _read(server.store(), path) == BODY
    first, *others = server.asked
    assert "range" not in first.headers
    assert others
    for asked in others:
        assert asked.headers["if-match"] == '"v1"'
        assert asked.headers["range"].startswith("bytes=")


def test_an_object_that_changes_while_its_connection_is_down_is_never_mixed(server: Answering) -> None:
    server.in_turn([found(BODY, cut_at=1_500_000), error(412, "PreconditionFailed")])
    with pytest.raises(FileChanged, match="changed"):
        _read(server.store())


def test_a_store_that_knows_no_ranges_gives_no_byte_twice(server: Answering) -> None:
    server.in_turn([found(BODY, cut_at=1_500_000), found(BODY)])
    assert _read(server.store()) == BODY


def test_a_connection_that_breaks_again_and_again_at_one_place_is_given_up(server: Answering) -> None:
    server.answer = lambda _: found(BODY, cut_at=0)
    with pytest.raises(SourceUnavailable, match="Tried 8 times"):
        _read(server.store())


def test_a_read_given_up_early_leaves_the_store_usable(server: Answering) -> None:
    server.holds({"a.json": BODY, "a\n.json": BODY})
    store = server.store()
    for path in (PATH, ODD_PATH):
        reading = iter(store.read(path, "v1"))
        assert BODY.startswith(next(reading))
        del reading
        assert _read(store, path) == BODY


def test_a_listing_given_up_early_asks_for_no_more_than_what_was_ahead(server: Answering) -> None:
    numbers = iter(range(10_000))
    server.answer = lambda _: listing({"a": b"1"}, token=str(next(numbers)))
    pages = iter(server.store(AT_ONCE).pages(""))
    next(pages)
    assert len(server.asked) <= 6


@pytest.mark.parametrize("path", [PATH, ODD_PATH])
def test_a_connection_torn_down_in_the_middle_is_one_more_try(server: Answering, path: str) -> None:
    torn = Answer(body=BODY, headers=found(BODY).headers, cut_at=1_500_000, reset=True)
    server.in_turn([torn, torn, found(BODY)])
    assert _read(server.store(), path) == BODY


def test_a_refusal_torn_down_in_the_middle_is_told_by_its_status(server: Answering) -> None:
    server.answer = lambda _: Answer(status=403, body=b"<Error>" + b" " * 50_000, cut_at=20, reset=True)
    with pytest.raises((SourceAccessDenied, SourceUnavailable), match=r"HTTP 403|No answer"):
        _list(server.store())
