"""Schemas that no file of a format could fill are refused when the ingestion is saved."""

from __future__ import annotations

import pytest

from autoloader.engines.fitting import check_fit
from autoloader.engines.options import parse_options
from autoloader.errors import UsageError
from autoloader.model import FormatType
from autoloader.schema import parse_schema


@pytest.mark.parametrize(
    ("ddl", "options", "told"),
    [
        ("value STRING", {}, None),
        ("line STRING, no INT", {"lineNumber": "no"}, None),
        ("value BIGINT", {}, "one STRING column: value STRING"),
        ("value STRING, other STRING", {}, "one STRING column: value STRING"),
        ("value STRING", {"lineNumber": "no"}, "value STRING, no BIGINT"),
        ("value STRING, no STRING", {"lineNumber": "no"}, "value STRING, no BIGINT"),
    ],
)
def test_text_takes_one_string_and_the_number_that_was_asked_for(
    ddl: str, options: dict[str, str], told: str | None
) -> None:
    parsed, schema = parse_options(FormatType.TEXT, options), parse_schema(ddl)
    if told is None:
        check_fit(parsed, schema)
        return
    with pytest.raises(UsageError, match=told) as refusal:
        check_fit(parsed, schema)
    assert refusal.value.field == "schema_json"
