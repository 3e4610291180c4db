"""Blocks cut into lines, sorted by how each can be read, and tagged: an odd line costs no more than itself.

Arrow does it for many blocks at once, without Python's lock: 10,000 small files would take long one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import pyarrow as pa

from autoloader.engines.embedded.line_arrays import BYTES, arrow, chosen_of, kernels, line_bounds, lines_of
from autoloader.engines.embedded.readers import BARE, NDJSON

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoloader.engines.embedded.readers import Layout, Part, RecordReader
    from autoloader.engines.embedded.screen import Screen
    from autoloader.engines.embedded.wider import Wider

_WORTH_A_SCREEN = 64 * 1024
_WORTH_THE_WIDER = 256 * 1024
"""To compile an expression takes longer than to read so many bytes exactly."""


class Counted(Protocol):
    """A file of which blocks come.

    Attributes:
        lines: how many physical lines the blocks had that were sifted.
    """

    @property
    def ordinal(self) -> int:
        """Of the file in its load."""
        ...

    lines: int


Owner = TypeVar("Owner", bound=Counted)


@dataclass(frozen=True, slots=True)
class Block(Generic[Owner]):
    """Whole lines of a file, each with its line end.

    Attributes:
        last: whether the file ends with them.
    """

    owner: Owner
    reader: RecordReader
    data: bytes
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Place(Generic[Owner]):
    """Records of one block within what was tagged; they follow those of the block before.

    Attributes:
        line: physical line at which the block begins.
        past: the one behind it.
        length: bytes of the tagged records.
        records: how many they are.
    """

    owner: Owner
    line: int
    past: int
    length: int
    records: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tagged(Generic[Owner]):
    """Plain records of some blocks, as they are spooled.

    Attributes:
        longest: no line of ``data`` is longer.
        places: where which of them are, one after the other.
    """

    layout: Layout
    data: memoryview
    longest: int
    places: list[Place[Owner]]


@dataclass(frozen=True, slots=True)
class Odd(Generic[Owner]):
    """What of a block must be read exactly: lines, or all of it."""

    owner: Owner
    parts: list[Part]
    last: bool


@dataclass(slots=True)
class Sifted(Generic[Owner]):
    """What became of some blocks.

    Attributes:
        all_cut: whether each of them had to be cut, or read in a wider way.
    """

    tagged: list[Tagged[Owner]] = field(default_factory=list)
    odd: list[Odd[Owner]] = field(default_factory=list)
    all_cut: bool = False


class Sieve(Generic[Owner]):
    """Sorts the lines of some blocks, all of one kind of reader.

    Args:
        blocks: in their order in each file.
    """

    def __init__(self, blocks: Sequence[Block[Owner]]) -> None:
        self._blocks = blocks
        self._lines = lines_of([block.data for block in blocks])
        self._bounds = list(pairwise(line_bounds(self._lines, [len(block.data) for block in blocks])))
        firsts = arrow.array([*(begin for begin, _ in self._bounds), len(self._lines)], pa.int32())
        self._at = kernels.list_parent_indices(pa.ListArray.from_arrays(firsts, self._lines))
        self._spans: list[tuple[int, int]] = []
        self._numbers: Any = None
        self._left = kernels.and_(
            kernels.greater(kernels.binary_length(self._lines), 0), kernels.not_equal(self._lines, b"\r")
        )
        self._begun: set[int] = set()
        self._cut: set[int] = set()
        self._sifted: Sifted[Owner] = Sifted()

    def count(self) -> None:
        """Tell the files how many lines these are, which numbers them; those before them must have been counted."""
        counted = zip(self._blocks, self._bounds, strict=True)
        self._spans = [_counted(block.owner, end - begin) for block, (begin, end) in counted]
        before = [first - begin for (first, _), (begin, _) in zip(self._spans, self._bounds, strict=True)]
        shifts = arrow.array(before, pa.int64()).take(self._at)
        self._numbers = kernels.add(arrow.arange(0, len(self._lines)), shifts)

    def sifted(self, layouts: Sequence[Layout | None]) -> Sifted[Owner]:
        """All lines, sorted, once they are counted.

        Args:
            layouts: of each block how it can be read as a whole; None where it cannot.
        """
        for layout in dict.fromkeys(layouts):
            if layout is not None:
                self._give(self._within([at for at, own in enumerate(layouts) if own == layout]), layout)
        reader = self._blocks[0].reader
        if reader.independent:
            self._sort(reader)
            self._cut.update(at for at, _ in self._counts(self._left))
            self._sifted.odd = list(self._odd_lines())
            self._sifted.all_cut = len(self._cut) == len(self._blocks)
        else:
            self._sifted.odd = [self._odd_block(at) for at, layout in enumerate(layouts) if layout is None]
        return self._sifted

    def _sort(self, reader: RecordReader) -> None:
        """Readers of lines share their screens."""
        for screen, layout in ((reader.bare, BARE), (reader.screen, reader.layout)):
            if screen is not None and self._left_bytes() > _WORTH_A_SCREEN:
                self._take(screen, layout)
        if reader.wide is not None and self._left_bytes() > _WORTH_THE_WIDER:
            with reader.wide.turn:
                self._take_widely(reader.wide)

    def _take_widely(self, wide: Wider) -> None:
        """What is left by the wider screen: block by block, from which it learns, and then line by line."""
        rest = list(self._odd_lines())
        blocks = [at for at, _ in self._counts(self._left)]
        found = wide.layouts([b"".join(text + b"\n" for _, text in odd.parts) for odd in rest])
        for layout in {each for each in found if each is not None}:
            self._give(self._within([at for at, own in zip(blocks, found, strict=True) if own == layout]), layout)
        if wide.screen is not None and wide.layout is not None and self._left_bytes() > _WORTH_THE_WIDER:
            self._take(wide.screen, wide.layout)

    def _take(self, screen: Screen, layout: Layout) -> None:
        """The lines that are plain are of this layout."""
        answers = screen.plain_lines(chosen_of(self._lines, self._left))
        self._give(kernels.replace_with_mask(self._left, self._left, answers), layout)

    def _within(self, blocks: Sequence[int]) -> Any:  # noqa: ANN401  see kernels
        """Which lines are left in these blocks."""
        if len(blocks) == len(self._blocks):
            return self._left
        return kernels.and_(self._left, kernels.is_in(self._at, arrow.array(blocks, self._at.type)))

    def _give(self, chosen: Any, layout: Layout) -> None:  # noqa: ANN401  likewise
        at = chosen_of(self._at, chosen)
        if not len(at):
            return
        openings = [block.reader.opening(block.owner.ordinal) for block in self._blocks]
        tagged = self._blocks[0].reader.tagged(
            chosen_of(self._lines, chosen), arrow.array(openings, BYTES).take(at), chosen_of(self._numbers, chosen)
        )
        counts = self._counts(chosen)
        given = {block for block, _ in counts}
        self._cut |= given & self._begun if layout in {BARE, NDJSON} else given
        self._begun |= given
        offsets: Any = pa.Array.from_buffers(pa.int64(), len(tagged) + 1, [None, tagged.buffers()[1]])
        ends = offsets.take(arrow.array(list(accumulate((count for _, count in counts), initial=0)))).to_pylist()
        places = [
            Place(
                owner=self._blocks[block].owner,
                line=self._spans[block][0],
                past=self._spans[block][1],
                length=end - begin,
                records=count,
            )
            for (block, count), (begin, end) in zip(counts, pairwise(ends), strict=True)
        ]
        data = memoryview(tagged.buffers()[2])[: ends[-1]]
        longest = kernels.max(kernels.binary_length(tagged)).as_py()
        self._sifted.tagged.append(Tagged(layout=layout, data=data, longest=longest, places=places))
        self._left = kernels.and_not(self._left, chosen)

    def _counts(self, chosen: Any) -> list[tuple[int, int]]:  # noqa: ANN401  likewise
        """Which blocks have chosen lines, in ascending order, and how many."""
        counts = kernels.value_counts(chosen_of(self._at, chosen)).to_pylist()
        return [(each["values"], each["counts"]) for each in counts]

    def _left_bytes(self) -> int:
        lengths = kernels.binary_length(self._lines)
        return kernels.sum(lengths.filter(self._left)).as_py() or 0

    def _odd_lines(self) -> Iterator[Odd[Owner]]:
        """What is left, by block."""
        numbers = self._numbers.filter(self._left).to_pylist()
        parts = list(zip(numbers, self._lines.filter(self._left).to_pylist(), strict=True))
        begin = 0
        for at, count in self._counts(self._left):
            yield Odd(self._blocks[at].owner, parts[begin : begin + count], self._blocks[at].last)
            begin += count

    def _odd_block(self, at: int) -> Odd[Owner]:
        block = self._blocks[at]
        return Odd(block.owner, [(self._spans[at][0], block.data)], block.last)


def _counted(owner: Counted, lines: int) -> tuple[int, int]:
    """The first line of the next block, and the one behind it."""
    first = owner.lines + 1
    owner.lines += lines
    return first, owner.lines + 1
