"""How answers are written: tables for people, JSON for programs; sizes, times and durations in one way."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from autoloader.model import FileStatus, Run, RunStatus
from autoloader.vault import SECRETS, masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDE = 400
"""Columns of a table that goes into a file or a pipe, where nothing should be folded."""

console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")

COLOURS = {"SUCCESS": "green", "FAILED": "red", "SKIPPED": "yellow", "RUNNING": "cyan", "PROCESSING": "cyan"}
MINUTE = 60


def write_json(value: Any) -> None:  # noqa: ANN401  whatever a command answers
    """Write one JSON document on stdout."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def plain_json(value: Any) -> str:  # noqa: ANN401  likewise
    """One JSON document on one line."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def write_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """Write a table, or the sentence ``empty`` when there is no row. Numbers stand on the right."""
    lines = [[cell if isinstance(cell, Text) else _cell(cell) for cell in row] for row in rows]
    if not lines:
        click.echo(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False, collapse_padding=False)
    for number, column in enumerate(columns):
        values = [line[number] for line in lines]
        right = all(value.plain.replace(",", "").isdigit() for value in values if value.plain not in {"", "–"})
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for line in lines:
        table.add_row(*line)
    console.print(table)


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=COLOURS.get(status.split(maxsplit=1)[0], ""))


def run_status(run: Run) -> Text:
    """A run's status as people read it: SUCCESS with failed files is ``SUCCESS (partial)``."""
    partial = run.status is RunStatus.SUCCESS and run.files_failed
    return Text("SUCCESS (partial)", style="yellow") if partial else status_text(run.status)


def size(count: int) -> str:
    """Bytes for people: ``22.0 kB``."""
    return decimal(count)


def instant(at: datetime | None) -> str:
    """An instant to the second, in UTC."""
    return "–" if at is None else at.strftime("%Y-%m-%d %H:%M:%SZ")


def duration(seconds: float | None) -> str:
    """``0.4 s``, ``1 min 5 s``."""
    if seconds is None:
        return "–"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), MINUTE)
    return f"{minutes} min {rest} s"


def printable(path: str) -> str:
    r"""A key as it can be shown on a terminal: control characters as ``\x07``, all else as it is."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in path)


def counted(number: int, noun: str) -> str:
    """``1 file``, ``1,000 files``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _cell(value: Any) -> Text:  # noqa: ANN401, PLR0911  whatever a row holds, one return for each kind
    match value:
        case None:
            return Text("–", style="dim")
        case FileStatus() | RunStatus():
            return status_text(value)
        case bool():
            return Text("yes" if value else "no")
        case int():
            return Text(f"{value:,}")
        case datetime():
            return Text(instant(value))
        case dict() | list():
            return Text(json.dumps(value, default=str, ensure_ascii=False))
        case _:
            return Text(printable(str(value)))


def _fields(value: Any) -> list[str]:  # noqa: ANN401  any value of the model
    """What is told of a value: all but who leads a run, which is an affair of the workers."""
    names = [field.name for field in dataclasses.fields(value)]
    return [name for name in names if name != "worker"] if isinstance(value, Run) else names


def _told(name: str, value: Any) -> Any:  # noqa: ANN401  a field of any value of the model
    return masked(value) if name in SECRETS else value


def _plain(value: Any) -> Any:  # noqa: ANN401  json's own signature
    match value:
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {name: _told(name, getattr(value, name)) for name in _fields(value)}
        case datetime() | date():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case UUID() | Decimal():
            return str(value)
        case frozenset() | set():
            return sorted(value)
        case bytes():
            return value.hex()
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")
