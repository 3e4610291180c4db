"""Every key S3 allows is listed as it is and read as it is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.objects.answering import BUCKET, Answer, Answering, listing

from autoloader.errors import FileChanged, FileVanished

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Landing

    from autoloader.objects.s3 import S3Store

ODD = [
    "plain.json",
    "with space.json",
    "a+b.json",
    "50%.json",
    "a%20b.json",
    "a#b.json",
    "what?.json",
    "star*.json",
    "[1]{2}.json",
    'it\'s "quoted".json',
    "a&b<c>d.json",
    "caf\u00e9.json",
    "cafe\u0301.json",
    "日本/😀.json",
    "a=b;c:d@e,f$g!h(i)|j^k`l~m.json",
    ".hidden/.file",
    "line\nbreak.json",
    "tab\tbell\x07\x1f\x7f.json",
    "\u2028\u0085.json",
]
FOLDED = [
    "a//b",
    "/a",
    "a/",
    "./a",
    "a/./b",
    "../a",
    "a/../b",
    "a\\b",
    "..",
    ".",
    "a/b",
    "//",
    "a///",
    "\ufffe\x01/",
    "x" * 1024,
]
KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=40) | (
    st.lists(st.sampled_from(["/", ".", "..", "a", "+", "%", " ", "\\", "é", "\n"]), min_size=1).map("".join)
)


def _bytes(store: S3Store, path: str, etag: str) -> bytes:
    return b"".join(store.read(path, etag))


def test_odd_keys_stored_by_another_client_are_listed_and_read_back(landing: Landing, store: S3Store) -> None:
    long = ("x" * 200 + "/") * 4
    long += "y" * (1024 - len(landing.prefix + long))
    written = {landing.put(name, f"body of {name}"): f"body of {name}".encode() for name in [*ODD, long]}
    listed = [found for page in store.pages(landing.prefix) for found in page]
    assert {found.path for found in listed} == set(written)
    assert {found.path: _bytes(store, found.path, found.etag) for found in listed} == written


def test_what_is_listed_is_what_the_store_says_of_each_object(landing: Landing, store: S3Store) -> None:
    landing.put("a.json", b"{}\n")
    [page] = store.pages(landing.prefix)
    said = landing.s3.head_object(Bucket=landing.bucket, Key=landing.prefix + "a.json")
    [found] = page
    assert (found.size_bytes, found.etag, found.modified_at) == (3, said["ETag"].strip('"'), said["LastModified"])


def test_many_pages_hold_every_key_once(landing: Landing, store: S3Store) -> None:
    names = [f"{number:05}.json" for number in range(2_500)]
    with ThreadPoolExecutor(16) as pool:
        paths = list(pool.map(landing.put, names, [b""] * len(names)))
    pages = list(store.pages(landing.prefix))
    assert [len(page) for page in pages] == [1_000, 1_000, 500]
    assert [found.path for page in pages for found in page] == paths


def test_directory_markers_are_left_out_but_an_object_with_bytes_is_not(server: Answering) -> None:
    server.answer = lambda _: listing({"a/": b"", "b/": b"bytes", "c": b""})
    paths = [found.path for page in server.store().pages("") for found in page]
    assert paths == [f"s3://{BUCKET}/b/", f"s3://{BUCKET}/c"]


def test_a_marker_in_the_real_store_is_left_out(landing: Landing, store: S3Store) -> None:
    landing.put("folder/", b"")
    path = landing.put("folder/a.json", b"{}")
    assert [found.path for page in store.pages(landing.prefix) for found in page] == [path]


def test_an_empty_prefix_lists_nothing(landing: Landing, store: S3Store) -> None:
    assert [found for page in store.pages(landing.prefix) for found in page] == []


def test_an_object_that_changed_since_it_was_listed_is_not_read(landing: Landing, store: S3Store) -> None:
    path = landing.put("a.json", b"old")
    [[found]] = store.pages(landing.prefix)
    landing.put("a.json", b"new")
    with pytest.raises(FileChanged, match=r"a\.json changed after it was listed"):
        _bytes(store, path, found.etag)


@pytest.mark.parametrize("name", ["a.json", "a\n.json"])
def test_an_object_that_is_gone_since_it_was_listed_is_told_apart(landing: Landing, store: S3Store, name: str) -> None:
    path = landing.put(name, b"old")
    [[found]] = store.pages(landing.prefix)
    landing.delete(name)
    with pytest.raises(FileVanished, match="was listed but is gone"):
        _bytes(store, path, found.etag)


def test_a_large_object_comes_in_chunks_and_whole(landing: Landing, store: S3Store) -> None:
    body = bytes(range(256)) * 20_000
    path = landing.put("large", body)
    [[found]] = store.pages(landing.prefix)
    chunks = list(store.read(path, found.etag))
    assert b"".join(chunks) == body
    assert len(chunks) > 3


def test_an_object_of_up_to_a_mebibyte_is_one_chunk_and_an_empty_one_none(landing: Landing, store: S3Store) -> None:
    landing.put("0", b"")
    landing.put("1", b"x" * 1024**2)
    landing.put("1\n", b"x" * 1024**2)
    [page] = store.pages(landing.prefix)
    chunks = {found.path[-1]: [len(chunk) for chunk in store.read(found.path, found.etag)] for found in page}
    assert chunks == {"0": [], "1": [1024**2], "\n": [1024**2]}


@pytest.mark.parametrize("key", FOLDED)
def test_keys_that_other_stores_fold_are_asked_for_byte_by_byte(server: Answering, key: str) -> None:
    server.holds({key: b"itself"})
    store = server.store()
    [[found]] = store.pages("")
    assert found.path == f"s3://{BUCKET}/{key}"
    assert _bytes(store, found.path, found.etag) == b"itself"
    assert server.asked[-1].target == f"/{BUCKET}/{quote(key, safe='/~')}"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Answering]:
    answering = Answering()
    yield answering
    answering.close()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(KEYS.filter(lambda key: len(key.encode()) <= 1024), min_size=1, max_size=8))
def test_any_keys_are_listed_and_read_as_another_client_does(bucket: Answering, keys: set[str]) -> None:
    objects = {key: f"body of {key}".encode() for key in keys}
    bucket.holds(objects)
    store = bucket.shared_store
    ours = {found.path: _bytes(store, found.path, found.etag) for page in store.pages("") for found in page}
    client = bucket.shared_client
    names = [each["Key"] for each in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    theirs = {f"s3://{BUCKET}/{name}": client.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}
    assert ours == theirs == {f"s3://{BUCKET}/{key}": body for key, body in objects.items()}


def test_a_store_that_does_not_encode_keys_is_believed(server: Answering) -> None:
    server.answer = lambda _: listing({"a%20b+c.json": b"x"}, encoded=False)
    [[found]] = server.store().pages("")
    assert found.path == f"s3://{BUCKET}/a%20b+c.json"


def test_the_prefix_is_sent_as_it_is(server: Answering) -> None:
    server.answer = lambda _: listing({})
    prefix = "a b+c%20d&e=f#g/é\n"
    assert list(server.store().pages(prefix)) == [[]]
    assert server.asked[0].query == {
        "list-type": "2",
        "encoding-type": "url",
        "max-keys": "1000",
        "prefix": prefix,
    }


def test_the_next_page_is_asked_for_with_the_token_just_as_it_was_given(server: Answering) -> None:
    token = "a<b>&\"c'+/=é"
    server.in_turn([listing({"a": b"1"}, token=token), listing({"b": b"2"})])
    assert [[found.path[-1] for found in page] for page in server.store().pages("")] == [["a"], ["b"]]
    assert server.asked[1].query["continuation-token"] == token


def test_a_body_is_handed_out_as_stored_even_if_it_says_it_is_compressed(server: Answering) -> None:
    server.answer = lambda _: Answer(
        body=b"not gzip at all",
        headers={"ETag": '"v1"', "Content-Encoding": "gzip", "Last-Modified": "Wed, 25 Nov 2026 13:37:13 GMT"},
    )
    store = server.store()
    assert _bytes(store, f"s3://{BUCKET}/a", "v1") == _bytes(store, f"s3://{BUCKET}/a\n", "v1") == b"not gzip at all"
