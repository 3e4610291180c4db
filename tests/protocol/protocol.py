"""The protocol of a load, as small as it can be told, and a search through everything that may happen to it.

One file is to be loaded. A load of it may crash at any step, pause for any time, lose an answer, or have a request of
its own arrive when it is long gone; rescuers do the same. A ``World`` is one moment of all that. ``after`` gives every
moment that may come next, and ``search`` walks through all of them.

A ``Protocol`` is the set of precautions that the code takes. With all of them no reachable world is ``wrong``; each of
them left out makes one reachable, and ``search`` gives the steps that lead to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.protocol.exploring import Found, explore

if TYPE_CHECKING:
    from collections.abc import Iterator

LOADS = 2
WAITING, LOADED = -1, -2
"""Where the file is when no load has it."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The precautions. Each is one line of the code that must not go.

    Attributes:
        looks_before_sending: a publisher that got no clear answer looks for its load before it sends again.
        renews_before_sending: a publisher sends only if the ledger still grants its lease.
        reads_before_renewing: the base is read before the lease is renewed, not after.
        asserts_base: the catalog refuses a commit whose base main has left.
        stores_outcomes_first: what became of the files is in the ledger before anything is sent.
        fences: a rescuer that found nothing moves main before it gives the file back.
        sweeps_only_fenced: data files are deleted only once the fence stands.
        settles_only_lost: a rescuer's verdict counts only while the load is LOST.
        finishes_only_running: an owner records the end only while the load is RUNNING.
    """

    looks_before_sending: bool = True
    renews_before_sending: bool = True
    reads_before_renewing: bool = True
    asserts_base: bool = True
    stores_outcomes_first: bool = True
    fences: bool = True
    sweeps_only_fenced: bool = True
    settles_only_lost: bool = True
    finishes_only_running: bool = True


class Request(NamedTuple):
    """A commit on its way to the catalog. ``mark`` is ``L0`` for the load 0, ``F0`` for a fence against it."""

    mark: str
    base: int
    sender: int
    number: int


class Worker(NamedTuple):
    """The owner of one load: what it does next, the base it read, how many requests it has sent."""

    step: str = "unborn"
    base: int = 0
    sent: int = 0


GONE = Worker("gone")


class Rescuer(NamedTuple):
    """Somebody who recovers lost loads: what it does next, for which load, how many requests it has sent."""

    step: str = "idle"
    load: int = 0
    sent: int = 0


class World(NamedTuple):
    """One moment: the table's history, the ledger, everyone who works, and what is on its way.

    Attributes:
        main: the marks of the snapshots that led to main; ``O`` for one of another writer.
        ledger: the state of each load.
        passed: running loads whose lease has passed.
        stored: loads whose outcomes are in the ledger.
        swept: loads whose data files were deleted.
        file: the load that has it, or WAITING or LOADED.
        told: how often the ledger counted it as loaded.
    """

    main: tuple[str, ...]
    ledger: tuple[str, ...]
    passed: frozenset[int]
    stored: frozenset[int]
    swept: frozenset[int]
    file: int
    told: int
    workers: tuple[Worker, ...]
    rescuers: tuple[Rescuer, ...]
    mail: frozenset[Request]


def beginning(rescuers: int) -> World:
    """Nothing happened yet."""
    return World(
        main=(),
        ledger=("",) * LOADS,
        passed=frozenset(),
        stored=frozenset(),
        swept=frozenset(),
        file=WAITING,
        told=0,
        workers=(Worker(),) * LOADS,
        rescuers=(Rescuer(),) * rescuers,
        mail=frozenset(),
    )


def fault(world: World) -> str | None:
    """What must never be so, if it is."""
    landed = [int(mark[1:]) for mark in world.main if mark.startswith("L")]
    never = {
        "the file is in the table twice": len(landed) > 1,
        "the ledger says that it is loaded, and it is not there": world.file == LOADED and not landed,
        "it is to be loaded again, and it is there": world.file == WAITING and bool(landed),
        "the table names data files that were deleted": not world.swept.isdisjoint(landed),
        "it was counted twice": world.told > 1,
        "it landed, and nobody knows what became of it": any(
            state == "COMMITTED" and load not in world.stored for load, state in enumerate(world.ledger)
        ),
        "its load is over and nobody will ever look at it again": world.file >= 0
        and world.ledger[world.file] not in {"RUNNING", "LOST"},
    }
    return next((what for what, is_so in never.items() if is_so), None)


def search(protocol: Protocol, *, rescuers: int, sends: int, others: int = 0) -> Found:
    """Walk through every world that can be reached, until one is wrong or all were seen.

    Args:
        rescuers: how many recover at once.
        sends: how many requests each of those who commit may send in all.
        others: how many commits other writers make meanwhile.
    """
    return explore(beginning(rescuers), partial(after, protocol=protocol, sends=sends, others=others), fault)


def after(world: World, protocol: Protocol, sends: int, others: int) -> Iterator[tuple[str, World]]:
    """Every step that anyone can take now, and the world after it."""
    yield from _claims(world, protocol)
    if world.main.count("O") < others:
        yield "another writer commits", world._replace(main=(*world.main, "O"))
    yield from _leases_pass(world)
    for load, worker in enumerate(world.workers):
        if worker.step not in {"unborn", "gone"}:
            yield f"worker {load} dies", _with_worker(world, load, GONE)
            yield from _publishes(world, load, worker, protocol, sends)
    for request in world.mail:
        yield from _arrives(world, request, protocol)
    for number, rescuer in enumerate(world.rescuers):
        if rescuer.step == "idle":
            yield from _takes_up(world, number, rescuer)
        else:
            yield f"rescuer {number} dies", _at_rest(world, number)
            yield from _recovers(world, number, rescuer, protocol, sends)


def _claims(world: World, protocol: Protocol) -> Iterator[tuple[str, World]]:
    load = next((load for load, state in enumerate(world.ledger) if not state), None)
    if world.file == WAITING and load is not None:
        claimed = _with_state(world, load, "RUNNING")._replace(file=load)
        first = "store" if protocol.stores_outcomes_first else "read"
        yield f"worker {load} claims the file", _with_worker(claimed, load, Worker(first))


def _leases_pass(world: World) -> Iterator[tuple[str, World]]:
    for load, state in enumerate(world.ledger):
        if state == "RUNNING" and load not in world.passed:
            yield f"the lease of {load} passes", world._replace(passed=world.passed | {load})


def _publishes(world: World, load: int, worker: Worker, protocol: Protocol, sends: int) -> Iterator[tuple[str, World]]:
    def goes_on(step: str, base: int = worker.base, sent: int = worker.sent) -> World:
        return _with_worker(world, load, Worker(step, base, sent))

    held = world.ledger[load] == "RUNNING" and load not in world.passed
    allowed = held or not protocol.renews_before_sending
    now = len(world.main)
    match worker.step:
        case "store":
            stored = goes_on("read")._replace(stored=world.stored | {load})
            going_on = world.ledger[load] == "RUNNING"
            yield f"worker {load} stores", stored if going_on else _with_worker(world, load, GONE)
        case "read" if protocol.reads_before_renewing:
            seen = f"L{load}" in world.main and protocol.looks_before_sending
            yield f"worker {load} reads", goes_on("finish" if seen else "renew", base=now)
        case "read":
            yield f"worker {load} renews", goes_on("read late") if allowed else _with_worker(world, load, GONE)
        case "read late":
            yield f"worker {load} reads", goes_on("finish" if f"L{load}" in world.main else "send", base=now)
        case "renew":
            yield f"worker {load} renews", goes_on("send") if allowed else _with_worker(world, load, GONE)
        case "send" if worker.sent < sends:
            sent = Request(f"L{load}", worker.base, load, worker.sent)
            waits = goes_on("wait", sent=worker.sent + 1)
            yield f"worker {load} sends", waits._replace(mail=world.mail | {sent})
        case "wait":
            yield f"worker {load} gets no answer", goes_on("read")
        case "finish":
            yield f"worker {load} finishes", _finished(world, load, protocol)


def _finished(world: World, load: int, protocol: Protocol) -> World:
    over = _with_worker(world, load, GONE)
    over = over._replace(stored=over.stored | {load})
    if world.ledger[load] != "RUNNING" and protocol.finishes_only_running:
        return over
    return _with_state(over, load, "COMMITTED")._replace(file=LOADED, told=world.told + 1)


def _arrives(world: World, request: Request, protocol: Protocol) -> Iterator[tuple[str, World]]:
    taken = request.base == len(world.main) or not protocol.asserts_base
    main = (*world.main, request.mark) if taken else world.main
    there = world._replace(main=main, mail=world.mail - {request})
    what = f"{request.mark} {'lands' if taken else 'is refused'}"
    yield f"{what}, the answer is lost", there
    if request.mark.startswith("L"):
        worker = world.workers[request.sender]
        if worker.step == "wait":
            told = worker._replace(step="finish" if taken else "read")
            yield what, _with_worker(there, request.sender, told)
    elif world.rescuers[request.sender].step == "wait":
        yield what, _with_rescuer(there, request.sender, world.rescuers[request.sender]._replace(step="look"))


def _takes_up(world: World, number: int, rescuer: Rescuer) -> Iterator[tuple[str, World]]:
    for load, state in enumerate(world.ledger):
        looks = _with_rescuer(world, number, rescuer._replace(step="look", load=load))
        if state == "RUNNING" and load in world.passed:
            yield f"rescuer {number} finds {load} silent", _with_state(looks, load, "LOST")
        elif state == "LOST":
            yield f"rescuer {number} takes up {load}", looks


def _recovers(
    world: World, number: int, rescuer: Rescuer, protocol: Protocol, sends: int
) -> Iterator[tuple[str, World]]:
    load = rescuer.load
    at_rest = _at_rest(world, number)
    sweeps = _with_rescuer(world, number, rescuer._replace(step="give back"))
    sweeps = sweeps._replace(swept=world.swept | {load})
    match rescuer.step:
        case "look" if load not in world.stored:
            yield f"rescuer {number} finds that {load} was never sent and sweeps", sweeps
        case "look" if f"L{load}" in world.main:
            yield f"rescuer {number} finds {load} landed", _settled(at_rest, load, "COMMITTED", protocol)
        case "look" if f"F{load}" in world.main or not protocol.fences:
            yield f"rescuer {number} finds {load} absent and sweeps", sweeps
        case "look" if rescuer.sent < sends:
            fence = Request(f"F{load}", len(world.main), number, rescuer.sent)
            waits = _with_rescuer(world, number, Rescuer("wait", load, rescuer.sent + 1))
            swept = set() if protocol.sweeps_only_fenced else {load}
            yield (
                f"rescuer {number} sends a fence",
                waits._replace(mail=world.mail | {fence}, swept=world.swept | swept),
            )
        case "wait":
            looks = _with_rescuer(world, number, rescuer._replace(step="look"))
            yield f"rescuer {number} gets no answer", looks
        case "give back":
            yield f"rescuer {number} gives the file back", _settled(at_rest, load, "FAILED", protocol)


def _settled(world: World, load: int, verdict: str, protocol: Protocol) -> World:
    if world.ledger[load] != "LOST" and protocol.settles_only_lost:
        return world
    landed = verdict == "COMMITTED"
    return _with_state(world, load, verdict)._replace(file=LOADED if landed else WAITING, told=world.told + landed)


def _at_rest(world: World, number: int) -> World:
    return _with_rescuer(world, number, Rescuer(sent=world.rescuers[number].sent))


def _with_state(world: World, load: int, state: str) -> World:
    ledger = (*world.ledger[:load], state, *world.ledger[load + 1 :])
    return world._replace(ledger=ledger, passed=world.passed - {load})


def _with_worker(world: World, load: int, worker: Worker) -> World:
    return world._replace(workers=(*world.workers[:load], worker, *world.workers[load + 1 :]))


def _with_rescuer(world: World, number: int, rescuer: Rescuer) -> World:
    return world._replace(rescuers=(*world.rescuers[:number], rescuer, *world.rescuers[number + 1 :]))
