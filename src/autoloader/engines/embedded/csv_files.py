"""CSV: the header matched by name, plain lines trusted, everything else cut into fields by one strict expression."""

from __future__ import annotations

import json
import re
from collections import Counter
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING

from autoloader.engines.embedded.readers import Found, Layout
from autoloader.engines.embedded.screen import Screen, csv_pattern
from autoloader.engines.embedded.streams import RAW_BYTES, excerpt
from autoloader.engines.embedded.strict_json import malformed
from autoloader.engines.embedded.unknown import flat_text, joined
from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.errors import BadRecord, HeaderMismatch
from autoloader.model import UnknownFields
from autoloader.schema.types import Scalar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from autoloader.engines.options import CsvOptions
    from autoloader.schema.types import Schema

_UNDECODED = re.compile(r"[\udc80-\udcff]")
Field = str | None
"""A field's text; None for an unquoted empty one or the ``nullValue``."""


class CsvDialect:
    """How the files of one ingestion are cut, worked out once.

    Args:
        options: of the ingestion.
        schema: its columns.
        mode: what becomes of fields that the schema does not know.
        key: under which their text stands in a canonical record.
        optional: names of columns that a header may lack.
    """

    def __init__(
        self,
        options: CsvOptions,
        schema: Schema,
        mode: UnknownFields = UnknownFields.IGNORE,
        key: str = "",
        optional: Collection[str] = (),
    ) -> None:
        self.options = options
        self.optional = optional
        self.schema = schema
        self.mode = mode
        self.key = key
        self.strings = {column.name for column in schema.columns if column.type is Scalar.STRING}
        self._screens: dict[int, Screen | None] = {}
        sep = re.escape(options.sep)
        bare = f"[^{sep}\\n{re.escape(options.quote) if options.quote else ''}]*"
        self.closed = re.compile(self._closed()) if options.quote else None
        self.field = re.compile(f"{self._quoted()}(?P<bare>{bare})(?P<end>{sep}|\\n|\\Z)")

    def _closed(self) -> str:
        """A quoted text, whatever follows it."""
        quote = re.escape(self.options.quote or "")
        return f"{quote}(?P<quoted>{self._inner()}){quote}"

    def _inner(self) -> str:
        quote, escape = re.escape(self.options.quote or ""), re.escape(self.options.escape or "")
        if not escape:
            return f"[^{quote}]*"
        if escape == quote:
            return f"(?:[^{quote}]|{quote}{quote})*+"
        return f"(?:[^{quote}{escape}]|{escape}[\\s\\S])*+"

    def _quoted(self) -> str:
        if not self.options.quote:
            return ""
        return f"(?:{self._closed()}(?=\\r?\\n|\\r?\\Z|{re.escape(self.options.sep)})\\r?)?"

    def screen(self, fields: int) -> Screen | None:
        """The screen for lines of so many fields."""
        if fields not in self._screens:
            options = self.options
            pattern = csv_pattern(
                fields, sep=options.sep, quote=options.quote, escape=options.escape, comment=options.comment
            )
            # A plain block is read without a look at its lines: nobody would know which is which.
            self._screens[fields] = Screen(pattern) if pattern and not options.source_row else None
        return self._screens[fields]

    def fields(self, text: str, at: int) -> tuple[list[Field], int] | None:
        """The fields of the record that begins at ``at`` and where it ends; None when a quote is broken or open."""
        found: list[Field] = []
        while (match := self.field.match(text, at)) is not None:
            found.append(self._field(match))
            at = match.end()
            if match["end"] != self.options.sep:
                return found, at
        return None

    def broken_until(self, text: str, at: int) -> int | None:
        """Where the line ends on which the record that begins at ``at`` is broken; None when a quote is still open.

        Args:
            at: where ``fields`` finds no record.
        """
        while (match := self.field.match(text, at)) is not None:
            at = match.end()
        if self.closed is not None and self.options.quote and text.startswith(self.options.quote, at):
            closed = self.closed.match(text, at)
            if closed is None:
                return None
            at = closed.end()
        end = text.find("\n", at)
        return len(text) if end < 0 else end + 1

    def _field(self, match: re.Match[str]) -> Field:
        quoted = match["quoted"] if self.options.quote else None
        if quoted is None:
            bare = match["bare"]
            bare = bare.removesuffix("\r") if match["end"] != self.options.sep else bare
            return None if bare in {"", self.options.null_value} else bare
        escape, quote = self.options.escape, self.options.quote or ""
        if not escape:
            return quoted
        if escape == quote:
            return quoted.replace(quote * 2, quote)
        return re.sub(f"{re.escape(escape)}([{re.escape(escape + quote)}])", lambda m: m[1], quoted)

    def columns(self, header: Sequence[Field]) -> tuple[str | None, ...]:
        """The schema's column at each position of a file: the same name, or else the same but for case.

        Raises:
            HeaderMismatch: a column is missing, or a name stands there twice.
        """
        names = [name or "" for name in header]
        twice = sorted(name for name, times in Counter(names).items() if name and times > 1)
        if twice:
            raise HeaderMismatch(f"the header names {_listed(twice)} more than once: each name must stand there once")
        exact = {name for name in names if name in set(self.schema.names)}
        loose = {name.casefold(): name for name in self.schema.names if name not in exact}
        found = [name if name in exact else loose.pop(name.casefold(), None) for name in names]
        missing = [name for name in self.schema.names if name not in found and name not in self.optional]
        if missing:
            raise HeaderMismatch(f"the header lacks {_listed(missing)}; it has {_listed(names)}")
        return tuple(found)

    def unknown(self, header: Sequence[Field], columns: Sequence[str | None]) -> tuple[str | None, ...]:
        """The name of each column that the schema does not know, as Spark names one without: by its position."""
        if self.mode is UnknownFields.IGNORE:
            return ()
        taken = {name for name in header if name}
        found: list[str | None] = []
        for at, (name, known) in enumerate(zip(header, columns, strict=True)):
            found.append(None if known is not None else name or _free(f"_c{at}", taken))
        return tuple(found) if any(name is not None for name in found) else ()


