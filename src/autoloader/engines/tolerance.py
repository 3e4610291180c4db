"""What of bad records can be tolerated in which format."""

from __future__ import annotations

from autoloader.errors import UsageError
from autoloader.model import FormatType, OnBadRecord

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
