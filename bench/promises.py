"""What the figures must be: the project's promises about speed and memory, judged by medians."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from crews import FAIR, LARGE_ONE, LAST_SMALL, SHARED, TEN, TWO
from faults import CONTENDED, EIGHT, LEASE_SECONDS, PROTOCOL, RESCUE, RESCUED, WHOLE_LOAD
from races import AGAIN, BATCH, DLT, LIMIT, LISTING, ON_SPARK, OURS, START, STREAM
from service import FLAT_OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from races import Figure
    from service import Answers

GIB = 1024**3
MB = 10**6

LEAST_SMALL_SPEED = 0.70
LEAST_TIMES_DLT = 10
MOST_SMALL_BYTES = 600 * MB
LEAST_LARGE_SPEED = 0.60
MOST_HUGE_BYTES = GIB
LEAST_EXACT_SPEED = 60 * MB
MOST_SECONDS_KNOWN = 1.5
MOST_TIMES_LISTING = 5
MOST_TIMES_TWO = 1.1
MOST_TIMES_BATCH_SMALL = 1.0
MOST_TIMES_BATCH_LARGE = 1.3
LEAST_TIMES_STREAM = 10
MOST_ANSWER_SECONDS = 0.1
MOST_SECONDS_AFTER_LEASE = 15
LEAST_COMMITS = 5
MOST_FOR_PROTOCOL = 0.05


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise, what was found, and whether it is kept."""

    promise: str
    wanted: str
    found: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of a run, asked by case and contestant."""

    all: Sequence[Figure]

    def of(self, case: str, contestant: str) -> list[Figure]:
        """In the order of the rounds."""
        return sorted((f for f in self.all if (f.case, f.contestant) == (case, contestant)), key=lambda f: f.round)

    def wall(self, case: str, contestant: str) -> float:
        """Median wall time in seconds."""
        return median(f.wall_seconds for f in self.of(case, contestant))

    def ratio(self, case: str, above: str, below: str) -> float:
        """Median over the rounds of the ratio of two contestants' wall times in the same round."""
        pairs = zip(self.of(case, above), self.of(case, below), strict=True)
        return median(a.wall_seconds / b.wall_seconds for a, b in pairs)

    def peak(self, case: str, contestant: str) -> int:
        """The highest peak of all rounds, in bytes."""
        return max(f.peak_bytes for f in self.of(case, contestant))

    def after_start(self, case: str) -> float:
        """Median wall time of a run with nothing new, less that of a bare start, in seconds."""
        return self.wall(case, AGAIN) - self.wall(case, START)


def verdicts(all_figures: Sequence[Figure]) -> list[Verdict]:
    """Judge every promise whose contestants took part."""
    figures = Figures(all_figures)
    ran = {(f.case, f.contestant) for f in all_figures}
    return [judge(figures) for needed, judge in _PROMISES if ran >= needed]


def service_verdicts(answers: Sequence[Answers]) -> list[Verdict]:
    """Judge the slowest route of the API at the clients' pace; nothing to judge where none was asked."""
    paced = [each for each in answers if each.route != FLAT_OUT]
    if not paced:
        return []
    slowest = max(paced, key=lambda each: each.p99_seconds)
    found = f"{slowest.p99_seconds * 1000:.0f} ms ({slowest.route})"
    promise = "API with 1,000,000 files, 16 clients, 160 requests/s: p99 of every route"
    wanted = f"< {MOST_ANSWER_SECONDS * 1000:.0f} ms"
    return [Verdict(promise, wanted, found, slowest.p99_seconds < MOST_ANSWER_SECONDS)]


def _small_speed(figures: Figures) -> Verdict:
    found = figures.ratio("small", LIMIT, OURS)
    promise = "10,000 small files: speed against the bare limit"
    return Verdict(promise, f"≥ {LEAST_SMALL_SPEED:.0%}", f"{found:.0%}", found >= LEAST_SMALL_SPEED)


def _small_dlt(figures: Figures) -> Verdict:
    found = figures.ratio("small", DLT, OURS)
    promise = "10,000 small files: times as fast as dlt"
    return Verdict(promise, f"≥ {LEAST_TIMES_DLT}", f"{found:.1f}", found >= LEAST_TIMES_DLT)


def _small_memory(figures: Figures) -> Verdict:
    found = figures.peak("small", OURS)
    promise = "10,000 small files: peak memory"
    return Verdict(promise, f"< {MOST_SMALL_BYTES // MB} MB", f"{found / MB:.0f} MB", found < MOST_SMALL_BYTES)


def _small_snapshots(figures: Figures) -> Verdict:
    found = {f.snapshots for f in figures.of("small", OURS)}
    text = " or ".join(str(count) for count in found)
    return Verdict("10,000 small files in one load: snapshots", "1", text, found == {1})


def _large_speed(figures: Figures) -> Verdict:
    found = figures.ratio("large", LIMIT, OURS)
    promise = "20 large files: speed against the bare limit"
    return Verdict(promise, f"≥ {LEAST_LARGE_SPEED:.0%}", f"{found:.0%}", found >= LEAST_LARGE_SPEED)


def _memory(case: str, promise: str) -> tuple[set[tuple[str, str]], Callable[[Figures], Verdict]]:
    def judged(figures: Figures) -> Verdict:
        found = figures.peak(case, OURS)
        return Verdict(f"{promise}: peak memory", "< 1 GiB", f"{found / GIB:.2f} GiB", found < MOST_HUGE_BYTES)

    return {(case, OURS)}, judged


