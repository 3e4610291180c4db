"""Ingestions: what to load, from where, into which table; and the words for how."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""What names of ingestions, tokens and tenants look like: they stand in addresses and file names."""

DEFAULT_TENANT = "default"
DEFAULT_MAX_FILE_SIZE_BYTES = 5 * 1024**3
DEFAULT_MAX_RETRIES = 3


class IngestionStatus(StrEnum):
    """Whether an ingestion may run."""

    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"
    ERROR = "ERROR"


class FormatType(StrEnum):
    """Formats that are read."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    AVRO = "avro"
    ORC = "orc"
    TEXT = "text"
    XML = "xml"


class WriteMode(StrEnum):
    """``overwrite``: the files of the run become the whole content of the table, in one commit."""

    APPEND = "append"
    OVERWRITE = "overwrite"


class EngineName(StrEnum):
    """What turns the files into data files: this process, a Spark cluster, or for each load the one that suits it."""

    EMBEDDED = "embedded"
    SPARK = "spark"
    AUTO = "auto"


class OnChangedFile(StrEnum):
    """What a new version (another etag) of a file means whose earlier version is already in the table."""

    REPLACE = "replace"
    APPEND = "append"
    IGNORE = "ignore"
    FAIL = "fail"


class OnBadRecord(StrEnum):
    """What a record that the contract refuses means for its file.

    ``fail_file``: the file is FAILED with the first one. ``quarantine``: the others load, and it goes to the table
    ``<table>__rejects``. ``skip``: the others load, and it is counted.
    """

    FAIL_FILE = "fail_file"
    QUARANTINE = "quarantine"
    SKIP = "skip"


class UnknownFields(StrEnum):
    """What becomes of a field that a file has and the schema has not. One that is NULL is as good as absent.

    ``rescue``: it is kept as JSON in the column ``_rescued_data``. ``ignore``: it is left out. ``fail``: its record is
    bad. ``add``: it becomes a column of the table; what cannot is kept as with ``rescue``.
    """

    RESCUE = "rescue"
    IGNORE = "ignore"
    FAIL = "fail"
    ADD = "add"

    @property
    def keeps(self) -> bool:
        """Whether the table has a column for them."""
        return self in {UnknownFields.RESCUE, UnknownFields.ADD}


@dataclass(frozen=True, kw_only=True, slots=True)
class BadRecords:
    """What becomes of the bad records of a file, and how many it may have.

    Attributes:
        most: a file with more of them fails; None: no limit.
        most_of_all: a file fails when they are a larger part of its records, 0 to 1; None: no limit.
    """

    policy: OnBadRecord = OnBadRecord.FAIL_FILE
    most: int | None = None
    most_of_all: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceCredentials:
    """How to reach the bucket; all None: the default AWS chain (or the embedded stack where that is in use).

    Attributes:
        endpoint_url: an S3-compatible endpoint other than AWS.
        aws_access_key_id: ``env:NAME`` or ``file:/path``, where the key is to be found, or ``enc:…``, the key as the
            vault sealed it; never the key itself.
        aws_secret_access_key: likewise.
        aws_session_token: likewise.
        role_arn: a role to assume with the credentials found so far.
        profile: a profile of the AWS configuration files.
    """

    endpoint_url: str | None = None
    aws_region: str | None = None
    aws_access_key_id: str | None = field(default=None, repr=False)
    aws_secret_access_key: str | None = field(default=None, repr=False)
    aws_session_token: str | None = field(default=None, repr=False)
    role_arn: str | None = None
    profile: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewIngestion:
    """An ingestion as a person describes it, before it is saved; already validated."""

    name: str
    source_path: str
    format_type: FormatType
    catalog: str
    database: str
    table: str
    tenant_id: str = DEFAULT_TENANT
    status: IngestionStatus = IngestionStatus.ACTIVE
    source_type: str = "S3"
    source_file_pattern: str = "**"
    source_credentials: SourceCredentials = field(default_factory=SourceCredentials)
    path_columns: tuple[str, ...] = ()
    format_options: Mapping[str, str] = field(default_factory=dict)
    schema_json: str | None = None
    schema_hints: str | None = None
    write_mode: WriteMode = WriteMode.APPEND
    partition_columns: tuple[str, ...] = ()
    table_properties: Mapping[str, str] = field(default_factory=dict)
    engine: EngineName = EngineName.EMBEDDED
    cluster_id: str | None = None
    spark_connect_url: str | None = None
    spark_connect_token: str | None = field(default=None, repr=False)
    max_file_size_bytes: int = DEFAULT_MAX_FILE_SIZE_BYTES
    max_retries: int = DEFAULT_MAX_RETRIES
    on_changed_file: OnChangedFile = OnChangedFile.REPLACE
    on_bad_record: OnBadRecord = OnBadRecord.FAIL_FILE
    max_bad_records: int | None = None
    max_bad_ratio: float | None = None
    unknown_fields: UnknownFields = UnknownFields.RESCUE

    @property
    def bad_records(self) -> BadRecords:
        """The three fields about bad records as one."""
        return BadRecords(policy=self.on_bad_record, most=self.max_bad_records, most_of_all=self.max_bad_ratio)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ingestion(NewIngestion):
    """What to load, from where, into which table; as saved in the ledger.

    Attributes:
        version: counts the edits, from 1.
    """

    id: int
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def table_name(self) -> str:
        """``catalog.database.table``, as people write it."""
        return f"{self.catalog}.{self.database}.{self.table}"
