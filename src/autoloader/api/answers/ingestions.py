"""Answers about ingestions."""

from datetime import datetime

from pydantic import Field, field_validator

from autoloader import model
from autoloader.api.answers.answer import Answer, NextCursor
from autoloader.defining import shown
from autoloader.model import (
    EngineName,
    FormatType,
    IngestionStatus,
    OnBadRecord,
    OnChangedFile,
    UnknownFields,
    WriteMode,
)
from autoloader.vault import masked


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
