"""Bad records that were set apart, and which of them somebody wants to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    """One row of a rejects table.

    Attributes:
        line: physical line where the record begins; of a JSON document, the number of the element.
        column: the column at fault, None when the record as a whole is.
        reason: the stable reason code.
        raw: the record's text, 64 KiB at most.
    """

    file_path: str
    file_etag: str | None
    load_id: str
    line: int | None
    column: str | None
    reason: str | None
    message: str | None
    raw: str | None
    rejected_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class WantedRejects:
    """Which rejects are asked for; None: any.

    Attributes:
        path: the whole path of their file.
    """

    path: str | None = None
    reason: str | None = None
    column: str | None = None
    load_id: str | None = None


@dataclass(frozen=True, slots=True)
class RejectPlace:
    """Where in a rejects table the next page begins: as of a snapshot, by manifest, data file and row."""

    snapshot_id: int
    manifest: int
    data_file: int
    row: int
