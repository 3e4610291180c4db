"""CSV: the header matched by name, plain lines trusted, everything else cut into fields by one strict expression."""

from __future__ import annotations

import re
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded.line_arrays import LINE_END, NOTHING, kernels, without_returns
from autoloader.engines.embedded.readers import Found, Layout, Part
from autoloader.engines.embedded.streams import RAW_BYTES, excerpt
from autoloader.engines.embedded.strict_json import malformed
from autoloader.engines.embedded.unknown import flat_text, joined
from autoloader.engines.forms import RECORD_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from autoloader.engines.embedded.csv_dialect import CsvDialect, Field
    from autoloader.engines.embedded.screen import Screen
    from autoloader.engines.embedded.wider import Wider
    from autoloader.errors import BadRecord

_UNDECODED = re.compile(r"[\udc80-\udcff]")


class CsvReader:
    """Reads one CSV file.

    Args:
        dialect: of the ingestion.
    """

    unit = "line"
    independent = False

    def __init__(self, dialect: CsvDialect) -> None:
        self._dialect = dialect
        self._held = b""
        self._held_line = 0
        self._undecoded = False
        self.layout = Layout("csv")
        self.screen: Screen | None = None
        self.bare: Screen | None = None
        # The header told already which columns the schema does not know.
        self.wide: Wider | None = None

    @property
    def settled(self) -> bool:
        """Whether no quoted field is open."""
        return not self._held

    def begin(self, block: bytes) -> tuple[bytes, int]:
        """Match the header; comments and blank lines before it are skipped."""
        if not self._dialect.options.header:
            self._follow(self._dialect.schema.names, ())
            return block, 0
        text = _decoded(block)
        start = self._next(text, 0, 1)
        if start is None:
            return b"", 0
        at, line = start
        record = self._dialect.fields(text, at)
        if record is None:
            raise self._broken(text[at:], line)
        if _UNDECODED.search(text, at, record[1]):
            raise _not_utf8(text[at : record[1]], line)
        columns = self._dialect.columns(record[0])
        self._follow(columns, self._dialect.unknown(record[0], columns))
        return text[record[1] :].encode(errors="surrogateescape"), line - 1 + text.count("\n", at, record[1])

    def _follow(self, columns: Sequence[str | None], unknown: tuple[str | None, ...]) -> None:
        self.layout = Layout("csv", tuple(columns), unknown)
        self.screen = self._dialect.screen(len(columns))

    def _next(self, text: str, at: int, line: int) -> tuple[int, int] | None:
        """Where the next record begins: blank lines and comments are stepped over."""
        comment = self._dialect.options.comment
        while at < len(text):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            blank = end - at <= 1 and not text[at:end].strip("\r")
            if not blank and not (comment and text.startswith(comment, at)):
                return at, line
            at, line = end + 1, line + 1
        return None

    def opening(self, ordinal: int) -> bytes:
        """The ordinal becomes the first field of every line."""
        return b"%d%s" % (ordinal, self._dialect.options.sep.encode())

    def tagged(self, lines: Any, openings: Any, numbers: Any) -> Any:  # noqa: ANN401, ARG002  no line is told here
        """With plain line ends."""
        return kernels.binary_join_element_wise(openings, without_returns(lines), LINE_END, NOTHING)

    def untagged(self, tagged: bytes, ordinal: int, line: int) -> Iterable[Part]:
        """A plain block is line for line what was spooled, with plain line ends."""
        opening = self.opening(ordinal)
        yield line, (b"\n" + tagged).replace(b"\n" + opening, b"\n")[1:]

    def exact(self, block: bytes, line: int, *, last: bool) -> Iterator[Found]:
        """Cut into fields one by one; a record that is still open is held for the next block."""
        line = self._held_line if self._held else line
        text = _decoded(self._held + block)
        self._held, self._undecoded = b"", _UNDECODED.search(text) is not None
        at = 0
        while (start := self._next(text, at, line)) is not None:
            at, line = start
            record = self._dialect.fields(text, at)
            end = self._dialect.broken_until(text, at) if record is None else record[1]
            if end is None:
                self._hold(text, at, line, last=last)
                return
            whole = text[at:end]
            yield self._broken(whole, line) if record is None else self._record(record[0], whole, line)
            line += text.count("\n", at, end)
            at = end

    def _hold(self, text: str, at: int, line: int, *, last: bool) -> None:
        held = text[at:].encode(errors="surrogateescape")
        opens = self._dialect.options.quote
        if last or len(held) > RECORD_LIMIT_BYTES or not opens or held.count(opens.encode()) == 0:
            raise self._broken(text[at:], line)
        self._held, self._held_line = held, line

    def _record(self, fields: list[Field], text: str, line: int) -> Found:
        header = self.layout.header
        raw = text.removesuffix("\n").removesuffix("\r")
        if self._undecoded and _UNDECODED.search(text):
            return _not_utf8(raw, line)
        if len(fields) != len(header):
            why = f"it has {len(fields)} fields where {len(header)} belong"
            return malformed(why, unit="line", number=line, raw=excerpt(raw))
        members = [
            f"{quoted(name)}:{quoted(value)}"
            for name, value in zip(header, fields, strict=True)
            if name is not None and value is not None and (value or name in self._dialect.strings)
        ]
        record = f"{{{','.join(members)}}}"
        if self.layout.unknown:
            named = zip(self.layout.unknown, fields, strict=True)
            rest = {name: value for name, value in named if name is not None and value is not None}
            record = joined(record, self._dialect.key, flat_text(rest, self._dialect.mode))
        return line, record, raw

    def _broken(self, text: str, line: int) -> BadRecord:
        raw = _told(text[:RAW_BYTES].removesuffix("\n").removesuffix("\r"))
        return malformed("a quote is broken or never closed", unit="line", number=line, raw=raw)


def _decoded(block: bytes) -> str:
    """The text; a byte that is not UTF-8 becomes a lone surrogate, so that its record alone is bad."""
    return block.decode(errors="surrogateescape")


def _not_utf8(text: str, line: int) -> BadRecord:
    return malformed("it is not UTF-8: set the option encoding", unit="line", number=line, raw=_told(text))


def _told(text: str) -> str:
    return excerpt(text.encode(errors="surrogateescape"))
