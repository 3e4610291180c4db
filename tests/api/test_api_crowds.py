"""What keeps the service quick with many files and many clients, as its clients notice it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from tests.ledger.ledgers import Ledger, bad, good, objects

from autoloader.access import Caller, Scope
from autoloader.api.callers import Remembered
from autoloader.api.told import QUICK_AT_ONCE
from autoloader.ledger import tokens
from autoloader.ledger.database import transaction

if TYPE_CHECKING:
    import httpx
    from tests.api.conftest import Service


def settled(service: Service, *names: str) -> int:
    """An ingestion with files that loaded or failed, in turns; its id."""
    ledger = Ledger(service.runtime.database)
    ingestion = ledger.ingestion()
    ledger.loads_all(ingestion, objects(*names), *[good, bad] * (len(names) // 2))
    return ingestion.id


def everything(client: httpx.Client, path: str, /, **asked: Any) -> list[dict[str, Any]]:
    """All items of a list, however many pages it takes."""
    found: list[dict[str, Any]] = []
    answer = client.get(path, params=asked).json()
    found += answer["items"]
    while answer["next_cursor"] is not None:
        answer = client.get(path, params=asked | {"cursor": answer["next_cursor"]}).json()
        found += answer["items"]
    return found


def test_a_list_tells_of_each_file_and_run_what_is_told_of_it_alone(service: Service, client: httpx.Client) -> None:
    made = settled(service, "a", "b", "c", "d")

    listed = everything(client, f"/ingestions/{made}/files", limit=3)
    alone = [client.get(f"/files/{file['id']}").json() for file in listed]
    assert [{**file, "history": None} for file in listed] == [{**story, "history": None} for story in alone]
    assert len(listed) == 4
    runs = everything(client, "/runs")
    assert (
        runs
        == [client.get(f"/runs/{run['id']}").json() for run in runs]
        == everything(client, f"/ingestions/{made}/runs", status="SUCCESS")
    )


def test_files_that_changed_come_in_the_order_in_which_they_did(service: Service, client: httpx.Client) -> None:
    made = settled(service, "a", "b", "c", "d")
    path = f"/ingestions/{made}/files"
    since = everything(client, path)[0]["updated_at"]
    client.post(f"{path}/retry", json={"paths": ["s3://landing/events/b"]})

    changed = everything(client, path, since=since, limit=1)

    assert [file["file_path"][-1] for file in changed] == ["a", "c", "d", "b"]
    failed = everything(client, path, since=since, status="FAILED", path="*d")
    assert [file["file_path"][-1] for file in failed] == ["d"]
    by_path = client.get(path, params={"limit": 1}).json()["next_cursor"]
    by_change = client.get(path, params={"limit": 1, "since": since}).json()["next_cursor"]
    for asked in ({"cursor": by_path, "since": since}, {"cursor": by_change}):
        refused = client.get(path, params=asked)
        assert (refused.status_code, refused.json()["field"]) == (422, "cursor")


@pytest.mark.parametrize("place", [["never", 1], ["2024-01-01T00:00:00Z", -1], ["2024-01-01T00:00:00Z"], [1, 1]])
def test_a_cursor_that_no_page_gave_is_refused(service: Service, client: httpx.Client, place: list[Any]) -> None:
    import base64
    import json

    cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
    path = f"/ingestions/{settled(service, 'a', 'b')}/files"
    refused = client.get(path, params={"cursor": cursor, "since": "2024-01-01T00:00:00Z"})
    assert (refused.status_code, refused.json()["field"]) == (422, "cursor")


def test_nobody_who_looks_waits_for_those_who_wait_for_a_lock(service: Service, client: httpx.Client) -> None:
    made = settled(service, "a", "b")
    locked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    many = QUICK_AT_ONCE * 2
    retry = f"/ingestions/{made}/files/retry"
    with ThreadPoolExecutor(many) as pool, transaction(service.runtime.database) as holding:
        holding.execute(text("SELECT FROM ingestions FOR UPDATE"))
        waiting = [pool.submit(client.post, retry) for _ in range(many)]
        pause = threading.Event()
        while not pause.wait(0.05):
            with transaction(service.runtime.database) as connection:
                if connection.scalar(text(locked)) == many:
                    break
        assert client.get(f"/ingestions/{made}/files").status_code == 200
        assert not any(each.done() for each in waiting)
        holding.rollback()
        assert {each.result().status_code for each in waiting} == {200}


def test_a_revoked_token_opens_nothing_a_moment_later(service: Service) -> None:
    service.token()
    holder = service.client(service.token(Scope.READ))
    assert holder.get("/runs").status_code == 200
    with transaction(service.runtime.database) as connection:
        tokens.revoke(connection, "default", f"default-{Scope.READ}")

    pause = threading.Event()
    answers = [200]
    while answers[-1] == 200:
        pause.wait(0.1)
        answers.append(holder.get("/runs").status_code)
    assert answers[-1] == 401
    assert len(answers) < 50


def test_callers_are_remembered_for_a_moment_and_not_too_many_of_them() -> None:
    caller = Caller(tenant_id="acme", scope=Scope.READ, name="one")
    remembered, forgetful = Remembered(seconds=600, most=2), Remembered(seconds=0)
    for each in (remembered, forgetful):
        each.keep("first", caller)
    assert (remembered.find("first"), remembered.find("second"), forgetful.find("first")) == (caller, None, None)
    for name in ("second", "third"):
        remembered.keep(name, caller)
    assert (remembered.find("first"), remembered.find("third")) == (None, caller)
