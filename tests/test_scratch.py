"""Folders of the spool: gone with their block, or with the next worker after their process died."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.patience import eventually

from autoloader.errors import SpoolFull
from autoloader.scratch import full, own_folder, room, sweep

OWNER = """
import sys, time
from pathlib import Path
from autoloader.scratch import own_folder
with own_folder(Path(sys.argv[1]), "load") as folder:
    (folder / "segment").write_bytes(b"x")
    sys.stdin.read()
"""


def test_a_folder_is_there_for_its_block_and_leaves_nothing(tmp_path: Path) -> None:
    with own_folder(tmp_path / "spool", "load") as folder:
        (folder / "segment").touch()
        assert sweep(tmp_path / "spool") == 0
        assert folder.is_dir()
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_what_a_paused_one_has_is_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE) as owner:
        eventually((tmp_path / "load" / "segment").exists, "it works")
        owner.send_signal(signal.SIGSTOP)
        assert sweep(tmp_path) == 0
        owner.kill()
    assert (tmp_path / "load" / "segment").exists()
    assert sweep(tmp_path) == 1
    assert list(tmp_path.iterdir()) == []


def test_folders_of_others_stay_and_a_spool_that_is_not_there_is_empty(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert sweep(tmp_path) == 0
    assert sweep(tmp_path / "nowhere") == 0
    assert (tmp_path / "mine").is_dir()


def test_a_full_disk_is_told_as_such_and_other_failures_are_not(tmp_path: Path) -> None:
    with pytest.raises(SpoolFull, match="No room left"), room(tmp_path):
        Path("/dev/full").write_bytes(b"x")
    with pytest.raises(FileNotFoundError), room(tmp_path):
        (tmp_path / "nowhere" / "file").touch()
    assert full(tmp_path, OSError("Could not write: No space left on device")) is not None
    assert full(tmp_path, OSError("Could not write: Permission denied")) is None
