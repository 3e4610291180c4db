"""Blocks that no screen takes as a whole: their lines one by one, so that an odd line costs no more than itself.

A block becomes pieces that have a line for every line of the block, empty where it went to another piece: so a line
stands at the same place in each of them, and its number is told by where the block began. Arrow does all of it, without
Python's lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute

from autoloader.engines.embedded.readers import BARE, Piece

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.engines.embedded.readers import Layout, RecordReader
    from autoloader.engines.embedded.screen import Screen
    from autoloader.engines.embedded.wider import Wider

pc: Any = pyarrow.compute
"""Its types do not know what the kernels give of bytes."""
_NOTHING = pa.scalar(b"", pa.large_binary())
_WORTH_A_SCREEN = 64 * 1024
_WORTH_THE_WIDER = 256 * 1024
"""To compile an expression takes longer than to read so many bytes exactly."""
_LINE_END = pa.scalar(b"\n", pa.large_binary())


class Sieve:
    """Sorts the lines of some blocks of one kind of reader.

    Args:
        blocks: each ends with a line end.
    """

    def __init__(self, blocks: Sequence[bytes]) -> None:
        split: Any = pc.split_pattern(pa.array(blocks, pa.large_binary()), b"\n")
        self._offsets = split.offsets
        self._owners = pc.list_parent_indices(split)
        self._lines = split.values
        self._left = pc.greater(pc.binary_length(self._lines), 0)
        self._pieces: list[list[Piece]] = [[] for _ in blocks]

    def sorted(self, reader: RecordReader) -> list[list[Piece]]:
        """The pieces of every block."""
        for screen, layout in ((reader.bare, BARE), (reader.screen, reader.layout)):
            if screen is not None and self._left_bytes() > _WORTH_A_SCREEN:
                self._take(screen, layout)
        if reader.wide is not None and self._left_bytes() > _WORTH_THE_WIDER:
            self._take_widely(reader.wide)
        self._give(self._left, None)
        return self._pieces

    def _take_widely(self, wide: Wider) -> None:
        """What is left by the wider screen: block by block, from which it learns, and then line by line."""
        rest = self._joined(self._left)
        blocks = [at for at, text in enumerate(rest) if text is not None]
        found = wide.layouts([text for text in rest if text is not None])
        for layout in {each for each in found if each is not None}:
            taken = [at for at, each in zip(blocks, found, strict=True) if each == layout]
            self._give(pc.and_(self._left, pc.is_in(self._owners, pa.array(taken, self._owners.type))), layout)
        if wide.screen is not None and wide.layout is not None and self._left_bytes() > _WORTH_THE_WIDER:
            self._take(wide.screen, wide.layout)

    def _take(self, screen: Screen, layout: Layout) -> None:
        """The lines that are plain are pieces of this layout."""
        answers = screen.plain_lines(self._lines.filter(self._left))
        self._give(pc.replace_with_mask(self._left, self._left, answers), layout)

    def _give(self, chosen: Any, layout: Layout | None) -> None:  # noqa: ANN401  see pc
        for pieces, data in zip(self._pieces, self._joined(chosen), strict=True):
            if data is not None:
                pieces.append(Piece(data, layout))
        self._left = pc.and_not(self._left, chosen)

    def _left_bytes(self) -> int:
        return pc.sum(pc.binary_length(self._lines.filter(self._left))).as_py() or 0

    def _joined(self, chosen: Any) -> list[bytes | None]:  # noqa: ANN401  likewise
        """By block, those lines where they stand and nothing in place of the others; None where there are none."""
        if not pc.any(chosen).as_py():
            return [None] * len(self._pieces)
        lines = pc.if_else(chosen, self._lines, _NOTHING)
        lists: Any = pa.ListArray.from_arrays(self._offsets, lines)
        texts = pc.binary_join(lists, _LINE_END).to_pylist()
        return [
            text if len(text) >= count else None
            for text, count in zip(texts, pc.list_value_length(lists).to_pylist(), strict=True)
        ]
