"""Processes that outlive the command that started them, and how they are found again and ended.

A pid alone proves nothing: it may be stale, or by now another program's. What proves that a process is ours is the
argument in its command line that names our home folder, the *marker*. The pid is only where to look first.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil

from autoloader.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from autoloader.stack.account import Account

_POLL_SECONDS = 0.05


class Detached(subprocess.Popen[bytes]):
    """A child in a session of its own, so that neither our end nor Ctrl-C reaches it."""

    def __del__(self) -> None:
        """Say nothing: Popen would warn that the child is still running, which is what it is for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What is started, and as whom.

    Attributes:
        environment: the child's whole environment; nothing is inherited.
        account: None for our own user.
        pass_fds: file descriptors the child keeps, under the same numbers.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    account: Account | None = None
    pass_fds: Sequence[int] = ()

    def adding(self, *arguments: str) -> Launch:
        """The same with more arguments."""
        return replace(self, command=[*self.command, *arguments])


def spawn(launch: Launch, log: Path) -> Detached:
    """Start the program with its output appended to ``log``.

    Raises:
        StackError: the program cannot be started at all.
    """
    account = launch.account
    try:
        with log.open("ab") as output:
            return Detached(
                launch.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=dict(launch.environment),
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                pass_fds=tuple(launch.pass_fds),
            )
    except OSError as error:
        raise StackError(f"{launch.command[0]} cannot be started: {error.strerror}.") from error


def find(marker: str, pid: int | None) -> psutil.Process | None:
    """The process whose command line holds ``marker``: ``pid`` is asked first, then all of the machine."""
    if pid is not None and (process := _process(pid)) is not None and carries(process, marker):
        return process
    found = {process.pid: process for process in psutil.process_iter() if carries(process, marker)}
    # A server's child shows its parent's command line for an instant after the fork.
    return next((process for process in found.values() if process.ppid() not in found), None)


def carries(process: psutil.Process, marker: str) -> bool:
    """Whether the process is alive and has ``marker`` among its arguments; a zombie has none."""
    try:
        return marker in process.cmdline()
    except psutil.Error:
        return False


def end(processes: Mapping[str, psutil.Process], stop_signals: Mapping[str, int], *, deadline_seconds: float) -> None:
    """Ask every process to stop, all at once; kill those that have not by the deadline. Keys are their markers."""
    for marker, process in processes.items():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signals[marker])
    left = _wait_gone(processes, deadline_seconds)
    for marker in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes[marker].kill()
    _wait_gone({marker: processes[marker] for marker in left}, deadline_seconds)


def _wait_gone(processes: Mapping[str, psutil.Process], seconds: float) -> Collection[str]:
    deadline = time.monotonic() + seconds
    left = set(processes)
    while left and time.monotonic() < deadline:
        left = {marker for marker in left if not _gone(processes[marker])}
        if left:
            time.sleep(_POLL_SECONDS)
    return left


def _gone(process: psutil.Process) -> bool:
    """Whether it holds nothing any more: no port, no file. Its command line vanishes a little earlier."""
    with contextlib.suppress(ChildProcessError):  # not a child of this process: its own parent reaps it
        os.waitpid(process.pid, os.WNOHANG)
    try:
        # Where nobody reaps (a container whose first process does not), a zombie stays. Its ports are closed once
        # its last thread is gone.
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return not process.is_running() or (zombie and process.num_threads() <= 1)
    except psutil.Error:
        return True


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.Error:
        return None


def said(words: str, log: Path, *, since: int) -> bool:
    """Whether a log has these words, in small letters or large ones, from byte ``since`` on."""
    with log.open("rb") as file:
        file.seek(since)
        return words.casefold() in file.read().decode(errors="replace").casefold()


def last_lines(log: Path, *, since: int = 0, count: int = 5) -> str:
    """The end of a log, from byte ``since`` on, indented for a message."""
    with log.open("rb") as file:
        file.seek(max(since, log.stat().st_size - 8192))
        lines = [line.strip()[:300] for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-count:]) or "  (nothing)"
