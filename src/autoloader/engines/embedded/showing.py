"""What a sample shows of each column of a schema that was inferred from it, and which of its files disagree."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from autoloader.engines.embedded.avro_files import avro_columns
from autoloader.engines.embedded.evidence import Place
from autoloader.engines.embedded.inference import Judge
from autoloader.engines.embedded.orc_files import orc_columns
from autoloader.engines.embedded.samples import records
from autoloader.engines.embedded.typed_schema import parquet_columns, schema_of_typed
from autoloader.engines.options import AvroOptions, CsvOptions, JsonOptions, OrcOptions, ParquetOptions, XmlOptions
from autoloader.model import ColumnEvidence, Disagreement
from autoloader.schema.printing import type_ddl
from autoloader.schema.types import Array, Decimal, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from autoloader.engines.options import Options
    from autoloader.schema.types import Column, DataType, Schema

Shown = tuple[list[ColumnEvidence], list[Disagreement]]
Steps = tuple[str | None, ...]
"""The names on the way to a column; None for the elements of an array."""

_EXAMPLE = 60
_TYPED = {
    ParquetOptions: (parquet_columns, "Parquet"),
    AvroOptions: (avro_columns, "Avro"),
    OrcOptions: (orc_columns, "ORC"),
}


def show(samples: Sequence[tuple[str, Path]], options: Options, schema: Schema, hints: Schema | None) -> Shown:
    """The evidence for each column, and the files that disagree with one.

    Args:
        samples: of each file its path in the bucket, and where it is; the schema was inferred from them.
        hints: that the schema was given.
    """
    if isinstance(options, JsonOptions | CsvOptions | XmlOptions):
        return _of_text(samples, options, schema, _names(hints))
    if isinstance(options, ParquetOptions | AvroOptions | OrcOptions):
        return _of_typed(samples, options, schema, _names(hints))
    evidence = [
        ColumnEvidence(column=each.name, type=type_ddl(each.type), files=len(samples)) for each in schema.columns
    ]
    return evidence, []


def _names(hints: Schema | None) -> frozenset[Steps]:
    return frozenset(_folded(steps) for steps, _ in _flat(hints.columns)) if hints is not None else frozenset()


def _folded(steps: Steps) -> Steps:
    return tuple(step and step.casefold() for step in steps)


def _flat(columns: Sequence[Column], before: Steps = ()) -> Iterator[tuple[Steps, DataType]]:
    """Every column and every field of a struct, with the way to it."""
    for column in columns:
        steps, kind = (*before, column.name), column.type
        yield steps, kind
        match kind:
            case Struct(inner):
                yield from _flat(inner, steps)
            case Array(Struct(inner)):
                yield from _flat(inner, (*steps, None))


def _of_typed(
    samples: Sequence[tuple[str, Path]],
    options: ParquetOptions | AvroOptions | OrcOptions,
    schema: Schema,
    hinted: frozenset[Steps],
) -> Shown:
    read, kind = _TYPED[type(options)]
    own = [(path, schema_of_typed([sample], read, kind)) for path, sample in samples]
    by_file = [(path, {c.name: type_ddl(c.type) for c in told.columns}) for path, told in own]
    evidence, disagreements = [], []
    for column in schema.columns:
        wanted = type_ddl(column.type)
        found = [(path, types[column.name]) for path, types in by_file if column.name in types]
        evidence.append(
            ColumnEvidence(
                column=column.name,
                type=wanted,
                hinted=(column.name.casefold(),) in hinted,
                files=len(found),
                types=_ranked(told for _, told in found),
            )
        )
        disagreements += [_differs(path, column.name, told, wanted) for path, told in found if told != wanted]
    return evidence, disagreements


def _of_text(
    samples: Sequence[tuple[str, Path]],
    options: JsonOptions | CsvOptions | XmlOptions,
    schema: Schema,
    hinted: frozenset[Steps],
) -> Shown:
    files = [(path, _seen(sample, options)) for path, sample in samples]
    evidence, disagreements = [], []
    with Judge(options) as judge:
        for steps, kind in _flat(schema.columns):
            column = ".".join(step or "element" for step in steps)
            is_hinted = _folded(steps) in hinted
            around = [(path, struct) for path, top in files if (struct := _walk(top, steps[:-1])) is not None]
            found = [(path, place) for path, struct in around if (place := _walk(struct, steps[-1:])) is not None]
            own = [(path, judge.type(place)) for path, place in found if place.kinds]
            evidence.append(
                ColumnEvidence(
                    column=column,
                    type=type_ddl(kind),
                    hinted=is_hinted,
                    files=len(found),
                    records=sum(place.seen for _, place in found),
                    of_records=sum(struct.objects for _, struct in around),
                    nulls=sum(place.nulls for _, place in found),
                    types=_ranked(type_ddl(told) for _, told in own),
                    example=next((place.example[:_EXAMPLE] for _, place in found if place.example is not None), None),
                )
            )
            if is_hinted:
                disagreements += [
                    _refuses(path, column, kind) for path, place in found if not _takes(judge, kind, place)
                ]
            else:
                wanted = type_ddl(kind)
                disagreements += [
                    _differs(path, column, type_ddl(told), wanted) for path, told in own if not _alike(told, kind)
                ]
    return evidence, disagreements


def _seen(sample: Path, options: JsonOptions | CsvOptions | XmlOptions) -> Place:
    top = Place()
    for record in records([sample], options):
        top.see(record)
    return top


def _walk(top: Place, steps: Steps) -> Place | None:
    place: Place | None = top
    for step in steps:
        if place is None:
            return None
        place = place.element if step is None else place.fields.get(step)
    return place


def _ranked(types: Iterator[str]) -> tuple[str, ...]:
    return tuple(told for told, _ in Counter(types).most_common())


def _alike(one: DataType, other: DataType) -> bool:
    """Whether two types differ at most in fields, which are looked at one by one."""
    match one, other:
        case Struct(), Struct():
            return True
        case Array(inner), Array(element):
            return _alike(inner, element)
    return one == other


def _takes(judge: Judge, kind: DataType, place: Place) -> bool:
    """Whether a type that was hinted accepts what a file has; of structs and arrays only the kind is looked at."""
    match kind:
        case Scalar() | Decimal():
            texts = [*place.numbers, *place.strings, *(["true"] if place.booleans else [])]
            return kind is Scalar.STRING or (
                place.kinds <= {"number", "string", "boolean"} and judge.takes(kind, texts)
            )
        case Array():
            return place.kinds <= {"array"}
        case _:
            return place.kinds <= {"object"}


def _differs(path: str, column: str, told: str, wanted: str) -> Disagreement:
    return Disagreement(path=path, column=column, message=f"{told} in this file, {wanted} in the schema")


def _refuses(path: str, column: str, kind: DataType) -> Disagreement:
    return Disagreement(
        path=path, column=column, message=f"this file has values that are no {type_ddl(kind)}, as schema_hints says"
    )
