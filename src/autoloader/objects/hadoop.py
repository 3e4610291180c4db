"""An ingestion's keys as Hadoop's S3A client wants them, for a cluster that reads the bucket."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoloader.model import SourceCredentials
    from autoloader.objects.access import OpenSecret

_TEMPORARY = "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider"
_CLIENT = "org.apache.hadoop.fs.s3a.S3AFileSystem"
_ROUNDS = 100_000
SCHEME = "s3a"
_SIMPLE = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"


def bucket_settings(bucket: str, credentials: SourceCredentials, open_secret: OpenSecret) -> dict[str, str]:
    """Settings of a session for one bucket: they come before those that the cluster has. They hold secrets.

    Spark takes those out of what it tells of a session: their names hold ``access.key``, ``secret`` or ``token``.
    Empty where the ingestion says nothing: the cluster then reads with its own identity.

    Raises:
        UsageError, VaultError: a key cannot be had.
    """
    own: dict[str, str] = {}
    if credentials.endpoint_url is not None:
        own |= {"endpoint": credentials.endpoint_url, "path.style.access": "true"}
    if credentials.aws_region is not None:
        own["endpoint.region"] = credentials.aws_region
    key, secret, token = (
        credentials.aws_access_key_id,
        credentials.aws_secret_access_key,
        credentials.aws_session_token,
    )
    if key is not None and secret is not None:
        own |= {
            "access.key": open_secret("aws_access_key_id", key),
            "secret.key": open_secret("aws_secret_access_key", secret),
            "aws.credentials.provider": _TEMPORARY if token else _SIMPLE,
        }
    if token is not None:
        own["session.token"] = open_secret("aws_session_token", token)
    settings = {f"fs.s3a.bucket.{bucket}.{name}": value for name, value in own.items()}
    return settings | {f"fs.{scheme_of(settings)}.impl": _CLIENT} if own else {}


@cache
def _hashed(settings: tuple[tuple[str, str], ...]) -> str:
    text = "\n".join(f"{name}={value}" for name, value in settings)
    return hashlib.pbkdf2_hmac("sha256", text.encode(), b"autoloader", _ROUNDS, dklen=8).hex()


def scheme_of(settings: Mapping[str, str]) -> str:
    """The scheme of paths that are read with these settings: ``s3a`` where there are none, else one of their own.

    Hadoop keeps a client for each scheme and bucket, whatever the keys: with another scheme nobody gets the client of
    somebody else. To have no client kept would make one for every file, with threads that nobody ends. The scheme shows
    in plans, and tells of the keys no more than that they are the same.
    """
    own = tuple(sorted(item for item in settings.items() if item[1] != _CLIENT))
    return f"{SCHEME}-{_hashed(own)}" if own else SCHEME
