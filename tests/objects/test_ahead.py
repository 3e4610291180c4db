"""An iterator worked ahead of its consumer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloader.objects.ahead import DEPTH, fetch_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator


@given(st.lists(st.integers(), max_size=20))
def test_the_items_come_as_they_are_and_in_their_order(items: list[int]) -> None:
    assert list(fetch_ahead(iter(items), "test")) == items


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the third page")

    ahead = fetch_ahead(items(), "test")
    assert next(ahead) == 1
    with pytest.raises(OSError, match="the third page"):
        next(ahead)


def test_the_next_item_is_begun_while_one_is_consumed() -> None:
    begun = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        begun.set()
        yield 2

    ahead = fetch_ahead(items(), "test")
    assert next(ahead) == 1
    assert begun.wait(10)
    assert list(ahead) == [2]


def test_closed_early_the_thread_ends_and_has_gone_no_further_than_allowed() -> None:
    made: list[int] = []
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            for number in range(1_000):
                made.append(number)
                yield number
        finally:
            ended.set()

    ahead = fetch_ahead(items(), "test")
    next(ahead)
    del ahead
    assert ended.wait(10)
    assert len(made) <= 2 * DEPTH + 2
