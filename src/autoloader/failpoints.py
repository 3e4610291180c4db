"""Named steps of the work at which a process can be killed, stopped, held up or broken: for tests and for rehearsals.

    AUTOLOADER_FAILPOINTS="load.sent=kill; load.stored=stop@2; recovery.fenced=wait:/tmp/go"

Unset, as it is everywhere else, ``reached`` is a function without a body. See docs/explanation/failpoints.md.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import structlog

from autoloader.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "AUTOLOADER_FAILPOINTS"
_POLL_SECONDS = 0.02

log = structlog.get_logger(__name__)


class Step(StrEnum):
    """Where the work can be broken, in the order of a run. Each stands after what it names."""

    RUN_LED = "run.led"
    LISTING_RECORDED = "listing.recorded"
    RUN_LISTED = "run.listed"
    LOAD_CLAIMED = "load.claimed"
    LOAD_FETCHED = "load.fetched"
    LOAD_PUT = "load.put"
    LOAD_PREPARED = "load.prepared"
    LOAD_STORED = "load.stored"
    LOAD_READ = "load.read"
    LOAD_RENEWED = "load.renewed"
    LOAD_SENT = "load.sent"
    LOAD_PUBLISHED = "load.published"
    REJECTS_READ = "rejects.read"
    REJECTS_PUBLISHED = "rejects.published"
    LOAD_FINISHED = "load.finished"
    RECOVERY_LOST = "recovery.lost"
    RECOVERY_READ = "recovery.read"
    RECOVERY_SENT = "recovery.sent"
    RECOVERY_FENCED = "recovery.fenced"
    RECOVERY_SWEPT = "recovery.swept"
    RECOVERY_SETTLED = "recovery.settled"


class Action(StrEnum):
    """What happens there.

    KILL: SIGKILL to the own process. STOP: SIGSTOP; somebody else must continue it. WAIT: make the file
    ``PATH.reached`` and go on once ``PATH`` is there. ERROR: an error that nobody foresaw.
    """

    KILL = "kill"
    STOP = "stop"
    WAIT = "wait"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Failpoint:
    """One entry of the variable: what to do when the step is reached for the ``nth`` time in this process."""

    step: Step
    action: Action
    nth: int = 1
    path: Path | None = None


def parse(text: str) -> list[Failpoint]:
    """The entries of ``AUTOLOADER_FAILPOINTS``: ``STEP=ACTION`` or ``STEP=ACTION@N``, separated by semicolons.

    Raises:
        UsageError: it cannot be understood; the message names the entry.
    """
    return [_parsed(entry.strip()) for entry in text.split(";") if entry.strip()]


def _parsed(entry: str) -> Failpoint:
    step, _, rest = entry.partition("=")
    what, _, nth = rest.partition("@")
    action, _, path = what.partition(":")
    try:
        failpoint = Failpoint(Step(step), Action(action), int(nth or 1), Path(path) if path else None)
    except ValueError as error:
        known = f"steps: {', '.join(Step)}; actions: {', '.join(Action)}"
        raise UsageError(f"{VARIABLE}: {entry!r} is not STEP=ACTION[@N] ({error}); {known}", field=VARIABLE) from None
    if (failpoint.action is Action.WAIT) != (failpoint.path is not None):
        raise UsageError(f"{VARIABLE}: {entry!r}: wait, and no other action, takes a path: wait:/a/file")
    return failpoint


class _Armed:
    """Counts how often each step is reached and acts when it is time."""

    def __init__(self, failpoints: list[Failpoint]) -> None:
        self._failpoints = failpoints
        self._reached: Counter[Step] = Counter()
        self._lock = Lock()

    def __call__(self, step: Step) -> None:
        with self._lock:
            self._reached[step] += 1
            due = [f for f in self._failpoints if f.step is step and f.nth == self._reached[step]]
        for failpoint in due:
            log.warning("failpoint.reached", step=str(step), action=str(failpoint.action), nth=failpoint.nth)
            _act(failpoint)


def _act(failpoint: Failpoint) -> None:
    match failpoint.action:
        case Action.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Action.STOP:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Action.ERROR:
            raise RuntimeError(f"failpoint {failpoint.step}")
        case Action.WAIT:
            _wait_for(failpoint.path or Path())


def _wait_for(path: Path) -> None:
    path.with_name(f"{path.name}.reached").touch()
    while not path.exists():
        time.sleep(_POLL_SECONDS)


def _nothing(_step: Step) -> None:
    """What a step costs while no failpoint is set."""


def armed(environment: Mapping[str, str]) -> Callable[[Step], None]:
    """What every step calls in a process with this environment."""
    text = environment.get(VARIABLE, "")
    return _Armed(parse(text)) if text.strip() else _nothing


reached: Callable[[Step], None] = armed(os.environ)
"""Called at every step."""
