"""Ingestions as people describe them: checked as a whole before anything is written.

A draft is a mapping of the contract's field names, as the command line or a client gives it. Every rule that can be
checked without reaching the bucket or the catalog is checked here, so that a saved ingestion is one that can run.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ByteSize, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from autoloader.engines import tolerance
from autoloader.engines.fields import all_columns, check_columns, check_paths, effective, of_records
from autoloader.engines.fitting import check_fit
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
    NAME,
    EngineName,
    FormatType,
    IngestionStatus,
    NewIngestion,
    OnBadRecord,
    OnChangedFile,
    SourceCredentials,
    UnknownFields,
    WriteMode,
)
from autoloader.objects.globs import Pattern
from autoloader.objects.paths import parse_source_path
from autoloader.schema import parse_hints, parse_schema, to_ddl, to_json
from autoloader.vault import CREDENTIAL_SECRETS, FILE, MASK, SEALED, SECRETS, VARIABLE, check_reference, masked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from sqlalchemy import Engine as Database

    from autoloader.model import Ingestion

    class Sealer(Protocol):
        """Seals secrets: a ``Vault``."""

        def seal(self, secret: str, /) -> str:
            """The secret as it may be stored."""


CONNECT_URL = r"^sc://[^/;\s]+(/(;[\w-]+=[^;=\s]+)*)?$"
Secret = Annotated[str, StringConstraints(pattern=r"^[!-~]+$", max_length=8192)]
"""The secret itself, or where it is to be found: ``env:NAME``, ``file:/path``."""

STRICT = ConfigDict(extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class CredentialsDraft:
    """How to reach the bucket. Keys are given themselves, to be sealed, or as ``env:NAME`` or ``file:/path``."""

    endpoint_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+/?$")] | None = None
    aws_region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")] | None = None
    aws_access_key_id: Secret | None = Field(None, repr=False, json_schema_extra={"writeOnly": True})
    aws_secret_access_key: Secret | None = Field(None, repr=False, json_schema_extra={"writeOnly": True})
    aws_session_token: Secret | None = Field(None, repr=False, json_schema_extra={"writeOnly": True})
    role_arn: Annotated[str, StringConstraints(pattern=r"^arn:[\w-]+:iam::\d{12}:role/.+$")] | None = None
    profile: Annotated[str, StringConstraints(min_length=1)] | None = None


_CREDENTIALS = TypeAdapter(CredentialsDraft)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Draft:
    """The fields a person decides, with the defaults of the contract."""

    name: Annotated[str, StringConstraints(pattern=NAME, max_length=128)]
    source_path: str
    format_type: FormatType
    database: str
    table: str
    catalog: str = "lake"
    source_file_pattern: str = "**"
    source_credentials: CredentialsDraft = Field(default_factory=lambda: _CREDENTIALS.validate_python({}))
    format_options: dict[str, str] = Field(default_factory=dict)
    schema_json: str | None = None
    schema_hints: str | None = None
    write_mode: WriteMode = WriteMode.APPEND
    path_columns: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    partition_columns: tuple[str, ...] = ()
    table_properties: dict[str, str] = Field(default_factory=dict)
    engine: EngineName = EngineName.EMBEDDED
    spark_connect_url: Annotated[str, StringConstraints(pattern=CONNECT_URL, max_length=2048)] | None = None
    spark_connect_token: Secret | None = Field(None, repr=False)
    max_file_size_bytes: Annotated[ByteSize, Field(gt=0, lt=2**63)] = ByteSize(DEFAULT_MAX_FILE_SIZE_BYTES)
    max_retries: Annotated[int, Field(ge=0, le=1000)] = DEFAULT_MAX_RETRIES
    on_changed_file: OnChangedFile = OnChangedFile.REPLACE
    on_bad_record: OnBadRecord = OnBadRecord.FAIL_FILE
    max_bad_records: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    max_bad_ratio: Annotated[float, Field(ge=0, le=1)] | None = None
    unknown_fields: UnknownFields = UnknownFields.RESCUE
    status: IngestionStatus = IngestionStatus.ACTIVE


FIELDS = tuple(field.name for field in dataclasses.fields(Draft))
NO_CREDENTIALS = SourceCredentials()
_DRAFT = TypeAdapter(Draft)


def define(draft: Mapping[str, Any], vault: Sealer, saved: NewIngestion | None = None) -> NewIngestion:
    """Check a draft against every rule of the contract, and seal its secrets.

    Args:
        saved: the ingestion as it is so far: ``***`` in the draft means the secret that it has.

    Raises:
        UsageError: the first rule that is broken; ``field`` is the name of the field at fault.
        VaultError: there are secrets, and no key to seal them with.
    """
    try:
        fields = _DRAFT.validate_python(dict(draft))
    except ValidationError as error:
        raise _usage_error(error) from None
    source = parse_source_path(fields.source_path)
    Pattern(fields.source_file_pattern)
    identifier(fields.database, fields.table)
    options = parse_options(fields.format_type, fields.format_options)
    schema = parse_schema(fields.schema_json) if fields.schema_json is not None else None
    check_paths(fields.path_columns)
    if schema is None:
        check_form(fields.partition_columns)
    else:
        check_columns(schema, fields.path_columns, effective(fields.unknown_fields, options))
        check_fit(options, of_records(schema, fields.path_columns))
        partition_spec(fields.partition_columns, iceberg_schema(all_columns(schema, fields.path_columns)))
    hints = parse_hints(fields.schema_hints) if fields.schema_hints is not None else None
    _check_keys(fields.source_credentials)
    tolerance.check(fields.format_type, fields.on_bad_record, fields.max_bad_records, fields.max_bad_ratio)
    values = {name: getattr(fields, name) for name in FIELDS}
    return NewIngestion(
        **values
        | {
            "source_path": source.path,
            "schema_json": to_json(schema) if schema is not None else None,
            "schema_hints": to_ddl(hints) if hints is not None else None,
            "source_credentials": _sealed(
                fields.source_credentials, saved.source_credentials if saved else NO_CREDENTIALS, vault
            ),
            "spark_connect_token": _sealed_token(fields, saved, vault),
        }
    )


def check(
    draft: Mapping[str, Any],
    saved: Ingestion | None,
    check_table: Callable[[NewIngestion], None],
    vault: Sealer,
) -> NewIngestion:
    """The ingestion that a draft would be, checked as it is before it is saved; nothing is written.

    Args:
        saved: the ingestion that the draft is to replace, or None.
        check_table: asks the catalog whether it takes the table's name; asked only when the table is another one.

    Raises:
        UsageError: as ``define``.
        LakeError: there is no such catalog, or it does not answer.
    """
    after = define(draft, vault, saved)
    if saved is None or (after.catalog, after.database, after.table) != (saved.catalog, saved.database, saved.table):
        check_table(after)
    return after


def create(
    database: Database, draft: Mapping[str, Any], check_table: Callable[[NewIngestion], None], vault: Sealer
) -> Ingestion:
    """Check a draft and save it.

    Args:
        check_table: as for ``check``.

    Raises:
        UsageError: as ``define``; NameTaken when the name is in use.
        LakeError: there is no such catalog, or it does not answer.
    """
    checked = check(draft, None, check_table, vault)
    with transaction(database) as connection:
        return ingestions.insert(connection, checked)


def edit(
    database: Database,
    ingestion: Ingestion,
    changes: Mapping[str, Any],
    check_table: Callable[[NewIngestion], None],
    vault: Sealer,
) -> Ingestion:
    """Check the ingestion as it would be with the changes, then save them. The history of its files stays.

    Args:
        check_table: as for ``check``.

    Raises:
        UsageError: as ``define``; NameTaken when the new name is in use.
        EditedMeanwhile: somebody else edited it since ``ingestion`` was read.
        LakeError: there is no such catalog, or it does not answer.
    """
    after = check(as_draft(ingestion) | dict(changes), ingestion, check_table, vault)
    changed = {name: getattr(after, name) for name in FIELDS if getattr(after, name) != getattr(ingestion, name)}
    if not changed:
        return ingestion
    with transaction(database) as connection:
        return ingestions.update(connection, ingestion.id, changed, version=ingestion.version)


def as_draft(ingestion: NewIngestion) -> dict[str, Any]:
    """The fields a person decides, as they stand now; secrets are masked, and mean what is saved."""
    draft = {name: getattr(ingestion, name) for name in FIELDS}
    return draft | {
        "source_credentials": shown(ingestion.source_credentials),
        "spark_connect_token": masked(ingestion.spark_connect_token),
    }


def shown(credentials: SourceCredentials) -> dict[str, str | None]:
    """Credentials as they may be shown: references as they are, sealed secrets as ``***``."""
    values = dataclasses.asdict(credentials)
    return values | {name: masked(values[name]) for name in CREDENTIAL_SECRETS}


def _check_keys(credentials: CredentialsDraft) -> None:
    if (credentials.aws_access_key_id is None) != (credentials.aws_secret_access_key is None):
        raise UsageError(
            "aws_access_key_id and aws_secret_access_key go together: give both or neither",
            field="source_credentials",
        )


def _sealed(credentials: CredentialsDraft, saved: SourceCredentials, vault: Sealer) -> SourceCredentials:
    values = dataclasses.asdict(credentials)
    moved = (credentials.endpoint_url or "").rstrip("/") != (saved.endpoint_url or "").rstrip("/")
    for name in CREDENTIAL_SECRETS:
        given, before = values[name], getattr(saved, name)
        if given == MASK:
            values[name] = _kept(name, before, field=f"source_credentials.{name}", moved=moved)
        elif given is not None:
            values[name] = _stored(name, given, vault, field=f"source_credentials.{name}")
    return SourceCredentials(**values)


def _sealed_token(fields: Draft, saved: NewIngestion | None, vault: Sealer) -> str | None:
    name, given = "spark_connect_token", fields.spark_connect_token
    if fields.spark_connect_url is None and given is not None:
        raise UsageError(f"{name} is for the server of spark_connect_url, and there is none: give it", field=name)
    if given == MASK:
        before = saved.spark_connect_token if saved else None
        moved = saved is None or fields.spark_connect_url != saved.spark_connect_url
        return _kept(name, before, field=name, moved=moved)
    return None if given is None else _stored(name, given, vault, field=name)


def _kept(name: str, before: str | None, *, field: str, moved: bool) -> str:
    if before is None:
        raise UsageError(f"{name} is {MASK}, which stands for the saved one, and there is none: give it", field=field)
    if moved and before.startswith(SEALED):
        # Whoever may edit but does not know the keys could have them sent to an endpoint of their own.
        kind = "token" if name == "spark_connect_token" else "key"
        raise UsageError(f"{name}: the endpoint is another one, so give the {kind} anew", field=field)
    return before


def _stored(name: str, given: str, vault: Sealer, *, field: str) -> str:
    if given.startswith((VARIABLE, FILE)):
        check_reference(name, given)
        return given
    if given.startswith(SEALED):
        raise UsageError(
            f"{name}: a key that begins with {SEALED} is taken for a sealed one, which nobody can give",
            field=field,
        )
    return vault.seal(given)


def _usage_error(error: ValidationError) -> UsageError:  # noqa: PLR0911  one return for each kind of mistake
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
    if field == "spark_connect_url":
        return UsageError(f"{field}: write sc://host:port, the token apart as spark_connect_token", field=field)
    if field.removeprefix("source_credentials.") in SECRETS:
        return UsageError(f"{field}: give it itself, or where it is: env:NAME or file:/path", field=field)
    return UsageError(f"{field}: {first['msg'][0].lower()}{first['msg'][1:]}", field=field)
