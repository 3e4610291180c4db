"""Many small objects at a time: all of them, each as it is, and what does not come is told apart from what does."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.objects.answering import BUCKET, SECRET, Answer, Answering, Asked, error, found
from tests.objects.test_s3_keys import FOLDED, ODD

from autoloader.model import SourceCredentials
from autoloader.objects import SMALL_BYTES
from autoloader.objects.s3 import S3Store, open_s3
from autoloader.settings import Connections

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.conftest import Landing


def _read_small(store: S3Store, versions: Sequence[tuple[str, str]]) -> Mapping[int, bytes | None]:
    """The bodies by index; each came once."""
    with closing(store.read_small(versions)) as groups:
        wholes = [whole for group in groups for whole in group]
    assert sorted(whole.position for whole in wholes) == list(range(len(versions)))
    return {whole.position: whole.body for whole in wholes}


def _versions(count: int) -> list[tuple[str, str]]:
    return [(f"s3://{BUCKET}/{number}", "v1") for number in range(count)]


def test_hundreds_of_objects_with_odd_names_come_each_as_it_is(landing: Landing, store: S3Store) -> None:
    names = [f"{number}/{name}" for number in range(25) for name in ODD]
    bodies = {landing.put(name, f"body of {name}"): f"body of {name}".encode() for name in names}
    bodies[landing.put("empty", b"")] = b""
    bodies[landing.put("largest", b"x" * SMALL_BYTES)] = b"x" * SMALL_BYTES
    listed = [found for page in store.pages(landing.prefix) for found in page]
    came = _read_small(store, [(found.path, found.etag) for found in listed])
    asked_by_read = {found.path for index, found in enumerate(listed) if came[index] is None}
    # The real store checks every signature, so the fast way has signed each of these names right.
    assert asked_by_read == {path for path in bodies if path.endswith(("\nbreak.json", "\x07\x1f\x7f.json"))}
    for index, each in enumerate(listed):
        assert came[index] in {bodies[each.path], None}


def test_a_name_that_cannot_be_asked_for_is_left_to_read(server: Answering) -> None:
    server.answer = lambda asked: found(asked.key.encode())
    names = [name for name in FOLDED if name not in {"a\\b", "a/b", "x" * 1024}]
    came = _read_small(server.store(), [(f"s3://{BUCKET}/{name}", "v1") for name in ["first", *names, "last"]])
    assert [came[0], came[len(names) + 1]] == [b"first", b"last"]
    assert {came[index] for index in range(1, len(names) + 1)} == {None}
    assert sorted(asked.key for asked in server.asked) == ["first", "last"]


@pytest.mark.parametrize(
    "refusal",
    [
        error(412, "PreconditionFailed"),
        error(404, "NoSuchKey"),
        error(403, "AccessDenied"),
        error(503, "SlowDown"),
        error(301, "PermanentRedirect", x_amz_bucket_region="eu-west-1"),
        Answer(status=206, body=b"some of it"),
        Answer(body=b"broken off", cut_at=3),
        Answer(body=b"torn", cut_at=0, reset=True),
        Answer(body=b"x" * (SMALL_BYTES + 1)),
    ],
    ids=["changed", "gone", "denied", "throttled", "elsewhere", "a part", "broken off", "torn down", "too large"],
)
def test_an_object_that_does_not_come_keeps_no_other_from_coming(server: Answering, refusal: Answer) -> None:
    server.answer = lambda asked: refusal if int(asked.key) % 5 == 3 else found(asked.key.encode())
    came = _read_small(server.store(), _versions(60))
    assert came == {number: None if number % 5 == 3 else str(number).encode() for number in range(60)}
    assert {asked.headers["if-match"] for asked in server.asked} == {'"v1"'}


def test_a_store_that_is_down_is_not_asked_for_every_object(server: Answering) -> None:
    server.answer = lambda _: error(503, "SlowDown")
    came = _read_small(server.store(concurrency=4), _versions(1_000))
    assert set(came.values()) == {None}
    assert len(server.asked) <= 8


def test_a_store_where_every_object_is_gone_is_asked_for_each(server: Answering) -> None:
    server.answer = lambda _: error(404, "NoSuchKey")
    assert set(_read_small(server.store(concurrency=4), _versions(100)).values()) == {None}
    assert len(server.asked) == 100


def test_no_more_requests_are_under_way_than_were_allowed(server: Answering) -> None:
    changed, at_once, most, asked_for = threading.Condition(), 0, 0, 40

    def answer(asked: Asked) -> Answer:
        nonlocal at_once, most
        with changed:
            at_once += 1
            most = max(most, at_once)
            changed.notify_all()
            # Nobody is answered before as many as there may be are here, but for the last few.
            changed.wait_for(lambda: most == 8, timeout=10)
            at_once -= 1
        return found(asked.key.encode())

    server.answer = answer
    assert len(_read_small(server.store(concurrency=8), _versions(asked_for))) == asked_for
    assert most == 8


def test_nothing_more_is_asked_for_once_nobody_wants_it(server: Answering) -> None:
    server.answer = lambda asked: found(asked.key.encode())
    store = server.store(concurrency=2)
    groups = store.read_small(_versions(1_000))
    first = next(groups)
    groups.close()
    assert len(first) + 4 >= len(server.asked)
    assert _read_small(store, _versions(3)) == {0: b"0", 1: b"1", 2: b"2"}


def test_the_time_of_each_object_is_told(server: Answering) -> None:
    server.answer = lambda asked: found(asked.key.encode())
    began = time.monotonic()
    seconds = [whole.seconds for group in server.store().read_small(_versions(20)) for whole in group]
    took = time.monotonic() - began
    assert all(0 < each <= took for each in seconds)


def test_a_session_token_is_sent_and_signed_and_no_secret_is(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda asked: found(asked.key.encode())
    for name, value in {"KEY": "AKID", "SECRET": SECRET, "TOKEN": "the-token"}.items():
        monkeypatch.setenv(f"MY_{name}", value)
    credentials = SourceCredentials(
        aws_access_key_id="env:MY_KEY",
        aws_secret_access_key="env:MY_SECRET",
        aws_session_token="env:MY_TOKEN",
        endpoint_url=server.url,
    )
    with closing(open_s3(BUCKET, credentials, Connections(database_url=""), 4)) as store:
        assert _read_small(store, _versions(2)) == {0: b"0", 1: b"1"}
        assert b"".join(store.read(*_versions(3)[2])) == b"2"
    assert len(server.asked) == 3
    for asked in server.asked:
        assert asked.headers["x-amz-security-token"] == "the-token"
        assert "x-amz-security-token" in asked.headers["authorization"].partition("SignedHeaders=")[2]
        assert SECRET not in str(asked)
