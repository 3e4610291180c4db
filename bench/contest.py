"""Measures one process from outside: wall time, processor time and peak memory, its children included.

The watching is done by a small process of its own (this file as a program): Linux counts the memory of the process
that forks into the peak of the one that is started, so a large starter would spoil the figure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAMPLE_SECONDS = 0.2
SHOWN_OF_STDERR = 2000


class ContestantFailed(Exception):  # noqa: N818  named for what happened
    """The measured process ended with an error."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What one process took.

    Attributes:
        cpu_seconds: user and system time of it and of the children it waited for.
        peak_bytes: the kernel's high-water mark of the largest process, or the sampled sum over the process and its
            children where that is more.
        output: what it wrote on stdout.
    """

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def measure(command: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measured:
    """Run a command to its end in ``folder``, with nothing but ``environment`` around it.

    Raises:
        ContestantFailed: it ended with another exit code than 0; the message holds the end of its stderr.
    """
    report = folder / "measured.json"
    watcher = [sys.executable, "-I", str(Path(__file__).resolve()), str(report), *command]
    done = subprocess.run(watcher, env=dict(environment), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout)[-SHOWN_OF_STDERR:]
        raise ContestantFailed(f"{' '.join(command)} ended with exit code {done.returncode}:\n{said}")
    return Measured(**json.loads(report.read_text()), output=done.stdout)


def watch(report: Path, command: Sequence[str]) -> int:
    """Start the command, sample its memory, wait for it, and write what it took.

    Returns:
        Its exit code.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command)
    ended = threading.Event()
    sums = [0]
    sampler = threading.Thread(target=_sample, args=(process.pid, ended, sums))
    sampler.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    sampler.join()
    taken = {
        "wall_seconds": wall,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_bytes": max(usage.ru_maxrss * 1024, *sums),
    }
    report.write_text(json.dumps(taken))
    return process.returncode


def _sample(pid: int, ended: threading.Event, sums: list[int]) -> None:
    """Note the resident bytes of the process and its children together, until it has ended."""
    while not ended.wait(SAMPLE_SECONDS):
        try:
            root = psutil.Process(pid)
            sums.append(sum(_resident(process) for process in (root, *root.children(recursive=True))))
        except psutil.NoSuchProcess:
            return


def _resident(process: psutil.Process) -> int:
    """Resident bytes; 0 for a child that has ended meanwhile."""
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    sys.exit(watch(Path(sys.argv[1]), sys.argv[2:]))
