"""What is to be done so that the saved ingestions are those declared: decided as a whole, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from autoloader.declaring.files import refuse_all
from autoloader.declaring.writing import DEFAULTS, ORDER, columns, decided, size
from autoloader.defining import as_draft
from autoloader.errors import AutoloaderError, UsageError
from autoloader.vault import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoloader.declaring.acting import Backend
    from autoloader.declaring.documents import Document
    from autoloader.model import Ingestion, NewIngestion

KEPT = ("schema_json", "status")
"""Fields that stay as they are where a document says nothing of them: they are found as well as decided."""

Value = str | tuple[str, ...] | None


class Action(StrEnum):
    """What is done about one ingestion."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One value that is another one afterwards.

    Attributes:
        field: its path: ``max_retries``, ``format_options.sep``.
        before: as people read it; a schema as its columns; None where there is none.
        after: likewise.
    """

    field: str
    before: Value
    after: Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What is done about one ingestion.

    Attributes:
        place: where it is declared, ``file:line``; None where it is not.
        before: as it is saved; None where it is not.
        draft: every field as it is to be; empty for a deletion.
        files: how many files the history holds that a deletion loses.
        notes: sentences about what this loses.
    """

    action: Action
    name: str
    document: Document | None
    before: Ingestion | None
    draft: Mapping[str, Any]
    differences: tuple[Difference, ...]
    files: int = 0
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that are another one, as ``defining.edit`` takes them."""
        return {name: self.draft[name] for name in {each.field.partition(".")[0] for each in self.differences}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that is to be done, in this order.

    Attributes:
        undeclared: names of ingestions that are saved, not declared, and left alone.
    """

    steps: tuple[Step, ...]
    undeclared: tuple[str, ...]

    @property
    def open(self) -> tuple[Step, ...]:
        """The steps that do something."""
        return tuple(step for step in self.steps if step.action is not Action.UNCHANGED)

    def count(self, action: Action) -> int:
        """How many steps do this."""
        return sum(step.action is action for step in self.steps)


def make_plan(documents: Sequence[Document], backend: Backend, *, prune: bool) -> Plan:
    """Check every document against every rule, and compare it with what is saved. Nothing is written.

    Args:
        prune: ingestions that are saved and not declared are to be deleted.

    Raises:
        UsageError: a document breaks a rule; all that is wrong is told at once, each with ``file:line``.
        LakeError: a catalog is not there, or does not answer.
    """
    saved = {ingestion.name: ingestion for ingestion in backend.list_all()}
    names = {document.name for document in documents}
    others = [ingestion for name, ingestion in saved.items() if name not in names]
    steps: list[Step] = []
    problems: list[UsageError] = []
    for document in documents:
        try:
            steps.append(_declared(document, saved.get(document.name), others, backend))
        except UsageError as error:
            problems.append(error)
    refuse_all(problems)
    if prune:
        steps += [_deletion(ingestion, backend) for ingestion in others]
    return Plan(steps=tuple(steps), undeclared=() if prune else tuple(each.name for each in others))


def placed(error: AutoloaderError, document: Document) -> None:
    """Begin the message of an error with the place of the document, and of the field in it, that it is about."""
    field = error.field if isinstance(error, UsageError) else None
    error.args = (f"{document.place(field)}: {error}",)


def _declared(document: Document, before: Ingestion | None, others: Sequence[Ingestion], backend: Backend) -> Step:
    kept = {} if before is None else {name: getattr(before, name) for name in KEPT}
    try:
        after = backend.check(kept | dict(document.draft), before)
    except AutoloaderError as error:
        placed(error, document)
        raise
    differences = _differences(before, after)
    action = Action.CREATE if before is None else Action.CHANGE if differences else Action.UNCHANGED
    notes = _moved(after, others) if before is None else _lost(differences)
    return Step(
        action=action,
        name=document.name,
        document=document,
        before=before,
        draft=as_draft(after),
        differences=differences,
        notes=notes,
    )


def _deletion(ingestion: Ingestion, backend: Backend) -> Step:
    return Step(
        action=Action.DELETE,
        name=ingestion.name,
        document=None,
        before=ingestion,
        draft={},
        differences=(),
        files=backend.count_files(ingestion),
    )


def _moved(new: NewIngestion, others: Sequence[Ingestion]) -> tuple[str, ...]:
    """A name is the key: under another one it is another ingestion, with a history of its own."""
    same = [
        other.name
        for other in others
        if (other.source_path, other.catalog, other.database, other.table)
        == (new.source_path, new.catalog, new.database, new.table)
    ]
    return tuple(
        f"the same source and table as {name}, which is not declared: loads every file again. "
        f"To rename and keep the history: autoloader edit {name} --name {new.name}"
        for name in same
    )


def _lost(differences: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(
        f"{each.field}: the key that is stored sealed is lost; to keep it, declare '{MASK}'"
        for each in differences
        if each.before == MASK
    )


def _differences(before: Ingestion | None, after: NewIngestion) -> tuple[Difference, ...]:
    old, new = {} if before is None else _flat(before), _flat(after)
    # The name is the key: it is the same before and after.
    paths = [path for name in ORDER[1:] for path in sorted({*old, *new}) if path.partition(".")[0] == name]
    return tuple(
        Difference(field=path, before=_value(path, old, before), after=_value(path, new, after))
        for path in paths
        if old.get(path) != new.get(path)
    )


def _value(path: str, values: Mapping[str, Value], ingestion: NewIngestion | None) -> Value:
    """A value, or the default where one is left out."""
    if path in values or ingestion is None or path not in DEFAULTS:
        return values.get(path)
    return _shown(path, as_draft(ingestion)[path])


def _flat(ingestion: NewIngestion) -> dict[str, Value]:
    """The values that were decided, those in mappings by their path."""
    flat: dict[str, Value] = {}
    for name, value in decided(ingestion).items():
        inner = {f"{name}.{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
        flat |= {path: _shown(path, part) for path, part in inner.items()}
    return flat


def _shown(path: str, value: Any) -> Value:  # noqa: ANN401  a value of any field
    match path:
        case "schema_json":
            return None if value is None else tuple(columns(value))
        case "partition_columns" | "path_columns":
            return ", ".join(value) or None
        case "max_file_size_bytes":
            return size(value)
        case _:
            return str(value)
