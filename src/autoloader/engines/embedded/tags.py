"""The extra keys that let the records of many files share one spool file, and lead each back to where it stood."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING

from autoloader.engines.embedded.streams import excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Tags:
    """Names of the extra keys of one load, drawn at random: no record can bring them along by chance or on purpose.

    Attributes:
        file: key of the file's ordinal in its load.
        line: key of the physical line (JSON documents: element number) where a record begins.
        unknown: key of the text about the fields that the schema does not know.
        raw: key of the start of a record's text as it stands in its file, where it may be wanted.
    """

    file: str
    line: str
    unknown: str
    raw: str

    @property
    def opened(self) -> bytes:
        """What every record begins with, and nothing else holds."""
        return b'{"%s":' % self.file.encode()

    def opening(self, ordinal: int) -> bytes:
        """What replaces the opening brace of a record of this file, with its line and a comma behind it.

        ``{}`` becomes ``{"…":1,"…":2,}``, which DuckDB takes.
        """
        return b'{"%s":%d,"%s":' % (self.file.encode(), ordinal, self.line.encode())

    @property
    def numbers(self) -> re.Pattern[bytes]:
        """What a record with its line begins with; the groups are the ordinal and the line."""
        return re.compile(rb'\{"%s":(\d+),"%s":(\d+)[,}]' % (self.file.encode(), self.line.encode()))

    def canonical(self, ordinal: int, line: int, record: str, raw: str | None = None) -> str:
        """A canonical record (a JSON object as text) with the keys, as one line."""
        rest = "," + record[1:] if record != "{}" else "}"
        if raw is not None:
            rest = f',"{self.raw}":{quoted(excerpt(raw))}{rest}'
        return f'{{"{self.file}":{ordinal},"{self.line}":{line}{rest}\n'


def draw_tags(taken: Iterable[str]) -> Tags:
    """Tags whose names differ from every name in ``taken``, also when case is folded."""
    folded = {name.casefold() for name in taken}
    while True:
        token = secrets.token_hex(4)
        tags = Tags(file=f"f{token}", line=f"n{token}", unknown=f"u{token}", raw=f"r{token}")
        if not {tags.file, tags.line, tags.unknown, tags.raw} & folded:
            return tags
