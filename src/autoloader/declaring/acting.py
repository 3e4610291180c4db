"""A plan carried out, one ingestion after the other, by whatever reaches the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from autoloader.declaring.planning import Action, placed
from autoloader.errors import AutoloaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from autoloader.declaring.planning import Plan, Step
    from autoloader.model import Ingestion, NewIngestion


@dataclass(frozen=True, kw_only=True, slots=True)
class Backend:
    """Where ingestions are saved, and the few things that are asked of it.

    Attributes:
        list_all: every ingestion of the tenant.
        check: the ingestion that a draft would be, checked as a whole, given the saved one of its name; saves nothing.
        create: as ``defining.create``.
        edit: as ``defining.edit``: refused with EditedMeanwhile when the ingestion has another version by now.
        delete: likewise refused.
        count_files: how many files the history of an ingestion holds.
    """

    list_all: Callable[[], Sequence[Ingestion]]
    check: Callable[[Mapping[str, Any], Ingestion | None], NewIngestion]
    create: Callable[[Mapping[str, Any]], Ingestion]
    edit: Callable[[Ingestion, Mapping[str, Any]], Ingestion]
    delete: Callable[[Ingestion], None]
    count_files: Callable[[Ingestion], int]


def carry_out(plan: Plan, backend: Backend) -> Iterator[Step]:
    """Do the steps in their order, each in a transaction of its own; each is yielded when it is done.

    Raises:
        EditedMeanwhile: an ingestion was edited since the plan was made. The steps before are done, the others are not;
            the message says so. The same for all that ``create``, ``edit`` and ``delete`` raise.
    """
    for number, step in enumerate(plan.open):
        try:
            _do(step, backend)
        except AutoloaderError as error:
            if step.document is not None:
                placed(error, step.document)
            left = len(plan.open) - number
            error.args = (f"{error} ({number} done before it, {left} not done: apply again for a new plan)",)
            raise
        yield step


def _do(step: Step, backend: Backend) -> None:
    match step.action:
        case Action.CREATE:
            backend.create(step.draft)
        case Action.CHANGE:
            backend.edit(_saved(step), step.changes)
        case Action.DELETE:
            backend.delete(_saved(step))
        case Action.UNCHANGED:
            return
        case _:
            assert_never(step.action)


def _saved(step: Step) -> Ingestion:
    if step.before is None:
        raise AssertionError(f"{step.action} of {step.name}, which is not saved")
    return step.before
