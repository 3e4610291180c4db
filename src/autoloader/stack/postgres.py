"""PostgreSQL 18 from its wheel, with a password, on 127.0.0.1 only.

It opens no Unix socket: nothing here connects by one, and its path may not be longer than 107 bytes, which a home deep
in a tree easily is.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, ClassVar

import psutil
import psycopg

from autoloader.errors import StackError
from autoloader.stack.account import account_for
from autoloader.stack.processes import Detached, Launch, spawn
from autoloader.stack.programs import postgres_install, reachable_install

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from autoloader.stack.home import Home

DATABASE = "autoloader_db"
ROLE = "autoloader"
_ORPHAN_SECONDS = 5.0


class Postgres:
    """How the database server is started and known to be well."""

    name = "postgresql"
    usual_ports: ClassVar[Mapping[str, int | None]] = {"postgresql": 5432}
    stop_signal = signal.SIGINT  # the fast shutdown: open transactions are rolled back, a checkpoint is written

    def __init__(self, home: Home) -> None:
        self._home = home
        self.marker = f"autoloader.home={home.folder}"

    def prepare(self) -> None:
        """Lay out the data folder if there is none, and clear what a killed server left.

        Raises:
            StackError: the data folder cannot be laid out.
        """
        data = self._home.database
        if data.exists():
            _end_orphans(data)
            # Its pid may be another program's by now, and PostgreSQL would not start while that one lives.
            (data / "postmaster.pid").unlink(missing_ok=True)
        else:
            self._lay_out(data)

    def start(self, ports: Mapping[str, int], log: Path) -> Detached:
        """Start it on this port."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(ports["postgresql"]),
            "unix_socket_directories": "",
            "max_connections": "200",
            self.marker.partition("=")[0]: self.marker.partition("=")[2],
        }
        with _program("postgres", self._home.database) as launch:
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            return spawn(launch.adding(*options), log)

    def check(self, ports: Mapping[str, int]) -> str | None:
        """Why it cannot be used yet, or None once the ledger's database answers; makes that database if need be."""
        try:
            with psycopg.connect(
                host="127.0.0.1",
                port=ports["postgresql"],
                user=ROLE,
                password=self._home.credentials().database_password,
                dbname="postgres",
                connect_timeout=2,
                autocommit=True,
            ) as connection:
                known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
                if known is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error as error:
            return f"it does not answer as it should ({str(error).strip()})"
        return None

    def _lay_out(self, data: Path) -> None:
        fresh = data.with_suffix(".new")  # becomes the data folder only once it is whole
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        # In memory, so that the password never lies on disk in the clear beside the data.
        password = os.memfd_create("password")
        try:
            os.write(password, self._home.credentials().database_password.encode())
            with _program("initdb", fresh, password) as launch:
                _run(
                    launch.adding(
                        f"--username={ROLE}",
                        f"--pwfile=/proc/self/fd/{password}",
                        "--auth=scram-sha-256",
                        "--encoding=UTF8",
                        "--locale-provider=builtin",  # sorts the same on every machine and after every upgrade
                        "--locale=C.UTF-8",
                        "--no-instructions",
                    )
                )
            fresh.rename(data)
        finally:
            os.close(password)
            shutil.rmtree(fresh, ignore_errors=True)


@contextmanager
def _program(name: str, data: Path, *descriptors: int) -> Iterator[Launch]:
    """How to run a program on a data folder.

    As root the server runs under another account, and the home (mode 0700, often below /root) is closed to it. The
    folder itself is opened for it here and handed over as a file descriptor: the path ``/proc/self/fd/N`` leads into
    it without passing through its parents. So everything stays in the home, and no folder's mode is widened.
    """
    account = account_for(data)
    install = reachable_install(postgres_install(), account)
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    command = [str(install / "bin" / name), "-D"]
    if account is None:
        yield Launch(command=[*command, str(data)], environment=environment, pass_fds=descriptors)
        return
    os.chown(data, account.uid, account.gid)
    folder = os.open(data, os.O_PATH | os.O_DIRECTORY)
    try:
        yield Launch(
            command=[*command, f"/proc/self/fd/{folder}"],
            environment=environment,
            account=account,
            pass_fds=(folder, *descriptors),
        )
    finally:
        os.close(folder)


def _run(launch: Launch) -> None:
    account = launch.account
    done = subprocess.run(
        launch.command,
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env=dict(launch.environment),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        pass_fds=tuple(launch.pass_fds),
    )
    if done.returncode != 0:
        said = "\n".join(f"  {line}" for line in (done.stderr or done.stdout).strip().splitlines()[-5:])
        raise StackError(f"PostgreSQL's data folder cannot be laid out. {launch.command[0]} says:\n{said}")


def _end_orphans(data: Path) -> None:
    """Wait for the children of a killed server to leave its shared memory; end those that do not."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while orphans := _working_in(data):
        if time.monotonic() > deadline:
            for orphan in orphans:
                with suppress(psutil.NoSuchProcess):
                    orphan.kill()
        time.sleep(0.05)


def _working_in(folder: Path) -> list[psutil.Process]:
    """The PostgreSQL processes whose working folder this is, as it is for every process of a server."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and process.cwd() == str(folder):
                found.append(process)
    return found
