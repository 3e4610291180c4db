"""What of bad records can be tolerated in which format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.errors import UsageError
from autoloader.model import FormatType, OnBadRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoloader.model import BadRecords

FIRST_SHOWN = 3
"""So many bad records stand in the message of a file that has too many of them."""
RECORD_BY_RECORD = frozenset({FormatType.JSON, FormatType.CSV})
"""Formats of which one record can be bad while the others are good."""


def check(
    format_type: FormatType, policy: OnBadRecord, max_bad_records: int | None, max_bad_ratio: float | None
) -> None:
    """Refuse what makes no sense together.

    Raises:
        UsageError: a limit where the first bad record fails its file; or a policy that the format cannot have.
    """
    if policy is OnBadRecord.FAIL_FILE:
        for name, limit in (("max_bad_records", max_bad_records), ("max_bad_ratio", max_bad_ratio)):
            if limit is not None:
                raise UsageError(
                    f"{name}: with on_bad_record fail_file the first bad record fails its file: leave it out, or "
                    "choose quarantine or skip",
                    field=name,
                )
    elif format_type not in RECORD_BY_RECORD:
        raise UsageError(
            f"on_bad_record {policy}: {format_type} files that do not fit fail as a whole: "
            "only fail_file can be honoured",
            field="on_bad_record",
        )


def exceeded(bad: BadRecords, rejected: int, loaded: int, first: Iterable[str]) -> str | None:
    """Why a file fails for its bad records, though they are tolerated; None when it is loaded without them.

    Args:
        rejected: how many records of the file are bad.
        loaded: how many are not.
        first: what is said of the first ``FIRST_SHOWN`` of them.
    """
    if bad.most is not None and rejected > bad.most:
        allowed = f"max_bad_records allows {bad.most:,}"
    elif bad.most_of_all is not None and rejected > bad.most_of_all * (rejected + loaded):
        allowed = f"max_bad_ratio allows {bad.most_of_all:g} of them"
    else:
        return None
    return f"{rejected:,} of {rejected + loaded:,} records are bad, and {allowed}; the first: {'; '.join(first)}"
