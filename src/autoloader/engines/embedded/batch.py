"""The files of one statement: how their blocks reach the spool, and what is known of each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from autoloader.engines.embedded.overlong import Overlong
from autoloader.engines.embedded.readers import BARE, NDJSON
from autoloader.engines.embedded.screening import Screening
from autoloader.engines.embedded.spool import Segment
from autoloader.engines.embedded.streams import excerpt
from autoloader.engines.embedded.strict_json import malformed
from autoloader.engines.tolerance import FIRST_SHOWN
from autoloader.errors import BadRecord, FileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoloader.engines.embedded.fetch import Block
    from autoloader.engines.embedded.readers import Layout, Piece, RecordReader
    from autoloader.engines.embedded.spool import Slice
    from autoloader.engines.embedded.tags import Tags
    from autoloader.engines.embedded.tools import Tools
    from autoloader.model import ClaimedFile

_CANONICAL_AT_ONCE = 1024**2


@dataclass(slots=True)
class Intake:
    """One file on its way.

    Attributes:
        lines: physical lines seen so far.
        records: records in ``slices``.
        rejected: bad records that were found so far and are in no slice.
        first_refused: line (or element number) and message of the first few of them.
        error: why it fails; its slices are blanked before anything is written.
    """

    file: ClaimedFile
    ordinal: int
    reader: RecordReader
    begun: bool = False
    lines: int = 0
    records: int = 0
    rejected: int = 0
    first_refused: list[tuple[int, str]] = field(default_factory=list)
    bytes_read: int = 0
    seconds: float = 0.0
    slices: list[Slice] = field(default_factory=list)
    error: FileError | None = None

    def fail(self, error: FileError) -> None:
        """Keep the first reason."""
        if self.error is None:
            self.error = error

    def refuse(self, count: int, first: Iterable[tuple[int, str]]) -> None:
        """So many bad records more."""
        self.rejected += count
        self.first_refused = sorted([*self.first_refused, *first])[:FIRST_SHOWN]


class Batch:
    """Some files whose records will be parsed together.

    Args:
        files: by ordinal.
        tags: of the load.
        tools: of the load.
    """

    def __init__(self, files: dict[int, Intake], tags: Tags, tools: Tools) -> None:
        self.files = files
        self.plain: dict[Layout, Segment] = {}
        self.canonical: Segment | None = None
        self._adopted: list[Segment] = []
        self.rejecting = tools.rejecting
        self._tags = tags
        self._new_path = tools.new_path
        self._screening: Screening[Intake] = Screening(tools.screening)

    def add(self, block: Block) -> None:
        """Take the next block of one of the files."""
        intake = self.files[block.ordinal]
        intake.bytes_read += block.bytes_read
        intake.seconds = block.seconds
        if block.error is not None:
            if not isinstance(block.error, FileError):
                raise block.error
            intake.fail(block.error)
        if intake.error is None and (block.data or block.last):
            self._take(intake, block.data, last=block.last)

    def _take(self, intake: Intake, data: bytes, *, last: bool) -> None:
        try:
            if not intake.begun and not isinstance(data, Overlong):
                intake.begun = True
                data, intake.lines = intake.reader.begin(data)
            if isinstance(data, Overlong):
                self._overlong(intake, data, last=last)
            elif not intake.reader.settled or intake.reader.screen is None:
                self._exact(intake, data, last=last)
            elif data:
                self._screen(intake, data, last=last)
        except FileError as error:
            intake.fail(error)

    def _overlong(self, intake: Intake, start: bytes, *, last: bool) -> None:
        """A line over the record limit: a bad record, where the reader stands at the beginning of one."""
        self._write(self._screening.all())
        line = intake.lines + 1
        error = malformed("it is over 16 MiB; split it", unit=intake.reader.unit, number=line, raw=excerpt(start))
        if not (intake.begun and intake.reader.settled) and not intake.reader.independent:
            raise error
        intake.begun = True
        self.rejecting.take(intake, error)
        intake.lines = line
        if last:
            self._exact(intake, b"", last=True)

    def _screen(self, intake: Intake, data: bytes, *, last: bool) -> None:
        """Screen a block with others; where the next block of its file depends on it, at once."""
        if last and not data.endswith(b"\n"):
            data += b"\n"
        reader = intake.reader
        self._screening.add(intake, reader, data, last=last)
        self._write(self._screening.done() if last or reader.independent else self._screening.all())

    def _write(self, screened: Iterable[tuple[Intake, bytes, bool, list[Piece]]]) -> None:
        for intake, data, last, pieces in screened:
            for piece in pieces:
                if piece.layout is None:
                    self._read(intake, piece.data, last=last)
                else:
                    self._plain(intake, piece.data, piece.layout)
            intake.lines += data.count(b"\n")

    def _plain(self, intake: Intake, data: bytes, layout: Layout) -> None:
        if layout not in self.plain:
            self.plain[layout] = Segment(self._new_path())
        line = intake.lines + 1
        tagged, records = intake.reader.tag(data, intake.ordinal, line)
        intake.slices.append(self.plain[layout].append(tagged, line=line, canonical=False, longest=len(tagged)))
        intake.records += records

    def _exact(self, intake: Intake, data: bytes, *, last: bool) -> None:
        self._read(intake, data, last=last)
        intake.lines += data.count(b"\n")

    def _read(self, intake: Intake, data: bytes, *, last: bool) -> None:
        try:
            self.read_exactly(intake, data, intake.lines + 1, last=last)
        except FileError as error:
            intake.fail(error)

    def read_exactly(self, intake: Intake, data: bytes, line: int, *, last: bool) -> None:
        """Write the canonical records of a block; those before one that fails the file are written too.

        Raises:
            BadRecord: the first bad record, or where bad records are tolerated, one behind which nothing can be read.
        """
        keeps = self.rejecting.keeps
        held: list[str] = []
        held_characters = 0
        refused: BadRecord | None = None
        try:
            for found in intake.reader.exact(data, line, last=last):
                if isinstance(found, BadRecord):
                    self.rejecting.take(intake, found)
                    continue
                number, record, raw = found
                held.append(self._tags.canonical(intake.ordinal, number, record, raw if keeps else None))
                held_characters += len(held[-1])
                if held_characters > _CANONICAL_AT_ONCE:
                    self._write_canonical(intake, held)
                    held, held_characters = [], 0
        except BadRecord as error:
            refused = error
        self._write_canonical(intake, held)
        if refused is not None:
            raise refused

    def _write_canonical(self, intake: Intake, lines: list[str]) -> None:
        if lines:
            data = "".join(lines).encode()
            longest = min(len(data), 4 * max(map(len, lines)))
            self._append_canonical(intake, data, records=len(lines), longest=longest)

    def _append_canonical(self, intake: Intake, data: bytes, *, records: int, longest: int) -> None:
        if self.canonical is None:
            self.canonical = Segment(self._new_path())
        added = self.canonical.append(data, line=intake.lines + 1, canonical=True, longest=longest)
        intake.slices.append(added)
        intake.records += records

    def close(self) -> None:
        """Nothing more comes: the segments can be read."""
        self._write(self._screening.all())
        for segment in self.segments:
            segment.close()

    @property
    def segments(self) -> list[Segment]:
        """All of them."""
        return [*self.plain.values(), *([self.canonical] if self.canonical else []), *self._adopted]

    @property
    def ndjson(self) -> list[Segment]:
        """Those that hold JSON that is to be judged: plain and canonical alike."""
        return [segment for segment in self.segments if segment not in self._csv]

    @property
    def _csv(self) -> list[Segment]:
        return [segment for layout, segment in self.plain.items() if layout not in {NDJSON, BARE}]

    def adopt(self, segment: Segment) -> None:
        """Take over canonical records that a second reading of some files has written."""
        self._adopted.append(segment)

    def copy_canonical(self, intake: Intake, data: bytes) -> None:
        """Records that are canonical already."""
        self._append_canonical(intake, data, records=data.count(self._tags.opened), longest=len(data))

    def take_apart(self, intake: Intake, wanted: Sequence[int]) -> int:
        """Read the records of some lines exactly, which slices of another batch hold; those lose them.

        Args:
            intake: the file.
            wanted: the lines, in ascending order.

        Returns:
            How many records the file has besides.
        """
        rest = intake.records
        for part in tuple(intake.slices):
            records = part.take_out(wanted, self._tags.numbers)
            intake.records -= len(records)
            rest -= len(records)
            if records and part.canonical:
                self.copy_canonical(intake, b"".join(text + b"\n" for _, text in records))
            elif records:
                first = records[0][0]
                lines = [b""] * (records[-1][0] - first + 1)
                for line, text in records:
                    lines[line - first] = intake.reader.untag(text, intake.ordinal)
                self.read_exactly(intake, b"\n".join(lines), first, last=False)
        return rest

    def remove(self) -> None:
        """Give the room of the spool back."""
        for segment in self.segments:
            segment.remove()

    def blank(self, intake: Intake) -> None:
        """Take the records of a file out."""
        for part in intake.slices:
            part.blank()
        intake.slices = []
        intake.records = 0
