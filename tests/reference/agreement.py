"""What an engine and the reference say of the same files, in one form: where they differ, the test shows both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.reference.comparing import row_text
from tests.reference.reader import Answer, Asked, read

from autoloader.model import BadRecords, FormatType, OnBadRecord
from autoloader.schema.table import RESCUED
from autoloader.schema.types import Column, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

QUARANTINE = BadRecords(policy=OnBadRecord.QUARANTINE)
RAW_BYTES = 64 * 1024
Said = tuple[object, ...]


def columns_of(asked: Asked) -> list[Column]:
    """The columns of the table that come from records."""
    kept = [RESCUED] if asked.unknown.keeps else []
    numbered = [Column("_source_row", Scalar.BIGINT)] if asked.flag("sourceRow") else []
    return [*asked.schema.columns, *kept, *numbered]


def by_reference(files: Mapping[str, bytes], asked: Asked, *, tolerant: bool) -> dict[str, Said]:
    """What the reference says of each file."""
    return {name: _said(read(body, asked, tolerant=tolerant), asked) for name, body in files.items()}


def _said(answer: Answer, asked: Asked) -> Said:
    columns = columns_of(asked)
    rows = sorted(row_text(row, columns) for row in answer.rows)
    rejects = sorted(((r.line, r.column, r.reason, cut(r.raw)) for r in answer.rejects), key=repr)
    first = None if answer.first is None else (answer.first.line, answer.first.column, answer.first.reason)
    return answer.failed, first, [] if answer.failed else rows, [] if answer.failed else rejects


def cut(raw: str) -> str:
    """The start of a record, as much as is kept."""
    return raw.encode()[:RAW_BYTES].decode(errors="ignore")


def by_engine(loads: Any, files: Mapping[str, bytes], asked: Asked, *, tolerant: bool) -> dict[str, Said]:
    """What an engine makes of each file: one load."""
    facts = {"bad_records": QUARANTINE} if tolerant else {}
    result = loads.load(
        asked.ddl,
        format_type=asked.format_type,
        options=dict(asked.options),
        unknown_fields=asked.unknown,
        **facts,
    )
    start = len(f"s3://landing/{loads.landing.prefix}")
    rows: dict[str, list[str]] = {name: [] for name in files}
    columns = columns_of(asked)
    for row in result.rows:
        rows[row["_source_file"][start:]].append(row_text(row, columns))
    rejects: dict[str, list[Said]] = {name: [] for name in files}
    for bad in result.rejects:
        rejects[bad["_source_file"][start:]].append((bad["line"], bad["column_name"], bad["reason"], bad["raw"]))
    assert set(result.outcomes) == set(files)
    for name, outcome in result.outcomes.items():
        counted = len(rows[name]), len(rejects[name])
        assert (outcome.records_ingested, outcome.records_rejected) == counted, name
    return {
        name: (
            outcome.error_type,
            place(outcome.error_message, asked) if outcome.error_type == "BadRecord" else None,
            sorted(rows[name]),
            sorted(rejects[name], key=repr),
        )
        for name, outcome in result.outcomes.items()
    }


def place(message: str | None, asked: Asked) -> tuple[int, str | None, str]:
    """Line, column and reason of the record that failed a file, out of the sentence about it."""
    assert message is not None
    documents = asked.format_type is FormatType.JSON and (asked.flag("multiLine") or "recordPath" in asked.options)
    unit, _, rest = message.partition(" ")
    assert unit == ("element" if documents else "line"), message
    if ", column " in rest and rest.endswith(")"):
        number, _, told = rest.partition(', column "')
        return int(number), told.partition('": ')[0], told.rpartition(" (")[2].removesuffix(")")
    number, _, told = rest.partition(": ")
    if told.endswith("(unknown_field)"):
        return int(number), told.removeprefix('the field "').rpartition('" is not')[0], "unknown_field"
    assert told.startswith("the record is malformed"), message
    return int(number), None, "malformed"


def differences(one: Mapping[str, Said], other: Mapping[str, Said], files: Mapping[str, bytes]) -> Sequence[str]:
    """The files of which they do not say the same, with what each says."""
    return [
        f"{name}: {files[name][:400]!r}\n  reference: {one[name]}\n  engine:    {other[name]}"
        for name in files
        if one[name] != other[name] and not _fails_anywhere(one[name], other[name])
    ]


def _fails_anywhere(one: Said, other: Said) -> bool:
    """A record fails the file, and no document says which one is named."""
    return one[:2] == ("BadRecord", None) and other[0] == "BadRecord"
