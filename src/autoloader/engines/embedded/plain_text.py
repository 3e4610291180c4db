"""Plain text: each line is a record of one column, blank lines too, and of its number where that is asked for."""

from __future__ import annotations

from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING

from autoloader.engines.embedded.readers import Unscreened
from autoloader.engines.embedded.streams import excerpt
from autoloader.engines.embedded.strict_json import malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader.engines.embedded.readers import Found


class TextReader(Unscreened):
    """Reads one text file, of which every line is a whole block's or lies within one.

    Args:
        column: the one that takes the line, without its line end.
        number_column: the one that takes the number of the line, from 1; None: there is none.
    """

    unit = "line"
    independent = True
    settled = True

    def __init__(self, column: str, number_column: str | None) -> None:
        self._opening = f"{{{quoted(column)}:"
        named = "" if number_column is None else quoted(number_column).replace("%", "%%")
        self._closing = f',{named}:"%d"}}' if named else "}"
        self._numbered = number_column is not None

    def exact(self, block: bytes, line: int, *, last: bool) -> Iterator[Found]:  # noqa: ARG002  a block ends with a line
        """Every line; the empty one after the last line end is none."""
        for number, raw in enumerate(block.removesuffix(b"\n").split(b"\n") if block else (), start=line):
            try:
                text = raw.removesuffix(b"\r").decode()
            except UnicodeDecodeError as error:
                why = f"byte {error.start + 1} is not UTF-8: set the option encoding"
                raise malformed(why, unit="line", number=number, raw=excerpt(raw)) from None
            closing = self._closing % number if self._numbered else self._closing
            yield number, f"{self._opening}{quoted(text)}{closing}", text
