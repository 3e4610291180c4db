"""What clients send. Shape and types are checked here, meaning in ``defining``."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from fastapi import Header, Path
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    model_validator,
)

from autoloader.model import (
    DEFAULT_MAX_FILE_SIZE_BYTES,
    DEFAULT_MAX_RETRIES,
    EngineName,
    FormatType,
    IngestionStatus,
    OnBadRecord,
    OnChangedFile,
    UnknownFields,
    WriteMode,
)

MOST_ID = 2**63 - 1
MOST_PATHS = 10_000

Id = Annotated[int, Path(ge=1, le=MOST_ID)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]{1,255}$",
        description="A name for this request, made up by the client: sent again within a day, it is not done again.",
    ),
]
IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=255, description="The `ETag` of the version that the change is made to."),
]


def _written_out(value: object) -> object:
    """A number, which Pydantic would take, does not say whether it counts seconds or milliseconds."""
    if not isinstance(value, str) or "-" not in value[1:5]:
        raise ValueError("give an instant such as 2024-01-15T08:30:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("the instant is outside the years 1 to 9999 of UTC") from None


Instant = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
Name = Annotated[
    str, Field(description="Unique in its tenant: letters, digits, `_`, `-`, `.`.", examples=["events"], max_length=128)
]
SourcePath = Annotated[
    str, Field(description="Where the files are.", examples=["s3://landing/events/"], max_length=2048)
]
Pattern = Annotated[
    str,
    Field(description="A glob below `source_path`; `*.json` means any depth.", examples=["*.json"], max_length=1024),
]
Format = Annotated[FormatType, Field(description="What the files are.")]
Options = Annotated[
    dict[str, str],
    Field(description="How they are read, by Spark's names of options.", examples=[{"multiLine": "true"}]),
]
SchemaText = Annotated[
    str | None,
    Field(
        alias="schema_json",
        description="Spark's StructType JSON or a DDL string; null: inferred once, at the first run.",
        examples=["id BIGINT, at TIMESTAMP"],
        max_length=512 * 1024,
    ),
]
Hints = Annotated[
    str | None,
    Field(
        description="Types of some columns as DDL, for a schema that is inferred: they override what the sample shows.",
        examples=["id BIGINT, price DECIMAL(10,2)"],
        max_length=64 * 1024,
    ),
]
Catalog = Annotated[str, Field(description="The catalog's name.", examples=["lake"], max_length=255)]
Database = Annotated[str, Field(description="The table's namespace.", examples=["raw"], max_length=255)]
Table = Annotated[str, Field(description="The table, made if it is not there.", examples=["events"], max_length=255)]
Mode = Annotated[WriteMode, Field(description="`overwrite`: the run's files become the table's whole content.")]
Partitions = Annotated[
    list[str], Field(description="Columns or transforms of them.", examples=[["day(at)"]], max_length=100)
]
PathColumns = Annotated[
    list[str],
    Field(
        description="Columns whose values stand in the `name=value` folders of a file's key, such as `dt=2024-01-15/`.",
        examples=[["dt"]],
        max_length=100,
    ),
]
Properties = Annotated[dict[str, str], Field(description="Properties of the table when it is made.")]
MostBytes = Annotated[
    int | str,
    Field(
        description="Larger files are SKIPPED: bytes, or such as `500MB`.",
        examples=["5GiB"],
        union_mode="left_to_right",
    ),
]
MostRetries = Annotated[int, Field(ge=0, le=1000, description="How often later runs try a failed file again.")]
Changed = Annotated[OnChangedFile, Field(description="What a new version of a loaded file means.")]
BadRecord = Annotated[
    OnBadRecord,
    Field(
        description="What a record means that the contract refuses: `fail_file`, its file fails; `quarantine`, the "
        "others load and it goes to the table `<table>__rejects`; `skip`, the others load and it is counted."
    ),
]
Unknown = Annotated[
    UnknownFields,
    Field(
        description="What becomes of a field that the schema does not know: `rescue`, it is kept as JSON in the column "
        "`_rescued_data`; `ignore`, it is left out; `fail`, its record is bad; `add`, it becomes a column of the table."
    ),
]
MostBad = Annotated[
    int | None,
    Field(ge=0, le=MOST_ID, description="A file with more bad records fails; null: no limit. Not with `fail_file`."),
]
MostBadRatio = Annotated[
    float | None,
    Field(
        ge=0,
        le=1,
        description="A file of whose records a larger part is bad fails; null: no limit. Not with `fail_file`.",
        examples=[0.01],
    ),
]
Status = Annotated[IngestionStatus, Field(description="Only ACTIVE ingestions, and those in ERROR, may run.")]
Secret = Annotated[
    str | None,
    Field(
        description="The key itself, which is sealed and never shown again; or `env:NAME`, `file:/path` on the machine "
        "of the service; or `***`: as it was.",
        json_schema_extra={"writeOnly": True},
        repr=False,
        max_length=8192,
    ),
]
Text = Annotated[str | None, Field(max_length=2048)]
Engine = Annotated[
    EngineName,
    Field(
        description="What loads the files: this service, a Spark cluster, or (`auto`) Spark for each load of 1 GiB and "
        "more whose files have 1 MiB on average, where a server is named."
    ),
]
ConnectUrl = Annotated[
    str | None,
    Field(
        description="The Spark Connect server of `engine: spark` and `auto`; null: that of the service.",
        examples=["sc://spark.example.com:15002"],
        max_length=2048,
    ),
]


class Body(BaseModel):
    """No field but those that are known, and no text that the ledger cannot hold."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="wrap")
    @classmethod
    def _without_nul(cls, given: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401  any JSON
        if _holds_nul(given):
            raise ValueError("no text may hold the character U+0000")
        return handler(given)


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(name) or _holds_nul(part) for name, part in value.items())
    return isinstance(value, list) and any(_holds_nul(part) for part in value)


