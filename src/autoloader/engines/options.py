"""Format options under Spark's names, checked when an ingestion is saved: what cannot be honoured is refused."""

from __future__ import annotations

import codecs
import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from autoloader.engines.patterns import parse_pattern
from autoloader.errors import UsageError
from autoloader.model import FormatType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from autoloader.engines.patterns import TextPattern


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueOptions:
    """What every text format has.

    Attributes:
        encoding: of the files, under a name that Python knows.
        date_format: how dates are written; None: ISO 8601 as ``docs/reference/values.md`` says.
        timestamp_format: the same for instants.
        source_row: whether the column ``_source_row`` tells where in its file each record stands.
    """

    encoding: str = "utf-8"
    date_format: TextPattern | None = None
    timestamp_format: TextPattern | None = None
    source_row: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class JsonOptions(ValueOptions):
    """How a JSON file is cut into records.

    Attributes:
        multi_line: each file is a JSON document (an object, or an array of them), or several; not one object a line.
        record_path: the keys that lead from a document to its records; none: it is them. Only where ``multi_line`` is.
    """

    multi_line: bool = False
    record_path: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class CsvOptions(ValueOptions):
    """How a CSV file is cut into fields.

    Attributes:
        sep: what separates two fields; one character.
        header: the first line names the columns; false: columns are matched by position.
        quote: what surrounds a field that holds separators or line ends; None: no field is quoted.
        escape: what stands before a quote inside a quoted field; equal to ``quote``: quotes are doubled. None only
            where ``quote`` is.
        comment: lines that begin with it are skipped; None: none.
        null_value: an unquoted field with this text is NULL, besides the empty one; None: only the empty one.
    """

    sep: str = ","
    header: bool = True
    quote: str | None = '"'
    escape: str | None = None
    comment: str | None = None
    null_value: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ParquetOptions(ValueOptions):
    """Parquet files say everything themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AvroOptions(ValueOptions):
    """Avro files say everything themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrcOptions(ValueOptions):
    """ORC files say everything themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextOptions(ValueOptions):
    """``line_number``: the column that takes the number of each line, from 1; None: there is none."""

    line_number: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class XmlOptions(ValueOptions):
    """Where the records of an XML file are, and how their parts are named.

    Attributes:
        row_tag: the elements that are records.
        attribute_prefix: stands before the name of an attribute.
        value_tag: name of the text of an element that has attributes or children as well.
    """

    row_tag: str
    attribute_prefix: str = "_"
    value_tag: str = "_VALUE"


Options = JsonOptions | CsvOptions | ParquetOptions | AvroOptions | OrcOptions | TextOptions | XmlOptions


def parse_options(format_type: FormatType, options: Mapping[str, str]) -> Options:
    """The options of an ingestion, checked; names in any case.

    Raises:
        UsageError: an unknown option, one that cannot be honoured, one given twice, or a value that makes no sense.
    """
    known = _KNOWN[format_type]
    values: dict[str, Any] = {}
    seen: set[str] = set()
    for name, text in options.items():
        spelling = _spelling(name, known, format_type)
        attribute, parse = known[spelling]
        if (attribute or spelling) in seen:
            raise _refused(spelling, "it is given twice; names are the same in any case, and delimiter is sep")
        seen.add(attribute or spelling)
        value = parse(spelling, text)
        if attribute:
            values[attribute] = value
    return _MADE[format_type](values)


def reads_lines(options: Options) -> bool:
    """Whether each line of a file is a JSON record."""
    return isinstance(options, JsonOptions) and not options.multi_line


def _json(values: dict[str, Any]) -> JsonOptions:
    """Records at a path are always those of documents."""
    if values.get("record_path") and values.setdefault("multi_line", True) is False:
        raise _refused("recordPath", "it leads into a document: leave multiLine out, or set it to true")
    return JsonOptions(**values)


def _xml(values: dict[str, Any]) -> XmlOptions:
    if "row_tag" not in values:
        raise _refused("rowTag", "it is required: the tag of the elements that are records, such as book")
    return XmlOptions(**values)


def _csv(options: CsvOptions) -> CsvOptions:
    """Without an ``escape`` of its own a quote is doubled; a character can mean one thing only."""
    escape = options.quote and (options.escape or options.quote)
    roles = {"sep": options.sep, "quote": options.quote, "comment": options.comment}
    if escape != options.quote:
        roles["escape"] = escape
    taken: dict[str, str] = {}
    for role, character in roles.items():
        if character in taken:
            raise _refused(role, f"{character!r} is the {taken[character]} already")
        if character:
            taken[character] = role
    return replace(options, escape=escape)


def _spelling(name: str, known: Mapping[str, object], format_type: FormatType) -> str:
    """The option's name as we write it."""
    by_fold = {spelling.casefold(): spelling for spelling in known}
    if name.casefold() in by_fold:
        return by_fold[name.casefold()]
    if name.casefold() == "mode":
        raise _refused(name, "it is not used: a file with a bad record fails as a whole, with the line and the reason")
    close = difflib.get_close_matches(name.casefold(), by_fold, n=1)
    hint = f"did you mean {by_fold[close[0]]}? " if close else ""
    options = f"options: {', '.join(known)}"
    raise _refused(name, f"{hint}the embedded engine cannot honour it; {format_type} has {options}")


