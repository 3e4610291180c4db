"""Keys sent to the service are written and never read: not in an answer, a problem, a log line or the document."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import structlog
from pydantic import SecretStr
from tests.end_to_end.test_secrets import everything_stored

from autoloader.api.serving import serving
from autoloader.logs import configure_logs
from autoloader.runtime import Runtime
from autoloader.settings import Connections, Settings
from autoloader.vault import new_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Landing

KEY, SECRET, SESSION = "PLANTEDKEYID0000", "planted/secret+0000==", "planted-session-0000"
PLANTED = (KEY, SECRET, SESSION, SECRET.rstrip("="))
ANY_VERSION = {"If-Match": "*"}
BAD: list[dict[str, Any]] = [
    {"aws_access_key_id": KEY},
    {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET + " with a blank"},
    {"aws_access_key_id": KEY, "aws_secret_access_key": {"nested": SECRET}},
    {"aws_access_key_id": [KEY], "aws_secret_access_key": 7},
    {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_secret": SECRET},
    {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "aws_session_token": SESSION * 1000},
    {"aws_access_key_id": "enc:" + KEY, "aws_secret_access_key": SECRET},
    {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "profile": 1},
]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What this process logs."""
    written = io.StringIO()
    with redirect_stderr(written):
        configure_logs("debug", "json")
    yield written
    structlog.reset_defaults()


@pytest.fixture
def service(
    database_url: str,
    connections: Connections,
    tmp_path: Path,
) -> Iterator[httpx.Client]:
    """The service without tokens, with a key of its own."""
    settings = Settings(home=tmp_path, secret_key=SecretStr(new_key()), log_level="debug")
    parts = Connections(
        database_url=database_url, s3_endpoint_url=connections.s3_endpoint_url, catalogs=connections.catalogs
    )
    with (
        Runtime(settings, parts) as runtime,
        serving(runtime, "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, timeout=60) as client,
    ):
        yield client


def body(landing: Landing, credentials: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "events",
        "source_path": landing.path,
        "format_type": "json",
        "catalog": "lake",
        "database": "raw",
        "table": "events",
        "source_credentials": credentials,
    }


def test_a_planted_secret_is_in_no_answer_log_or_table(
    service: httpx.Client,
    landing: Landing,
    connections: Connections,
    database_url: str,
    log: io.StringIO,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mine = {
        "endpoint_url": connections.s3_endpoint_url,
        "aws_region": "us-east-1",
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "aws_session_token": SESSION,
    }
    at, draft = "/api/v1/ingestions", body(landing, mine)
    made = service.post(at, json=draft)
    assert made.status_code == 201, made.text
    one = f"{at}/{made.json()['id']}"
    answers = [
        made,
        service.post(at, json=draft),
        service.get(one),
        service.get(at),
        service.patch(one, json={"max_retries": 1}),
        service.patch(one, json={"source_credentials": mine | {"aws_session_token": None}}),
        service.put(one, json=draft, headers=ANY_VERSION),
        service.post(f"{one}/test-connection"),
        service.post(f"{one}/preview"),
        service.post(f"{at}/test-connection", json=draft),
        service.post(f"{at}/preview", json=draft),
        service.post(f"{one}/run"),
        service.get("/api/v1/runs"),
        service.get("/metrics"),
        service.get("/api/v1/openapi.json"),
    ]
    answers += [service.post(at, json=body(landing, wrong) | {"name": "other"}) for wrong in BAD]
    answers += [service.post(f"{at}/preview", json=body(landing, wrong)) for wrong in BAD]
    answers.append(service.post(at, content=f'{{"aws_secret_access_key": "{SECRET}"'))

    statuses = [answer.status_code for answer in answers]
    assert statuses[:7] == [201, 409, 200, 200, 200, 200, 200]
    assert all(400 <= status < 500 for status in statuses[15:]), statuses
    told = "\n".join(answer.text + str(answer.headers) for answer in answers)
    assert made.json()["source_credentials"]["aws_secret_access_key"] == "***"
    stored = everything_stored(database_url)
    assert "enc:" in stored
    assert log.getvalue().count("request.answered") == len(answers)
    for planted in PLANTED:
        assert planted not in told
        assert planted not in stored
        assert planted not in log.getvalue() + caplog.text


def test_what_was_shown_can_be_sent_back_and_keeps_the_keys(
    service: httpx.Client, landing: Landing, connections: Connections
) -> None:
    landing.put("a.json", '{"id": 1}')
    keys = {
        "endpoint_url": connections.s3_endpoint_url,
        "aws_region": connections.s3_region,
        "aws_access_key_id": connections.s3_access_key_id,
        "aws_secret_access_key": connections.s3_secret_access_key,
    }
    draft = body(landing, keys)
    one = f"/api/v1/ingestions/{service.post('/api/v1/ingestions', json=draft).json()['id']}"

    masked = service.get(one).json()["source_credentials"]
    edited = service.put(one, json=draft | {"source_credentials": masked, "max_retries": 1}, headers=ANY_VERSION)
    seen = service.post(f"{one}/preview")
    moved = service.patch(one, json={"source_credentials": masked | {"endpoint_url": "http://elsewhere.example"}})

    assert edited.status_code == 200, edited.text
    assert seen.status_code == 200, seen.text
    assert str(connections.s3_secret_access_key) not in edited.text + seen.text
    assert moved.status_code == 422
    assert "give the key anew" in moved.text
