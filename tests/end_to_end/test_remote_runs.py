"""Runs that a service does: queued, watched, left alone, cancelled; and answers that are lost on their way."""

from __future__ import annotations

import signal
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.end_to_end.conftest import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.end_to_end.conftest import Served, User

INTERRUPTED, COULD_NOT_RUN = 130, 3


def test_a_detached_run_waits_for_a_worker_and_is_cancelled_by_its_number(served: Served) -> None:
    person = served.person()
    person.creates("events")

    said = person.types("run", "events", "--detach").out
    (waiting,) = person.types("runs", "--json").json
    assert said.startswith(f"Run {waiting['id']} of events waits for a worker.")
    assert person.types("run", "events", "--detach", "--json").json["id"] == waiting["id"]
    assert "Cancelled" in person.types("cancel", str(waiting["id"])).out
    assert person.types("cancel", str(waiting["id"]), "--json").json["status"] == "CANCELLED"


def test_a_detached_run_of_the_database_itself_waits_as_well_with_what_it_was_asked(user: User) -> None:
    user.creates("events")

    made = user.types("run", "events", "--detach", "--max-files", "3", "--json").json

    assert (made["status"], made["max_files"]) == ("QUEUED", 3)
    assert user.types("cancel", str(made["id"]), "--json").json["status"] == "CANCELLED"


def test_a_person_who_stops_watching_leaves_the_run_alone_and_is_told_how_to_stop_it(served: Served) -> None:
    person = served.person()
    person.creates("events")
    with subprocess.Popen(
        [*COMMAND, "run", "events"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=person.environment
    ) as watching:
        runs: list[dict[str, int]] = []
        while not runs:
            runs = person.types("runs", "--json").json
        watching.send_signal(signal.SIGINT)
        said, complained = watching.communicate(timeout=60)

    assert watching.returncode == INTERRUPTED, complained
    assert f"autoloader cancel {runs[0]['id']}" in complained
    assert said == ""
    assert person.types("runs", "--json").json[0]["status"] == "QUEUED"


def test_a_run_that_cannot_be_done_ends_the_watching_with_its_reason(worked: Served) -> None:
    person = worked.person()
    person.creates("events", "--source", "s3://no-such-bucket-here/x/")

    ended = person.types("run", "events", code=COULD_NOT_RUN)

    assert "no-such-bucket-here" in ended.out


@contextmanager
def between(address: str, spoil: Callable[[int], bytes | None]) -> Iterator[str]:
    """A proxy before a service that may spoil an answer: what it says instead, by the number of the request.

    Empty bytes cut the connection after the service has done its work.
    """
    asked = iter(range(1_000_000))

    class Proxy(BaseHTTPRequestHandler):
        def do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            answer = httpx.request(
                self.command, address + self.path, content=body, headers=headers, trust_env=False, timeout=30
            )
            said = spoil(next(asked))
            if said is not None:
                self.wfile.write(said)
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = do  # noqa: N815  the names are http.server's

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(status: str, body: str, kind: str = "text/html") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize("lost", [b"", answer("503 Service Unavailable", "busy"), answer("502 Bad Gateway", "")])
def test_what_is_made_is_made_once_though_the_first_answer_is_lost(served: Served, lost: bytes) -> None:
    direct = served.person()
    origin = served.address.removesuffix("/api/v1")
    with between(origin, lambda number: lost if number == 0 else None) as address:
        direct.environment["AUTOLOADER_URL"] = address
        direct.creates("events")
    with between(origin, lambda number: lost if number == 1 else None) as address:
        direct.environment["AUTOLOADER_URL"] = address
        made = direct.types("run", "events", "--detach", "--json").json

    assert [each["name"] for each in served.user.types("list", "--json").json] == ["events"]
    assert [each["id"] for each in served.user.types("runs", "--json").json] == [made["id"]]


def test_a_change_whose_answer_is_lost_is_not_made_again(served: Served) -> None:
    served.user.creates("events")
    person = served.person()
    with between(served.address.removesuffix("/api/v1"), lambda number: b"" if number == 1 else None) as address:
        person.environment["AUTOLOADER_URL"] = address
        lost = person.types("edit", "events", "--max-retries", "7", code=COULD_NOT_RUN)

    assert "it may have done what was asked, or not" in lost.err
    shown = served.user.types("show", "events", "--json").json["ingestion"]
    assert (shown["max_retries"], shown["version"]) == (7, 2)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (answer("200 OK", "<html>"), "does not answer as an Autoloader service"),
        (answer("200 OK", "{}", "application/json"), "does not understand"),
        (answer("404 Not Found", "nothing here"), "no answer of an Autoloader service"),
        (answer("302 Found", "login"), "no answer of an Autoloader service"),
        (answer("500 Oops", "{}", "application/json"), "no answer of an Autoloader service"),
        (answer("503 Service Unavailable", "busy"), "not there at the moment"),
    ],
)
def test_somebody_else_who_answers_is_told_from_a_service(served: Served, said: bytes, told: str) -> None:
    person = served.person()
    with between(served.address.removesuffix("/api/v1"), lambda _: said) as address:
        person.environment["AUTOLOADER_URL"] = address
        refused = person.types("list", code=COULD_NOT_RUN)

    assert told in refused.err
    assert len(refused.err.splitlines()) == 1
