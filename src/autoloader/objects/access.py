"""Who we are to a bucket: credentials, endpoint and region, from the ingestion, the stack or the default AWS chain."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from autoloader.errors import CredentialsMissing, SourceAccessDenied, SourceUnavailable, UsageError
from autoloader.vault import REFERENCE, look_up

if TYPE_CHECKING:
    from botocore.credentials import Credentials, ReadOnlyCredentials

    from autoloader.model import SourceCredentials
    from autoloader.settings import Connections

FIELD = "source_credentials"
OpenSecret = Callable[[str, str], str]
"""The secret itself, from the name of its field and its stored form (see ``vault``)."""

_STS_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How to reach a bucket.

    Attributes:
        origin: where the credentials come from, for messages: ``the default AWS chain``.
        endpoint_url: None where botocore decides (AWS, or an endpoint in its configuration).
        region: None where botocore decides.
    """

    session: Session
    credentials: Credentials = field(repr=False)
    origin: str
    endpoint_url: str | None
    region: str | None

    def frozen(self) -> ReadOnlyCredentials:
        """Credentials that are good for some minutes from now; refreshed when they are near their end.

        Raises:
            CredentialsMissing: they cannot be had (any more).
            SourceAccessDenied: the role may not be assumed.
            SourceUnavailable: the service that hands them out does not answer.
        """
        try:
            return self.credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise _as_error(error, self.origin) from error

    @property
    def ca_bundle(self) -> Path | None:
        """Where the certificates to trust are, if AWS_CA_BUNDLE or the AWS configuration says so.

        Raises:
            UsageError: there is nothing in that place.
        """
        named = self.session.get_config_variable("ca_bundle")
        if named is None:
            return None
        bundle = Path(named)
        if not bundle.exists():
            raise UsageError(f"AWS_CA_BUNDLE or ca_bundle of the AWS configuration names {named}, which is not there.")
        return bundle


def resolve_access(
    credentials: SourceCredentials, connections: Connections, open_secret: OpenSecret = look_up
) -> Access:
    """Find out who we are.

    The embedded stack's endpoint and keys belong together: an ingestion that says anything about its credentials gets
    neither. Without a stack, the endpoint and region of the settings are defaults for every ingestion.

    Args:
        open_secret: opens what is sealed, too, where it is the vault's; the default knows references only.

    Raises:
        UsageError: the fields contradict each other, or hold a key instead of a reference.
        VaultError: a sealed key cannot be opened.
        CredentialsMissing: a variable is not set, the profile is not there, or the default chain finds nothing.
        SourceAccessDenied: the role may not be assumed.
        SourceUnavailable: the service that hands the credentials out does not answer.
    """
    key, secret = connections.s3_access_key_id, connections.s3_secret_access_key
    endpoint, region = whereabouts(credentials, connections)
    session = _new_session(credentials.profile)
    if key is not None and secret is not None and not _own(credentials):
        origin = "the embedded stack"
        session.set_credentials(key, secret)
    else:
        origin = _use(session, credentials, open_secret)
    try:
        found = session.get_credentials()
        if credentials.role_arn is not None and found is not None:
            found = _assumed(session, credentials.role_arn, region)
            origin = f"the role {credentials.role_arn}"
    except (BotoCoreError, ClientError) as error:
        raise _as_error(error, credentials.role_arn or origin) from error
    if found is None:
        raise CredentialsMissing(
            "No AWS credentials were found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, run `aws configure`, "
            "or name a profile, a role or keys in the ingestion's source_credentials."
        )
    return Access(session=session, credentials=found, origin=origin, endpoint_url=endpoint, region=region)


def whereabouts(credentials: SourceCredentials, connections: Connections) -> tuple[str | None, str | None]:
    """Endpoint and region, by the rule of ``resolve_access``; None where botocore decides."""
    endpoint, region = credentials.endpoint_url, credentials.aws_region
    if connections.s3_access_key_id is not None and _own(credentials):
        return endpoint, region
    return endpoint or connections.s3_endpoint_url, region or connections.s3_region


def _own(credentials: SourceCredentials) -> bool:
    return any(part is not None for part in astuple(credentials))


def _new_session(profile: str | None) -> Session:
    session = Session(profile=profile)
    session.register_component("data_loader", _loader(os.environ.get("AWS_DATA_PATH")))
    return session


@cache
def _loader(data_path: str | None) -> Loader:
    """Botocore's descriptions of services, read once for a process: they take 150 ms."""
    return create_loader(data_path)


def _use(session: Session, credentials: SourceCredentials, open_secret: OpenSecret) -> str:
    """Put the keys of the ingestion, if it has any, into the session; returns where credentials come from."""
    key, secret = credentials.aws_access_key_id, credentials.aws_secret_access_key
    if (key is None) != (secret is None) or (credentials.aws_session_token and key is None):
        raise UsageError("Give aws_access_key_id and aws_secret_access_key together.", field=FIELD)
    if key is None or secret is None:
        return "the default AWS chain" if credentials.profile is None else f"profile {credentials.profile!r}"
    if credentials.profile is not None:
        raise UsageError("Give a profile or keys, not both.", field=FIELD)
    token = credentials.aws_session_token
    session.set_credentials(
        open_secret("aws_access_key_id", key),
        open_secret("aws_secret_access_key", secret),
        open_secret("aws_session_token", token) if token else None,
    )
    return key if REFERENCE.fullmatch(key) else "the keys stored with the ingestion"


def _assumed(session: Session, role_arn: str, region: str | None) -> RefreshableCredentials:
    def assume() -> dict[str, str]:
        sts: Any = session.create_client(
            "sts", region_name=region or session.get_config_variable("region") or _STS_REGION
        )
        got = sts.assume_role(RoleArn=role_arn, RoleSessionName="autoloader")["Credentials"]
        return {
            "access_key": got["AccessKeyId"],
            "secret_key": got["SecretAccessKey"],
            "token": got["SessionToken"],
            "expiry_time": got["Expiration"].isoformat(),
        }

    return RefreshableCredentials.create_from_metadata(assume(), refresh_using=assume, method="sts-assume-role")


def _as_error(error: Exception, origin: str) -> CredentialsMissing | SourceAccessDenied | SourceUnavailable:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "refused")
        return SourceAccessDenied(
            f"Credentials could not be had from {origin} ({code}). Allow sts:AssumeRole on it for the credentials "
            "of this machine, and these credentials in the role's trust policy."
        )
    if isinstance(error, NoConnection | HTTPClientError):
        return SourceUnavailable(f"Credentials could not be had from {origin}: {error}.")
    # What a credential process printed may hold a secret.
    reason = f"{error.kwargs['provider']} failed" if isinstance(error, CredentialRetrievalError) else str(error)
    return CredentialsMissing(f"Credentials could not be had from {origin}: {reason}. Mend it or log in again.")
