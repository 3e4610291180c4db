"""What an inferred schema rests on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnEvidence:
    """What a sample shows of one column, or of one field of a struct.

    Attributes:
        column: its path (``user.address.city``, ``items.element.sku``).
        type: that it gets, as DDL.
        hinted: whether ``schema_hints`` says so, whatever was seen.
        files: in how many sampled files it was seen.
        records: how many sampled records, or structs around it, had it; None where only the files' own schemas were
            read (Parquet, Avro, ORC).
        of_records: of how many.
        nulls: how many of those that had it had no value.
        types: those that each file alone would have given it, the most frequent first.
        example: a value, as text.
    """

    column: str
    type: str
    hinted: bool = False
    files: int = 0
    records: int | None = None
    of_records: int | None = None
    nulls: int | None = None
    types: tuple[str, ...] = ()
    example: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Disagreement:
    """A sampled file that says something else of a column than the schema."""

    path: str
    column: str
    message: str
