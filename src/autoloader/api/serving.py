"""The API on an address of this machine, until it is stopped."""

from __future__ import annotations

import gc
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
import uvicorn

from autoloader.access import authenticate
from autoloader.api import create_app
from autoloader.api.callers import LOOPBACK
from autoloader.errors import NotAuthenticated, UsageError
from autoloader.ledger.database import transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader.runtime import Runtime

GRACE_SECONDS = 10
_WAITING = 2048
_YOUNG_OBJECTS = 1_000
"""Python looks through the youngest objects for garbage when there are so many: less than a millisecond."""

log = structlog.get_logger(__name__)


def is_open(runtime: Runtime) -> bool:
    """Whether no token was ever made: then whoever reaches the service is its administrator."""
    with transaction(runtime.database) as connection:
        try:
            authenticate(connection, None)
        except NotAuthenticated:
            return False
    return True


def require_safe(runtime: Runtime, host: str) -> bool:
    """Make sure that a service without tokens can be reached from this machine only.

    Returns:
        Whether it is open to everyone on this machine.

    Raises:
        UsageError: no token was made yet, and the address is not a loopback one.
    """
    open_to_all = is_open(runtime)
    if open_to_all and host not in LOOPBACK:
        raise UsageError(
            f"without a token the service listens on 127.0.0.1 only, not on {host}: "
            "make a token first with `autoloader token create NAME --scope admin`",
            field="--host",
        )
    return open_to_all


@contextmanager
def serving(runtime: Runtime, host: str, port: int) -> Iterator[str]:
    """Serve the API while the block goes on; gives its address. Requests under way at the end are still answered.

    Args:
        port: 0 takes any free one.

    Raises:
        UsageError: the address cannot be used, or the service would be open to others.
    """
    require_safe(runtime, host)
    # It imports the catalogs' library, which would hold up everyone in the middle of a first /readyz.
    runtime.lake.addresses()
    listening = _listen(host, port)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(runtime),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )
    # Not the main thread: there uvicorn would take the signals, which belong to the command.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="api")
    thread.start()
    try:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
        log.info("api.serving", address=address)
        yield address
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def leave_out_of_garbage_collection() -> None:
    """What is there now stays: looking through all of it for garbage would stop everyone for a tenth of a second.

    So would looking for garbage seldom, through very many young objects, as a short command does.
    For a process that lives as long as its service.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)


def _listen(host: str, port: int) -> socket.socket:
    """Requests that come before the server is ready wait in the socket's queue.

    The protocol is named so that asyncio knows it for TCP and sends at once: otherwise every answer waits 40 ms for an
    acknowledgement.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, proto=socket.IPPROTO_TCP)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as error:
        raise _unusable(host, port, error) from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_WAITING)
    except OSError as error:
        listening.close()
        raise _unusable(host, port, error) from error
    return listening


def _unusable(host: str, port: int, error: Exception) -> UsageError:
    return UsageError(f"cannot listen on {host}:{port}: {error}; choose another --port", field="--port")
