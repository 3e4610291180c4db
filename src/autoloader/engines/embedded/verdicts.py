"""What became of the files of a load, as the ledger is told it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from autoloader.model import FileStatus, Outcome

if TYPE_CHECKING:
    from autoloader.errors import FileError
    from autoloader.model import ClaimedFile


class Verdict(Protocol):
    """What a route says of one file after its batch was parsed."""

    file: ClaimedFile
    ordinal: int
    records: int
    rejected: int
    bytes_read: int
    seconds: float
    error: FileError | None


def refused(file: ClaimedFile, error: FileError) -> Outcome:
    """Of a file that fails before it is read."""
    return Outcome(
        file_id=file.file_id, status=FileStatus.FAILED, error_type=error.error_type, error_message=str(error)
    )


def outcome(verdict: Verdict) -> Outcome:
    """Of a file that was read."""
    failed = verdict.error
    return Outcome(
        file_id=verdict.file.file_id,
        status=FileStatus.SUCCESS if failed is None else FileStatus.FAILED,
        records_ingested=verdict.records if failed is None else 0,
        records_rejected=verdict.rejected if failed is None else 0,
        bytes_read=verdict.bytes_read,
        duration=timedelta(seconds=verdict.seconds),
        error_type=None if failed is None else failed.error_type,
        error_message=None if failed is None else str(failed),
    )
