"""The spool: local files, each holding the records of many source files, with a note of where each of those lies."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.scratch import room

if TYPE_CHECKING:
    import re
    from collections.abc import Sequence
    from pathlib import Path


_FEW = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """The records of one source file in one segment.

    Attributes:
        segment: where they lie.
        offset: first byte.
        length: bytes.
        line: physical line of the source file before which none of them begins.
        past: one behind which none of them begins, where they are plain.
        canonical: whether they are canonical records (else plain ones, tagged).
    """

    segment: Segment
    offset: int
    length: int
    line: int
    past: int
    canonical: bool

    def read(self) -> bytes:
        """The bytes."""
        with self.segment.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def blank(self) -> None:
        """Overwrite with line ends: every reader skips them, and the other slices stay where they are."""
        self._overwrite(b"\n" * self.length)

    def take_out(self, wanted: Sequence[int], opening: bytes, numbers: re.Pattern[bytes]) -> list[tuple[int, bytes]]:
        """Overwrite the records of some lines with blanks, which every reader skips; the others stay where they are.

        Args:
            wanted: physical lines (or element numbers), in ascending order.
            opening: what a record begins with, before its line.
            numbers: likewise, of any file; the second group is the line.

        Returns:
            What was taken out, without line ends.
        """
        begin, end = bisect_left(wanted, self.line), bisect_left(wanted, self.past)
        if not self.canonical and end - begin <= _FEW:
            return self._find(wanted[begin:end], opening) if end > begin else []
        taken: list[tuple[int, bytes]] = []
        lines = self.read().split(b"\n")
        for at, text in enumerate(lines):
            found = numbers.match(text)
            if found and _holds(wanted, int(found[2])):
                taken.append((int(found[2]), text))
                lines[at] = b" " * len(text)
        if taken:
            self._overwrite(b"\n".join(lines))
        return taken

    def _find(self, wanted: Sequence[int], opening: bytes) -> list[tuple[int, bytes]]:
        """As ``take_out``, of plain records; where few are wanted there is no look at every line."""
        data, taken = self.read(), []
        for line in wanted:
            at = data.find(b"%s%d," % (opening, line))
            if at >= 0:
                text = data[at : data.index(b"\n", at)]
                taken.append((line, text))
                self._overwrite(b" " * len(text), at)
        return taken

    def _overwrite(self, data: bytes, at: int = 0) -> None:
        with self.segment.path.open("r+b") as file:
            file.seek(self.offset + at)
            file.write(data)


class Segment:
    """One file of the spool, appended to and then read as a whole.

    Attributes:
        path: of the file.
        size: bytes written so far.
        longest: no line is longer than this.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.longest = 0
        self._file = path.open("wb", buffering=1024**2)

    def append(self, data: bytes | memoryview, *, longest: int) -> int:
        """Add some records.

        Args:
            data: whole lines.
            longest: no line of ``data`` is longer.

        Returns:
            Where they begin.

        Raises:
            SpoolFull: no room on the disk.
        """
        with room(self.path.parent):
            length = self._file.write(data)
        offset, self.size = self.size, self.size + length
        self.longest = max(self.longest, longest)
        return offset

    def close(self) -> None:
        """Write out what is buffered; the file can be read from now on."""
        with room(self.path.parent):
            self._file.close()

    def remove(self) -> None:
        """Give the room back."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _holds(ascending: Sequence[int], number: int) -> bool:
    at = bisect_left(ascending, number)
    return at < len(ascending) and ascending[at] == number
