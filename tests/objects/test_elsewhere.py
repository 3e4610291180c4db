"""What of an ingestion's credentials goes to another machine, and who it is there."""

from __future__ import annotations

import pickle
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from autoloader.model import SourceCredentials
from autoloader.objects.elsewhere import elsewhere
from autoloader.vault import look_up

if TYPE_CHECKING:
    import pytest
    from tests.conftest import Landing

    from autoloader.settings import Connections


def test_a_bucket_is_opened_elsewhere_by_the_ingestions_keys_and_no_other_secret_goes_along(
    connections: Connections, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, secret = connections.s3_access_key_id or "", connections.s3_secret_access_key or ""
    monkeypatch.setenv("KEY", key)
    monkeypatch.setenv("SECRET", secret)
    path = landing.put("a.json", "{}\n")
    own = SourceCredentials(
        endpoint_url=connections.s3_endpoint_url,
        aws_access_key_id="env:KEY",
        aws_secret_access_key="env:SECRET",
        profile="mine",
        role_arn="arn:aws:iam::1:role/mine",
    )
    sent = elsewhere(landing.bucket, own, connections, 4, look_up)
    assert secret not in repr(sent)
    assert (sent.credentials.profile, sent.credentials.role_arn) == (None, None)
    arrived = pickle.loads(pickle.dumps(sent))  # noqa: S301  our own
    with closing(arrived.open()) as store:
        assert [found.path for page in store.pages(landing.prefix) for found in page] == [path]


def test_without_keys_only_the_place_is_told_and_whoever_opens_it_is_themselves(
    connections: Connections, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = elsewhere(landing.bucket, SourceCredentials(), connections, 4, look_up)
    assert sent.credentials == SourceCredentials(
        endpoint_url=connections.s3_endpoint_url, aws_region=connections.s3_region
    )
    own = replace(connections, s3_access_key_id=None, s3_secret_access_key=None)
    named = elsewhere(landing.bucket, SourceCredentials(aws_region="eu-west-1"), own, 4, look_up)
    assert named.credentials.endpoint_url == connections.s3_endpoint_url, "a default of the settings"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", connections.s3_access_key_id or "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", connections.s3_secret_access_key or "")
    path = landing.put("a.json", "{}\n")
    with closing(sent.open()) as store:
        assert [found.path for page in store.pages(landing.prefix) for found in page] == [path]
