"""What a service tells, as values of the model."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from autoloader.errors import ServiceError
from autoloader.model import ColumnEvidence, Disagreement, Reading, SourceObject, VerificationStatus
from autoloader.schema import parse_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from autoloader.preview import Preview

Value = TypeVar("Value")
_NAMES = {"Mapping": Mapping, "Path": Path, "UUID": UUID, "datetime": datetime} | {
    each.__name__: each for each in (Reading, VerificationStatus)
}
"""What the annotations of the model name and import for type checkers only."""
_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def value_of(kind: type[Value], told: object) -> Value:
    """A value of the model from the answer that tells it; what a newer service tells beyond it is left out.

    Raises:
        ServiceError: it is not one.
    """
    try:
        value: Value = _adapter(kind).validate_python(told)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _strange(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
    return value


def values_of(kind: type[Value], told: Iterable[object]) -> Sequence[Value]:
    """Likewise many."""
    return [value_of(kind, each) for each in told]


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
        _ADAPTERS[kind].rebuild(force=True, _types_namespace=_NAMES)
    return _ADAPTERS[kind]


def part(told: object, name: str) -> Any:  # noqa: ANN401  any JSON
    """One part of an answer.

    Raises:
        ServiceError: the answer has none of this name.
    """
    if not isinstance(told, dict) or name not in told:
        raise _strange(f"{name} is missing")
    return told[name]


def preview_of(told: object) -> Preview:
    """A preview from the answer that tells it."""
    from autoloader.preview import Preview  # noqa: PLC0415  it brings in DuckDB, which nothing else here needs

    schema, matching = part(told, "schema_json"), part(told, "matching")
    return Preview(
        source_path=part(told, "source_path"),
        files=part(matching, "files"),
        bytes=part(matching, "bytes"),
        complete=part(matching, "complete"),
        examples=values_of(SourceObject, part(told, "examples")),
        skipped=[(part(each, "path"), part(each, "reason")) for each in part(told, "skipped")],
        inferred=part(told, "inferred"),
        sampled=part(told, "sampled"),
        schema=None if schema is None else parse_schema(schema),
        evidence=values_of(ColumnEvidence, part(told, "evidence")),
        disagreements=values_of(Disagreement, part(told, "disagreements")),
        columns=part(told, "columns"),
        rows=part(told, "rows"),
        problems=[(part(each, "path"), part(each, "reason")) for each in part(told, "problems")],
    )


def _strange(what: str) -> ServiceError:
    return ServiceError(f"the service answers what this version does not understand ({what}): are both up to date?")
