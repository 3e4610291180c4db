"""Whose credentials, which endpoint, which region."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from tests.objects.answering import BUCKET, SECRET, Answer, Answering, Asked, found, listing

from autoloader.errors import CredentialsMissing, SourceAccessDenied, SourceUnavailable, UsageError
from autoloader.model import SourceCredentials
from autoloader.objects.access import resolve_access
from autoloader.objects.endpoints import resolve_endpoint
from autoloader.objects.s3 import open_s3
from autoloader.settings import Connections

if TYPE_CHECKING:
    from pathlib import Path

STACK = Connections(
    database_url="",
    s3_endpoint_url="http://127.0.0.1:8333",
    s3_access_key_id="STACKKEY",
    s3_secret_access_key=SECRET,
    s3_region="us-east-1",
)
NO_STACK = Connections(database_url="", s3_endpoint_url="http://minio.example:9000", s3_region="eu-west-3")
AWS = Connections(database_url="")
KEYS = SourceCredentials(aws_access_key_id="env:MY_KEY", aws_secret_access_key="env:MY_SECRET")
ROLE = "arn:aws:iam::123456789012:role/reader"


@pytest.fixture(autouse=True)
def aws_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No credentials but those a test gives; returns the AWS configuration file."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "REGION", "DEFAULT_REGION"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("MY_KEY", "MYKEYID")
    monkeypatch.setenv("MY_SECRET", SECRET)
    return tmp_path / "config"


def test_an_ingestion_that_says_nothing_uses_the_embedded_stack() -> None:
    access = resolve_access(SourceCredentials(), STACK)
    assert access.frozen().access_key == "STACKKEY"
    assert (access.endpoint_url, access.region) == ("http://127.0.0.1:8333", "us-east-1")


@pytest.mark.parametrize(
    "credentials",
    [
        KEYS,
        SourceCredentials(endpoint_url="http://other:9000"),
        SourceCredentials(aws_region="eu-west-1"),
        SourceCredentials(profile="mine"),
    ],
)
def test_the_stacks_key_and_endpoint_are_not_for_an_ingestion_with_something_of_its_own(
    credentials: SourceCredentials, monkeypatch: pytest.MonkeyPatch, aws_of_its_own: Path
) -> None:
    aws_of_its_own.write_text("[profile mine]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "CHAINKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    access = resolve_access(credentials, STACK)
    assert access.frozen().access_key in {"MYKEYID", "CHAINKEY", "PROFILEKEY"}
    assert access.endpoint_url == credentials.endpoint_url


def test_without_a_stack_endpoint_and_region_of_the_settings_are_the_defaults() -> None:
    access = resolve_access(KEYS, NO_STACK)
    assert access.frozen().access_key == "MYKEYID"
    assert (access.endpoint_url, access.region) == ("http://minio.example:9000", "eu-west-3")
    own = resolve_access(SourceCredentials(aws_region="eu-west-1", profile=None, **_keys()), NO_STACK)
    assert own.region == "eu-west-1"


def _keys() -> dict[str, str]:
    return {"aws_access_key_id": "env:MY_KEY", "aws_secret_access_key": "env:MY_SECRET"}


def test_the_default_chain_is_used_when_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "CHAINKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    frozen = resolve_access(SourceCredentials(), AWS).frozen()
    assert (frozen.access_key, frozen.secret_key, frozen.token) == ("CHAINKEY", SECRET, "token")


def test_no_credentials_at_all_says_what_to_do() -> None:
    with pytest.raises(CredentialsMissing, match=r"AWS_ACCESS_KEY_ID.*aws configure.*source_credentials"):
        open_s3(BUCKET, SourceCredentials(), AWS, 4)


def test_a_missing_variable_is_named() -> None:
    credentials = SourceCredentials(aws_access_key_id="env:MY_KEY", aws_secret_access_key="env:NOT_SET_ANYWHERE")
    with pytest.raises(CredentialsMissing, match="NOT_SET_ANYWHERE"):
        resolve_access(credentials, AWS)


def test_a_missing_profile_is_named() -> None:
    with pytest.raises(CredentialsMissing, match="nobody"):
        resolve_access(SourceCredentials(profile="nobody"), AWS)


@pytest.mark.parametrize(
    ("credentials", "says"),
    [
        (SourceCredentials(aws_access_key_id=SECRET, aws_secret_access_key="env:MY_SECRET"), "env:NAME"),
        (SourceCredentials(aws_access_key_id="env:MY_KEY"), "together"),
        (SourceCredentials(aws_session_token="env:MY_KEY"), "together"),
        (SourceCredentials(profile="x", **_keys()), "not both"),
    ],
)
def test_credentials_that_contradict_themselves_are_refused(credentials: SourceCredentials, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        resolve_access(credentials, AWS)
    assert str(caught.value.field).startswith("source_credentials")
    assert SECRET not in str(caught.value)


def test_what_a_credential_process_prints_is_not_passed_on(aws_of_its_own: Path) -> None:
    aws_of_its_own.write_text(f"[profile broken]\ncredential_process = sh -c 'echo {SECRET} >&2; exit 1'\n")
    with pytest.raises(CredentialsMissing, match="custom-process failed") as caught:
        resolve_access(SourceCredentials(profile="broken"), AWS)
    assert SECRET not in str(caught.value)


def test_nothing_that_is_shown_holds_a_secret() -> None:
    access = resolve_access(KEYS, AWS)
    assert SECRET not in repr(access)
    assert "MYKEYID" not in repr(access)


# --- roles ------------------------------------------------------------------------------------------------------------


def _assumed(key: str, expires_at: datetime) -> Answer:
    body = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>T-{key}</SessionToken>"
        f"<Expiration>{expires_at.isoformat()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    return Answer(body=body.encode())


def test_a_role_is_assumed_and_taken_again_before_it_ends(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = iter(range(100))

    def answer(asked: Asked) -> Answer:
        if asked.target == "/":
            return _assumed(f"ROLEKEY{next(numbers)}", datetime.now(UTC) + timedelta(minutes=5))
        return listing({"a.json": b"x"}) if asked.is_listing else found(b"x")

    server.answer = answer
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    credentials = SourceCredentials(endpoint_url=server.url, role_arn=ROLE, **_keys())
    store = open_s3(BUCKET, credentials, STACK, 4)
    [[listed]] = store.pages("")
    assert b"".join(store.read(listed.path, listed.etag)) == b"x"
    store.close()
    signed = [asked for asked in server.asked if asked.target != "/"]
    assert all("Credential=ROLEKEY" in asked.headers["authorization"] for asked in signed)
    assert all(asked.headers["x-amz-security-token"].startswith("T-ROLEKEY") for asked in signed)
    assert len({asked.headers["x-amz-security-token"] for asked in signed}) == 2


def test_a_role_that_is_taken_away_meanwhile_is_a_denied_access(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    denied = Answer(status=403, body=b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
    server.in_turn([_assumed("ROLEKEY", datetime.now(UTC) + timedelta(minutes=5)), denied])
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    access = resolve_access(SourceCredentials(role_arn=ROLE, **_keys()), AWS)
    with pytest.raises(SourceAccessDenied, match="sts:AssumeRole"):
        access.frozen()


def test_a_role_that_may_not_be_assumed_says_what_to_allow(server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = lambda _: Answer(
        status=403, body=b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    )
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
    with pytest.raises(SourceAccessDenied, match=f"{ROLE}.*sts:AssumeRole"):
        resolve_access(SourceCredentials(role_arn=ROLE, **_keys()), AWS)


def test_a_token_service_that_cannot_be_reached_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(SourceUnavailable, match="Credentials could not be had"):
        resolve_access(SourceCredentials(role_arn=ROLE, **_keys()), AWS)


# --- endpoints --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bucket", "credentials", "url", "region"),
    [
        ("landing", {}, "https://landing.s3.amazonaws.com", "us-east-1"),
        ("landing", {"aws_region": "eu-west-1"}, "https://landing.s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("a.b.c", {"aws_region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/a.b.c", "eu-west-1"),
        ("landing", {"aws_region": "cn-north-1"}, "https://landing.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("landing", {"endpoint_url": "http://localhost:9000"}, "http://localhost:9000/landing", "us-east-1"),
        ("landing", {"endpoint_url": "https://s3.example/x/"}, "https://s3.example/x/landing", "us-east-1"),
    ],
)
def test_a_bucket_is_addressed_as_aws_clients_address_it(
    bucket: str, credentials: dict[str, str], url: str, region: str
) -> None:
    access = resolve_access(SourceCredentials(**_keys(), **credentials), AWS)
    endpoint = resolve_endpoint(access, bucket, access.region)
    assert (endpoint.url, endpoint.region) == (url, region)


def test_an_endpoint_in_the_aws_configuration_is_followed(aws_of_its_own: Path) -> None:
    aws_of_its_own.write_text(
        "[profile mine]\naws_access_key_id = K\naws_secret_access_key = S\nregion = eu-north-1\n"
        "endpoint_url = http://ceph:7480\ns3 =\n  addressing_style = virtual\n"
    )
    access = resolve_access(SourceCredentials(profile="mine"), AWS)
    endpoint = resolve_endpoint(access, "landing", access.region)
    assert (endpoint.url, endpoint.region) == ("http://landing.ceph:7480", "eu-north-1")


@pytest.mark.parametrize("credentials", [{"endpoint_url": "not an address"}, {"aws_region": "no such region!"}])
def test_an_endpoint_that_cannot_be_one_is_refused(credentials: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="cannot be addressed"):
        open_s3("landing", SourceCredentials(**_keys(), **credentials), AWS, 4)


def test_the_environment_cannot_lead_the_native_client_elsewhere(
    server: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "false")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    server.answer = lambda _: found(b"x")
    store = server.store()
    assert b"".join(store.read(f"s3://{BUCKET}/a", "v1")) == b"x"
    [asked] = server.asked
    assert asked.target == f"/{BUCKET}/a"
    assert "Credential=AKID/" in asked.headers["authorization"]
    assert "libcurl" in asked.headers["user-agent"]


def test_a_certificate_file_that_is_not_there_is_named(
    server: Answering, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
    with pytest.raises(UsageError, match=r"missing\.pem"):
        server.store()
