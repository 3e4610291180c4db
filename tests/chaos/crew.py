"""Real worker processes that a test starts, kills, stops and continues."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from tests.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NURSERY = Path(__file__).with_name("nursery.py")


class Nursery:
    """A process that forks workers; see ``nursery.py``. Its children die with it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(_NURSERY)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == "ready"

    def start(
        self, arguments: list[str], environment: Mapping[str, str], log: Path, limits: Mapping[str, int]
    ) -> psutil.Process:
        assert self._process.stdin is not None
        request = {"arguments": arguments, "environment": dict(environment), "log": str(log), "limits": dict(limits)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return psutil.Process(int(self._answer()))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline().strip()
        assert answer, "the nursery died"
        return answer

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


class Worker:
    """One worker process.

    Attributes:
        log: what it says, on stdout and stderr.
        doomed: whether it may still come to a failpoint.
    """

    def __init__(self, process: psutil.Process, log: Path, *, doomed: bool = False) -> None:
        self._process = process
        self.log = log
        self.doomed = doomed

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_dead(self) -> bool:
        try:
            return not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def is_stopped(self) -> bool:
        try:
            return self._process.status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    @property
    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def kill(self) -> None:
        """``kill -9``."""
        self._signal(signal.SIGKILL)
        eventually(self.is_dead, "the worker is gone")

    def stop(self) -> None:
        """Pause it, as a machine that is suspended would be."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def dies(self) -> None:
        """Wait until it has killed itself."""
        self._awaits(self.is_dead, "dies")

    def stops(self) -> None:
        """Wait until it has stopped itself."""
        self._awaits(lambda: self.is_stopped() or self.is_dead(), "stops")
        assert self.is_stopped(), self.said

    def says(self, words: str) -> None:
        self._awaits(lambda: words in self.said or self.is_dead(), f"says {words!r}")
        assert words in self.said, self.said

    def _awaits(self, there: Callable[[], bool], what: str) -> None:
        try:
            eventually(there, f"{self.log.name} {what}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it said: {self.said}") from None

    def _signal(self, number: int) -> None:
        if not self.is_dead():
            os.kill(self._process.pid, number)


class Crew:
    """The workers of one test, all on the same parts; none is left when it is closed.

    Attributes:
        folder: of their logs.
    """

    def __init__(self, nursery: Nursery, folder: Path, environment: Mapping[str, str]) -> None:
        self._nursery = nursery
        self.folder = folder
        self.environment = dict(environment)
        self.workers: list[Worker] = []

    def start(
        self, failpoints: str = "", *, limits: Mapping[str, int] | None = None, concurrency: int = 1, **more: str
    ) -> Worker:
        """One more worker.

        Args:
            failpoints: as ``AUTOLOADER_FAILPOINTS`` takes them.
            limits: resource limits of the process, by the names of the module ``resource``.
        """
        log = self.folder / f"worker-{len(self.workers)}.log"
        environment = self.environment | more | ({"AUTOLOADER_FAILPOINTS": failpoints} if failpoints else {})
        arguments = ["worker", "--concurrency", str(concurrency)]
        process = self._nursery.start(arguments, environment, log, limits or {})
        worker = Worker(process, log, doomed=bool(failpoints))
        self.workers.append(worker)
        return worker

    @property
    def healthy(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.is_dead()]

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()

    def everything_said(self) -> str:
        return "\n".join(f"--- {worker.log.name}\n{worker.said}" for worker in self.workers)
