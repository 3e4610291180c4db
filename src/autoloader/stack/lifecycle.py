"""The stack's life: start, find again, mend, watch, stop.

::

    stopped ──start──▶ running ──child dies──▶ dead
       ▲                 │  ▲                   │
       └──────stop───────┘  └──start or watch───┘   (only what is dead is started again)

Every change is made under one lock for all processes, so that two starts at once give one stack.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from autoloader.errors import StackError
from autoloader.settings import Connections
from autoloader.stack.home import Home
from autoloader.stack.object_store import REGION, WAREHOUSE, ObjectStore
from autoloader.stack.parts import bring_up, take_down
from autoloader.stack.postgres import DATABASE, ROLE, Postgres
from autoloader.stack.processes import find
from autoloader.stack.spark import SparkConnect

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from autoloader.stack.home import Remembered
    from autoloader.stack.parts import Part
    from autoloader.stack.spark import SparkInstall

_WELL_SECONDS = 5.0
_HUNG_STOP_SECONDS = 3.0
_WATCH_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PartStatus:
    """How one part is.

    Attributes:
        state: ``dead`` is a part that was started, not stopped, and does not run or answer now.
        pid: of the process, None when it does not run. Object store and catalog are one process.
        address: where it listens or listened last, None before its first start.
    """

    name: str
    state: Literal["running", "stopped", "dead"]
    pid: int | None
    address: str | None
    log: Path


def _silent(_line: str) -> None:
    """Report nothing."""


class Stack:
    """The embedded stack of one home folder. Safe to use from several processes at once.

    Args:
        home: the folder.
        spark: start and mend a Spark Connect server as well; without it one that runs is left alone until ``stop``.
    """

    def __init__(self, home: Path, spark: SparkInstall | None = None) -> None:
        self._home = Home(home)
        self._spark = SparkConnect(self._home, spark)
        # The object store first: it comes up while the database's folder is laid out, and Spark must know its ports.
        self._needed: tuple[Part, ...] = (ObjectStore(self._home), Postgres(self._home))
        self._parts: tuple[Part, ...] = (*self._needed, *([self._spark] if spark else []))
        self._report: Callable[[str], None] = _silent

    def start(self, report: Callable[[str], None] = _silent) -> Connections:
        """Start what does not run, mend what is not well, and wait until all can be used.

        Args:
            report: called with one line for each thing done, by ``watch`` as well.

        Raises:
            StackError: it cannot be started; what was started by this call is stopped again.
        """
        self._report = report
        with self._home.locked():
            self._home.make()
            state = self._home.remembered()
            self._mend(state)
        return self._connections(state)

    def connections(self) -> Connections | None:
        """Where the parts are while the stack runs, else None. Starts nothing."""
        state = self._home.remembered()
        if not state.pids or any(self._pid(part, state) is None for part in self._needed):
            return None
        return self._connections(state)

    def status(self) -> list[PartStatus]:
        """How every part is, also when nothing runs or was ever started."""
        state = self._home.remembered()
        store, database = self._needed
        known = [
            self._status(store, "object store", "s3", state),
            self._status(store, "catalog", "catalog", state),
            self._status(database, "postgresql", "postgresql", state),
        ]
        if self._spark.name in state.pids:
            known.append(self._status(self._spark, self._spark.name, "connect", state))
        return known

    def stop(self) -> bool:
        """Stop every part cleanly and wait until it is gone; False if nothing ran.

        Raises:
            StackError: the home may not be read, or another start or stop does not come to an end.
        """
        if not self._home.exists():
            return False
        with self._home.locked():
            state = self._home.remembered()
            ran = take_down([*self._needed, self._spark], state)
            self._home.remember(state)
        return ran

    def watch(self, stop: threading.Event) -> None:
        """Mend whatever dies, until ``stop`` is set or another command stops the stack.

        A mend that fails is reported and tried again, after pauses that grow to a minute.
        """
        failures = 0
        while not stop.wait(min(_WATCH_SECONDS * 2**failures, _LONGEST_PAUSE_SECONDS)):
            try:
                if not self._keep_up():
                    return
                failures = 0
            except StackError as error:
                failures += 1
                self._report(str(error))

    def _keep_up(self) -> bool:
        """One look; False when the stack has been stopped by someone."""
        state = self._home.remembered()
        if state.pids and all(self._pid(part, state) for part in self._parts):
            self._home.turn_logs()
            return True
        with self._home.locked():  # a stop that is under way finishes first
            state = self._home.remembered()
            if not state.pids:
                return False
            self._mend(state)
        return True

    def _mend(self, state: Remembered) -> None:
        self._home.turn_logs()
        ill = [part for part in self._parts if not self._well(part, state)]
        if ill:
            bring_up(ill, self._home, state, self._report)

    def _well(self, part: Part, state: Remembered) -> bool:
        """Whether it runs and answers; one that runs but does not answer is ended."""
        process = find(part.marker, state.pids.get(part.name))
        if process is None:
            if part.name in state.pids:
                self._report(f"{part.name} had died")
            return False
        ports = state.ports.get(part.name)
        deadline = time.monotonic() + _WELL_SECONDS
        problem: str | None = "its ports are not known"
        while ports and time.monotonic() < deadline and (problem := part.check(ports)):
            time.sleep(0.1)
        if problem:
            self._report(f"{part.name} runs, but {problem}: starting it again")
            take_down([part], state, deadline_seconds=_HUNG_STOP_SECONDS)
            return False
        state.pids[part.name] = process.pid
        return True

    def _pid(self, part: Part, state: Remembered) -> int | None:
        process = find(part.marker, state.pids.get(part.name))
        return process.pid if process else None

    def _status(self, part: Part, name: str, port_name: str, state: Remembered) -> PartStatus:
        port = state.ports.get(part.name, {}).get(port_name)
        pid = self._pid(part, state) if part.name in state.pids else None
        alive = pid is not None and port is not None and _listens(port)
        stopped: Literal["stopped", "dead"] = "dead" if part.name in state.pids else "stopped"
        return PartStatus(
            name=name,
            state="running" if alive else stopped,
            pid=pid,
            address=f"127.0.0.1:{port}" if port else None,
            log=self._home.log(part.name),
        )

    def _connections(self, state: Remembered) -> Connections:
        keys = self._home.credentials()
        store, database = (state.ports[part.name] for part in self._needed)
        endpoint = f"http://127.0.0.1:{store['s3']}"
        uri = f"http://127.0.0.1:{store['catalog']}"
        catalog = {
            "type": "rest",
            "uri": uri,
            "oauth2-server-uri": f"{uri}/v1/oauth/tokens",  # PyIceberg warns where it has to guess it
            "warehouse": f"s3://{WAREHOUSE}",
            "credential": f"{keys.s3_access_key_id}:{keys.s3_secret_access_key}",
            "s3.endpoint": endpoint,
            "s3.access-key-id": keys.s3_access_key_id,
            "s3.secret-access-key": keys.s3_secret_access_key,
            "s3.region": REGION,
        }
        address = f"127.0.0.1:{database['postgresql']}"
        spark = state.ports.get(self._spark.name) if self._spark.name in state.pids else None
        return Connections(
            database_url=f"postgresql+psycopg://{ROLE}:{keys.database_password}@{address}/{DATABASE}",
            s3_endpoint_url=endpoint,
            s3_access_key_id=keys.s3_access_key_id,
            s3_secret_access_key=keys.s3_secret_access_key,
            s3_region=REGION,
            catalogs={"lake": catalog},
            spark_connect_url=self._spark.address(spark["connect"]) if spark else None,
            spark_connect_token=self._spark.token if spark else None,
        )


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
