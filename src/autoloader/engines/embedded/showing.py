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


def _names(hints: Schema | None) -> frozenset[str]:
    return frozenset(path.casefold() for path, _ in _flat(hints.columns)) if hints is not None else frozenset()


def _flat(columns: Sequence[Column], prefix: str = "") -> Iterator[tuple[str, DataType]]:
    """Every column and every field of a struct, with its path."""
    for column in columns:
        path, kind = prefix + column.name, column.type
        yield path, kind
        match kind:
            case Struct(inner):
                yield from _flat(inner, f"{path}.")
            case Array(Struct(inner)):
                yield from _flat(inner, f"{path}.element.")


def _of_typed(
    samples: Sequence[tuple[str, Path]],
    options: ParquetOptions | AvroOptions | OrcOptions,
    schema: Schema,
    hinted: frozenset[str],
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
                hinted=column.name.casefold() in hinted,
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
    hinted: frozenset[str],
) -> Shown:
    files = [(path, _seen(sample, options)) for path, sample in samples]
    evidence, disagreements = [], []
    with Judge(options) as judge:
        for column, kind in _flat(schema.columns):
            is_hinted = column.casefold() in hinted
            found = [(path, around, place) for path, top in files for around, place in _at(top, column, schema)]
            own = [(path, judge.type(place)) for path, _, place in found if place.kinds]
            evidence.append(
                ColumnEvidence(
                    column=column,
                    type=type_ddl(kind),
                    hinted=is_hinted,
                    files=len(found),
                    records=sum(place.seen for _, _, place in found),
                    of_records=sum(around.objects for _, around in _around(files, column, schema)),
                    nulls=sum(place.nulls for _, _, place in found),
                    types=_ranked(type_ddl(told) for _, told in own),
                    example=next((place.example[:_EXAMPLE] for *_, place in found if place.example is not None), None),
                )
            )
            if is_hinted:
                disagreements += [
                    _refuses(path, column, kind) for path, _, place in found if not _takes(judge, kind, place)
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


def _steps(column: str, schema: Schema) -> list[str | None]:
    """The names on the way to a column; None for the elements of an array."""
    columns: Sequence[Column] = schema.columns
    steps: list[str | None] = []
    rest = column
    while rest:
        step = next(c for c in columns if rest == c.name or (rest.startswith(f"{c.name}.") and _inner(c.type)))
        steps.append(step.name)
        rest = rest[len(step.name) + 1 :]
        match step.type:
            case Struct(inner):
                columns = inner
            case Array(Struct(inner)):
                columns = inner
                if rest:
                    steps.append(None)
                    rest = rest.removeprefix("element.")
            case _:
                break
    return steps


def _inner(kind: DataType) -> bool:
    return isinstance(kind, Struct) or (isinstance(kind, Array) and isinstance(kind.element, Struct))


def _walk(top: Place, steps: Sequence[str | None]) -> Place | None:
    place: Place | None = top
    for step in steps:
        if place is None:
            return None
        place = place.element if step is None else place.fields.get(step)
    return place


def _at(top: Place, column: str, schema: Schema) -> Iterator[tuple[Place, Place]]:
    """The struct around a column and the column itself, where the file has it."""
    steps = _steps(column, schema)
    around = _walk(top, steps[:-1])
    place = None if around is None else _walk(around, steps[-1:])
    if around is not None and place is not None:
        yield around, place


def _around(files: Sequence[tuple[str, Place]], column: str, schema: Schema) -> Iterator[tuple[str, Place]]:
    steps = _steps(column, schema)[:-1]
    for path, top in files:
        around = _walk(top, steps)
        if around is not None:
            yield path, around


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
