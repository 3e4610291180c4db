"""A small HTTP server that answers like S3, for what the embedded store cannot be made to say."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from tenacity import wait_none

from autoloader.model import SourceCredentials
from autoloader.objects.patience import Patience
from autoloader.objects.s3 import S3Store, open_s3
from autoloader.settings import Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

BUCKET = "somewhere"
SECRET = "a-secret-that-no-message-may-hold"
AT_ONCE = Patience(wait=wait_none(), sleep=lambda _: None)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it came over the wire; names of headers in lower case."""

    target: str
    headers: Mapping[str, str]

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def is_listing(self) -> bool:
        return "list-type" in self.query

    @property
    def key(self) -> str:
        return unquote(self.target.partition("?")[0].removeprefix(f"/{BUCKET}/"))


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What to send back; the connection is closed after ``cut_at`` bytes of the body, or torn down with ``reset``."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    reset: bool = False


def error(status: int, code: str, **headers: str) -> Answer:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{SECRET}</Message></Error>"
    return Answer(status=status, body=body.encode(), headers={k.replace("_", "-"): v for k, v in headers.items()})


def found(body: bytes, etag: str = "v1", *, cut_at: int | None = None, asked: Asked | None = None) -> Answer:
    """An object, or the rest of it where the request says from where on."""
    first = int(asked.headers["range"].removeprefix("bytes=").rstrip("-")) if asked and "range" in asked.headers else 0
    headers = {"ETag": f'"{etag}"', "Last-Modified": "Wed, 25 Nov 2026 13:37:13 GMT"}
    if first:
        headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
    return Answer(status=206 if first else 200, body=body[first:], headers=headers, cut_at=cut_at)


def listing(objects: Mapping[str, bytes], *, token: str | None = None, encoded: bool = True) -> Answer:
    """A page as S3 writes it: ``+`` for a space, every other odd byte percent-encoded."""
    contents = "".join(
        f"<Contents><Key>{quote_plus(key, safe='/') if encoded else escape(key)}</Key>"
        f"<LastModified>2026-11-25T13:37:13.000Z</LastModified><ETag>&quot;v1&quot;</ETag><Size>{len(body)}</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
        for key, body in objects.items()
    )
    more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{BUCKET}</Name><IsTruncated>{'true' if token else 'false'}</IsTruncated>{more}"
        f"{'<EncodingType>url</EncodingType>' if encoded else ''}{contents}</ListBucketResult>"
    )
    return Answer(body=body.encode())


class Answering:
    """The server. ``answer`` decides what each request gets; ``asked`` keeps what was asked, in order.

    With a certificate (and its key in the same file) it speaks TLS, as ``localhost``.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.answer: Callable[[Asked], Answer] = lambda _: error(500, "NothingToSay")
        self.asked: list[Asked] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or head and body wait 40 ms for each other

            def do_GET(self) -> None:
                asked = Asked(target=self.path, headers={name.lower(): value for name, value in self.headers.items()})
                outer.asked.append(asked)
                answer = outer.answer(asked)
                self.send_response(answer.status)
                for name, value in {**answer.headers, "Content-Length": str(len(answer.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body[: answer.cut_at])
                self.close_connection = answer.cut_at is not None or answer.reset
                if answer.reset:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificate)
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        place = "http://127.0.0.1" if certificate is None else "https://localhost"
        self.url = f"{place}:{self._server.server_port}"
        self._closing: list[Callable[[], None]] = []

    def in_turn(self, answers: Sequence[Answer]) -> None:
        """Give these answers one after the other, the last one for ever."""
        waiting = list(answers)
        self.answer = lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]

    def holds(self, objects: Mapping[str, bytes]) -> None:
        """Answer like a bucket with these objects, all on one page."""

        def answer(asked: Asked) -> Answer:
            if asked.is_listing:
                prefix = asked.query.get("prefix", "")
                return listing({key: body for key, body in sorted(objects.items()) if key.startswith(prefix)})
            return found(objects[asked.key], asked=asked) if asked.key in objects else error(404, "NoSuchKey")

        self.answer = answer

    def store(self, patience: Patience = AT_ONCE, concurrency: int = 4) -> S3Store:
        """A store on this server's bucket."""
        connections = Connections(
            database_url="", s3_endpoint_url=self.url, s3_access_key_id="AKID", s3_secret_access_key=SECRET
        )
        store = open_s3(BUCKET, SourceCredentials(), connections, concurrency, patience=patience)
        self._closing.append(store.close)
        return store

    @cached_property
    def shared_store(self) -> S3Store:
        """One store for many examples."""
        return self.store()

    @cached_property
    def shared_client(self) -> S3Client:
        """boto3 on this server."""
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        client: S3Client = boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="AKID",
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=config,
        )
        self._closing.append(client.close)
        return client

    def close(self) -> None:
        for close in self._closing:
            close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
