"""Source paths as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloader.errors import UsageError
from autoloader.objects.paths import SourcePath, key_of, parse_source_path, path_of


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://landing/events/", "landing", "events/"),
        ("s3://landing/events", "landing", "events/"),
        ("s3a://landing/a/b/", "landing", "a/b/"),
        ("s3n://landing/a", "landing", "a/"),
        ("S3://landing/a", "landing", "a/"),
        ("s3://landing", "landing", ""),
        ("s3://landing/", "landing", ""),
        ("s3://landing//a//", "landing", "/a//"),
        ("s3://my.bucket-1/with space/é+%20#/", "my.bucket-1", "with space/é+%20#/"),
        ("s3://Old_Bucket/a[1/", "Old_Bucket", "a[1/"),
    ],
)
def test_a_source_path_is_a_folder_of_a_bucket(text: str, bucket: str, prefix: str) -> None:
    assert parse_source_path(text) == SourcePath(bucket, prefix)


def test_a_folder_never_takes_in_another_whose_name_goes_on() -> None:
    folder = parse_source_path("s3://landing/a")
    assert "s3://landing/a/x.json".startswith(folder.path)
    assert not "s3://landing/a_b/x.json".startswith(folder.path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("/local/folder", "s3://"),
        ("gs://bucket/a", "s3://"),
        ("", "s3://"),
        ("s3://", "no bucket"),
        ("s3:///a", "no bucket"),
        ("s3://ab", "name of a bucket"),
        ("s3://-abc/x", "name of a bucket"),
        ("s3://a..b/x", "name of a bucket"),
        ("s3://a*c/x", "name of a bucket"),
        ("s3://user@host/x", "name of a bucket"),
        ("s3://landing/2024-*/", "source_file_pattern"),
        ("s3://landing/202?/", "source_file_pattern"),
        ("s3://landing/20[12]/", "source_file_pattern"),
        ("s3://landing/{a,b}/", "source_file_pattern"),
    ],
)
def test_a_path_that_names_no_folder_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_source_path(text)
    assert caught.value.field == "source_path"


@given(st.text(max_size=30))
def test_the_key_stands_in_the_path_exactly_as_it_is(key: str) -> None:
    assert key_of("landing", path_of("landing", key)) == key


def test_a_path_of_another_bucket_is_a_slip_of_the_program() -> None:
    with pytest.raises(ValueError, match="not in bucket"):
        key_of("landing", "s3://landing2/x")
