"""Paths as people write them: ``s3://bucket/folder/`` for a source, ``s3://bucket/key`` for an object."""

from __future__ import annotations

import re
from dataclasses import dataclass

from autoloader.errors import UsageError

FIELD = "source_path"
_SCHEME = re.compile(r"s3[an]?://", re.IGNORECASE)
# Wider than today's rule of AWS: old buckets and other stores have upper case, underscores and longer names.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_WILDCARD = re.compile(r"[*?]|\[[^/]*]|\{[^/]*,[^/]*}")


@dataclass(frozen=True, slots=True)
class SourcePath:
    """A folder of a bucket.

    Attributes:
        prefix: empty for the whole bucket, otherwise it ends in ``/``: the folder ``a`` never takes in ``a_b/``.
    """

    bucket: str
    prefix: str

    @property
    def path(self) -> str:
        """``s3://bucket/prefix/``, the beginning of the path of every object below."""
        return path_of(self.bucket, self.prefix)


def parse_source_path(text: str) -> SourcePath:
    """Read a ``source_path``. ``s3a://`` and ``s3n://`` mean the same; a missing slash at the end is added.

    Raises:
        UsageError: not an S3 path, no bucket, a name no bucket can have, or a wildcard.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        raise UsageError(f"source_path {text!r} does not begin with s3://. Write s3://bucket/folder/.", field=FIELD)
    bucket, _, prefix = text[scheme.end() :].partition("/")
    _check_bucket(text, bucket)
    if wildcard := _WILDCARD.search(prefix):
        raise UsageError(
            f"source_path {text!r} holds a wildcard ({wildcard.group()}). Name the folder above it here, "
            "and put what follows into source_file_pattern.",
            field=FIELD,
        )
    return SourcePath(bucket, prefix + "/" if prefix and not prefix.endswith("/") else prefix)


def path_of(bucket: str, key: str) -> str:
    """The path of an object: the key stands in it exactly as it is."""
    return f"s3://{bucket}/{key}"


def key_of(bucket: str, path: str) -> str:
    """The key of an object of this bucket.

    Raises:
        ValueError: the path belongs to another bucket; a slip of the program, not of its user.
    """
    root = path_of(bucket, "")
    if not path.startswith(root):
        raise ValueError(f"{path!r} is not in bucket {bucket!r}")
    return path[len(root) :]


def _check_bucket(text: str, bucket: str) -> None:
    if not bucket:
        raise UsageError(f"source_path {text!r} names no bucket. Write s3://bucket/folder/.", field=FIELD)
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise UsageError(
            f"source_path {text!r}: {bucket!r} cannot be the name of a bucket. Names have 3 to 63 lower-case letters, "
            "digits, dots and hyphens, and begin and end with a letter or digit.",
            field=FIELD,
        )
