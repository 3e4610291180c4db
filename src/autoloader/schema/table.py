"""What an engine needs to know of a table, as data: columns with field ids, partition fields, file layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoloader.schema.types import Schema


@dataclass(frozen=True, slots=True)
class PartitionField:
    """One field of the table's partition spec.

    Attributes:
        name: of the partition field (``at_day``).
        column: the top-level source column.
        transform: as Iceberg writes it: ``identity``, ``year``, ``month``, ``day``, ``hour``, ``bucket[16]``,
            ``truncate[4]``.
    """

    name: str
    column: str
    transform: str


@dataclass(frozen=True, slots=True)
class TableShape:
    """The table a load writes into.

    Attributes:
        schema: every column of the table in its order, the metadata columns included.
        field_ids: Iceberg field id by path; parts of a path are column names, ``element`` for arrays, ``key`` and
            ``value`` for maps: ``("tags",)``, ``("tags", "element")``, ``("meta", "ip")``.
        partition: fields of the current partition spec, in order; empty when not partitioned.
    """

    schema: Schema
    field_ids: Mapping[tuple[str, ...], int]
    partition: tuple[PartitionField, ...] = ()
