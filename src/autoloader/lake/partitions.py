"""Partition specs: from the user's words (``day(at)``, ``bucket(16, id)``) to Iceberg's fields, and back to a shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionSpec
from pyiceberg.partitioning import PartitionField as IcebergPartitionField
from pyiceberg.transforms import (
    BucketTransform,
    DayTransform,
    HourTransform,
    IdentityTransform,
    MonthTransform,
    TruncateTransform,
    VoidTransform,
    YearTransform,
)

from autoloader.errors import TableMismatch, UsageError
from autoloader.schema.table import PartitionField

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pyiceberg.schema import Schema as IcebergSchema
    from pyiceberg.transforms import Transform

_CALL = re.compile(r"\s*(?P<name>\w+)\s*\(\s*(?:(?P<width>\d+)\s*,\s*)?(?P<column>[^,()]+?)\s*\)\s*", re.ASCII)
_PLAIN: dict[str, Transform[Any, Any]] = {
    "identity": IdentityTransform(),
    "year": YearTransform(),
    "month": MonthTransform(),
    "day": DayTransform(),
    "hour": HourTransform(),
}
_WIDE: dict[str, Callable[[int], Transform[Any, Any]]] = {"bucket": BucketTransform, "truncate": TruncateTransform}
_KNOWN = (
    IdentityTransform,
    YearTransform,
    MonthTransform,
    DayTransform,
    HourTransform,
    BucketTransform,
    TruncateTransform,
)
_SUFFIX = {"bucket": "bucket", "truncate": "trunc", "year": "year", "month": "month", "day": "day", "hour": "hour"}
_FORMS = "a column, or year, month, day, hour(column), bucket(16, column), truncate(4, column)"


def partition_spec(partition_columns: Sequence[str], schema: IcebergSchema) -> PartitionSpec:
    """The spec for the user's words.

    Raises:
        UsageError: words that say nothing, a column the schema does not have, a transform its type does not take, or
            two fields that would be one.
    """
    fields: list[IcebergPartitionField] = []
    for position, text in enumerate(partition_columns):
        field = _field(text, schema, PARTITION_FIELD_ID_START + position)
        if field.name in {other.name for other in fields}:
            raise _wrong(text, "it stands there twice")
        fields.append(field)
    return PartitionSpec(*fields)


def _field(text: str, schema: IcebergSchema, field_id: int) -> IcebergPartitionField:
    kind, transform, column = _parsed(text, schema)
    source = next((field for field in schema.fields if field.name.lower() == column.lower()), None)
    if source is None:
        raise _wrong(text, f"there is no column {column!r} (there are {', '.join(f.name for f in schema.fields)})")
    if not source.field_type.is_primitive or not transform.can_transform(source.field_type):
        raise _wrong(text, f"{kind} cannot be taken of {source.name}, which is {source.field_type}")
    name = source.name if kind == "identity" else f"{source.name}_{_SUFFIX[kind]}"
    if kind != "identity" and name.lower() in {field.name.lower() for field in schema.fields}:
        raise _wrong(text, f"its partition field would be called {name}, as a column already is")
    return IcebergPartitionField(source_id=source.field_id, field_id=field_id, transform=transform, name=name)


def check_form(partition_columns: Sequence[str]) -> None:
    """Refuse words that no schema could make sense of, while there is no schema yet.

    Raises:
        UsageError: as for ``partition_spec``.
    """
    for text in partition_columns:
        if not text.strip():
            raise _wrong(text, f"write {_FORMS}")
        _call(text)


def _parsed(text: str, schema: IcebergSchema) -> tuple[str, Transform[Any, Any], str]:
    if text.strip().lower() in {field.name.lower() for field in schema.fields}:
        return "identity", IdentityTransform(), text.strip()
    return _call(text)


def _call(text: str) -> tuple[str, Transform[Any, Any], str]:
    if "(" not in text and ")" not in text:
        return "identity", IdentityTransform(), text.strip()
    call = _CALL.fullmatch(text)
    if call is None:
        raise _wrong(text, f"write {_FORMS}")
    name, width, column = call["name"].lower(), call["width"], call["column"].strip('`"')
    kind = name.removesuffix("s")
    if width is None and kind in _PLAIN:
        return kind, _PLAIN[kind], column
    if width is not None and name in _WIDE and 0 < int(width) < 2**31:
        return name, _WIDE[name](int(width)), column
    raise _wrong(text, f"write {_FORMS}")


def _wrong(text: str, why: str) -> UsageError:
    return UsageError(f"{text!r} is no partition of this table: {why}.", field="partition_columns")


def partition_fields(spec: PartitionSpec, schema: IcebergSchema) -> tuple[PartitionField, ...]:
    """What an engine needs to know of the spec; fields that were dropped (``void``) are left out.

    Raises:
        TableMismatch: the spec partitions by a nested field or by a transform that we do not know.
    """
    return tuple(_known(field, schema) for field in spec.fields if not is_void(field))


def is_void(field: IcebergPartitionField) -> bool:
    """Whether the field was dropped from the spec; its value is always NULL."""
    return isinstance(field.transform, VoidTransform)


def _known(field: IcebergPartitionField, schema: IcebergSchema) -> PartitionField:
    source = next((column.name for column in schema.fields if column.field_id == field.source_id), None)
    if source is None or not isinstance(field.transform, _KNOWN):
        raise TableMismatch(
            f"The table is partitioned by {field.name} ({field.transform} of "
            f"{source or schema.find_column_name(field.source_id)}), which this program cannot write."
        )
    return PartitionField(field.name, source, str(field.transform))
