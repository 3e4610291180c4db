"""Format options: Spark's names, checked when an ingestion is saved."""

from __future__ import annotations

import pytest

from autoloader.engines.options import CsvOptions, JsonOptions, ParquetOptions, parse_options
from autoloader.errors import UsageError
from autoloader.model import FormatType


def test_nothing_said_means_the_defaults() -> None:
    assert parse_options(FormatType.JSON, {}) == JsonOptions()
    assert parse_options(FormatType.PARQUET, {}) == ParquetOptions()
    csv = parse_options(FormatType.CSV, {})
    assert isinstance(csv, CsvOptions)
    assert (csv.sep, csv.header, csv.quote, csv.escape, csv.comment, csv.null_value) == (
        ",",
        True,
        '"',
        '"',
        None,
        None,
    )


def test_names_and_flags_are_taken_in_any_case() -> None:
    json_options = parse_options(FormatType.JSON, {"MULTILINE": "True"})
    assert isinstance(json_options, JsonOptions)
    assert json_options.multi_line
    csv = parse_options(FormatType.CSV, {"Delimiter": "|", "HEADER": "FALSE", "nullvalue": "NA", "multiline": "true"})
    assert isinstance(csv, CsvOptions)
    assert (csv.sep, csv.header, csv.null_value) == ("|", False, "NA")


def test_another_quote_is_doubled_inside_a_field_unless_an_escape_is_named() -> None:
    assert parse_options(FormatType.CSV, {"quote": "'"}) == CsvOptions(quote="'", escape="'")
    assert parse_options(FormatType.CSV, {"escape": "\\"}) == CsvOptions(escape="\\")
    assert parse_options(FormatType.CSV, {"quote": ""}) == CsvOptions(quote=None, escape=None)


def test_a_tab_may_be_written_as_spark_writes_it() -> None:
    assert parse_options(FormatType.CSV, {"sep": r"\t"}) == CsvOptions(sep="\t", escape='"')


def test_encodings_go_by_any_name_that_python_knows() -> None:
    assert parse_options(FormatType.JSON, {"encoding": "UTF8"}) == JsonOptions(encoding="utf-8")
    assert parse_options(FormatType.CSV, {"encoding": "ISO-8859-1"}).encoding == "iso8859-1"


@pytest.mark.parametrize(
    ("format_type", "options", "field", "told"),
    [
        (FormatType.CSV, {"sepp": ","}, "sepp", "did you mean sep?"),
        (FormatType.JSON, {"multiline": "yes"}, "multiLine", "must be true or false, not 'yes'"),
        (
            FormatType.JSON,
            {"sep": ","},
            "sep",
            "json has options: multiLine, recordPath, encoding",
        ),
        (FormatType.PARQUET, {"mergeSchema": "true"}, "mergeSchema", "parquet has options: sourceRow"),
        (FormatType.JSON, {"mode": "PERMISSIVE"}, "mode", "fails as a whole"),
        (FormatType.JSON, {"allowSingleQuotes": "true"}, "allowSingleQuotes", "cannot honour it"),
        (FormatType.CSV, {"sep": ",", "delimiter": ";"}, "delimiter", "given twice"),
        (FormatType.CSV, {"sep": ",", "SEP": ";"}, "sep", "given twice"),
        (FormatType.CSV, {"sep": "||"}, "sep", "one ASCII character"),
        (FormatType.CSV, {"sep": ""}, "sep", "one ASCII character"),
        (FormatType.CSV, {"sep": "\n"}, "sep", "no line end"),
        (FormatType.CSV, {"sep": "é"}, "sep", "one ASCII character"),
        (FormatType.CSV, {"quote": ","}, "quote", "is the sep already"),
        (FormatType.CSV, {"comment": '"'}, "comment", "is the quote already"),
        (FormatType.CSV, {"escape": ","}, "escape", "is the sep already"),
        (FormatType.CSV, {"nullValue": "a\nb"}, "nullValue", "line end"),
        (FormatType.CSV, {"ignoreLeadingWhiteSpace": "true"}, "ignoreLeadingWhiteSpace", "only false"),
        (FormatType.JSON, {"recordPath": "a..b"}, "recordPath", "keys with points between them"),
        (FormatType.JSON, {"recordPath": "a", "multiLine": "false"}, "recordPath", "leave multiLine out"),
        (FormatType.XML, {}, "rowTag", "it is required"),
        (FormatType.XML, {"rowTag": "<book>"}, "rowTag", "must be a name"),
        (FormatType.TEXT, {"wholetext": "true"}, "wholetext", "text has options: lineNumber, encoding"),
        (FormatType.AVRO, {"avroSchema": "{}"}, "avroSchema", "avro has options: sourceRow"),
        (FormatType.JSON, {"encoding": "klingon"}, "encoding", "'klingon' is not known"),
        (FormatType.JSON, {"encoding": "rot13"}, "encoding", "'rot13' is not known"),
        (FormatType.JSON, {"dateFormat": "dd/MM"}, "dateFormat", "it has no year"),
        (FormatType.JSON, {"dateFormat": "EEE dd MMM yyyy"}, "dateFormat", "'EEE' is not supported"),
        (FormatType.JSON, {"timestampFormat": "yyyy-MM-dd'T"}, "timestampFormat", "never closed"),
        (FormatType.JSON, {"timestampFormat": "yyyy-MM-dd[ HH:mm]"}, "timestampFormat", "'[' is not supported"),
        (FormatType.JSON, {"timestampFormat": "yyyy-MM-dd hh:mm"}, "timestampFormat", "belong together"),
        (FormatType.JSON, {"timestampFormat": "yyyy-MM-dd HH:mm a"}, "timestampFormat", "belong together"),
        (FormatType.JSON, {"timestampFormat": "yyyy-MM-dd dd"}, "timestampFormat", "names the day twice"),
        (FormatType.JSON, {"dateFormat": "dMyyyy"}, "dateFormat", "'M' follows 'd' with nothing between"),
        (FormatType.JSON, {"dateFormat": "yyyy年MM月dd"}, "dateFormat", "is not supported"),
    ],
)
def test_what_cannot_be_honoured_is_refused_under_its_name(
    format_type: FormatType, options: dict[str, str], field: str, told: str
) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_options(format_type, options)
    assert refusal.value.field == f"format_options.{field}"
    assert told in str(refusal.value)
