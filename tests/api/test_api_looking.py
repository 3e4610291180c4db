from __future__ import annotations

import json
from decimal import Decimal
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from autoloader.api.trying import AT_ONCE, in_time
from autoloader.errors import SourceUnavailable
from autoloader.showing import plain

if TYPE_CHECKING:
    import httpx
    from tests.conftest import Landing


def test_a_draft_and_a_saved_ingestion_are_previewed_alike_and_nothing_is_written(
    client: httpx.Client, landing: Landing, events: dict[str, Any]
) -> None:
    for number in range(3):
        landing.put(f"{number}.json", json.dumps({"id": number, "price": 1.5, "at": "2024-01-15T10:00:00Z"}) + "\n")
    landing.put("large.json", " " * 500 + "{}")
    landing.put("odd.json", '{"id": "x"\n')
    draft = events | {"max_file_size_bytes": 400}

    seen = client.post("/ingestions/preview", json=draft)
    assert client.get("/ingestions").json()["items"] == []
    made = client.post("/ingestions", json=draft).json()
    saved = client.post(f"/ingestions/{made['id']}/preview")

    assert (seen.status_code, saved.status_code) == (200, 200), seen.text
    told, again = seen.json(), saved.json()
    for preview in (told, again):
        preview["rows"].sort()
    assert again == told
    assert told["inferred"]
    assert told["columns"] == ["id", "price", "at"]
    assert told["matching"] == {"files": 5, "bytes": told["matching"]["bytes"], "complete": True}
    assert [each["path"] for each in told["skipped"]] == [f"{landing.path}large.json"]
    assert [each["path"] for each in told["problems"]] == [f"{landing.path}odd.json"]
    assert client.get(f"/ingestions/{made['id']}/files").json()["items"] == []
    assert client.get(f"/ingestions/{made['id']}").json()["schema_json"] is None


def test_a_connection_is_tested_by_listing_and_reading(
    client: httpx.Client, landing: Landing, events: dict[str, Any]
) -> None:
    path = landing.put("a.json", "{}\n")

    answer = client.post("/ingestions/test-connection", json=events)

    assert answer.status_code == 200, answer.text
    assert (answer.json()["listed"], answer.json()["read"]) == (1, path)


@pytest.mark.parametrize("action", ["preview", "test-connection"])
def test_a_bucket_that_is_not_there_is_the_fault_of_the_path(
    client: httpx.Client, events: dict[str, Any], action: str
) -> None:
    answer = client.post(f"/ingestions/{action}", json=events | {"source_path": "s3://no-such-bucket-here/"})

    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (422, "urn:autoloader:problem:BucketNotFound"), problem
    assert problem["field"] == "source_path"


def test_work_that_does_not_end_is_not_waited_for_and_few_go_on_at_once() -> None:
    go_on = Event()
    try:
        for _ in range(AT_ONCE):
            with pytest.raises(SourceUnavailable, match="did not answer"):
                in_time(go_on.wait, seconds=0.05)
        with pytest.raises(SourceUnavailable, match="too many"):
            in_time(lambda: 1, seconds=0.05)
    finally:
        go_on.set()
    assert in_time(lambda: 1) == 1


def test_what_json_cannot_hold_is_told_as_text() -> None:
    row = {"n": float("nan"), "d": Decimal("1.50"), "b": b"\x01\xff", "l": [float("inf"), None], "t": "x" * 2000}

    told = plain(row)

    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["n"], told["d"], told["b"], told["l"]) == ("nan", "1.50", "01ff", ["inf", None])
    assert len(told["t"]) == 1001
