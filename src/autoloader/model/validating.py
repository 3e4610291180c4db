"""Validations: what a run would do with the files that wait, without doing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from autoloader.model.verifying import Reading, VerificationStatus


CHANGE_REFUSED = "ChangedRefused"
"""Of a new version of a loaded file, where ``on_changed_file`` is ``fail``."""


class Prospect(StrEnum):
    """What would become of a file.

    ``loads``: all its records would. ``quarantined``: the good ones would, the bad ones would go to the rejects table.
    ``partly``: the good ones would, the bad ones would be counted. ``fails``: nothing of it would load.
    """

    LOADS = "loads"
    QUARANTINED = "quarantined"
    PARTLY = "partly"
    FAILS = "fails"


@dataclass(frozen=True, kw_only=True, slots=True)
class FileProspect:
    """One file that was read.

    Attributes:
        waiting: why it waits: ``new``, ``changed``, ``retried``, ``discovered`` (seen by an earlier run), ``fits``
            (too large until now).
        records: rows that would load.
        refused: records that would not, bad ones.
        error_type: of a file that would fail; ``error_message`` says why.
    """

    file_path: str
    file_etag: str
    file_size_bytes: int
    waiting: str
    prospect: Prospect
    records: int = 0
    refused: int = 0
    error_type: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusedRecord:
    """One record that would not load.

    Attributes:
        line: physical line where it begins; of a JSON document or an XML file, the number of the element.
        column: the column at fault, None when the record as a whole is.
        reason: the stable reason code.
        raw: the record's text, 64 KiB at most.
    """

    file_path: str
    line: int | None
    column: str | None
    reason: str | None
    message: str | None
    raw: str | None


Finding = FileProspect | RefusedRecord
"""What a validation tells as it goes: the refused records of some files, then these files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationReport:
    """What a validation found.

    Attributes:
        schema_json: that the files were read with; None where nothing waits and none was given.
        inferred: whether the schema was told from a sample, as the first run would, and is not saved.
        problem: why a run would fail as a whole, whatever the files hold: no schema can be told, or the table does not
            fit it. No file is read then.
        waiting: how many files the next run would read, by why they wait.
        skipped: how many it would not read, by reason (``TooLarge``, ``Archive``, ``ChangedIgnored``,
            ``ChangedRefused``).
        validated: how many of the waiting files were read: all, unless fewer were asked for.
        files: the validated ones, by what would become of them.
        records: rows that would load.
        refused: bad records.
        bytes: that the validated files have in the bucket.
    """

    ingestion: str
    schema_json: str | None = None
    inferred: bool = False
    problem: str | None = None
    waiting: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    validated: int = 0
    files: Mapping[Prospect, int] = field(default_factory=dict)
    records: int = 0
    refused: int = 0
    bytes: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing would be refused: every validated file would load with all its records."""
        refused = self.refused or self.problem is not None or CHANGE_REFUSED in self.skipped
        return not refused and set(self.files) <= {Prospect.LOADS}


@dataclass(frozen=True, kw_only=True, slots=True)
class Validation:
    """A validation that waits for a worker, goes on or has ended.

    Attributes:
        max_files: at most so many files are read; None: all that wait.
        reading: how far it was a moment ago, while it goes on.
        report: once it has ended as SUCCESS; files and refused records are asked for page by page.
        error_message: why it could not look, where it is FAILED.
    """

    id: int
    ingestion_id: int
    tenant_id: str
    status: VerificationStatus
    max_files: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reading: Reading | None
    report: ValidationReport | None
    error_type: str | None
    error_message: str | None