class GivenCredentials(Body):
    """How to reach the bucket; nothing given: the default AWS chain of the service."""

    endpoint_url: Text = Field(None, description="An S3-compatible store.", examples=["https://s3.example.com"])
    aws_region: Text = Field(None, description="The bucket's region.", examples=["eu-central-1"])
    aws_access_key_id: Secret = None
    aws_secret_access_key: Secret = None
    aws_session_token: Secret = None
    role_arn: Text = Field(None, description="A role to assume.", examples=["arn:aws:iam::123456789012:role/reader"])
    profile: Text = Field(None, description="A profile of the AWS configuration of the service.")


class NewIngestion(Body):
    """An ingestion as it is to be: what to load, from where, into which table."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "events",
                    "source_path": "s3://landing/events/",
                    "source_file_pattern": "*.json",
                    "format_type": "json",
                    "database": "raw",
                    "table": "events",
                }
            ]
        }
    )

    name: Name
    source_path: SourcePath
    format_type: Format
    database: Database
    table: Table
    catalog: Catalog = "lake"
    source_file_pattern: Pattern = "**"
    source_credentials: GivenCredentials = Field(default_factory=GivenCredentials)
    format_options: Options = Field(default_factory=dict)
    schema_text: SchemaText = None
    schema_hints: Hints = None
    write_mode: Mode = WriteMode.APPEND
    path_columns: PathColumns = Field(default_factory=list)
    partition_columns: Partitions = Field(default_factory=list)
    table_properties: Properties = Field(default_factory=dict)
    engine: Engine = EngineName.EMBEDDED
    spark_connect_url: ConnectUrl = None
    spark_connect_token: Secret = None
    max_file_size_bytes: MostBytes = DEFAULT_MAX_FILE_SIZE_BYTES
    max_retries: MostRetries = DEFAULT_MAX_RETRIES
    on_changed_file: Changed = OnChangedFile.REPLACE
    on_bad_record: BadRecord = OnBadRecord.FAIL_FILE
    max_bad_records: MostBad = None
    max_bad_ratio: MostBadRatio = None
    unknown_fields: Unknown = UnknownFields.RESCUE
    status: Status = IngestionStatus.ACTIVE


class IngestionChanges(Body):
    """What is to change, as a JSON merge patch (RFC 7396): what is not named stays, null removes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"source_file_pattern": "**/dt=2024-*/**"}]})

    name: Name | None = None
    source_path: SourcePath | None = None
    format_type: Format | None = None
    database: Database | None = None
    table: Table | None = None
    catalog: Catalog | None = None
    source_file_pattern: Pattern | None = None
    source_credentials: GivenCredentials | None = None
    format_options: dict[str, str | None] | None = None
    schema_text: SchemaText = None
    schema_hints: Hints = None
    write_mode: Mode | None = None
    path_columns: PathColumns | None = None
    partition_columns: Partitions | None = None
    table_properties: dict[str, str | None] | None = None
    engine: Engine | None = None
    spark_connect_url: ConnectUrl = None
    spark_connect_token: Secret = None
    max_file_size_bytes: MostBytes | None = None
    max_retries: MostRetries | None = None
    on_changed_file: Changed | None = None
    on_bad_record: BadRecord | None = None
    max_bad_records: MostBad = None
    max_bad_ratio: MostBadRatio = None
    unknown_fields: Unknown | None = None
    status: Status | None = None


class NewRun(Body):
    """How much of the bucket a run looks at; nothing given: at all of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2024-01-15T00:00:00Z", "max_files": 1000}]})

    since: Instant | None = Field(None, description="Only objects modified at this instant or later.")
    max_files: Annotated[int, Field(ge=1, le=MOST_ID)] | None = Field(
        None, description="At most so many new or changed files; later runs take the rest."
    )


class NewValidation(Body):
    """How much of what waits a validation reads; nothing given: all of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"max_files": 1000}]})

    max_files: Annotated[int, Field(ge=1, le=MOST_ID)] | None = Field(None, description="At most so many files.")


class Settling(Body):
    """What a person says about a lost load."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"loaded": False}]})

    loaded: bool = Field(description="Whether its rows are in the table, or shall not be loaded again.")


class FilesToRetry(Body):
    """Which failed files are to be tried again; no paths: all of them."""

    paths: list[Annotated[str, Field(max_length=2048, examples=["s3://landing/events/a.json"])]] | None = Field(
        None, description="Paths of FAILED files.", min_length=1, max_length=MOST_PATHS
    )


def merged(before: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A JSON merge patch applied to one level, and to the objects in it."""
    after = dict(before)
    for name, value in changes.items():
        kept = before.get(name)
        if isinstance(kept, dict) and isinstance(value, dict):
            after[name] = {key: part for key, part in (kept | value).items() if part is not None}
        elif value is None and isinstance(kept, dict):
            after[name] = {}
        else:
            after[name] = value
    return after
