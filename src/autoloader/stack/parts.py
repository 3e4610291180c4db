"""What a part of the stack is, and how the parts that do not run are brought up, all or none."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from autoloader.errors import StackError
from autoloader.stack import ports as free_ports
from autoloader.stack.processes import end, find, last_lines, said

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    import psutil

    from autoloader.stack.home import Home, Remembered
    from autoloader.stack.processes import Detached

_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05
_ATTEMPTS = 3
# What EADDRINUSE reads like, and what SeaweedFS says when it looks before it listens.
_PORT_TAKEN = ("address already in use", "port allocation failed")


class Part(Protocol):
    """One server process: the object store or the database."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    @property
    def marker(self) -> str:
        """The argument in its command line that no process of another home has."""
        ...

    @property
    def stop_signal(self) -> int:
        """What makes it end cleanly."""
        ...

    @property
    def usual_ports(self) -> Mapping[str, int | None]:
        """As ``ports.choose`` takes them; the first is the one shown to people."""
        ...

    def prepare(self) -> None:
        """Make it ready to be started, the first time or after a crash."""
        ...

    def start(self, ports: Mapping[str, int], log: Path) -> Detached:
        """Start it and return at once."""
        ...

    def check(self, ports: Mapping[str, int]) -> str | None:
        """Why it cannot be used, or None when all is well."""
        ...


@dataclass(slots=True)
class _Rising:
    part: Part
    child: Detached
    log_start: int
    attempt: int = 1


def bring_up(parts: Sequence[Part], home: Home, state: Remembered, report: Callable[[str], None]) -> None:
    """Start these parts and wait until they are well; ``state`` and the home then know their ports and pids.

    Raises:
        StackError: one of them cannot be started. Those that were started here are stopped again.
    """
    pids_before = dict(state.pids)
    rising: list[_Rising] = []
    try:
        for part in parts:  # all are started before any is waited for
            part.prepare()
            rising.append(_start(part, home, state, report))
        for each in rising:
            _await(each, home, state, report)
    except BaseException:  # Ctrl-C too must leave nothing half-started
        take_down([each.part for each in rising], state)
        state.pids = pids_before
        home.remember(state)
        raise


def take_down(parts: Sequence[Part], state: Remembered, *, deadline_seconds: float = _STOP_SECONDS) -> bool:
    """End these parts, cleanly if they can, and wait until they are gone; says whether any ran."""
    running: dict[str, psutil.Process] = {}
    for part in parts:
        if process := find(part.marker, state.pids.get(part.name)):
            running[part.marker] = process
    end(running, {part.marker: part.stop_signal for part in parts}, deadline_seconds=deadline_seconds)
    for part in parts:
        free_ports.remove_socket_files(free_ports.all_of(state.ports.get(part.name, {})))
        state.pids.pop(part.name, None)
    return bool(running)


def _start(
    part: Part, home: Home, state: Remembered, report: Callable[[str], None], *, lost: Collection[int] = ()
) -> _Rising:
    spoken_for = [port for name, ports in state.ports.items() if name != part.name for port in free_ports.all_of(ports)]
    remembered = state.ports.get(part.name, {})
    ports = free_ports.choose(part.usual_ports, remembered=remembered, avoid=[*spoken_for, *lost])
    log = home.log(part.name)
    log_start = log.stat().st_size if log.exists() else 0
    report(f"Starting {part.name} on 127.0.0.1:{ports[next(iter(part.usual_ports))]}")
    child = part.start(ports, log)
    state.ports[part.name] = ports
    state.pids[part.name] = child.pid
    home.remember(state)
    return _Rising(part, child, log_start)


def _await(rising: _Rising, home: Home, state: Remembered, report: Callable[[str], None]) -> None:
    part = rising.part
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        code = rising.child.poll()
        if code is not None and rising.attempt < _ATTEMPTS and _lost_a_port(rising, home, state):
            again = _start(part, home, state, report, lost=free_ports.all_of(state.ports[part.name]))
            rising = replace(again, attempt=rising.attempt + 1)
            continue
        if code is not None:
            raise _failed(part, f"it ended with code {code}", home, rising)
        problem = part.check(state.ports[part.name])
        if problem is None:
            report(f"{part.name} is ready")
            return
        if time.monotonic() > deadline:
            raise _failed(part, f"after {_READY_SECONDS:.0f} s {problem}", home, rising)
        time.sleep(_POLL_SECONDS)


def _lost_a_port(rising: _Rising, home: Home, state: Remembered) -> bool:
    """Another program took one of its ports between our look and the start; it may have let go of it since."""
    if any(said(words, home.log(rising.part.name), since=rising.log_start) for words in _PORT_TAKEN):
        return True
    return not all(map(free_ports.is_free, free_ports.all_of(state.ports[rising.part.name])))


def _failed(part: Part, why: str, home: Home, rising: _Rising) -> StackError:
    log = home.log(part.name)
    return StackError(
        f"{part.name} did not start: {why}. Mend what its log says, then start again. "
        f"{log} ends with:\n{last_lines(log, since=rising.log_start)}"
    )
