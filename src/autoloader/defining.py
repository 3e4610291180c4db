"""Ingestions as people describe them: checked as a whole before anything is written.

A draft is a mapping of the contract's field names, as the command line or a client gives it. Every rule that can be
checked without reaching the bucket or the catalog is checked here, so that a saved ingestion is one that can run.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ByteSize, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from autoloader.engines.options import parse_options
from autoloader.errors import UsageError
from autoloader.lake.catalogs import identifier
from autoloader.lake.partitions import check_form, partition_spec
from autoloader.lake.types import iceberg_schema
from autoloader.ledger import ingestions
from autoloader.ledger.database import transaction
from autoloader.model import (
    DEFAULT_MAX_FILE_SIZE_BYTES,
    DEFAULT_MAX_RETRIES,
    FormatType,
    IngestionStatus,
    NewIngestion,
    OnChangedFile,
    SourceCredentials,
    WriteMode,
)
from autoloader.objects.globs import Pattern
from autoloader.objects.paths import parse_source_path
from autoloader.schema import parse_schema, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Engine as Database

    from autoloader.model import Ingestion

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
Reference = Annotated[str, StringConstraints(pattern=rf"^{REFERENCE.pattern}$")]


STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CredentialsDraft:
    """How to reach the bucket. Keys are given as references, ``env:NAME``, never as the keys themselves."""

    endpoint_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+/?$")] | None = None
    aws_region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] | None = None
    aws_access_key_id: Reference | None = None
    aws_secret_access_key: Reference | None = None
    aws_session_token: Reference | None = None
    role_arn: Annotated[str, StringConstraints(pattern=r"^arn:[\w-]+:iam::\d{12}:role/.+$")] | None = None
    profile: Annotated[str, StringConstraints(min_length=1)] | None = None


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Draft:
    """The fields a person decides, with the defaults of the contract."""

    name: Annotated[str, StringConstraints(pattern=NAME, max_length=128)]
    source_path: str
    table: str
    format_type: FormatType
    catalog: str = "lake"
    database: str
    source_file_pattern: str = "**"
    source_credentials: CredentialsDraft = Field(default_factory=CredentialsDraft)
    format_options: dict[str, str] = Field(default_factory=dict)
    schema_json: str | None = None
    write_mode: WriteMode = WriteMode.APPEND
    partition_columns: tuple[str, ...] = ()
    table_properties: dict[str, str] = Field(default_factory=dict)
    max_file_size_bytes: Annotated[ByteSize, Field(gt=0, lt=2**63)] = ByteSize(DEFAULT_MAX_FILE_SIZE_BYTES)
    max_retries: Annotated[int, Field(ge=0, le=1000)] = DEFAULT_MAX_RETRIES
    on_changed_file: OnChangedFile = OnChangedFile.REPLACE
    status: IngestionStatus = IngestionStatus.ACTIVE


FIELDS = tuple(field.name for field in dataclasses.fields(Draft))
_DRAFT = TypeAdapter(Draft)


def define(draft: Mapping[str, Any]) -> NewIngestion:
    """Check a draft against every rule of the contract.

    Raises:
        UsageError: the first rule that is broken; ``field`` is the name of the field at fault.
    """
    try:
        fields = _DRAFT.validate_python(dict(draft))
    except ValidationError as error:
        raise _usage_error(error) from None
    source = parse_source_path(fields.source_path)
    Pattern(fields.source_file_pattern)
    identifier(fields.database, fields.table)
    parse_options(fields.format_type, fields.format_options)
    schema = parse_schema(fields.schema_json) if fields.schema_json is not None else None
    if schema is None:
        check_form(fields.partition_columns)
    else:
        partition_spec(fields.partition_columns, iceberg_schema(schema))
    _check_keys(fields.source_credentials)
    values = {name: getattr(fields, name) for name in FIELDS}
    return NewIngestion(
        **values
        | {
            "source_path": source.path,
            "schema_json": to_json(schema) if schema is not None else None,
            "source_credentials": SourceCredentials(**dataclasses.asdict(fields.source_credentials)),
        }
    )


def create(database: Database, draft: Mapping[str, Any], check_table: Callable[[NewIngestion], None]) -> Ingestion:
    """Check a draft and save it.

    Args:
        check_table: asks the catalog whether it takes the table's name.

    Raises:
        UsageError: as ``define``; NameTaken when the name is in use.
        LakeError: there is no such catalog, or it does not answer.
    """
    checked = define(draft)
    check_table(checked)
    with transaction(database) as connection:
        return ingestions.insert(connection, checked)


def edit(
    database: Database, ingestion: Ingestion, changes: Mapping[str, Any], check_table: Callable[[NewIngestion], None]
) -> Ingestion:
    """Check the ingestion as it would be with the changes, then save them. The history of its files stays.

    Args:
        check_table: as for ``create``; asked only when the table is another one.

    Raises:
        UsageError: as ``define``; NameTaken when the new name is in use.
        LakeError: there is no such catalog, or it does not answer.
    """
    before = as_draft(ingestion)
    after = define(before | dict(changes))
    if (after.catalog, after.database, after.table) != (ingestion.catalog, ingestion.database, ingestion.table):
        check_table(after)
    changed = {name: getattr(after, name) for name in FIELDS if getattr(after, name) != getattr(ingestion, name)}
    if not changed:
        return ingestion
    with transaction(database) as connection:
        return ingestions.update(connection, ingestion.id, changed)


def as_draft(ingestion: NewIngestion) -> dict[str, Any]:
    """The fields a person decides, as they stand now."""
    draft = {name: getattr(ingestion, name) for name in FIELDS}
    return draft | {"source_credentials": dataclasses.asdict(ingestion.source_credentials)}


def _check_keys(credentials: CredentialsDraft) -> None:
    if (credentials.aws_access_key_id is None) != (credentials.aws_secret_access_key is None):
        raise UsageError(
            "aws_access_key_id and aws_secret_access_key go together: give both or neither",
            field="source_credentials",
        )


def _usage_error(error: ValidationError) -> UsageError:
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    if first["type"] in {"missing", "missing_argument"}:
        return UsageError(f"{field} is required", field=field)
    if first["type"] == "unexpected_keyword_argument":
        return UsageError(f"{field} is not a field of an ingestion", field=field)
    if field == "max_file_size_bytes":
        return UsageError(f"{field}: give a size above zero, in bytes or such as 500MB or 5GiB", field=field)
    if field == "name":
        return UsageError(
            "a name is 1 to 128 letters, digits, '_', '-' or '.', and begins with a letter or a digit", field=field
        )
    if field.removeprefix("source_credentials.") in {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}:
        return UsageError(f"{field}: give a reference such as env:MY_KEY, never the key itself", field=field)
    return UsageError(f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}", field=field)
