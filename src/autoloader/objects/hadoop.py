"""An ingestion's keys as Hadoop's S3A client wants them, for a cluster that reads the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoloader.model import SourceCredentials
    from autoloader.objects.access import OpenSecret

_TEMPORARY = "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider"
_SIMPLE = "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"


def reader_options(credentials: SourceCredentials, open_secret: OpenSecret) -> dict[str, str]:
    """Options for one reader: they hold for what it reads and nothing else. They hold secrets.

    Empty where the ingestion says nothing: the cluster then reads with its own identity.

    Raises:
        UsageError, VaultError: a key cannot be had.
    """
    options: dict[str, str] = {}
    if credentials.endpoint_url is not None:
        options |= {"fs.s3a.endpoint": credentials.endpoint_url, "fs.s3a.path.style.access": "true"}
    if credentials.aws_region is not None:
        options["fs.s3a.endpoint.region"] = credentials.aws_region
    key, secret, token = (
        credentials.aws_access_key_id,
        credentials.aws_secret_access_key,
        credentials.aws_session_token,
    )
    if key is not None and secret is not None:
        options |= {
            "fs.s3a.access.key": open_secret("aws_access_key_id", key),
            "fs.s3a.secret.key": open_secret("aws_secret_access_key", secret),
            "fs.s3a.aws.credentials.provider": _TEMPORARY if token else _SIMPLE,
        }
    if token is not None:
        options["fs.s3a.session.token"] = open_secret("aws_session_token", token)
    # A client is otherwise shared by all who read the bucket, whatever their keys.
    return options | {"fs.s3a.impl.disable.cache": "true"} if options else {}
