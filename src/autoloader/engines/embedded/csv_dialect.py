"""How CSV files are cut into fields, and whose columns those are."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from autoloader.engines.embedded.screen import Screen, csv_pattern
from autoloader.errors import HeaderMismatch
from autoloader.model import UnknownFields
from autoloader.schema.types import Scalar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from autoloader.engines.options import CsvOptions
    from autoloader.schema.types import Schema

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
            HeaderMismatch: a column is missing, a name stands there twice, or two differ from a column by case alone.
        """
        names = [name or "" for name in header]
        twice = sorted(name for name, times in Counter(names).items() if name and times > 1)
        if twice:
            raise HeaderMismatch(f"the header names {_listed(twice)} more than once: each name must stand there once")
        exact = {name for name in names if name in set(self.schema.names)}
        loose = {name.casefold(): name for name in self.schema.names if name not in exact}
        folded = Counter(name.casefold() for name in names)
        for fold, name in loose.items():
            if folded[fold] > 1:
                either = _listed([title for title in names if title.casefold() == fold])
                raise HeaderMismatch(f"the header has {either}, each of which may be {_listed([name])}: rename one")
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
