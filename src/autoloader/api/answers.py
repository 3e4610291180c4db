"""What the service answers: the contract's fields, with no secret in any of them."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from autoloader import model
from autoloader.defining import shown
from autoloader.model import (
    DifferenceKind,
    EngineName,
    FileStatus,
    FormatType,
    IngestionStatus,
    LoadState,
    OnBadRecord,
    OnChangedFile,
    RunStatus,
    RunTrigger,
    UnknownFields,
    VerificationStatus,
    WriteMode,
)
from autoloader.vault import masked

NextCursor = Annotated[str | None, Field(description="Give it as `cursor` for the next page; null: this is the last.")]


class Answer(BaseModel):
    """Made from a value of the model, field by field."""

    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, value: object) -> Self:
        """The answer that tells this value."""
        return cls.model_validate(value)


class Credentials(Answer):
    """How the bucket is reached; `***` stands for a key that is stored sealed."""

    endpoint_url: str | None = None
    aws_region: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    role_arn: str | None = None
    profile: str | None = None


class Ingestion(Answer):
    """What to load, from where, into which table."""

    id: int = Field(examples=[1])
    version: int = Field(description="Counts the edits; the `ETag` holds it.", examples=[1])
    tenant_id: str
    name: str = Field(examples=["events"])
    status: IngestionStatus
    source_type: str
    source_path: str = Field(examples=["s3://landing/events/"])
    source_file_pattern: str
    source_credentials: Credentials
    path_columns: list[str]
    format_type: FormatType
    format_options: dict[str, str]
    schema_text: str | None = Field(
        alias="schema_json", description="Spark's StructType JSON; null: inferred at the first run."
    )
    catalog: str
    database: str
    table: str
    schema_hints: str | None = Field(
        description="Types of columns, of which the rest is inferred.", examples=["id BIGINT"]
    )
    write_mode: WriteMode
    partition_columns: list[str]
    table_properties: dict[str, str]
    engine: EngineName
    cluster_id: str | None
    spark_connect_url: str | None
    spark_connect_token: str | None
    max_file_size_bytes: int
    max_retries: int
    on_changed_file: OnChangedFile
    on_bad_record: OnBadRecord
    max_bad_records: int | None
    max_bad_ratio: float | None
    unknown_fields: UnknownFields
    created_at: datetime
    updated_at: datetime

    @field_validator("source_credentials", mode="before")
    @classmethod
    def _shown(cls, value: object) -> object:
        return shown(value) if isinstance(value, model.SourceCredentials) else value

    @field_validator("spark_connect_token")
    @classmethod
    def _masked(cls, value: str | None) -> str | None:
        return masked(value)


class IngestionPage(Answer):
    """Ingestions by name."""

    items: list[Ingestion]
    next_cursor: NextCursor = None


class RunError(Answer):
    """Why a run, or a file of it, failed."""

    message: str
    type: str
    file_path: str | None
    timestamp: datetime


class Run(Answer):
    """One trigger of an ingestion. Its counters are the truth of the ledger."""

    id: int = Field(examples=[1])
    ingestion_id: int
    tenant_id: str
    cluster_id: str | None
    trigger: RunTrigger
    status: RunStatus = Field(description="SUCCESS with `files_failed` above 0: some files did not load.")
    since: datetime | None = Field(description="It looks only at objects modified at this instant or later.")
    max_files: int | None = Field(description="It takes so many new or changed files at most.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None
    listed_at: datetime | None = Field(description="When the listing of the bucket was complete.")
    files_discovered: int
    files_processed: int
    files_succeeded: int
    files_failed: int
    files_skipped: int
    records_ingested: int
    records_rejected: int = Field(description="Bad records of files that loaded without them.")
    bytes_read: int
    errors: list[RunError]


class RunPage(Answer):
    """Runs, the newest first."""

    items: list[Run]
    next_cursor: NextCursor = None


class File(Answer):
    """The current version of one path of an ingestion, and what became of it."""

    id: int = Field(examples=[1])
    ingestion_id: int
    run_id: int | None
    file_path: str = Field(examples=["s3://landing/events/a.json"])
    file_size_bytes: int
    file_modified_at: datetime
    file_etag: str
    status: FileStatus
    discovered_at: datetime
    processing_started_at: datetime | None
    processed_at: datetime | None
    records_ingested: int
    records_rejected: int
    bytes_read: int
    processing_duration_ms: int | None
    error_message: str | None
    error_type: str | None
    retry_count: int
    load_id: UUID | None
    snapshot_id: int | None = Field(description="The Iceberg snapshot its rows came with.")
    created_at: datetime
    updated_at: datetime


class FilePage(Answer):
    """Files by path."""

    items: list[File]
    next_cursor: NextCursor = None


class Reject(Answer):
    """A bad record that its file was loaded without."""

    file_path: str
    file_etag: str | None
    load_id: str = Field(description="The load that set it apart, and brought the good records of its file.")
    line: int | None = Field(description="The line where it begins; in a JSON document, the number of the element.")
    column: str | None = Field(description="The column at fault; null: the record as a whole.")
    reason: str | None = Field(description="A stable code.", examples=["malformed", "not_bigint"])
    message: str | None
    raw: str | None = Field(description="Its text, 64 KiB at most.")
    rejected_at: datetime


class RejectPage(Answer):
    """Rejects, those of the newest loads first."""

    items: list[Reject]
    next_cursor: NextCursor = None


class FileCounts(Answer):
    """How many files of an ingestion are in each status."""

    files: dict[FileStatus, int] = Field(examples=[{"DISCOVERED": 0, "PROCESSING": 0, "SUCCESS": 12}])


class FileVersion(Answer):
    """One version of a file in one load, or a decision of discovery about it."""

    file_etag: str
    file_size_bytes: int
    file_modified_at: datetime
    status: FileStatus = Field(description="DISCOVERED: it was put back and waits again.")
    run_id: int
    load_id: UUID | None
    load_state: LoadState | None
    snapshot_id: int | None
    worker: str | None
    started_at: datetime | None
    recorded_at: datetime
    records_ingested: int
    records_rejected: int
    bytes_read: int
    duration_ms: int | None
    error_type: str | None
    error_message: str | None


class FileStory(File):
    """A file with every earlier version and attempt, the oldest first."""

    history: list[FileVersion]


class Load(Answer):
    """One attempt to put a fixed set of file versions into one snapshot."""

    id: UUID
    ingestion_id: int
    run_id: int
    state: LoadState
    worker: str
    lease_until: datetime
    started_at: datetime
    prepared_at: datetime | None = Field(description="When its outcomes were stored; it is sent only after that.")
    ended_at: datetime | None
    table_name: str = Field(examples=["lake.raw.events"])
    snapshot_id: int | None
    files: int
    bytes: int
    error_type: str | None = Field(description="`HistoryTooShort`: only a person can settle it.")
    error_message: str | None


class LostLoads(Answer):
    """Lost loads, the oldest first."""

    items: list[Load]


class Retried(Answer):
    """How many files wait again."""

    files: int = Field(examples=[3])


class SourceObject(Answer):
    """One object of the bucket."""

    path: str = Field(examples=["s3://landing/events/a.json"])
    size_bytes: int
    etag: str
    modified_at: datetime


class Connection(Answer):
    """What of the bucket, and of the Spark cluster, works."""

    listed: int = Field(description="Files on the first page of the listing that holds any.", examples=[12])
    read: str | None = Field(description="The file whose first byte was read; null: there was none to read.")
    spark: list[str] = Field(
        description="What was found of the Spark cluster, a sentence for each part; empty: no load uses one.",
        examples=[["Spark 4.1.4 answers", "its Iceberg extension is there"]],
    )
    message: str = Field(examples=["Listing works (12 files on the first page), and reading works (s3://…)."])


class Matching(Answer):
    """What a run would look at."""

    files: int
    bytes: int
    complete: bool = Field(description="False: the listing was cut short, and there is more.")


class FileReason(Answer):
    """A file, and why a run would not load it."""

    path: str
    reason: str


class ColumnEvidence(Answer):
    """What the sample shows of a column, or of a field of a struct."""

    column: str = Field(examples=["user.address.city"])
    type: str = Field(examples=["BIGINT"])
    hinted: bool = Field(description="Whether `schema_hints` says so.")
    files: int = Field(description="Sampled files that have it.")
    records: int | None = Field(description="Sampled records, or structs around it, that have it; null: not counted.")
    of_records: int | None = Field(description="Of how many.")
    nulls: int | None = Field(description="How many of them have no value.")
    types: list[str] = Field(description="What each file alone would say, the most frequent first.")
    example: str | None


class Disagreement(Answer):
    """A sampled file that says something else of a column than the schema."""

    path: str
    column: str
    message: str = Field(examples=["STRING in this file, BIGINT in the schema"])


class Preview(Answer):
    """What a run would do. Nothing was written."""

    source_path: str = Field(description="Where was looked.", examples=["s3://landing/events/"])
    schema_text: str | None = Field(
        alias="schema_json",
        validation_alias=AliasChoices("schema_json", "schema_text"),
        description="Spark's StructType JSON; null: no file matches.",
    )
    inferred: bool = Field(description="Whether the schema was told from a sample.")
    sampled: int = Field(description="On how many files an inferred schema rests.")
    evidence: list[ColumnEvidence] = Field(description="What an inferred schema rests on.")
    disagreements: list[Disagreement] = Field(description="Sampled files that disagree with it; 50 at most.")
    columns: list[str]
    rows: list[list[Any]] = Field(description="The first rows of a sample; long texts are cut.")
    matching: Matching
    examples: list[SourceObject]
    skipped: list[FileReason] = Field(description="Files that a run would skip.")
    problems: list[FileReason] = Field(
        description="Files of the sample that a run would fail, or load without some of their records."
    )


class Difference(Answer):
    """One thing about which the ledger and the table do not agree."""

    number: int = Field(description="Its place among what was found.", examples=[1])
    kind: DifferenceKind
    message: str = Field(examples=["the ledger claims 100 rows of this file, and the table holds 0"])
    table: str = Field(examples=["lake.raw.events"])
    file_path: str | None = Field(description="Of the source file; of the data file where that is orphaned.")
    load_id: UUID | None
    snapshot_id: int | None
    expected: int | None = Field(description="Rows that the ledger claims.")
    found: int | None = Field(description="Rows that the table holds.")


class DifferencePage(Answer):
    """What a verification found, kind by kind."""

    items: list[Difference]
    next_cursor: NextCursor = None


class TableStanding(Answer):
    """How a table of the ingestion stands."""

    name: str = Field(examples=["lake.raw.events"])
    snapshot_id: int | None = Field(description="The snapshot that was looked at; null: there is nothing in the table.")
    data_files: int
    rows_claimed: int = Field(description="Rows that the ledger says are in it.")
    rows_found: int = Field(description="Rows in it that loads of this ingestion brought.")
    rows_of_others: int = Field(description="Rows that others brought: they are not judged.")
    loads_expired: int = Field(description="Loads whose snapshots the table's history no longer reaches back to.")


class VerificationReport(Answer):
    """What was found: `listed` is the sum of `loaded`, `failed`, `skipped` and `waiting`."""

    ingestion: str
    ledger_at: datetime = Field(description="The moment of the ledger; the table is looked at as it was then.")
    is_clean: bool = Field(description="Whether nothing differs.")
    listed: int = Field(description="Files in the bucket that the ingestion is about.")
    loaded: int
    failed: int
    skipped: dict[str, int] = Field(description="By reason.", examples=[{"TooLarge": 1}])
    waiting: dict[str, int] = Field(
        description="By reason: `new`, `changed`, `discovered`, `deferred`, `processing`.", examples=[{"new": 3}]
    )
    gone: int = Field(description="Files of the ledger that are not in the bucket any more.")
    loads_committed: int
    loads_open: int = Field(description="Loads that go on, or are lost and not decided: their rows are not judged.")
    tables: list[TableStanding]
    differences: dict[DifferenceKind, int] = Field(
        description="How many of each kind; none where nothing differs.", examples=[{"rows_missing": 2}]
    )


class Reading(Answer):
    """How far a verification or a validation has come."""

    what: str = Field(examples=["table"])
    done: int
    total: int | None


class Verification(Answer):
    """A comparison of bucket, ledger and table."""

    id: int = Field(examples=[1])
    ingestion_id: int
    tenant_id: str
    status: VerificationStatus = Field(description="SUCCESS: it could look. What it found, the report says.")
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    reading: Reading | None = Field(description="How far it was a moment ago.")
    report: VerificationReport | None = Field(description="What it found; null until it has ended.")
    error_type: str | None
    error_message: str | None = Field(description="Why it could not look, where it is FAILED.")


class VerificationPage(Answer):
    """Verifications, the newest first."""

    items: list[Verification]
    next_cursor: NextCursor = None


class Alive(Answer):
    """The process answers."""

    status: str = Field("ok", examples=["ok"])


class Part(Answer):
    """A part of the service."""

    name: str = Field(examples=["ledger"])
    up: bool
    reason: str | None = Field(description="Why it is not, and what to do.")


class Readiness(Answer):
    """Whether every part that the service stands on answers."""

    ready: bool
    parts: list[Part]
