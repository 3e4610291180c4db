"""What the spool asks of a format: how the blocks of one file become records, exactly, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from autoloader.errors import BadRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from autoloader.engines.embedded.screen import Screen
    from autoloader.engines.embedded.wider import Wider


@dataclass(frozen=True, slots=True)
class Layout:
    """What blocks of several files must have in common to share a spool file.

    Attributes:
        kind: ``ndjson`` (as it came, or canonical) or ``csv``.
        header: for CSV: the schema's column that stands at each position, None for one that is left out.
        unknown: where unknown fields are not ignored: for CSV the name of each column that the schema does not know,
            None for the others; for NDJSON the unknown keys that its records may have.
    """

    kind: str
    header: tuple[str | None, ...] = ()
    unknown: tuple[str | None, ...] = ()


NDJSON = Layout("ndjson")
BARE = Layout("bare")
"""NDJSON in which every value is so plain that it can be read typed."""


Part = tuple[int, bytes]
"""Some bytes of a file, and the line at which they begin."""
Found = tuple[int, str, str] | BadRecord
"""A record: where it begins, its canonical text, and the start of its text as it stands there. Or one that is bad."""


class RecordReader(Protocol):
    """Reads one file, a block at a time.

    Attributes:
        unit: what its records are counted by: ``line`` or ``element``.
        layout: of the blocks that the screen finds plain; known after ``begin``.
        screen: None where no block can be trusted unseen.
        bare: the stricter screen for blocks that may be read typed, where there is one.
        wide: looks at blocks that no screen found plain, where there is one.
        independent: whether every line stands for itself; else how a block is read can depend on the one before.
        settled: false while a record has begun that the blocks so far do not end: the next one must be read exactly.
    """

    unit: str
    independent: bool
    layout: Layout
    screen: Screen | None
    bare: Screen | None
    wide: Wider | None

    @property
    def settled(self) -> bool:
        """See above."""
        ...

    def begin(self, block: bytes) -> tuple[bytes, int]:
        """Take what comes before the records from the first block; the rest, and how many lines were taken.

        Raises:
            FileError: the file does not begin as it must.
        """
        ...

    def opening(self, ordinal: int) -> bytes:
        """What is put before every plain record of this file."""
        ...

    def tagged(self, lines: Any, openings: Any, numbers: Any) -> Any:  # noqa: ANN401  Arrow's types know no bytes
        """Plain records, as they are spooled: with their openings and line ends.

        Args:
            lines: an array of them, without line ends.
            openings: of the file of each.
            numbers: at which physical lines they stand.
        """
        ...

    def untagged(self, tagged: bytes, ordinal: int, line: int) -> Iterable[Part]:
        """The records again, from some that were spooled one after the other.

        Args:
            tagged: their bytes.
            ordinal: of the file.
            line: a physical line before which none of them begins.
        """
        ...

    def exact(self, block: bytes, line: int, *, last: bool) -> Iterator[Found]:
        """The records that end in this block, good and bad.

        Args:
            block: the next bytes of the file.
            line: the physical line at which the block begins.
            last: whether the file ends with it.

        Raises:
            BadRecord: one of which nobody can tell where it ends; those before it have been given.
        """
        ...


class Unscreened:
    """What readers have in common that trust no block unseen: every record is read exactly, so nothing is tagged."""

    layout: Layout = NDJSON
    screen: Screen | None = None
    bare: Screen | None = None
    wide: Wider | None = None

    def begin(self, block: bytes) -> tuple[bytes, int]:
        """There is nothing before the records."""
        return block, 0

    def opening(self, ordinal: int) -> bytes:
        """Never asked: there is no screen."""
        raise AssertionError(ordinal)

    def tagged(self, lines: Any, openings: Any, numbers: Any) -> Any:  # noqa: ANN401  see above
        """Never asked likewise."""
        raise AssertionError((lines, openings, numbers))

    def untagged(self, tagged: bytes, ordinal: int, line: int) -> Iterable[Part]:
        """Never asked: nothing is tagged."""
        raise AssertionError((tagged[:20], ordinal, line))
