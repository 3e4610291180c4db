"""Free TCP ports: the remembered one first, then the usual one, then any other."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from autoloader.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# Below Linux's ephemeral range (32768 and up), so that no outgoing connection takes a port while the stack is down.
_FIRST, _COUNT = 20_000, 2_700
_GRPC_OFFSET = 10_000
# SeaweedFS opens a Unix socket beside many of its ports, always in this folder.
_WEED_SOCKETS = Path("/tmp")  # noqa: S108  the program's own fixed place; we only look there and remove our own


def choose(
    usual: Mapping[str, int | None], *, remembered: Mapping[str, int], avoid: Collection[int] = ()
) -> dict[str, int]:
    """A free port for every name, all different.

    Args:
        usual: the port people expect under each name, None where nobody cares. A name that ends in ``+grpc`` stands
            for two ports: the one returned and that one plus 10,000.
        remembered: the ports of the last start, kept where they are still free.
        avoid: ports that are spoken for although nothing listens on them yet.

    Raises:
        StackError: no free port was found.
    """
    chosen: dict[str, int] = {}
    for name, port in usual.items():
        taken = {*avoid, *all_of(chosen)}
        wishes = [wish for wish in (remembered.get(name), port) if wish is not None]
        chosen[name] = _first_free([*wishes, *_anywhere()], name, taken)
    return chosen


def all_of(chosen: Mapping[str, int]) -> list[int]:
    """Every port that these names stand for."""
    twins = [port + _GRPC_OFFSET for name, port in chosen.items() if name.endswith("+grpc")]
    return [*chosen.values(), *twins]


def is_free(port: int) -> bool:
    """Whether a server of ours could listen on this port now."""
    dual = socket.has_dualstack_ipv6()
    # SeaweedFS refuses a port that is taken on any interface, so all of them are asked; nothing ever listens here.
    address = "::" if dual else "0.0.0.0"  # noqa: S104  bound for an instant, never listened on
    with closing(socket.socket(socket.AF_INET6 if dual else socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # A server that restarts may take a port whose old connections linger in TIME_WAIT: so may the probe.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if dual:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return not _socket_file_of_another_user(port)


def remove_socket_files(ports: Collection[int]) -> None:
    """Remove the Unix sockets that a killed object store left behind for these ports."""
    for port in ports:
        for file in _WEED_SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
            if file.lstat().st_uid == os.geteuid():
                file.unlink(missing_ok=True)


def _first_free(candidates: Collection[int], name: str, taken: Collection[int]) -> int:
    for port in candidates:
        if all(each not in taken and is_free(each) for each in all_of({name: port})):
            return port
    raise StackError(
        f"No free TCP port was found on 127.0.0.1 for {name}: {len(candidates)} were tried, all are taken. "
        "Stop programs that hold ports, then start again."
    )


def _anywhere() -> Iterator[int]:
    return (_FIRST + secrets.randbelow(_COUNT) for _ in range(200))


def _socket_file_of_another_user(port: int) -> bool:
    """A socket file that is left in the shared folder and not ours to replace makes the object store hang."""
    user = os.geteuid()
    files = _WEED_SOCKETS.glob(f"seaweedfs-*-{port}.sock")
    return user != 0 and any(file.lstat().st_uid != user for file in files)
