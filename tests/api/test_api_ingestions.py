from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx
    from tests.api.conftest import Service
    from tests.conftest import Landing


def created(client: httpx.Client, draft: dict[str, Any], **changes: Any) -> Any:
    answer = client.post("/ingestions", json=draft | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_an_ingestion_is_created_and_is_then_where_the_answer_says(
    client: httpx.Client, events: dict[str, Any], landing: Landing
) -> None:
    answer = client.post("/ingestions", json=events | {"schema_json": "id BIGINT", "max_file_size_bytes": "1GiB"})

    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    found = client.get(answer.headers["location"].removeprefix("/api/v1"))
    assert found.json() == answer.json()
    told = found.json()
    assert (told["name"], told["tenant_id"], told["status"], told["version"]) == ("events", "default", "ACTIVE", 1)
    assert told["source_path"] == landing.path
    assert told["max_file_size_bytes"] == 1024**3
    assert '"long"' in told["schema_json"]


def test_two_editors_cannot_overwrite_each_other(client: httpx.Client, events: dict[str, Any]) -> None:
    made = created(client, events)
    where = f"/ingestions/{made['id']}"
    mine = {"If-Match": client.get(where).headers["etag"]}

    theirs = client.patch(where, json={"source_file_pattern": "*.json"}, headers=mine)
    late = client.patch(where, json={"max_retries": 7}, headers=mine)
    later = client.put(where, json=events, headers=mine)
    blind = client.put(where, json=events)

    assert (theirs.status_code, theirs.json()["version"]) == (200, 2)
    assert (late.status_code, late.json()["type"]) == (412, "urn:autoloader:problem:EditedMeanwhile")
    assert (later.status_code, blind.status_code) == (412, 428)
    kept = client.get(where).json()
    assert (kept["source_file_pattern"], kept["max_retries"], kept["version"]) == ("*.json", 3, 2)


def test_a_replacement_sets_everything_but_the_status(client: httpx.Client, events: dict[str, Any]) -> None:
    made = created(client, events, max_retries=9, format_options={"multiLine": "true"}, status="PAUSED")

    answer = client.put(f"/ingestions/{made['id']}", json=events | {"name": "other"}, headers={"If-Match": "*"})

    assert answer.status_code == 200
    told = answer.json()
    assert (told["name"], told["max_retries"], told["format_options"], told["status"]) == ("other", 3, {}, "PAUSED")


def test_a_change_merges_maps_and_null_removes(client: httpx.Client, events: dict[str, Any]) -> None:
    made = created(client, events, schema_json="id BIGINT", table_properties={"a": "1", "b": "2"})

    answer = client.patch(
        f"/ingestions/{made['id']}", json={"schema_json": None, "table_properties": {"a": None, "c": "3"}}
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["schema_json"] is None
    assert answer.json()["table_properties"] == {"b": "2", "c": "3"}


def test_pausing_and_resuming_say_what_state_it_is_in(client: httpx.Client, events: dict[str, Any]) -> None:
    made, draft = created(client, events), created(client, events, name="draft", status="DRAFT")
    where = f"/ingestions/{made['id']}"

    assert client.post(f"{where}/pause").json()["status"] == "PAUSED"
    assert client.post(f"{where}/pause").json()["version"] == 2
    refused = client.post(f"{where}/run")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:autoloader:problem:WrongState")
    assert client.post(f"{where}/resume").json()["status"] == "ACTIVE"
    assert client.post(f"/ingestions/{draft['id']}/resume").status_code == 409


def test_the_list_is_paged_filtered_and_in_the_order_of_the_names(client: httpx.Client, events: dict[str, Any]) -> None:
    for name in ("c", "a", "d", "b"):
        created(client, events, name=name, status="PAUSED" if name == "b" else "ACTIVE")

    first = client.get("/ingestions", params={"limit": 3}).json()
    second = client.get("/ingestions", params={"limit": 3, "cursor": first["next_cursor"]}).json()

    assert [each["name"] for each in first["items"]] == ["a", "b", "c"]
    assert [each["name"] for each in second["items"]] == ["d"]
    assert second["next_cursor"] is None
    paused = client.get("/ingestions", params={"status": "PAUSED"}).json()["items"]
    assert [each["name"] for each in paused] == ["b"]
    assert [each["name"] for each in client.get("/ingestions", params={"name": "d"}).json()["items"]] == ["d"]


def test_a_deleted_ingestion_is_gone_and_a_running_one_cannot_be_deleted(
    client: httpx.Client, events: dict[str, Any]
) -> None:
    made = created(client, events)
    where = f"/ingestions/{made['id']}"
    run = client.post(f"{where}/run").json()

    assert client.delete(where).status_code == 409
    client.post(f"/runs/{run['id']}/cancel")
    assert client.delete(where, headers={"If-Match": '"7"'}).status_code == 412
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404


def test_a_create_that_is_sent_again_makes_one_ingestion(client: httpx.Client, events: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "create-1"}

    first = client.post("/ingestions", json=events, headers=key)
    again = client.post("/ingestions", json=events, headers=key)
    other = client.post("/ingestions", json=events | {"max_retries": 5}, headers=key)
    without = client.post("/ingestions", json=events)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (other.status_code, other.json()["field"]) == (422, "Idempotency-Key")
    assert (without.status_code, without.json()["type"]) == (409, "urn:autoloader:problem:NameTaken")


def test_a_key_is_shown_as_three_stars_and_three_stars_keep_it(
    client: httpx.Client, service: Service, events: dict[str, Any]
) -> None:
    secret = "planted-secret-8d1f"
    keys = {"aws_access_key_id": "AKIAPLANTED", "aws_secret_access_key": secret, "aws_region": "eu-central-1"}

    made = created(client, events, source_credentials=keys)
    where = f"/ingestions/{made['id']}"
    shown = client.get(where).json()["source_credentials"]
    changed = client.patch(where, json={"source_credentials": {"aws_region": "eu-west-1"}})
    replaced = client.put(where, json=events | {"source_credentials": shown}, headers={"If-Match": "*"})

    assert shown["aws_secret_access_key"] == "***"
    assert (changed.status_code, replaced.status_code) == (200, 200)
    for answer in (changed, replaced):
        assert secret not in answer.text
        assert "AKIAPLANTED" not in answer.text
    with service.runtime.database.connect() as connection:
        from sqlalchemy import text

        (stored,) = connection.execute(text("SELECT source_credentials FROM ingestions")).one()
    assert service.runtime.vault.open("aws_secret_access_key", stored["aws_secret_access_key"]) == secret


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"name": "a b"}, 422, "name"),
        ({"name": "'; DROP TABLE ingestions; --"}, 422, "name"),
        ({"name": "../../etc/passwd"}, 422, "name"),
        ({"name": None}, 422, "name"),
        ({"name": "a\0"}, 422, "body"),
        ({"name": "\ud800"}, 422, "name"),
        ({"nme": "x"}, 422, "nme"),
        ({"source_path": "landing"}, 422, "source_path"),
        ({"source_file_pattern": "{a"}, 422, "source_file_pattern"),
        ({"format_type": "excel"}, 422, "format_type"),
        ({"format_options": {"no-such": "1"}}, 422, None),
        ({"format_options": []}, 422, "format_options"),
        ({"schema_json": "id NOTATYPE"}, 422, "schema_json"),
        ({"partition_columns": ["nope(1)"]}, 422, "partition_columns"),
        ({"max_file_size_bytes": "lots"}, 422, "max_file_size_bytes"),
        ({"max_file_size_bytes": 10**400}, 422, "max_file_size_bytes"),
        ({"max_retries": -1}, 422, "max_retries"),
        ({"catalog": "nowhere"}, 422, "catalog"),
        ({"table": "UPPER CASE"}, 422, "table"),
        ({"source_credentials": {"aws_access_key_id": "only-one"}}, 422, "source_credentials"),
        ({"source_credentials": {"password": "x"}}, 422, "source_credentials.password"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_written(
    client: httpx.Client, events: dict[str, Any], changes: dict[str, Any], status: int, field: str | None
) -> None:
    import json

    answer = client.post(
        "/ingestions", content=json.dumps(events | changes), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert field is None or problem["field"] == field, problem
    assert problem["detail"]
    assert client.get("/ingestions").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b"a=1", "application/x-www-form-urlencoded", 422),
        (b" " * (1024 * 1024 + 1), "application/json", 413),
        (b" " * (10 * 1024 * 1024), "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client: httpx.Client, body: bytes, kind: str, status: int) -> None:
    answer = client.post("/ingestions", content=body, headers={"Content-Type": kind})

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_without_a_length_is_counted_as_it_comes(client: httpx.Client) -> None:
    answer = client.post(
        "/ingestions", content=(b" " * 65536 for _ in range(32)), headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == 413


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "MQ", "IlxkODAwIg", "W10", "e30", "ü"])
def test_a_cursor_that_is_none_is_refused(client: httpx.Client, cursor: str) -> None:
    answer = client.get("/ingestions", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["field"]) == (422, "cursor")


def test_addresses_that_are_none_and_ids_that_are_none_are_told_apart(client: httpx.Client) -> None:
    assert client.get("/nothing").json()["type"] == "urn:autoloader:problem:NoSuchAddress"
    assert client.get("/ingestions/7").json()["type"] == "urn:autoloader:problem:NotKnown"
    assert client.get("/ingestions/seven").json()["field"] == "ingestion_id"
    assert client.get(f"/ingestions/{2**63}").status_code == 422
    wrong = client.patch("/ingestions")
    assert (wrong.status_code, wrong.headers["content-type"]) == (405, "application/problem+json")


def test_unknown_fields_and_path_columns_are_fields_like_others(client: httpx.Client, events: dict[str, Any]) -> None:
    made = created(client, events)
    assert (made["unknown_fields"], made["path_columns"]) == ("rescue", [])
    where = f"/ingestions/{made['id']}"
    changed = client.patch(where, json={"unknown_fields": "add", "path_columns": ["dt"]}).json()
    assert (changed["unknown_fields"], changed["path_columns"]) == ("add", ["dt"])
    for wrong, field in (({"unknown_fields": "drop"}, "unknown_fields"), ({"path_columns": ["a/b"]}, "path_columns")):
        refused = client.patch(where, json=wrong)
        assert (refused.status_code, refused.json()["field"]) == (422, field)
    assert client.patch(where, json={"path_columns": []}).json()["path_columns"] == []


def test_a_preview_over_http_shows_what_keys_and_unknown_fields_hold(
    client: httpx.Client, events: dict[str, Any], landing: Landing
) -> None:
    landing.put("dt=2024-01-15/a.json", '{"id": 1, "new": 2}\n')
    draft = events | {"schema_json": "id BIGINT, dt DATE", "path_columns": ["dt"]}
    seen = client.post("/ingestions/preview", json=draft).json()
    assert (seen["columns"], seen["rows"]) == (["id", "dt", "_rescued_data"], [[1, "2024-01-15", '{"new":2}']])
