"""One JSON object a line: trusted where the screen finds it plain, parsed by a strict parser where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.embedded.readers import NDJSON
from autoloader.engines.embedded.streams import excerpt
from autoloader.engines.embedded.strict_json import NotJson, canonical_or_bad, malformed, parsed
from autoloader.errors import BadRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from autoloader.engines.embedded.readers import Found, Layout
    from autoloader.engines.embedded.screen import Screen
    from autoloader.engines.embedded.tags import Tags
    from autoloader.engines.embedded.wider import Wider

_BLANK = b" \t\r\n"


class NdjsonReader:
    """Reads one NDJSON file. A record never spans two blocks, so every block stands for itself.

    Args:
        tags: of the load.
        screen: of the schema.
        bare: the stricter one, where the schema has any use for it.
        write: canonical text of a record, from ``canonical_record``.
        wide: looks for blocks that are plain but for unknown keys.
        numbered: whether plain records are to carry the line at which they stand.
    """

    unit = "line"
    independent = True
    settled = True

    def __init__(
        self,
        tags: Tags,
        screen: Screen,
        bare: Screen | None,
        write: Callable[[dict[str, Any]], str],
        wide: Wider,
        *,
        numbered: bool = False,
    ) -> None:
        self.layout: Layout = NDJSON
        self.screen: Screen | None = screen
        self.bare: Screen | None = bare
        self.wide: Wider | None = wide
        self._tags = tags
        self._write = write
        self._numbered = numbered

    def begin(self, block: bytes) -> tuple[bytes, int]:
        """An NDJSON file has nothing before its records."""
        return block, 0

    def tag(self, block: bytes, ordinal: int, line: int) -> tuple[bytes, int]:
        """A plain record begins its line, so a replacement finds each of them."""
        if self._numbered:
            return self._with_numbers(block, ordinal, line)
        opening = self._tags.opening(ordinal)
        tagged = block.replace(b"\n{", b"\n" + opening)
        if block.startswith(b"{"):
            tagged = opening + tagged[1:]
        records = (len(tagged) - len(block)) // (len(opening) - 1)
        return (tagged if tagged.endswith(b"\n") else tagged + b"\n"), records

    def _with_numbers(self, block: bytes, ordinal: int, line: int) -> tuple[bytes, int]:
        opening, records = self._tags.numbered(ordinal), 0
        lines = block.removesuffix(b"\n").split(b"\n")
        for at, text in enumerate(lines):
            if text[:1] == b"{":
                lines[at] = opening % (line + at) + text[1:]
                records += 1
        return b"\n".join(lines) + b"\n", records

    def untag(self, tagged: bytes, ordinal: int) -> bytes:
        """Line for line what ``tag`` was given."""
        if self._numbered:
            return self._tags.without_numbers(tagged)
        return (b"\n" + tagged).replace(b"\n" + self._tags.opening(ordinal), b"\n{")[1:]

    def exact(self, block: bytes, line: int, *, last: bool) -> Iterator[Found]:  # noqa: ARG002  a block ends with a line
        """Parse line by line; blank lines are skipped but counted."""
        for number, raw in enumerate(block.split(b"\n"), start=line):
            if raw.strip(_BLANK):
                try:
                    text, record = self._record(raw, number)
                except BadRecord as error:
                    yield error
                else:
                    yield number, record, text

    def _record(self, raw: bytes, number: int) -> tuple[str, str]:
        raw = raw.removesuffix(b"\r")
        try:
            text = raw.decode()
            record = parsed(text)
        except NotJson as error:
            hint = "; for a JSON array or an indented document set multiLine=true" if _may_be_document(raw) else ""
            raise malformed(f"{error}{hint}", unit="line", number=number, raw=excerpt(raw)) from None
        except UnicodeDecodeError as error:
            why = f"byte {error.start + 1} is not UTF-8"
            raise malformed(why, unit="line", number=number, raw=excerpt(raw)) from None
        return text, canonical_or_bad(self._write, record, unit="line", number=number, raw=text)


def _may_be_document(raw: bytes) -> bool:
    return raw.strip(_BLANK) in {b"[", b"{", b"[{"}
