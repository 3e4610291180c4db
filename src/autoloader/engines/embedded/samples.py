"""The records of local sample files, as parsed JSON values; a broken record is passed over, for it says nothing."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from autoloader.engines.embedded.csv_dialect import CsvDialect
from autoloader.engines.embedded.csv_files import CsvReader
from autoloader.engines.embedded.documents import DocumentReader
from autoloader.engines.embedded.record_path import PathReader
from autoloader.engines.embedded.streams import text
from autoloader.engines.embedded.strict_json import NotJson, parsed
from autoloader.engines.embedded.xml_files import XmlReader
from autoloader.engines.embedded.xml_shapes import Shape
from autoloader.engines.options import CsvOptions, JsonOptions, XmlOptions
from autoloader.errors import BadRecord, FileUnreadable, UsageError
from autoloader.schema.names import FIELD
from autoloader.schema.types import Column, Scalar, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from autoloader.engines.embedded.readers import Found


def records(samples: Sequence[Path], options: JsonOptions | CsvOptions | XmlOptions) -> Iterator[dict[str, Any]]:
    """Every readable record of all files; those of CSV hold strings only, absent where a field is NULL.

    A file that is no text, and what follows a record that breaks the file's structure, is left out.

    Raises:
        UsageError: a CSV header names a column twice, or names none.
    """
    texts = (_readable(sample, options.encoding) for sample in samples)
    match options:
        case XmlOptions():
            yield from _xml(texts, options)
        case CsvOptions():
            for data in texts:
                yield from _csv(data, options)
        case JsonOptions():
            for data in texts:
                yield from _document(data, options) if options.multi_line else _lines(data)


def _readable(sample: Path, encoding: str) -> bytes:
    """The text in UTF-8, as far as it can be read: a sample may end within a character."""
    pieces: list[bytes] = []
    with contextlib.suppress(FileUnreadable):
        pieces.extend(text(iter([sample.read_bytes()]), encoding))
    return b"".join(pieces)


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.split(b"\n"):
        try:
            record = parsed(line.decode())
        except (NotJson, UnicodeDecodeError):
            continue
        if isinstance(record, dict):
            yield record


def _document(data: bytes, options: JsonOptions) -> Iterator[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def keep(record: dict[str, Any]) -> str:
        found.append(record)
        return ""

    path = options.record_path
    reader = PathReader(keep, path) if path else DocumentReader(keep)
    yield from _until_broken(reader.exact(data, 1, last=True), found)


def _until_broken(numbered: Iterator[Found], found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        for _ in numbered:
            yield from found
            found.clear()
    except BadRecord:
        yield from found


def _xml(texts: Iterable[bytes], options: XmlOptions) -> Iterator[dict[str, Any]]:
    """All records, each element in the form that fits all of its name: so they are held together."""
    seen: list[dict[str, Any]] = []
    for data in texts:
        found: list[dict[str, Any]] = []

        def keep(record: dict[str, Any], found: list[dict[str, Any]] = found) -> str:
            found.append(record)
            return ""

        seen += _until_broken(XmlReader(options, None, keep).exact(data, 1, last=True), found)
    shape = Shape(options.value_tag)
    for record in seen:
        shape.see(record)
    yield from (shape.formed(record) for record in seen)


def _csv(data: bytes, options: CsvOptions) -> Iterator[dict[str, Any]]:
    names = _header(data.decode(errors="replace"), options)
    reader = CsvReader(CsvDialect(options, Schema(tuple(Column(name, Scalar.STRING) for name in names))))
    try:
        rest, _ = reader.begin(data)
        for record in reader.exact(rest, 2, last=True):
            if not isinstance(record, BadRecord):
                yield dict.fromkeys(names) | json.loads(record[1])
    except BadRecord:
        return


def _header(data: str, options: CsvOptions) -> list[str]:
    """The names of the first line that is neither blank nor a comment."""
    lines = data.splitlines(keepends=True)
    while lines and (not lines[0].strip() or (options.comment and lines[0].startswith(options.comment))):
        del lines[0]
    cut = CsvDialect(options, Schema(())).fields("".join(lines), 0)
    names = [name for name in cut[0] if name] if cut else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"no schema: the CSV header names {', '.join(twice)} more than once: mend the files, each would be FAILED",
            field=FIELD,
        )
    return names
