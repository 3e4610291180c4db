"""Who is to blame when the statement refuses: the first bad record of each file, and what DuckDB's message says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoloader.engines.embedded.strict_json import UNKNOWN_FIELD, blame
from autoloader.errors import BadRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoloader.engines.embedded.batch import Intake


def first_bad(
    rows: Iterable[tuple[Any, ...]], files: Mapping[int, Intake], names: Sequence[str]
) -> dict[int, BadRecord]:
    """By ordinal, what is wrong with the first bad record.

    Args:
        rows: what ``Judgement.first_bad`` selects.
        files: by ordinal.
        names: of the columns that were judged.
    """
    return {row[0]: _first_bad(row, files[row[0]], names) for row in rows}


def _first_bad(row: tuple[Any, ...], intake: Intake, names: Sequence[str]) -> BadRecord:
    _, line, *pairs = row
    at = next(at for at in range(len(names)) if pairs[2 * at] is not None)
    code, raw = pairs[2 * at], pairs[2 * at + 1]
    column = raw if code == UNKNOWN_FIELD else names[at]
    message = blame(intake.reader.unit, line, column, raw, code)
    return BadRecord(message, code=code, line=line, column=column, raw=raw)


def comes_first(known: Exception | None, found: BadRecord) -> bool:
    """Whether a bad record that is known already stands before the one that was found."""
    if not isinstance(known, BadRecord) or known.line is None or found.line is None:
        return False
    return known.line < found.line


def raw_message(error: Exception) -> bytes:
    """An error that quotes bad bytes arrives as UnicodeDecodeError, with the message inside."""
    return error.object if isinstance(error, UnicodeDecodeError) else str(error).encode()
