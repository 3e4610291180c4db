"""test_connection: what works, said before the first run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.objects.answering import BUCKET, Answering, Asked, error, found, listing

from autoloader.errors import SourceAccessDenied
from autoloader.objects.checking import check

if TYPE_CHECKING:
    from tests.conftest import Landing
    from tests.objects.answering import Answer

    from autoloader.objects.s3 import S3Store


def test_a_bucket_with_files_is_listed_and_read(landing: Landing, store: S3Store) -> None:
    landing.put("empty.json", b"")
    landing.put("large.json", b"x" * 100)
    path = landing.put("small.json", b"x")
    checked = check(store, landing.prefix)
    assert (checked.listed, checked.read) == (3, path)
    assert str(checked) == f"Listing works (3 files on the first page), and reading works ({path})."


def test_an_empty_folder_is_no_error(landing: Landing, store: S3Store) -> None:
    assert str(check(store, landing.prefix)) == "Listing works, and there is no file yet."


def test_a_folder_of_empty_files_has_nothing_to_read(landing: Landing, store: S3Store) -> None:
    landing.put("empty.json", b"")
    assert check(store, landing.prefix).read is None
    assert "none of them has bytes" in str(check(store, landing.prefix))


def test_a_bucket_that_may_be_listed_but_not_read_says_so(server: Answering) -> None:
    server.answer = lambda asked: listing({"a": b"x"}) if asked.is_listing else error(403, "AccessDenied")
    with pytest.raises(SourceAccessDenied, match="Grant s3:GetObject"):
        check(server.store(), "")


def test_a_file_that_changed_meanwhile_says_nothing_about_the_bucket(server: Answering) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.is_listing:
            return listing({"a": b"x", "b": b"xx"})
        return error(412, "PreconditionFailed") if asked.key == "a" else found(b"xx")

    server.answer = answer
    assert check(server.store(), "").read == f"s3://{BUCKET}/b"
