"""A search through every world that can be reached from a first one, step by step, the nearest first."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    World = TypeVar("World", bound=Hashable)


class Found(NamedTuple):
    """How many worlds were seen; what is wrong with the last one, if anything is, and the way to it."""

    worlds: int
    fault: str | None = None
    way: tuple[str, ...] = ()


def explore(
    first: World, after: Callable[[World], Iterable[tuple[str, World]]], fault: Callable[[World], str | None]
) -> Found:
    """Walk on until a world is wrong or all were seen.

    Args:
        after: every step that anyone can take in a world, and the world after it.
        fault: what must never be so, if it is.
    """
    came_from: dict[World, tuple[World, str] | None] = {first: None}
    ahead = deque([first])
    while ahead:
        world = ahead.popleft()
        if (found := fault(world)) is not None:
            return Found(len(came_from), found, _way(came_from, world))
        for step, following in after(world):
            if following not in came_from:
                came_from[following] = (world, step)
                ahead.append(following)
    return Found(len(came_from))


def _way(came_from: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    steps: list[str] = []
    while (before := came_from[world]) is not None:
        world, step = before
        steps.append(step)
    return tuple(reversed(steps))
