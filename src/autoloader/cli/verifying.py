"""``verify``."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from autoloader.cli import INTERRUPTED
from autoloader.cli.output import (
    console,
    counted,
    instant,
    json_option,
    plain_json,
    printable,
    status_text,
    write_table,
)
from autoloader.cli.progress import job_progress
from autoloader.cli.session import control
from autoloader.cli.signals import stop_on_signals
from autoloader.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autoloader.model import Difference, VerificationReport

SHOWN = 20
DIFFERS = 1


@click.command()
@click.argument("name")
@json_option
@click.pass_context
def verify(ctx: click.Context, name: str, *, as_json: bool) -> None:
    """Compare what the bucket, the ledger and the table of NAME say about every file. Nothing is changed by it.

    Every file in the bucket is loaded, failed, skipped or waiting; the rows that the ledger claims are counted in the
    table, file by file; every load has its snapshot, and no data file is left over. Runs may go on meanwhile.

    Exit code 1: something differs; 3: it could not be told. A service lets a worker do it, and this command watches.
    """
    with _kept() as kept, control() as doing:
        try:
            with stop_on_signals("Stopping.") as stopping, job_progress(quiet=as_json) as watcher:
                report = doing.verify(name, kept.add, watcher, stopping)
        except Interrupted as error:
            click.echo(str(error), err=True)
            ctx.exit(INTERRUPTED)
        if as_json:
            _write_json(report, kept)
        else:
            _tell(report, kept)
    ctx.exit(0 if report.is_clean else DIFFERS)


class _Kept:
    """Differences, on disk: there may be as many as files."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self.first: list[Difference] = []

    def add(self, difference: Difference) -> None:
        """Keep one more."""
        self._lines.write(plain_json(difference) + "\n")
        if len(self.first) < SHOWN:
            self.first.append(difference)

    def lines(self) -> Iterator[str]:
        """All of them, as JSON."""
        self._lines.seek(0)
        return (line.rstrip("\n") for line in self._lines)


@contextmanager
def _kept() -> Iterator[_Kept]:
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as lines:
        yield _Kept(lines)


def _write_json(report: VerificationReport, kept: _Kept) -> None:
    told = json.loads(plain_json(report))
    click.echo(
        f'{{"is_clean": {json.dumps(report.is_clean)},\n"report": {json.dumps(told, ensure_ascii=False, indent=2)},'
    )
    click.echo('"differences": [', nl=False)
    for number, line in enumerate(kept.lines()):
        click.echo(",\n" if number else "\n", nl=False)
        click.echo(line, nl=False)
    click.echo("]}")


def _tell(report: VerificationReport, kept: _Kept) -> None:
    skipped, waiting = sum(report.skipped.values()), sum(report.waiting.values())
    click.echo(
        f"{report.ingestion}, as of {instant(report.ledger_at)}: {report.listed:,} listed = {report.loaded:,} loaded + "
        f"{report.failed:,} failed + {skipped:,} skipped{_reasons(report.skipped)} + {waiting:,} waiting"
        f"{_reasons(report.waiting)}"
    )
    if report.gone:
        click.echo(
            f"{counted(report.gone, 'file')} of the ledger no longer in the bucket: their rows were counted too."
        )
    click.echo(f"{counted(report.loads_committed, 'load')} committed, {report.loads_open:,} open.\n")
    write_table(
        ["TABLE", "SNAPSHOT", "DATA FILES", "ROWS CLAIMED", "ROWS FOUND", "ROWS OF OTHERS"],
        [
            [t.name, _id(t.snapshot_id), t.data_files, t.rows_claimed, t.rows_found, t.rows_of_others]
            for t in report.tables
        ],
        empty="No table.",
    )
    for table in report.tables:
        if table.loads_expired:
            click.echo(
                f"{counted(table.loads_expired, 'load')} of {table.name} came before the oldest snapshot that is kept: "
                "their rows were counted, their snapshots cannot be looked at."
            )
    click.echo()
    _tell_differences(report, kept)


def _tell_differences(report: VerificationReport, kept: _Kept) -> None:
    if report.is_clean:
        console.print(status_text("SUCCESS"), end=" ")
        click.echo("Nothing differs.")
        return
    console.print(status_text("FAILED"), end=" ")
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in report.differences.items())
    click.echo(f"{report.differing:,} {'thing differs' if report.differing == 1 else 'things differ'}: {kinds}.")
    write_table(
        ["WHAT", "FILE", "LOAD", "SNAPSHOT", "CLAIMED", "FOUND", "WHY"],
        [
            [
                d.kind.value,
                None if d.file_path is None else printable(d.file_path),
                None if d.load_id is None else str(d.load_id),
                _id(d.snapshot_id),
                d.expected,
                d.found,
                d.message,
            ]
            for d in kept.first
        ],
        empty="",
    )
    if report.differing > len(kept.first):
        more = report.differing - len(kept.first)
        click.echo(f"… and {more:,} more: autoloader verify {report.ingestion} --json")


def _reasons(counts: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{reason} {count:,}' for reason, count in counts.items())})" if counts else ""


def _id(value: int | None) -> Any:  # noqa: ANN401  a cell of a table
    """An id is no quantity: it is written without separators."""
    return None if value is None else str(value)