def _exact_speed(figures: Figures) -> Verdict:
    found = median((f.bytes_read or 0) / (f.inside_seconds or 1.0) for f in figures.of("exact", OURS))
    promise = "20 large files with bad records, line numbers and their texts kept: MB/s after start"
    return Verdict(promise, f"≥ {LEAST_EXACT_SPEED // MB}", f"{found / MB:.0f}", found >= LEAST_EXACT_SPEED)


def _known(figures: Figures) -> Verdict:
    found = figures.after_start("known")
    promise = "10,000 known files, nothing new: time after start"
    return Verdict(promise, f"< {MOST_SECONDS_KNOWN} s", f"{found:.2f} s", found < MOST_SECONDS_KNOWN)


def _many_known(figures: Figures) -> Verdict:
    listing = median(f.inside_seconds or 0.0 for f in figures.of("tiny", LISTING))
    found = figures.after_start("tiny") / listing
    promise = "100,000 known files, nothing new: times the bare listing"
    return Verdict(promise, f"< {MOST_TIMES_LISTING}", f"{found:.1f}", found < MOST_TIMES_LISTING)


def _shared(figures: Figures) -> Verdict:
    found = figures.ratio(SHARED, TEN, TWO)
    promise = "10 workers on one ingestion: times the wall time of 2"
    return Verdict(promise, f"≤ {MOST_TIMES_TWO}", f"{found:.2f}", found <= MOST_TIMES_TWO)


def _fair(figures: Figures) -> Verdict:
    found = figures.ratio(FAIR, LAST_SMALL, LARGE_ONE)
    promise = "50 ingestions, 2 workers: the last of 49 small ones ends before the large one"
    return Verdict(promise, "< 100%", f"after {found:.0%} of its time", found < 1)


def _rescue(figures: Figures) -> Verdict:
    found = max(f.wall_seconds for f in figures.of(RESCUE, RESCUED)) - LEASE_SECONDS
    promise = "a worker dies: until another has loaded its files, after the lease"
    return Verdict(promise, f"< {MOST_SECONDS_AFTER_LEASE} s", f"{found:.1f} s", found < MOST_SECONDS_AFTER_LEASE)


def _contended(figures: Figures) -> Verdict:
    found = median((f.snapshots or 0) / f.wall_seconds for f in figures.of(CONTENDED, EIGHT))
    promise = "8 workers, small loads, one table: commits a second"
    return Verdict(promise, f"≥ {LEAST_COMMITS}", f"{found:.1f}", found >= LEAST_COMMITS)


def _protocol(figures: Figures) -> Verdict:
    found = median((f.inside_seconds or 0.0) / f.wall_seconds for f in figures.of(PROTOCOL, WHOLE_LOAD))
    promise = "10,000 small files: share of the protocol"
    return Verdict(promise, f"< {MOST_FOR_PROTOCOL:.0%}", f"{found:.1%}", found < MOST_FOR_PROTOCOL)


def _spark_small(figures: Figures) -> Verdict:
    found = figures.ratio("spark-small", ON_SPARK, BATCH)
    promise = "10,000 small files on Spark: times plain Spark batch"
    return Verdict(promise, f"≤ {MOST_TIMES_BATCH_SMALL:.1f}", f"{found:.2f}", found <= MOST_TIMES_BATCH_SMALL)


def _spark_stream(figures: Figures) -> Verdict:
    found = figures.ratio("spark-small", ON_SPARK, STREAM)
    promise = "10,000 small files on Spark: times Structured Streaming"
    return Verdict(promise, "< 1.0", f"{found:.2f}", found < 1)


def _spark_large(figures: Figures) -> Verdict:
    found = figures.ratio("spark-large", ON_SPARK, BATCH)
    promise = "20 large files on Spark: times plain Spark batch"
    return Verdict(promise, f"≤ {MOST_TIMES_BATCH_LARGE}", f"{found:.2f}", found <= MOST_TIMES_BATCH_LARGE)


def _stream_embedded(figures: Figures) -> Verdict:
    found = figures.ratio("spark-small", STREAM, OURS)
    promise = "10,000 small files, engine embedded: times as fast as Structured Streaming"
    return Verdict(promise, f"≥ {LEAST_TIMES_STREAM}", f"{found:.1f}", found >= LEAST_TIMES_STREAM)


_PROMISES: list[tuple[set[tuple[str, str]], Callable[[Figures], Verdict]]] = [
    ({("small", OURS), ("small", LIMIT)}, _small_speed),
    ({("small", OURS), ("small", DLT)}, _small_dlt),
    ({("small", OURS)}, _small_memory),
    ({("small", OURS)}, _small_snapshots),
    ({("large", OURS), ("large", LIMIT)}, _large_speed),
    _memory("huge", "one file of 1 GB"),
    _memory("stream", "one file of 5 GB"),
    _memory("packed", "one file of 5 GB, gzip"),
    _memory("array", "one JSON array of 1 GB"),
    ({("exact", OURS)}, _exact_speed),
    ({("known", AGAIN), ("known", START)}, _known),
    ({(SHARED, TEN), (SHARED, TWO)}, _shared),
    ({(FAIR, LARGE_ONE), (FAIR, LAST_SMALL)}, _fair),
    ({(RESCUE, RESCUED)}, _rescue),
    ({(CONTENDED, EIGHT)}, _contended),
    ({(PROTOCOL, WHOLE_LOAD)}, _protocol),
    ({("spark-small", ON_SPARK), ("spark-small", BATCH)}, _spark_small),
    ({("spark-small", ON_SPARK), ("spark-small", STREAM)}, _spark_stream),
    ({("spark-large", ON_SPARK), ("spark-large", BATCH)}, _spark_large),
    ({("spark-small", OURS), ("spark-small", STREAM)}, _stream_embedded),
    ({("tiny", AGAIN), ("tiny", START), ("tiny", LISTING)}, _many_known),
]
