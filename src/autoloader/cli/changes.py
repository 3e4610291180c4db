"""A plan as people read it before they say yes."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import click

from autoloader.cli.output import counted, printable
from autoloader.declaring import Action

if TYPE_CHECKING:
    from collections.abc import Iterator

    from autoloader.declaring import Difference, Plan, Step

_MARKS = {Action.CREATE: ("+", "green"), Action.CHANGE: ("~", "yellow"), Action.DELETE: ("-", "red")}
_DONE = {Action.CREATE: "Created", Action.CHANGE: "Changed", Action.DELETE: "Deleted"}
_NONE = "–"


def write_plan(plan: Plan, *, prune: bool) -> None:
    """Write what is to be done: each ingestion that is not as declared, with every value that changes."""
    for step in plan.open:
        for line in _step(step):
            click.echo(line)
    if plan.undeclared:
        some = ", ".join(plan.undeclared[:10]) + (", …" if len(plan.undeclared) > 10 else "")  # noqa: PLR2004  ten names
        click.echo(f"Not declared, and left alone (--prune deletes them): {some}")
    click.echo(f"Plan: {summary(plan)}." if plan.open else _nothing(plan, prune=prune))


def summary(plan: Plan) -> str:
    """``1 to create, 2 to change, 3 to delete, 4 unchanged``, without those that are none."""
    counts = {f"to {action}": plan.count(action) for action in _MARKS} | {"unchanged": plan.count(Action.UNCHANGED)}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def done(step: Step) -> str:
    """The sentence about a step that was carried out."""
    return f"{_DONE[step.action]} {step.name}."


def _nothing(plan: Plan, *, prune: bool) -> str:
    everything = " and nothing else is saved" if prune else ""
    return f"Nothing to do: {counted(len(plan.steps), 'ingestion')} as declared{everything}."


def _step(step: Step) -> Iterator[str]:
    mark, colour = _MARKS[step.action]
    where = f"  ({step.document.place()})" if step.document else ""
    if step.before and step.action is Action.DELETE:
        where = f"  with the history of {counted(step.files, 'file')}; table {step.before.table_name} keeps its rows"
    yield click.style(f"{mark} {step.action} {step.name}", fg=colour, bold=True) + where
    for difference in step.differences:
        yield from _difference(difference, created=step.action is Action.CREATE)
    for note in step.notes:
        yield click.style(f"    ! {note}", fg="yellow")


def _difference(difference: Difference, *, created: bool) -> Iterator[str]:
    before, after = difference.before, difference.after
    if isinstance(before, tuple) or isinstance(after, tuple):
        yield f"    {difference.field}:"
        yield from _columns(before, after)
    elif created:
        yield f"    {difference.field}: {_text(after)}"
    else:
        yield f"    {difference.field}: {_text(before)} → {_text(after)}"


def _columns(before: object, after: object) -> Iterator[str]:
    """The columns that go and come; a column of another type does both."""
    old = before if isinstance(before, tuple) else ()
    new = after if isinstance(after, tuple) else ()
    for _, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if old[first:last] != new[start:end]:
            yield from (click.style(f"      - {printable(column)}", fg="red") for column in old[first:last])
            yield from (click.style(f"      + {printable(column)}", fg="green") for column in new[start:end])


def _text(value: object) -> str:
    return _NONE if value is None else printable(str(value))
