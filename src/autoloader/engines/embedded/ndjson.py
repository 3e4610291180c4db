"""One JSON object a line: trusted where the screen finds it plain, parsed by a strict parser where not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded.line_arrays import LINE_END, NOTHING, digits, kernels
from autoloader.engines.embedded.readers import NDJSON
from autoloader.engines.embedded.streams import excerpt
from autoloader.engines.embedded.strict_json import NotJson, canonical_or_bad, malformed, parsed
from autoloader.errors import BadRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from autoloader.engines.embedded.readers import Found, Layout, Part
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
    ) -> None:
        self.layout: Layout = NDJSON
        self.screen: Screen | None = screen
        self.bare: Screen | None = bare
        self.wide: Wider | None = wide
        self._tags = tags
        self._write = write

    def begin(self, block: bytes) -> tuple[bytes, int]:
        """An NDJSON file has nothing before its records."""
        return block, 0

    def opening(self, ordinal: int) -> bytes:
        """Two more keys: the second is the line, whose number follows."""
        return self._tags.opening(ordinal)

    def tagged(self, lines: Any, openings: Any, numbers: Any) -> Any:  # noqa: ANN401  Arrow's types know no bytes
        """A plain record begins its line: the number and a comma take the place of its opening brace."""
        members = kernels.binary_replace_slice(lines, 0, 1, b",")
        return kernels.binary_join_element_wise(openings, digits(numbers), members, LINE_END, NOTHING)

    def untagged(self, tagged: bytes, ordinal: int, line: int) -> Iterable[Part]:  # noqa: ARG002  each tells its own
        """Line by line; what was blanked meanwhile is left out."""
        numbers = self._tags.numbers
        for text in tagged.split(b"\n"):
            if found := numbers.match(text):
                yield int(found[2]), b"{" + text[found.end() :]

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