def _free(name: str, taken: set[str]) -> str:
    """The name, with so many lines behind it that no column has it already."""
    while name in taken:
        name += "_"
    return name


def _listed(names: Sequence[str]) -> str:
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in names)


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
            raise self._broken(text, at, line)
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

    def wider(self, block: bytes) -> Layout | None:  # noqa: ARG002  the protocol's
        """The header told already which columns the schema does not know."""
        return None

    def tag(self, block: bytes, ordinal: int) -> tuple[bytes, int]:
        """The ordinal becomes the first field of every line; a plain block ends each of them with a line end."""
        lines = block.replace(b"\r\n", b"\n")
        opening = b"%d%s" % (ordinal, self._dialect.options.sep.encode())
        tagged = opening + lines.replace(b"\n", b"\n" + opening)
        return tagged[: -len(opening)], lines.count(b"\n")

    def untag(self, tagged: bytes, ordinal: int) -> bytes:
        """Line for line what ``tag`` was given, with plain line ends."""
        opening = b"%d%s" % (ordinal, self._dialect.options.sep.encode())
        return (b"\n" + tagged).replace(b"\n" + opening, b"\n")[1:]

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
            yield self._broken(text, at, line) if record is None else self._record(record[0], text[at:end], line)
            line += text.count("\n", at, end)
            at = end

    def _hold(self, text: str, at: int, line: int, *, last: bool) -> None:
        held = text[at:].encode(errors="surrogateescape")
        opens = self._dialect.options.quote
        if last or len(held) > RECORD_LIMIT_BYTES or not opens or held.count(opens.encode()) == 0:
            raise self._broken(text, at, line)
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

    def _broken(self, text: str, at: int, line: int) -> BadRecord:
        raw = _told(text[at : at + RAW_BYTES].split("\n", maxsplit=1)[0])
        return malformed("a quote is broken or never closed", unit="line", number=line, raw=raw)


def _decoded(block: bytes) -> str:
    """The text; a byte that is not UTF-8 becomes a lone surrogate, so that its record alone is bad."""
    return block.decode(errors="surrogateescape")


def _not_utf8(text: str, line: int) -> BadRecord:
    return malformed("it is not UTF-8: set the option encoding", unit="line", number=line, raw=_told(text))


def _told(text: str) -> str:
    return excerpt(text.encode(errors="surrogateescape"))
