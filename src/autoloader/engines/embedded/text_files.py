"""JSON and CSV: cut into blocks, screened, and collected in a few segments whatever the number of files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.embedded import overlong, streams
from autoloader.engines.embedded.bare import bare_pattern
from autoloader.engines.embedded.batch import Batch, Intake
from autoloader.engines.embedded.csv_dialect import CsvDialect
from autoloader.engines.embedded.csv_files import CsvReader
from autoloader.engines.embedded.documents import DocumentReader
from autoloader.engines.embedded.ndjson import NdjsonReader
from autoloader.engines.embedded.parsing import Parser
from autoloader.engines.embedded.plain_text import TextReader
from autoloader.engines.embedded.record_path import PathReader
from autoloader.engines.embedded.screen import Screen, ndjson_pattern
from autoloader.engines.embedded.strict_json import canonical_record
from autoloader.engines.embedded.tags import draw_tags
from autoloader.engines.embedded.unknown import teller, with_unknown
from autoloader.engines.embedded.wider import Wider
from autoloader.engines.embedded.xml_files import XmlReader
from autoloader.engines.embedded.xml_unknown import xml_teller
from autoloader.engines.fitting import text_column
from autoloader.engines.options import CsvOptions, JsonOptions, TextOptions, XmlOptions
from autoloader.model import UnknownFields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from autoloader.engines.embedded.readers import RecordReader
    from autoloader.engines.embedded.tools import Tools
    from autoloader.engines.embedded.writing import Written
    from autoloader.engines.options import Options
    from autoloader.model import ClaimedFile
    from autoloader.schema.types import Schema

_REPORTED_AT_ONCE = 4 * 1024**2


class TextRoute:
    """Spools text files.

    Args:
        tools: of the load.
        options: of the ingestion.
    """

    def __init__(self, tools: Tools, options: Options) -> None:
        self._tools = tools
        self._encoding = options.encoding
        lines = not isinstance(options, XmlOptions) and not (isinstance(options, JsonOptions) and options.multi_line)
        by_line = overlong.blocks if tools.rejecting.tolerant else streams.blocks
        self._pieces = by_line if lines else streams.pieces
        self._tags = draw_tags(tools.schema.names)
        self._parser = Parser(tools, options, self._tags)
        self._new_reader = self._readers(tools.schema, options)

    def _readers(self, schema: Schema, options: Options) -> Callable[[], RecordReader]:
        write, mode, key = canonical_record(schema.columns), self._tools.unknown_fields, self._tags.unknown
        match options:
            case CsvOptions():
                dialect = CsvDialect(options, schema, mode, key, self._tools.optional)
                return lambda: CsvReader(dialect)
            case TextOptions(line_number=number):
                column = text_column(options, schema)
                return lambda: TextReader(column, number)
            case XmlOptions():
                tell = xml_teller(schema.columns, options, mode)
                return lambda: XmlReader(options, schema.columns, write, tell, key)
        if mode is not UnknownFields.IGNORE:
            write = with_unknown(write, teller(schema.columns, mode), key)
        match options:
            case JsonOptions(record_path=path) if path:
                return lambda: PathReader(write, path)
            case JsonOptions(multi_line=True):
                return lambda: DocumentReader(write)
        stricter = bare_pattern(schema, options)
        screen, bare = Screen(ndjson_pattern(schema)), None if stricter is None else Screen(stricter)
        wide = Wider(schema)
        return lambda: NdjsonReader(self._tags, screen, bare, write, wide)

    def spool(self, files: Sequence[tuple[int, ClaimedFile]], fetched: Callable[[int], None]) -> SpooledText:
        """Fetch, screen and write down some files."""
        intakes = {ordinal: Intake(file, ordinal, self._new_reader()) for ordinal, file in files}
        batch = Batch(intakes, self._tags, self._tools)
        unreported = 0
        for block in self._tools.fetcher.blocks(files, self._cut):
            batch.add(block)
            unreported += block.bytes_read
            if unreported > _REPORTED_AT_ONCE:
                fetched(unreported)
                unreported = 0
        batch.close()
        fetched(unreported)
        return SpooledText(batch, self._parser)

    def _cut(self, stream: Iterator[bytes]) -> Iterator[bytes]:
        return self._pieces(streams.text(stream, self._encoding, most_times=self._tools.most_times))


class SpooledText:
    """A batch on disk, and the parser that will read it."""

    def __init__(self, batch: Batch, parser: Parser) -> None:
        self._batch = batch
        self._parser = parser

    def parse(self) -> Written | None:
        """See ``Parser.parse``."""
        return self._parser.parse(self._batch)

    def verdicts(self) -> Sequence[Intake]:
        """Every file of the batch."""
        return list(self._batch.files.values())

    def remove(self) -> None:
        """Give the room back."""
        self._batch.remove()
