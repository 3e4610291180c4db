"""Failpoints: read from the environment, refused when they cannot be understood, done once at the nth time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.patience import eventually

from autoloader import failpoints
from autoloader.errors import UsageError
from autoloader.failpoints import VARIABLE, Action, Failpoint, Step, armed, parse

DOCS = Path(__file__).parent.parent / "docs" / "explanation" / "failpoints.md"


def test_without_the_variable_a_step_is_a_function_that_does_nothing() -> None:
    assert failpoints.reached is armed({}) is armed({VARIABLE: "  "})
    for step in Step:
        failpoints.reached(step)


def test_entries_name_a_step_an_action_and_when() -> None:
    assert parse("load.sent=kill; load.stored=stop@2 ;run.led=wait:/a/go@3;") == [
        Failpoint(Step.LOAD_SENT, Action.KILL),
        Failpoint(Step.LOAD_STORED, Action.STOP, 2),
        Failpoint(Step.RUN_LED, Action.WAIT, 3, Path("/a/go")),
    ]


@pytest.mark.parametrize(
    "wrong", ["load.sent", "load.sent=", "nowhere=kill", "load.sent=explode", "load.sent=kill@x", "load.sent=wait"]
)
def test_an_entry_that_cannot_be_understood_is_refused_with_the_names_that_can(wrong: str) -> None:
    with pytest.raises(UsageError, match="AUTOLOADER_FAILPOINTS"):
        armed({VARIABLE: f"run.led=kill; {wrong}"})


def test_only_wait_takes_a_path() -> None:
    with pytest.raises(UsageError, match="takes a path"):
        parse("load.sent=kill:/a")


def test_a_step_fails_at_the_time_that_is_named_and_only_then() -> None:
    reached = armed({VARIABLE: "load.put=error@2"})
    reached(Step.LOAD_PUT)
    reached(Step.LOAD_SENT)
    with pytest.raises(RuntimeError, match=r"load\.put"):
        reached(Step.LOAD_PUT)
    reached(Step.LOAD_PUT)


def test_a_step_can_be_held_up_until_a_file_is_there(tmp_path: Path) -> None:
    reached = armed({VARIABLE: f"load.put=wait:{tmp_path / 'go'}"})
    thread = threading.Thread(target=reached, args=(Step.LOAD_PUT,))
    thread.start()
    eventually((tmp_path / "go.reached").exists, "the step is reached")
    assert thread.is_alive()
    (tmp_path / "go").touch()
    thread.join(30)
    assert not thread.is_alive()


def test_a_process_kills_itself_at_a_step_of_its_environment() -> None:
    code = "from autoloader.failpoints import Step, reached; reached(Step.RUN_LED); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {VARIABLE: "run.led=kill"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, "alive" in done.stdout) == (-signal.SIGKILL, False)


def test_every_step_and_action_is_in_the_docs() -> None:
    told = DOCS.read_text(encoding="utf-8")
    assert [name for name in (*Step, *Action) if f"`{name}" not in told] == []
