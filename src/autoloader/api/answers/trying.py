"""Answers about what was only tried: connections, previews."""

from datetime import datetime
from typing import Any

from pydantic import AliasChoices, Field

from autoloader.api.answers.answer import Answer


class SourceObject(Answer):
    """One object of the bucket."""

    path: str = Field(examples=["s3://landing/events/a.json"])
    size_bytes: int
    etag: str
    modified_at: datetime


class Connection(Answer):
    """What of the bucket, and of the Spark cluster, works."""

    listed: int = Field(description="Files on the first page of the listing that holds any.", examples=[12])
    read: str | None = Field(description="The file whose first byte was read; null: there was none to read.")
    spark: list[str] = Field(
        description="What was found of the Spark cluster, a sentence for each part; empty: no load uses one.",
        examples=[["Spark 4.1.4 answers", "its Iceberg extension is there"]],
    )
    message: str = Field(examples=["Listing works (12 files on the first page), and reading works (s3://…)."])


class Matching(Answer):
    """What a run would look at."""

    files: int
    bytes: int
    complete: bool = Field(description="False: the listing was cut short, and there is more.")


class FileReason(Answer):
    """A file, and why a run would not load it."""

    path: str
    reason: str


class ColumnEvidence(Answer):
    """What the sample shows of a column, or of a field of a struct."""

    column: str = Field(examples=["user.address.city"])
    type: str = Field(examples=["BIGINT"])
    hinted: bool = Field(description="Whether `schema_hints` says so.")
    files: int = Field(description="Sampled files that have it.")
    records: int | None = Field(description="Sampled records, or structs around it, that have it; null: not counted.")
    of_records: int | None = Field(description="Of how many.")
    nulls: int | None = Field(description="How many of them have no value.")
    types: list[str] = Field(description="What each file alone would say, the most frequent first.")
    example: str | None


class Disagreement(Answer):
    """A sampled file that says something else of a column than the schema."""

    path: str
    column: str
    message: str = Field(examples=["STRING in this file, BIGINT in the schema"])


class Preview(Answer):
    """What a run would do. Nothing was written."""

    source_path: str = Field(description="Where was looked.", examples=["s3://landing/events/"])
    schema_text: str | None = Field(
        alias="schema_json",
        validation_alias=AliasChoices("schema_json", "schema_text"),
        description="Spark's StructType JSON; null: no file matches.",
    )
    inferred: bool = Field(description="Whether the schema was told from a sample.")
    sampled: int = Field(description="On how many files an inferred schema rests.")
    evidence: list[ColumnEvidence] = Field(description="What an inferred schema rests on.")
    disagreements: list[Disagreement] = Field(description="Sampled files that disagree with it; 50 at most.")
    columns: list[str]
    rows: list[list[Any]] = Field(description="The first rows of a sample; long texts are cut.")
    matching: Matching
    examples: list[SourceObject]
    skipped: list[FileReason] = Field(description="Files that a run would skip.")
    problems: list[FileReason] = Field(
        description="Files of the sample that a run would fail, or load without some of their records."
    )
