"""Blocks of a text: nothing is lost, nothing is held for long, and each ends where a line does."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloader.engines.embedded import overlong, streams

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 16
CHUNKS = st.lists(st.text("ab\n", min_size=1, max_size=5 * SIZE).map(str.encode), max_size=12)


@pytest.mark.parametrize("cut", [streams.blocks, overlong.blocks])
@given(chunks=CHUNKS)
def test_blocks_are_the_text_cut_at_line_ends_and_as_small_as_lines_allow(
    cut: Callable[..., Iterator[bytes]], chunks: list[bytes]
) -> None:
    text = b"".join(chunks)
    blocks = list(cut(iter(chunks), size=SIZE))
    assert b"".join(blocks) == text
    assert all(block.endswith(b"\n") for block, _ in pairwise(blocks))
    longest = max(map(len, text.split(b"\n")), default=0)
    assert all(len(block) <= 3 * SIZE + longest for block in blocks)
