"""The catalog behind a proxy that breaks commits: before they arrive, after they were applied, or on the way back."""

from __future__ import annotations

import http.client
import threading
import uuid
from collections import deque
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from autoloader.errors import CatalogMisconfigured, CatalogUnavailable, LeaseLost
from autoloader.lake.catalogs import open_catalog
from autoloader.lake.fences import Fenced, fence, look
from autoloader.lake.publish import Change, publish
from autoloader.lake.snapshots import Absent, Landed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.lake.conftest import Events

    from autoloader.settings import Connections

A, B, C = "s3://landing/a.json", "s3://landing/b.json", "s3://landing/c.json"
START = datetime.now(UTC)


class Proxy:
    """Forwards to the catalog; each commit takes the next fault from ``faults`` (none: forwarded faithfully).

    A fault is a function of (forward, handler): ``forward()`` gives the catalog's answer; what the handler does not
    answer is a cut connection.
    """

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target)
        self.faults: deque[Callable[[Callable[[], Answer], Handler], None]] = deque()
        self.commits = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.proxy = self  # type: ignore[attr-defined]  # the handler finds it there
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


class Answer:
    """What the catalog said."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.content_type = response.headers.get("Content-Type", "application/json")
        self.body = response.read()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Keep the test's output quiet."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815  the names are the library's

    def _serve(self) -> None:
        proxy: Proxy = self.server.proxy  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def forward() -> Answer:
            connection = http.client.HTTPConnection(str(proxy.target.hostname), proxy.target.port, timeout=30)
            kept = {name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}}
            connection.request(self.command, self.path, body, {**kept, "Connection": "close"})
            answer = Answer(connection.getresponse())
            connection.close()
            return answer

        if self.command == "POST" and b'"updates"' in body:
            proxy.commits += 1
            if proxy.faults:
                self.close_connection = True
                proxy.faults.popleft()(forward, self)
                return
        answer = forward()
        self.answer(answer.status, answer.body, answer.content_type)

    def answer(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def error(status: int) -> Callable[[Callable[[], Answer], Handler], None]:
    """The commit never arrives; the answer is an error."""
    return lambda _forward, handler: handler.answer(status, b'{"error": {"message": "m", "type": "t", "code": 1}}')


def error_after(status: int) -> Callable[[Callable[[], Answer], Handler], None]:
    """The commit is applied; the answer is an error all the same."""

    def fault(forward: Callable[[], Answer], handler: Handler) -> None:
        assert forward().status == 200
        error(status)(forward, handler)

    return fault


def cut(_forward: Callable[[], Answer], _handler: Handler) -> None:
    """The connection is lost before the commit arrives."""


def cut_after(forward: Callable[[], Answer], _handler: Handler) -> None:
    """The commit is applied, then the connection is lost."""
    assert forward().status == 200


def page_after(forward: Callable[[], Answer], handler: Handler) -> None:
    """The commit is applied; something in between answers with a page of its own."""
    assert forward().status == 200
    handler.answer(200, b"<html>welcome</html>", "text/html")


@pytest.fixture
def proxy(connections: Connections) -> Iterator[Proxy]:
    made = Proxy(connections.catalogs["lake"]["uri"])
    yield made
    made.close()


@pytest.fixture
def events(proxy: Proxy, connections: Connections, make_events: Callable[..., Events]) -> Events:
    """A table that is reached through the proxy."""
    direct = make_events()
    through = open_catalog("lake", {"lake": {**connections.catalogs["lake"], "uri": proxy.url}})
    direct.table = through.load_table(direct.table.name())
    return direct


def change_of(events: Events, load_id: uuid.UUID) -> Change:
    return Change(added=[events.uploaded(load_id, {A: [1]})])


@pytest.mark.parametrize(
    "fault",
    [error(500), error(502), error(503), error(504), error(429), error_after(500), error_after(503), error_after(504)],
    ids=["500", "502", "503", "504", "429", "500 after", "503 after", "504 after"],
)
def test_a_load_whose_commit_is_answered_by_an_error_lands_once(events: Events, proxy: Proxy, fault: Any) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    proxy.faults.append(fault)

    snapshot_id = publish(events.table, load_id, change, lambda: True)

    assert events.rows() == events.rows_by_duckdb() == [(A, 1)]
    assert [s["autoloader.load-id"] for s in events.summaries()] == [str(load_id)]
    current = events.table.current_snapshot()
    assert current is not None
    assert current.snapshot_id == snapshot_id


@pytest.mark.parametrize("fault", [cut, cut_after, page_after])
def test_a_load_whose_answer_is_lost_lands_once(events: Events, proxy: Proxy, fault: Any) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    proxy.faults.append(fault)

    publish(events.table, load_id, change, lambda: True)

    assert events.rows() == [(A, 1)]
    assert len(events.summaries()) == 1


def test_after_an_applied_commit_nothing_is_sent_again(events: Events, proxy: Proxy) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    proxy.faults.append(error_after(500))

    publish(events.table, load_id, change, lambda: True)

    assert proxy.commits == 1


def test_an_expired_token_is_renewed_and_the_load_lands_once(events: Events, proxy: Proxy) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    proxy.faults.append(error(401))

    publish(events.table, load_id, change, lambda: True)

    assert (events.rows(), proxy.commits) == ([(A, 1)], 2)


def test_a_replacement_whose_answer_is_lost_keeps_its_rewritten_files(events: Events, proxy: Proxy) -> None:
    first = events.load({A: [1], B: [2]})
    proxy.faults.append(error_after(500))

    events.load({A: [10]}, replaced={A: [first]})

    assert events.rows() == events.rows_by_duckdb() == [(A, 10), (B, 2)]


def test_a_replacement_refused_and_then_unclear_is_recomputed_on_what_is_there(events: Events, proxy: Proxy) -> None:
    first = events.load({A: [1], B: [2]})
    direct = events.again()

    def another_comes_first(forward: Callable[[], Answer], handler: Handler) -> None:
        direct.load({B: [20]}, replaced={B: [first]})
        answer = forward()
        assert answer.status == 409
        handler.answer(answer.status, answer.body)

    proxy.faults.extend([error(500), another_comes_first])
    proxy_events_replaced = events.load({A: [10]}, replaced={A: [first]})

    assert events.rows() == events.rows_by_duckdb() == [(A, 10), (B, 20)]
    assert events.summaries()[-1]["autoloader.load-id"] == str(proxy_events_replaced)


def test_a_catalog_that_never_gives_a_clear_answer_is_given_up_and_recovery_settles_it(
    events: Events, proxy: Proxy
) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    proxy.faults.extend([error(503)] * 50)

    with pytest.raises(CatalogUnavailable, match="Gave up publishing"):
        publish(events.table, load_id, change, lambda: True, patience=timedelta(seconds=0.5))

    proxy.faults.clear()
    assert fence(events.table, load_id, START) == Fenced()
    assert events.rows() == []


def test_a_commit_that_the_catalog_forbids_is_not_tried_for_ever(events: Events, proxy: Proxy) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    proxy.faults.append(error(403))

    with pytest.raises(CatalogMisconfigured, match="refused the credentials"):
        publish(events.table, load_id, change, lambda: True)

    assert proxy.commits == 1


def test_a_commit_held_up_on_the_way_is_refused_once_its_load_was_fenced(events: Events, proxy: Proxy) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    lost = threading.Event()

    def fenced_meanwhile(forward: Callable[[], Answer], handler: Handler) -> None:
        lost.set()
        assert fence(events.table, load_id, START) == Fenced()
        answer = forward()
        assert answer.status == 409
        handler.answer(answer.status, answer.body)

    proxy.faults.append(fenced_meanwhile)
    with pytest.raises(LeaseLost):
        publish(events.table, load_id, change, lambda: not lost.is_set())

    assert events.rows() == events.rows_by_duckdb() == []
    assert look(events.table, load_id, START) == Absent(events.table.refresh().metadata.current_snapshot_id)


def test_a_commit_delivered_after_its_sender_died_and_the_fence_stands_is_refused(events: Events, proxy: Proxy) -> None:
    load_id = uuid.uuid4()
    change = change_of(events, load_id)
    on_its_way: list[Callable[[], Answer]] = []

    def lost_on_the_way(forward: Callable[[], Answer], handler: Handler) -> None:
        on_its_way.append(forward)
        error(504)(forward, handler)

    proxy.faults.append(lost_on_the_way)
    leases = iter([True, False])
    with pytest.raises(LeaseLost):
        publish(events.table, load_id, change, lambda: next(leases))
    assert fence(events.table, load_id, START) == Fenced()

    assert on_its_way[0]().status == 409
    assert events.rows() == []


def test_a_commit_delivered_before_the_fence_is_seen_as_landed(events: Events, proxy: Proxy) -> None:
    first = events.load({A: [1], B: [2]})
    load_id = uuid.uuid4()
    change = Change(added=[events.uploaded(load_id, {A: [10]})], replaced={A: frozenset({first})})
    on_its_way: list[Callable[[], Answer]] = []

    def lost_on_the_way(forward: Callable[[], Answer], handler: Handler) -> None:
        on_its_way.append(forward)
        error(504)(forward, handler)

    proxy.faults.append(lost_on_the_way)
    leases = iter([True, False])
    with pytest.raises(LeaseLost):
        publish(events.table, load_id, change, lambda: next(leases))
    assert on_its_way[0]().status == 200

    assert isinstance(fence(events.table, load_id, START), Landed)
    assert events.rows() == events.rows_by_duckdb() == [(A, 10), (B, 2)]


@pytest.mark.parametrize(
    "fault", [error(500), error_after(500), cut, cut_after], ids=["500", "500 after", "cut", "cut after"]
)
def test_a_fence_whose_answer_is_lost_stands_once(events: Events, proxy: Proxy, fault: Any) -> None:
    load_id = uuid.uuid4()
    proxy.faults.append(fault)

    assert fence(events.table, load_id, START) == Fenced()

    assert [s.get("autoloader.fence") for s in events.summaries()] == [str(load_id)]
