"""The second commit of a load: its rejects, which go to a table of their own once the load is in its table.

Told like ``protocol``, which shows that a load is in its table once or fenced off for good; here that is taken for
granted, and one step. The load has rejects. Its owner may die or pause anywhere, answers may be lost, requests may
arrive late; rescuers do the rest, and they may die as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.protocol.exploring import Found, explore

if TYPE_CHECKING:
    from collections.abc import Iterator

OWNER = 0
"""The first of those who may publish the rejects; the others are rescuers."""
LANDED, FENCED = "landed", "fenced"


@dataclass(frozen=True, kw_only=True)
class Precautions:
    """Each is one line of the code that must not go.

    Attributes:
        lands_first: rejects are sent only once the load is seen in its table.
        looks_before_sending: whoever sends looks for them in the history of their table first.
        asserts_base: the catalog refuses a commit whose base the table has left.
        publishes_before_the_end: the ledger says COMMITTED only when the rejects are there.
        drops_only_fenced: stored rejects are removed only once the load can never land.
    """

    lands_first: bool = True
    looks_before_sending: bool = True
    asserts_base: bool = True
    publishes_before_the_end: bool = True
    drops_only_fenced: bool = True


class Hand(NamedTuple):
    """Somebody who works on the load: what they do next, the base they read, how often they have sent."""

    step: str
    base: int = 0
    sent: int = 0


class Request(NamedTuple):
    """A commit of the rejects on its way."""

    base: int
    sender: int
    number: int


class World(NamedTuple):
    """One moment.

    Attributes:
        load: what its table says of it: nothing yet, LANDED, or FENCED.
        history: the snapshots of the rejects table: ``R`` for these rejects, ``O`` for others.
        ledger: RUNNING, LOST, COMMITTED or FAILED.
        stored: the file with the rejects is there.
        hands: the owner, then the rescuers.
        mail: what is on its way.
    """

    load: str
    history: str
    ledger: str
    stored: bool
    hands: tuple[Hand, ...]
    mail: frozenset[Request]


def fault(world: World) -> str | None:
    """What must never be so, if it is."""
    never = {
        "a reject is there twice": world.history.count("R") > 1,
        "rejects of a load that never landed are there": "R" in world.history and world.load == FENCED,
        "rejects are to be seen before their load": "R" in world.history and not world.load,
        "the load is over, and its rejects are not there": world.ledger == "COMMITTED" and "R" not in world.history,
        "the table names a file that was removed": "R" in world.history and not world.stored,
        "the load landed, and its rejects are gone": world.load == LANDED and not world.stored,
    }
    return next((what for what, is_so in never.items() if is_so), None)


def search(precautions: Precautions, *, rescuers: int, sends: int, others: int) -> Found:
    """Walk through every world that can be reached.

    Args:
        rescuers: how many recover at once.
        sends: how many requests each may send.
        others: how many commits of other loads come meanwhile.
    """
    hands = (Hand("land" if precautions.lands_first else "look"), *[Hand("idle")] * rescuers)
    first = World("", "", "RUNNING", stored=True, hands=hands, mail=frozenset())
    return explore(first, partial(after, precautions=precautions, sends=sends, others=others), fault)


def after(world: World, precautions: Precautions, sends: int, others: int) -> Iterator[tuple[str, World]]:
    """Every step that anyone can take now, and the world after it."""
    if world.history.count("O") < others:
        yield "another load sends rejects", world._replace(history=world.history + "O")
    if world.ledger == "RUNNING":
        yield "the lease passes", world._replace(ledger="LOST")
    for request in world.mail:
        yield from _arrives(world, request, precautions)
    for number, hand in enumerate(world.hands):
        who = "the owner" if number == OWNER else f"rescuer {number}"
        if hand.step not in {"idle", "gone"}:
            yield f"{who} dies", _with(world, number, hand._replace(step="gone" if number == OWNER else "idle"))
        for what, following in _goes_on(world, number, hand, precautions, sends):
            yield f"{who} {what}", following


def _arrives(world: World, request: Request, precautions: Precautions) -> Iterator[tuple[str, World]]:
    taken = request.base == len(world.history) or not precautions.asserts_base
    there = world._replace(history=world.history + "R" * taken, mail=world.mail - {request})
    yield f"rejects are {'taken' if taken else 'refused'}, and the answer is lost", there
    hand = world.hands[request.sender]
    if hand.step == "wait":
        answered = hand._replace(step="end" if taken else "look")
        yield f"rejects are {'taken' if taken else 'refused'}", _with(there, request.sender, answered)


def _goes_on(
    world: World, number: int, hand: Hand, precautions: Precautions, sends: int
) -> Iterator[tuple[str, World]]:
    first = "look" if precautions.publishes_before_the_end else "end"
    match hand.step:
        case "land" if world.load == FENCED:
            yield "is refused by the fence", _with(world, number, Hand("gone"))
        case "land":
            yield "lands the load", _with(world, number, Hand(first))._replace(load=LANDED)
            yield "lands the load and dies", _with(world, number, Hand("gone"))._replace(load=LANDED)
        case "idle" if world.ledger == "LOST" and world.load == LANDED:
            yield "finds the load landed", _with(world, number, hand._replace(step=first))
        case "idle" if world.ledger == "LOST" and not world.load:
            dropped = world.stored and precautions.drops_only_fenced
            yield "fences the load", _with(world, number, hand)._replace(load=FENCED, stored=dropped)
            if not precautions.drops_only_fenced:
                yield "removes what is stored", world._replace(stored=False)
        case "idle" if world.ledger == "LOST" and world.load == FENCED:
            yield "gives the file back", world._replace(stored=False, ledger="FAILED")
        case "look" if "R" in world.history and precautions.looks_before_sending:
            yield "finds the rejects there", _with(world, number, hand._replace(step="end"))
        case "look" if hand.sent < sends:
            yield "reads the base", _with(world, number, hand._replace(step="send", base=len(world.history)))
        case "send":
            request = Request(hand.base, number, hand.sent)
            waits = _with(world, number, hand._replace(step="wait", sent=hand.sent + 1))
            yield "sends the rejects", waits._replace(mail=world.mail | {request})
        case "wait":
            yield "gets no answer", _with(world, number, hand._replace(step="look"))
        case "end":
            mine = world.ledger == ("RUNNING" if number == OWNER else "LOST")
            over = _with(world, number, hand._replace(step="gone" if number == OWNER else "idle"))
            yield "records the end", over._replace(ledger="COMMITTED" if mine else world.ledger)


def _with(world: World, number: int, hand: Hand) -> World:
    return world._replace(hands=(*world.hands[:number], hand, *world.hands[number + 1 :]))
