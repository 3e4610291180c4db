"""What Spark reads of each format, and how its rows come of it: all files of a load in one statement.

Text is read as lines, or whole where a record is not a line. A whole file is one value of Spark's, so large ones are
left to the embedded engine, which reads them in bounded memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from autoloader.engines.fitting import text_column
from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.options import (
    AvroOptions,
    CsvOptions,
    JsonOptions,
    OrcOptions,
    ParquetOptions,
    TextOptions,
    XmlOptions,
    parse_options,
)
from autoloader.engines.spark import delimited, documents, ndjson, plain_text, whole_lines
from autoloader.engines.spark.keys import KeyColumns
from autoloader.engines.spark.parquet import ParquetReader
from autoloader.engines.spark.plain_lines import plain_form
from autoloader.engines.spark.sources import files_of, no_larger
from autoloader.engines.spark.statement import judged, judged_unless_plain
from autoloader.model import UnknownFields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.session import SparkSession

    from autoloader.engines import Work
    from autoloader.engines.options import Options
    from autoloader.engines.spark.sources import Source
    from autoloader.model import ClaimedFile
    from autoloader.schema.types import Schema

_WHOLE_BYTES = RECORD_LIMIT_BYTES
_WHOLE_COMPRESSED_BYTES = 2 * 1024**2
_DECODED = {"utf-8": "value", "iso8859-1": "decode(CAST(value AS BINARY), 'ISO-8859-1') AS value"}
"""SQL of the text, by encoding. In these two a line end is the same byte, and no text of the second can be wrong."""


class Reader(Protocol):
    """How the files of one load are read."""

    def sure_of(self, files: Sequence[ClaimedFile]) -> list[ClaimedFile]:
        """The files that are worth a try on Spark; it may look into them."""
        ...

    def rows(self, spark: SparkSession, source: Source) -> DataFrame:
        """The table's rows from these files, judged."""
        ...


def reader(work: Work) -> Reader | None:
    """How Spark reads the files of a load; None where only the embedded engine does."""
    options = parse_options(work.reading.format_type, work.reading.options)
    # Which line of its file a record is, Spark does not tell for every format.
    if options.source_row or not _on_spark(options, work.reading.schema):
        return None
    match options:
        case ParquetOptions():
            return ParquetReader(work)
        case JsonOptions(multi_line=True):
            return _Texts(work, options, whole=True)
        case JsonOptions():
            return _Texts(work, options, whole=whole_lines.small(work.files))
        case CsvOptions():
            return _Texts(work, options, whole=options.header or options.encoding != "utf-8")
        case _:
            return _Texts(work, options, whole=False)


def _on_spark(options: Options, schema: Schema) -> bool:
    match options:
        case ParquetOptions():
            return True
        case AvroOptions() | OrcOptions() | XmlOptions():
            return False
        case TextOptions(line_number=number) if number is not None:
            return False
        case JsonOptions(record_path=path) if path:
            return False
        case CsvOptions() if not delimited.fits(schema):
            return False
        case _:
            return options.encoding in _DECODED


class _Texts:
    """JSON, CSV and plain text.

    Args:
        whole: a file is one value; else a line is.
    """

    def __init__(self, work: Work, options: Options, *, whole: bool) -> None:
        self._work = work
        self._options = options
        self._whole = whole
        self._keys = KeyColumns(work)
        self._wary = work.reading.unknown_fields is not UnknownFields.IGNORE

    def sure_of(self, files: Sequence[ClaimedFile]) -> list[ClaimedFile]:
        """Where they are read whole, the small ones."""
        return self._keys.sure_of([file for file in files if not self._whole or _small(file)])

    def rows(self, spark: SparkSession, source: Source) -> DataFrame:
        """See ``Reader.rows``."""
        read = spark.read.format("text")
        read = read.option("wholetext", "true") if self._whole else read.option("lineSep", "\n")
        found = files_of(read, source)
        texts = found.selectExpr("path", "modified_at", _DECODED[self._options.encoding])
        schema, options, optional = self._work.reading.schema, self._options, self._work.reading.optional
        match options:
            case JsonOptions(multi_line=False):
                return self._lines(whole_lines.lines(texts) if self._whole else texts, options)
            case JsonOptions():
                records = documents.elements(texts, schema, wary=self._wary)
                doubt = documents.suspicious(schema)
            case CsvOptions() if self._whole:
                records = delimited.from_texts(texts, options, schema, optional, wary=self._wary)
                doubt = delimited.suspicious(options)
            case CsvOptions():
                records, doubt = delimited.from_lines(texts, options, schema), delimited.suspicious(options)
            case TextOptions():
                records, doubt = plain_text.records(texts, text_column(options, schema)), plain_text.suspicious()
            case _:
                raise AssertionError(options)
        return judged(records, self._work, options, self._keys, record="r", suspicious=doubt)

    def _lines(self, lines: DataFrame, options: JsonOptions) -> DataFrame:
        schema = self._work.reading.schema
        plain = plain_form(schema, options)
        return judged_unless_plain(
            ndjson.parsed(ndjson.told(lines, plain), schema, plain),
            self._work,
            options,
            self._keys,
            plain=ndjson.record(schema, plain),
            ahead=[] if plain is None else plain.sparse.read,
            suspicious=ndjson.suspicious(schema, wary=self._wary),
            corrupt=ndjson.corrupt(schema),
        )


def _small(file: ClaimedFile) -> bool:
    return no_larger(file, _WHOLE_BYTES, most_packed=_WHOLE_COMPRESSED_BYTES)
