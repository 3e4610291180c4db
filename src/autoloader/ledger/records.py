"""Rows of the ledger as values of the model, and text as PostgreSQL can hold it."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from autoloader.model import (
    EngineName,
    File,
    FileStatus,
    FormatType,
    Ingestion,
    IngestionStatus,
    Load,
    LoadState,
    OnBadRecord,
    OnChangedFile,
    Run,
    RunError,
    RunStatus,
    RunTrigger,
    Scope,
    SourceCredentials,
    Token,
    UnknownFields,
    WriteMode,
)
from autoloader.vault import SECRETS, require_stored_form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row, RowMapping

_NUL = "\0"
_NUL_STORED = "\U0010ffff"
"""Object keys may hold NUL, PostgreSQL's text may not. Unicode keeps this code point for such internal use."""


def stored_path(path: str) -> str:
    """A path as the ledger keeps it."""
    return path.replace(_NUL, _NUL_STORED) if _NUL in path else path


def told_path(path: str) -> str:
    """A path of the ledger as it is in the bucket."""
    return path.replace(_NUL_STORED, _NUL)


def storable(message: str) -> str:
    r"""A message in which what PostgreSQL cannot hold is written out (``\x00``, ``\udc80``)."""
    return message.encode("utf-8", "backslashreplace").decode().replace(_NUL, "\\x00")


@cache
def names(of: type) -> tuple[str, ...]:
    """The columns a value of the model is made from: its fields, less what is worked out from others."""
    return tuple(field.name for field in fields(of) if field.name != "duration_seconds")


def columns(of: type, alias: str) -> str:
    """The columns of a value of the model, for a SELECT or RETURNING list."""
    return ", ".join(f'{alias}."{name}"' for name in names(of))


def ingestion(row: RowMapping) -> Ingestion:
    """An ingestion from its row."""
    values = {name: row[name] for name in names(Ingestion)}
    return Ingestion(
        **values
        | {
            "status": IngestionStatus(row["status"]),
            "source_credentials": SourceCredentials(**row["source_credentials"]),
            "path_columns": tuple(row["path_columns"]),
            "format_type": FormatType(row["format_type"]),
            "write_mode": WriteMode(row["write_mode"]),
            "partition_columns": tuple(row["partition_columns"]),
            "engine": EngineName(row["engine"]),
            "on_changed_file": OnChangedFile(row["on_changed_file"]),
            "on_bad_record": OnBadRecord(row["on_bad_record"]),
            "unknown_fields": UnknownFields(row["unknown_fields"]),
        }
    )


def ingestion_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of an ingestion as its columns take them."""
    return {name: _column_value(name, value) for name, value in values.items()}


def _column_value(name: str, value: Any) -> object:  # noqa: ANN401  a value of any field
    if name in SECRETS:
        # The database refuses it as well, but names the row in its log.
        require_stored_form(name, value)
    if isinstance(value, SourceCredentials):
        return {part: _column_value(part, given) for part, given in asdict(value).items() if given is not None}
    if isinstance(value, tuple):
        return list(value)
    return value


def run(row: Row[Any]) -> Run:
    """A run from its row."""
    return Run(**run_values(row))


def run_values(row: Row[Any]) -> dict[str, Any]:
    """The fields of a run by their names, from its row, which begins with its columns."""
    values = dict(zip(names(Run), row, strict=False))
    started, ended = values["started_at"], values["ended_at"]
    values["trigger"] = RunTrigger(values["trigger"])
    values["status"] = RunStatus(values["status"])
    values["duration_seconds"] = (ended - started).total_seconds() if started and ended else None
    values["errors"] = tuple(_run_error(entry) for entry in values["errors"])
    return values


def _run_error(entry: Mapping[str, Any]) -> RunError:
    path = entry["file_path"]
    return RunError(
        message=entry["message"],
        type=entry["type"],
        file_path=None if path is None else told_path(path),
        timestamp=datetime.fromisoformat(entry["timestamp"]),
    )


def file(row: Row[Any]) -> File:
    """A file from its row."""
    return File(**file_values(row))


def file_values(row: Row[Any]) -> dict[str, Any]:
    """The fields of a file by their names, from its row, which begins with its columns."""
    values = dict(zip(names(File), row, strict=False))
    values["status"] = FileStatus(values["status"])
    values["file_path"] = told_path(values["file_path"])
    return values


def load(row: RowMapping) -> Load:
    """A load from its row."""
    values = {name: row[name] for name in names(Load)}
    return Load(**values | {"state": LoadState(row["state"])})


def token(row: RowMapping) -> Token:
    """A token from its row."""
    values = {name: row[name] for name in names(Token)}
    return Token(**values | {"scope": Scope(row["scope"])})
