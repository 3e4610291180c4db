"""What has to last: a crowd of workers on very many files, and long arrivals, both with workers killed all the while.

``make crowd`` and ``make soak``. Each ends with the proof that every row is in the table once.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from threading import Event
from typing import TYPE_CHECKING

import psutil
from obstore.store import S3Store
from tests.chaos.lane import Lane
from tests.chaos.scene import ENDED
from tests.chaos.truth import require_exactly_once

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.chaos.crew import Worker
    from tests.chaos.scene import Scene

_MOMENT = Event()
"""Never set: waiting for it is how time passes."""

_LEASE_SECONDS = "10"
_GROWTH = 1.10
"""What the last third of a soak may take over its second third: noise, and no leak that half an hour would show."""


class Grown(AssertionError):  # noqa: N818  named for what was found
    """Something that should be flat has grown."""


def crowd(lane: Lane, *, files: int, workers: int, kill_every_seconds: float) -> None:
    """Many workers on many files of one record; one worker after another is killed, and another comes.

    Raises:
        AssertionError: a row is lost or twice, or something is stuck.
    """
    scene, dice = lane.scene(straight=True), random.Random(7)  # noqa: S311  faults need no cryptography
    try:
        ingestion = scene.ingestion()
        _fill(lane, scene, files)
        say(f"{files:,} files are in the bucket")
        began, killed = time.monotonic(), 0
        run = scene.enqueue(ingestion)
        for _ in range(workers):
            _begin(scene)
        while scene.run(run).status not in ENDED:
            _MOMENT.wait(kill_every_seconds)
            dice.choice(scene.crew.healthy).kill()
            killed += 1
            _begin(scene)
        ended = scene.run(run)
        seconds = time.monotonic() - began
        say(f"{ended.status}: {ended.files_succeeded:,} files in {seconds:.0f} s, {killed} workers killed")
        scene.settle()
        require_exactly_once(scene)
        (loads,) = scene.sql("SELECT count(*), count(*) FILTER (WHERE state = 'FAILED') FROM loads")
        say(f"{files:,} files: none lost, none twice, none stuck; {loads[0]} loads, {loads[1]} of them not landed")
    finally:
        scene.close()


def _fill(lane: Lane, scene: Scene, files: int) -> None:
    """Put so many files of one record each into the bucket, some at a time."""
    landing, parts = scene.landing, lane.connections
    store = S3Store(
        landing.bucket,
        prefix=landing.prefix,
        endpoint=parts.s3_endpoint_url,
        access_key_id=parts.s3_access_key_id,
        secret_access_key=parts.s3_secret_access_key,
        region=parts.s3_region,
        client_options={"allow_http": True},
    )

    def put(number: int) -> tuple[str, list[int]]:
        name = f"events/{number:06}.json"
        store.put(name, json.dumps({"id": number}).encode())
        return landing.path + name, [number]

    with ThreadPoolExecutor(16) as writers:
        scene.content |= dict(writers.map(put, range(files)))


@dataclass(frozen=True, slots=True)
class Sample:
    """What one worker that lives all the while takes, and what all of them leave lying about."""

    memory_mb: float
    open_files: float
    threads: float
    connections: float
    temporary_files: float


def soak(lane: Lane, *, minutes: float, kill_every_seconds: float) -> None:
    """Files arrive every second and runs follow each other; a worker is killed now and then, beside one that is not.

    Raises:
        AssertionError: a row is lost or twice, or something is stuck.
        Grown: the worker that lives on, or what is left behind, grows with time.
    """
    scene = lane.scene(straight=True)
    try:
        ingestion = scene.ingestion()
        survivor, victim = _begin(scene), _begin(scene)
        samples: list[Sample] = []
        began = time.monotonic()
        due = dict.fromkeys(("run", "kill", "sample"), began)
        every = {"run": 3.0, "kill": kill_every_seconds, "sample": 5.0}
        number = 0
        while (now := time.monotonic()) < began + minutes * 60:
            scene.put(f"events/{number:06}.json")
            number += 1
            for what in [what for what, at in due.items() if at <= now]:
                due[what] = now + every[what]
                match what:
                    case "run":
                        scene.enqueue(ingestion)
                    case "kill":
                        victim.kill()
                        victim = _begin(scene)
                    case _:
                        samples.append(_sampled(scene, survivor))
            _MOMENT.wait(max(began + number - time.monotonic(), 0))
        scene.settle()
        require_exactly_once(scene)
        say(f"{number:,} files in {minutes:g} minutes: none lost, none twice, none stuck")
        _require_flat(samples)
    finally:
        scene.close()


def _begin(scene: Scene) -> Worker:
    return scene.crew.start(AUTOLOADER_LEASE_SECONDS=_LEASE_SECONDS, AUTOLOADER_MAX_FILES_PER_LOAD="1000")


def _sampled(scene: Scene, worker: Worker) -> Sample:
    process = psutil.Process(worker.pid)
    with process.oneshot():
        (connections,) = scene.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return Sample(
            memory_mb=process.memory_info().rss / 1e6,
            open_files=process.num_fds(),
            threads=process.num_threads(),
            connections=connections[0],
            temporary_files=_temporary(scene.crew.folder / "home"),
        )


def _temporary(home: Path) -> int:
    return sum(1 for found in home.rglob("*") if found.is_file()) if home.exists() else 0


def _require_flat(samples: Sequence[Sample]) -> None:
    third = len(samples) // 3
    grown = []
    for field in fields(Sample):
        before, after = (
            statistics.median(getattr(sample, field.name) for sample in part)
            for part in (samples[third : 2 * third], samples[2 * third :])
        )
        most = max(getattr(sample, field.name) for sample in samples)
        say(f"{field.name.replace('_', ' '):<16} {before:8.1f} → {after:8.1f}   most {most:8.1f}")
        if after > max(before * _GROWTH, before + 1):
            grown.append(field.name)
    if grown:
        raise Grown(f"not flat: {', '.join(grown)}")


def say(line: str) -> None:
    """Tell people, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Do one of them.

    Returns:
        Exit code: 1 when anything was lost, twice, stuck or grew.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["crowd", "soak"])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--kill-every", type=float, help="seconds (crowd: 3, soak: 20)")
    options = parser.parse_args(arguments)
    with Lane() as lane:
        try:
            if options.what == "crowd":
                crowd(lane, files=options.files, workers=options.workers, kill_every_seconds=options.kill_every or 3)
            else:
                soak(lane, minutes=options.minutes, kill_every_seconds=options.kill_every or 20)
        except AssertionError as fault:
            say(str(fault)[:20_000])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
