"""Random schedules of faults. A seed tells the whole of one: what is loaded, what breaks, when and in which order."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from tests.chaos.lane import LEDGER, STORE
from tests.chaos.proxies import Fault
from tests.chaos.truth import require_exactly_once
from tests.patience import eventually

from autoloader.failpoints import Action, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.lane import Lane
    from tests.chaos.proxies import HttpProxy, Request
    from tests.chaos.scene import Scene

_MOMENT = Event()
"""Never set: waiting for it is how a schedule lets time pass."""


@dataclass
class Schedule:
    """One schedule as it is played.

    Attributes:
        story: what happened so far, for people.
        foreign_rows: rows that another writer appended.
    """

    lane: Lane
    scene: Scene
    random: random.Random
    story: list[str]
    foreign_rows: int = 0

    def play(self) -> None:
        """From the first file to the proof.

        Raises:
            AssertionError: something is lost, twice or stuck.
        """
        self._arrange()
        for ingestion in self.scene.ingestions:
            self.scene.enqueue(ingestion)
        self._start_workers()
        for _ in range(self.random.randint(1, 3)):
            _MOMENT.wait(self.random.uniform(0.1, 1.2))
            happening = self.random.choice(HAPPENINGS)
            self.story.append(happening.__name__.replace("_", " "))
            happening(self)
        self._mend()
        self.scene.settle()
        require_exactly_once(self.scene, foreign_rows=self.foreign_rows)

    def _arrange(self) -> None:
        names = self.random.choice((["events"], ["events"], ["events", "more"]))
        table = self.random.choice(("shared", None))
        for name in names:
            fields = {} if table is None else {"table": table}
            self.scene.ingestion(name, **fields)
            for number in range(self.random.randint(3, 10)):
                self.scene.put(f"{name}/{number}.json", rows=self.random.randint(1, 3))
        self.story.append(
            f"{len(self.scene.content)} files, {len(names)} ingestions into {table or 'their own tables'}"
        )

    def _start_workers(self) -> None:
        for _ in range(2):
            failpoints = ""
            if self.random.random() < 0.6:
                step = self.random.choice(list(Step))
                action = self.random.choice((Action.KILL, Action.KILL, Action.STOP, Action.ERROR))
                failpoints = f"{step}={action}@{self.random.randint(1, 2)}"
                self.story.append(f"a worker with {failpoints}")
            self.scene.crew.start(failpoints)

    def _mend(self) -> None:
        """The parts are back, whoever was paused goes on, and there is a worker to whom nothing more will happen."""
        self.lane.mend()
        for worker in self.scene.crew.workers:
            worker.go_on()
        if all(worker.doomed for worker in self.scene.crew.healthy):
            self.scene.crew.start()


def kill_a_worker(schedule: Schedule) -> None:
    healthy = schedule.scene.crew.healthy
    if healthy:
        schedule.random.choice(healthy).kill()
        schedule.scene.crew.start()


def pause_a_worker_beyond_its_lease(schedule: Schedule) -> None:
    healthy = schedule.scene.crew.healthy
    if healthy:
        worker = schedule.random.choice(healthy)
        worker.stop()
        _MOMENT.wait(schedule.random.uniform(1.2, 2.0))
        worker.go_on()


def kill_the_object_store(schedule: Schedule) -> None:
    schedule.lane.kill(STORE)
    _MOMENT.wait(schedule.random.uniform(0, 0.5))
    schedule.lane.mend()


def kill_postgresql(schedule: Schedule) -> None:
    schedule.lane.kill(LEDGER)
    _MOMENT.wait(schedule.random.uniform(0, 0.5))
    schedule.lane.mend()


def cut_the_sessions_of_the_database(schedule: Schedule) -> None:
    for _ in range(schedule.random.randint(1, 5)):
        schedule.lane.cut_sessions()
        _MOMENT.wait(schedule.random.uniform(0, 0.2))


def cut_the_way_to_the_database(schedule: Schedule) -> None:
    schedule.lane.ledger.cut_after_bytes = schedule.random.randint(500, 5_000)
    schedule.lane.ledger.cut()
    _MOMENT.wait(schedule.random.uniform(0.2, 1.0))
    schedule.lane.ledger.be_faithful()


def slow_the_database(schedule: Schedule) -> None:
    schedule.lane.ledger.delay_seconds = schedule.random.uniform(0.01, 0.15)
    _MOMENT.wait(schedule.random.uniform(0.5, 1.5))
    schedule.lane.ledger.be_faithful()


def break_the_catalog(schedule: Schedule) -> None:
    _storm(schedule, schedule.lane.catalog)


def break_the_store(schedule: Schedule) -> None:
    _storm(schedule, schedule.lane.store)


def lie_about_commits(schedule: Schedule) -> None:
    """Every commit is applied, and no answer says so."""
    lies = (Fault.ERROR_500_AFTER, Fault.CUT_AFTER, Fault.REPEAT, Fault.CUT_WITHIN)
    dice = random.Random(schedule.random.random())  # noqa: S311  faults need no cryptography
    schedule.lane.catalog.choose = lambda request: dice.choice(lies) if request.is_commit else None
    _MOMENT.wait(schedule.random.uniform(0.5, 1.5))
    schedule.lane.catalog.be_faithful()


def _storm(schedule: Schedule, proxy: HttpProxy) -> None:
    share, kinds = schedule.random.uniform(0.1, 0.5), schedule.random.sample(list(Fault), 3)
    dice = random.Random(schedule.random.random())  # noqa: S311  faults need no cryptography

    def choose(_request: Request) -> Fault | None:
        return dice.choice(kinds) if dice.random() < share else None

    proxy.choose = choose
    _MOMENT.wait(schedule.random.uniform(0.5, 1.5))
    proxy.be_faithful()


def change_files(schedule: Schedule) -> None:
    for path in schedule.random.sample(sorted(schedule.scene.content), 2):
        schedule.scene.put(_name(schedule.scene, path), rows=schedule.random.randint(1, 3))


def remove_a_file(schedule: Schedule) -> None:
    schedule.scene.delete(_name(schedule.scene, schedule.random.choice(sorted(schedule.scene.content))))


def add_files(schedule: Schedule) -> None:
    for number in range(schedule.random.randint(1, 4)):
        schedule.scene.put(f"events/later-{number}.json")
    schedule.scene.enqueue(schedule.scene.ingestions[0])


def another_writer_commits(schedule: Schedule) -> None:
    for _ in range(schedule.random.randint(1, 3)):
        schedule.foreign_rows += append_foreign_row(schedule.scene)


def append_foreign_row(scene: Scene) -> int:
    """One row by somebody else, if the table is there; how many came."""

    def appended() -> int | None:
        try:
            scene.table(scene.ingestions[0]).append(pa.table({"id": pa.array([-1], pa.int64())}))
        except NoSuchTableError:
            return 2
        except CommitFailedException:
            return None
        return 1

    return eventually(appended, "another writer commits") % 2


def _name(scene: Scene, path: str) -> str:
    return path.removeprefix(scene.landing.path)


HAPPENINGS: tuple[Callable[[Schedule], None], ...] = (
    kill_a_worker,
    kill_a_worker,
    pause_a_worker_beyond_its_lease,
    pause_a_worker_beyond_its_lease,
    kill_the_object_store,
    kill_postgresql,
    cut_the_sessions_of_the_database,
    cut_the_way_to_the_database,
    slow_the_database,
    break_the_catalog,
    break_the_store,
    lie_about_commits,
    change_files,
    remove_a_file,
    add_files,
    another_writer_commits,
)


@dataclass(frozen=True)
class Played:
    """How a schedule ended: ``fault`` is None when nothing was lost, twice or stuck."""

    seed: int
    story: list[str]
    seconds: float
    fault: str | None


def play(lane: Lane, seed: int) -> Played:
    """Play one schedule on a lane whose parts are well; they are well again afterwards."""
    began, story = time.monotonic(), list[str]()
    scene = lane.scene()
    try:
        dice = random.Random(seed)  # noqa: S311  faults need no cryptography
        Schedule(lane, scene, dice, story).play()
        fault = None
    except AssertionError as error:
        fault = str(error)
    finally:
        lane.mend()
        scene.close()
    return Played(seed, story, time.monotonic() - began, fault)
