"""The files of one statement: how their blocks reach the spool, and what is known of each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from autoloader.engines.embedded.overlong import Overlong
from autoloader.engines.embedded.readers import BARE, NDJSON
from autoloader.engines.embedded.screening import Screening
from autoloader.engines.embedded.spool import Segment, Slice
from autoloader.engines.embedded.streams import excerpt
from autoloader.engines.embedded.strict_json import malformed
from autoloader.engines.tolerance import FIRST_SHOWN
from autoloader.errors import BadRecord, FileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoloader.engines.embedded.fetch import Block
    from autoloader.engines.embedded.readers import Layout, Part, RecordReader
    from autoloader.engines.embedded.sifting import Sifted, Tagged
    from autoloader.engines.embedded.tags import Tags
    from autoloader.engines.embedded.tools import Tools
    from autoloader.model import ClaimedFile

_CANONICAL_AT_ONCE = 1024**2


@dataclass(slots=True)
class Intake:
    """One file on its way.

    Attributes:
        lines: physical lines seen so far. While blocks are screened only they are counted, where that is done.
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


@dataclass(slots=True)
class _Held:
    """Canonical records that are to be written.

    Attributes:
        first: line (or element number) of the first of them.
    """

    first: int = 0
    lines: list[str] = field(default_factory=list)
    characters: int = 0

    def add(self, number: int, line: str) -> None:
        if not self.lines:
            self.first = number
        self.lines.append(line)
        self.characters += len(line)


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
        self._screening: Screening[Intake] = Screening(tools.screens)

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
        if not data.endswith(b"\n"):
            data += b"\n"
        reader = intake.reader
        self._screening.add(intake, reader, data, last=last)
        self._write(self._screening.done() if last or reader.independent else self._screening.all())

    def _write(self, screened: Iterable[Sifted[Intake]]) -> None:
        for sifted in screened:
            for tagged in sifted.tagged:
                self._plain(tagged)
            for odd in sifted.odd:
                self._read(odd.owner, odd.parts, last=odd.last)

    def _plain(self, tagged: Tagged[Intake]) -> None:
        if tagged.layout not in self.plain:
            self.plain[tagged.layout] = Segment(self._new_path())
        segment = self.plain[tagged.layout]
        offset = segment.append(tagged.data, longest=tagged.longest)
        for place in tagged.places:
            place.owner.slices.append(Slice(segment, offset, place.length, place.line, place.past, canonical=False))
            place.owner.records += place.records
            offset += place.length

    def _exact(self, intake: Intake, data: bytes, *, last: bool) -> None:
        self._read(intake, [(intake.lines + 1, data)], last=last)
        intake.lines += data.count(b"\n")

    def _read(self, intake: Intake, parts: Sequence[Part], *, last: bool) -> None:
        try:
            self.read_exactly(intake, parts, last=last)
        except FileError as error:
            intake.fail(error)

    def read_exactly(self, intake: Intake, parts: Iterable[Part], *, last: bool) -> None:
        """Write the canonical records of some bytes; those before one that fails the file are written too.

        Raises:
            BadRecord: the first bad record, or where bad records are tolerated, one behind which nothing can be read.
        """
        keeps = self.rejecting.keeps
        held, refused = _Held(), None
        exact = intake.reader.exact
        try:
            for found in chain.from_iterable(exact(data, line, last=last) for line, data in parts):
                if isinstance(found, BadRecord):
                    self.rejecting.take(intake, found)
                    continue
                number, record, raw = found
                held.add(number, self._tags.canonical(intake.ordinal, number, record, raw if keeps else None))
                if held.characters > _CANONICAL_AT_ONCE:
                    self._write_canonical(intake, held)
                    held = _Held()
        except BadRecord as error:
            refused = error
        self._write_canonical(intake, held)
        if refused is not None:
            raise refused

    def _write_canonical(self, intake: Intake, held: _Held) -> None:
        if held.lines:
            data = "".join(held.lines).encode()
            longest = min(len(data), 4 * max(map(len, held.lines)))
            self._append_canonical(intake, data, held.first, records=len(held.lines), longest=longest)

    def _append_canonical(self, intake: Intake, data: bytes, line: int, *, records: int, longest: int) -> None:
        if self.canonical is None:
            self.canonical = Segment(self._new_path())
        offset = self.canonical.append(data, longest=longest)
        intake.slices.append(Slice(self.canonical, offset, len(data), line, line, canonical=True))
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

    def copy_canonical(self, intake: Intake, data: bytes, line: int) -> None:
        """Records that are canonical already; ``line``: a line before which none of them begins."""
        self._append_canonical(intake, data, line, records=data.count(self._tags.opened), longest=len(data))

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
            records = part.take_out(wanted, self._tags.opening(intake.ordinal), self._tags.numbers)
            intake.records -= len(records)
            rest -= len(records)
            taken = b"".join(text + b"\n" for _, text in records)
            if records and part.canonical:
                self.copy_canonical(intake, taken, records[0][0])
            elif records:
                self.read_exactly(intake, intake.reader.untagged(taken, intake.ordinal, records[0][0]), last=False)
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
