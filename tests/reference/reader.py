"""A slow reader of one file, written from the documents: which rows it gives, which records are bad, whether it fails.

It shares no code with the engines, so that the three can be compared. Only the parser of schemas is the product's.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.reference import csv_text, documents, json_text
from tests.reference.content import Unreadable, content
from tests.reference.patterns import Pattern, pattern
from tests.reference.records import Bad, Judge

from autoloader.model import FormatType, UnknownFields
from autoloader.schema.parse import parse_schema
from autoloader.schema.types import Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from autoloader.schema.types import Column, Schema


@dataclass(frozen=True, slots=True)
class Reject:
    """A bad record, as the table of rejects has it."""

    line: int
    column: str | None
    reason: str
    raw: str


@dataclass(slots=True)
class Answer:
    """What becomes of a file.

    Attributes:
        failed: the type of its error; None where it loads.
        first: of a BadRecord that fails the file.
    """

    failed: str | None = None
    first: Reject | None = None
    rows: list[dict[str, object]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class Failed(Exception):  # noqa: N818  a test's word
    """The file fails, whatever is tolerated."""

    def __init__(self, kind: str, first: Reject | None = None) -> None:
        super().__init__(kind)
        self.kind = kind
        self.first = first


@dataclass(frozen=True, slots=True)
class Found:
    """A record: a row, or what is wrong with it."""

    line: int
    row: dict[str, object] | Reject


_schema = functools.cache(parse_schema)


@dataclass(frozen=True, slots=True)
class Asked:
    """How files are read: the settings of an ingestion."""

    format_type: FormatType
    ddl: str
    options: Mapping[str, str] = field(default_factory=dict)
    unknown: UnknownFields = UnknownFields.IGNORE

    @property
    def schema(self) -> Schema:
        return _schema(self.ddl)

    def flag(self, name: str, *, default: bool = False) -> bool:
        return self.options.get(name, str(default)).lower() == "true"


def read(data: bytes, asked: Asked, *, tolerant: bool) -> Answer:
    """What becomes of one file.

    Args:
        data: of the object as it is stored.
        tolerant: whether it is loaded without its bad records.
    """
    answer = Answer()
    try:
        for found in _records(content(data, asked.options.get("encoding", "utf-8")), asked):
            if isinstance(found.row, dict):
                numbered = {"_source_row": found.line} if asked.flag("sourceRow") else {}
                answer.rows.append(found.row | numbered)
            elif tolerant:
                answer.rejects.append(found.row)
            else:
                return Answer(failed="BadRecord", first=found.row)
    except Unreadable:
        return Answer(failed="FileUnreadable")
    except Failed as failed:
        return Answer(failed=failed.kind, first=failed.first)
    return answer


def _records(data: bytes, asked: Asked) -> Iterator[Found]:
    judge = Judge(columns=asked.schema.columns, unknown=asked.unknown, patterns=_patterns(asked))
    match asked.format_type:
        case FormatType.TEXT:
            return _lines_of_text(data, asked)
        case FormatType.CSV:
            return _csv(data, asked, judge)
        case FormatType.JSON if asked.flag("multiLine") or "recordPath" in asked.options:
            return _documents(data, asked, judge)
        case FormatType.JSON:
            return _lines_of_json(data, judge)
        case _:
            raise AssertionError(asked.format_type)


def _patterns(asked: Asked) -> dict[Scalar, Pattern]:
    by_type = {Scalar.DATE: "dateFormat", Scalar.TIMESTAMP: "timestampFormat", Scalar.TIMESTAMP_NTZ: "timestampFormat"}
    return {kind: pattern(asked.options[name]) for kind, name in by_type.items() if name in asked.options}


def _told(raw: bytes) -> str:
    return raw.decode(errors="backslashreplace")


def _judged(judge: Judge, record: json_text.Value, line: int, raw: str) -> Found:
    try:
        return Found(line, judge.row(record))
    except Bad as bad:
        return Found(line, Reject(line, bad.column, bad.reason, raw))


def _lines_of_json(data: bytes, judge: Judge) -> Iterator[Found]:
    for number, line in enumerate(data.split(b"\n"), 1):
        whole = line.removesuffix(b"\r")
        if not whole.strip(b" \t\r"):
            continue
        try:
            record = json_text.whole(whole.decode())
        except (UnicodeDecodeError, json_text.Broken):
            yield Found(number, Reject(number, None, "malformed", _told(whole)))
            continue
        yield _judged(judge, record, number, whole.decode())


def _documents(data: bytes, asked: Asked, judge: Judge) -> Iterator[Found]:
    path = asked.options["recordPath"].split(".") if "recordPath" in asked.options else []
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Failed("BadRecord") from None
    number = 0
    try:
        for number, element in enumerate(documents.elements(text, path), 1):
            if element.malformed:
                yield Found(number, Reject(number, None, "malformed", element.raw))
            else:
                yield _judged(judge, element.value, number, element.raw)
    except json_text.Broken:
        raise Failed("BadRecord", Reject(number + 1, None, "malformed", "")) from None


def _lines_of_text(data: bytes, asked: Asked) -> Iterator[Found]:
    number_column = asked.options.get("lineNumber")
    column = next(column.name for column in asked.schema.columns if column.name != number_column)
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1] if lines[-1] == b"" else lines, 1):
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise Failed("BadRecord", Reject(number, None, "malformed", "")) from None
        yield Found(number, {column: text} | ({number_column: number} if number_column else {}))


def _csv(data: bytes, asked: Asked, judge: Judge) -> Iterator[Found]:
    lines = csv_text.Cutter(data.decode(errors="surrogateescape"), _dialect(asked.options)).records()
    try:
        header = _header(lines, asked)
        if header is None:
            return
        for line in lines:
            yield _csv_record(line, header, judge)
    except csv_text.WrongHeader:
        raise Failed("HeaderMismatch") from None
    except csv_text.NeverClosed as open_at:
        raise Failed("BadRecord", Reject(open_at.number, None, "malformed", "")) from None


def _dialect(options: Mapping[str, str]) -> csv_text.Dialect:
    quote = options.get("quote", '"') or None
    return csv_text.Dialect(
        sep=options.get("sep", options.get("delimiter", ",")).replace("\\t", "\t"),
        quote=quote,
        escape=quote and (options.get("escape") or quote),
        comment=options.get("comment") or None,
        null_value=options.get("nullValue"),
    )


@dataclass(frozen=True, slots=True)
class Header:
    """Where each column of the schema stands, and the names of the other places."""

    width: int
    places: Mapping[str, int]
    others: Mapping[int, str]


def _header(lines: Iterator[csv_text.Line], asked: Asked) -> Header | None:
    names = asked.schema.names
    if not asked.flag("header", default=True):
        return Header(len(names), {name: at for at, name in enumerate(names)}, {})
    first = next(lines, None)
    if first is None:
        return None
    if first.fields is None or _escaped(first.raw):
        raise Failed("BadRecord", Reject(first.number, None, "malformed", first.raw))
    titles = [title or "" for title in first.fields]
    known = csv_text.places(titles, names)
    others = {at: title or _unnamed(at, titles) for at, title in enumerate(titles) if at not in known}
    return Header(len(titles), dict(zip(names, known, strict=True)), others)


def _unnamed(at: int, titles: Sequence[str]) -> str:
    """What a column without a name is called: as in Spark, and as no other one."""
    name = f"_c{at}"
    while name in titles:
        name += "_"
    return name


def _escaped(text: str) -> bool:
    """Whether there are bytes that are no UTF-8."""
    return any("\udc80" <= character <= "\udcff" for character in text)


def _csv_record(line: csv_text.Line, header: Header, judge: Judge) -> Found:
    raw = _told(line.raw.encode(errors="surrogateescape"))
    if line.fields is None or len(line.fields) != header.width or _escaped(line.raw):
        return Found(line.number, Reject(line.number, None, "malformed", raw))
    record: dict[str, json_text.Value] = {}
    for column in judge.columns:
        record[column.name] = _field(line.fields[header.places[column.name]], column)
    record |= {name: line.fields[at] for at, name in header.others.items()}
    return _judged(judge, record, line.number, raw)


def _field(text: str | None, column: Column) -> str | None:
    return None if text == "" and column.type is not Scalar.STRING else text
