"""A bucket as a process on another machine opens it: described here, opened there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoloader.objects.access import whereabouts
from autoloader.objects.s3 import open_s3
from autoloader.settings import Connections
from autoloader.vault import CREDENTIAL_SECRETS

if TYPE_CHECKING:
    from autoloader.model import SourceCredentials
    from autoloader.objects.access import OpenSecret
    from autoloader.objects.s3 import S3Store

_NOTHING_KNOWN = Connections(database_url="")


@dataclass(frozen=True, kw_only=True, slots=True)
class Elsewhere:
    """Whoever opens it uses the ingestion's keys where it has some, else an identity of its own.

    Attributes:
        credentials: with the keys themselves where an ingestion keeps references or sealed ones.
        concurrency: connections kept open at most.
    """

    bucket: str
    credentials: SourceCredentials = field(repr=False)
    concurrency: int

    def open(self) -> S3Store:
        """Open the bucket; see ``objects.s3.open_s3`` for what is raised."""
        return open_s3(self.bucket, self.credentials, _NOTHING_KNOWN, self.concurrency, open_secret=_as_it_is)


def _as_it_is(_field: str, opened: str) -> str:
    return opened


def elsewhere(
    bucket: str, credentials: SourceCredentials, connections: Connections, concurrency: int, open_secret: OpenSecret
) -> Elsewhere:
    """Describe a bucket for another machine: where it is, as here, and who may open it, where the ingestion has keys.

    A profile or a role is left out: they belong to who we are here. So do the keys of the embedded stack.

    Raises:
        UsageError, VaultError: a key cannot be had.
    """
    given = {name: text for name in CREDENTIAL_SECRETS if (text := getattr(credentials, name)) is not None}
    opened = {name: open_secret(name, text) for name, text in given.items()}
    endpoint, region = whereabouts(credentials, connections)
    where = {"endpoint_url": endpoint, "aws_region": region}
    own = replace(credentials, profile=None, role_arn=None, **where, **opened)
    return Elsewhere(bucket=bucket, credentials=own, concurrency=concurrency)
