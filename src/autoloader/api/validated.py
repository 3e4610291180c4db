"""What the service answers about validations."""

from datetime import datetime

from pydantic import AliasChoices, Field

from autoloader.api import answers
from autoloader.model import Prospect, VerificationStatus


class FileProspect(answers.Answer):
    """A file that was read, and what would become of it."""

    number: int = Field(description="Its place: files that would not load as they are come first.", examples=[1])
    file_path: str = Field(examples=["s3://landing/events/a.json"])
    file_etag: str
    file_size_bytes: int
    waiting: str = Field(
        description="Why it waits: `new`, `changed`, `retried` (it failed before), `discovered` (an earlier run saw "
        "it), `fits` (it was too large until now).",
        examples=["new"],
    )
    prospect: Prospect
    records: int = Field(description="Rows that would load.")
    refused: int = Field(description="Bad records of it.")
    error_type: str | None = Field(description="Of a file that would fail.")
    error_message: str | None


class FileProspectPage(answers.Answer):
    """What would become of files."""

    items: list[FileProspect]
    next_cursor: answers.NextCursor = None


class RefusedRecord(answers.Answer):
    """A record that would not load."""

    number: int = Field(description="Its place among what was found.", examples=[1])
    file_path: str = Field(examples=["s3://landing/events/a.json"])
    line: int | None = Field(description="Where it begins; of a document, the number of the element.", examples=[17])
    column: str | None = Field(description="The column at fault; null: the record as a whole.", examples=["id"])
    reason: str | None = Field(examples=["not_bigint"])
    message: str | None = Field(examples=['line 17, column "id": "1.5" is not a BIGINT (not_bigint)'])
    raw: str | None = Field(description="Its text; of a long one the beginning.", examples=['{"id": 1.5}'])


class RefusedRecordPage(answers.Answer):
    """Records that would not load."""

    items: list[RefusedRecord]
    next_cursor: answers.NextCursor = None


class ValidationReport(answers.Answer):
    """What would become of the files that wait."""

    ingestion: str
    is_clean: bool = Field(description="Whether nothing would be refused.")
    schema_text: str | None = Field(
        alias="schema_json",
        validation_alias=AliasChoices("schema_json", "schema_text"),
        description="What the files were read with; null: there is none, and nothing waits to tell it from.",
    )
    inferred: bool = Field(description="Whether the schema was told from a sample; it is not saved.")
    problem: str | None = Field(
        description="Why a run would fail as a whole: no schema can be told, or the table does not fit. No file is "
        "read then."
    )
    waiting: dict[str, int] = Field(description="Files that a run would read, by why they wait.", examples=[{"new": 3}])
    skipped: dict[str, int] = Field(description="Files that it would not read, by reason.", examples=[{"TooLarge": 1}])
    validated: int = Field(description="Waiting files that were read.")
    files: dict[Prospect, int] = Field(description="Of these, by what would become of them.", examples=[{"loads": 3}])
    records: int = Field(description="Rows that would load.")
    refused: int = Field(description="Bad records.")
    bytes: int = Field(description="Size of the validated files in the bucket.")


class Validation(answers.Answer):
    """What a run would do with the files that wait."""

    id: int = Field(examples=[1])
    ingestion_id: int
    tenant_id: str
    status: VerificationStatus = Field(description="SUCCESS: it could look. What it found, the report says.")
    max_files: int | None = Field(description="At most so many files are read; null: all that wait.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reading: answers.Reading | None = Field(description="How far it was a moment ago.")
    report: ValidationReport | None = Field(description="What it found; null until it has ended.")
    error_type: str | None
    error_message: str | None = Field(description="Why it could not look, where it is FAILED.")


class ValidationPage(answers.Answer):
    """Validations, the newest first."""

    items: list[Validation]
    next_cursor: answers.NextCursor = None
