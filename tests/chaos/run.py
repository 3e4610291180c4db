"""``make chaos``: random schedules of faults, several at once, each on parts of its own.

Every schedule has a seed of its own, which is printed with its story; ``make chaos SEED=… SCHEDULES=1`` plays it again.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import TYPE_CHECKING

from tests.chaos.lane import Lane
from tests.chaos.schedules import Played, play

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Play the schedules.

    Returns:
        Exit code: 1 when anything was lost, twice or stuck.
    """
    options = _options(arguments)
    seeds = range(options.seed, options.seed + options.schedules)
    _say(f"{options.schedules} schedules from seed {options.seed}, {options.lanes} at once")
    began, failed, count = time.monotonic(), 0, 0
    parts = [list(seeds)[number :: options.lanes] for number in range(options.lanes)]
    with ProcessPoolExecutor(options.lanes, mp_context=get_context("spawn")) as pool:
        lanes = [pool.submit(_play_all, part) for part in parts if part]
        for lane in as_completed(lanes):
            for played in lane.result():
                count += 1
                failed += played.fault is not None
    minutes = (time.monotonic() - began) / 60
    _say(f"{count - failed} of {count} schedules: nothing lost, twice or stuck ({minutes:.1f} min)")
    return 1 if failed or count != options.schedules else 0


def _end(_number: int, _frame: object) -> None:
    """Told to stop: leave every block, so that no stack is left running."""
    sys.exit(128 + signal.SIGTERM)


def _play_all(seeds: list[int]) -> list[Played]:
    signal.signal(signal.SIGTERM, _end)
    played = []
    with Lane() as lane:
        for seed in seeds:
            played.append(play(lane, seed))
            _tell(played[-1])
    return played


def _tell(played: Played) -> None:
    verdict = "well" if played.fault is None else "WRONG"
    _say(f"{verdict:<5} seed {played.seed}  {played.seconds:4.1f} s  {'; '.join(played.story)}")
    if played.fault is not None:
        _say(played.fault)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of the first schedule; the others count on (drawn at random)")
    parser.add_argument("--schedules", type=int, default=200)
    parser.add_argument("--lanes", type=int, default=4, help="how many at once, each on a stack of its own")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(10**6) * 1_000
    options.lanes = min(options.lanes, options.schedules)
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