def _refused(name: str, why: str) -> UsageError:
    return UsageError(f"format option {name}: {why}", field=f"format_options.{name}")


def _flag(name: str, text: str) -> bool:
    if text.casefold() not in ("true", "false"):
        raise _refused(name, f"must be true or false, not {text!r}")
    return text.casefold() == "true"


def _only_false(name: str, text: str) -> None:
    if _flag(name, text):
        raise _refused(name, "only false can be honoured: blanks around a field belong to its text")


def _encoding(name: str, text: str) -> str:
    try:
        found = codecs.lookup(text)
        "".encode(found.name)
    except (LookupError, ValueError):
        raise _refused(name, f"{text!r} is not known; for instance utf-8, latin-1, cp1252, utf-16") from None
    return found.name


def _character(name: str, text: str) -> str:
    """One character; a tab may be written as a backslash and a ``t``, as in Spark."""
    character = "\t" if text == r"\t" else text
    if len(character) != 1 or not character.isascii() or character in "\r\n\0":
        raise _refused(name, f"must be one ASCII character and no line end, not {text!r}")
    return character


def _character_or_none(name: str, text: str) -> str | None:
    return _character(name, text) if text else None


def _named(name: str, text: str) -> str:
    if not text or any(character.isspace() or character in "<>/&" for character in text):
        raise _refused(name, f"must be a name, without blanks and without < > / &, not {text!r}")
    return text


def _path(name: str, text: str) -> tuple[str, ...]:
    """Keys with points between them, such as ``detail.Records``."""
    keys = tuple(text.split("."))
    if not all(keys):
        raise _refused(name, f"must be keys with points between them, such as Records or detail.items, not {text!r}")
    return keys


def _text(name: str, text: str) -> str:
    if "\n" in text or "\r" in text:
        raise _refused(name, "must not hold a line end")
    return text


def _pattern(name: str, text: str) -> TextPattern:
    return parse_pattern(text, option=name)


_Known = dict[str, tuple[str | None, "Callable[[str, str], object]"]]
"""By Spark's name: the attribute (None: only checked, the reader does so in any case) and what parses the text."""

_SOURCE_ROW = "sourceRow"
_VALUES: _Known = {
    "encoding": ("encoding", _encoding),
    "dateFormat": ("date_format", _pattern),
    "timestampFormat": ("timestamp_format", _pattern),
    _SOURCE_ROW: ("source_row", _flag),
}
_KNOWN: dict[FormatType, _Known] = {
    FormatType.JSON: {"multiLine": ("multi_line", _flag), "recordPath": ("record_path", _path), **_VALUES},
    FormatType.CSV: {
        "sep": ("sep", _character),
        "delimiter": ("sep", _character),
        "header": ("header", _flag),
        "quote": ("quote", _character_or_none),
        "escape": ("escape", _character_or_none),
        "comment": ("comment", _character_or_none),
        "nullValue": ("null_value", _text),
        "multiLine": (None, _flag),
        "ignoreLeadingWhiteSpace": (None, _only_false),
        "ignoreTrailingWhiteSpace": (None, _only_false),
        **_VALUES,
    },
    FormatType.PARQUET: {_SOURCE_ROW: ("source_row", _flag)},
    FormatType.AVRO: {_SOURCE_ROW: ("source_row", _flag)},
    FormatType.ORC: {_SOURCE_ROW: ("source_row", _flag)},
    FormatType.TEXT: {"lineNumber": ("line_number", _named), "encoding": ("encoding", _encoding)},
    FormatType.XML: {
        "rowTag": ("row_tag", _named),
        "attributePrefix": ("attribute_prefix", _named),
        "valueTag": ("value_tag", _named),
        **_VALUES,
    },
}
_MADE: dict[FormatType, Callable[[dict[str, Any]], Options]] = {
    FormatType.JSON: _json,
    FormatType.CSV: lambda values: _csv(CsvOptions(**values)),
    FormatType.PARQUET: lambda values: ParquetOptions(**values),
    FormatType.AVRO: lambda values: AvroOptions(**values),
    FormatType.ORC: lambda values: OrcOptions(**values),
    FormatType.TEXT: lambda values: TextOptions(**values),
    FormatType.XML: _xml,
}
"""The options of each format, from the values of their attributes."""
