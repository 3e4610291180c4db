"""``validate``."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import click

from autoloader.cli import INTERRUPTED
from autoloader.cli.output import console, counted, json_option, plain_json, size, status_text, write_table
from autoloader.cli.progress import job_progress
from autoloader.cli.session import control
from autoloader.cli.signals import stop_on_signals
from autoloader.errors import Interrupted
from autoloader.model import FileProspect, Prospect, RefusedRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autoloader.model import Finding, ValidationReport

SHOWN = 20
REFUSED = 1
_SHOWN_TEXT = 80
_WORDS = {
    Prospect.LOADS: "would load",
    Prospect.QUARANTINED: "would load without bad records that go to the rejects table",
    Prospect.PARTLY: "would load without bad records",
    Prospect.FAILS: "would fail",
}


@click.command()
@click.argument("name")
@click.option("--max-files", type=click.IntRange(1), metavar="N", help="Read so many of the waiting files at most.")
@json_option
@click.pass_context
def validate(ctx: click.Context, name: str, *, max_files: int | None, as_json: bool) -> None:
    """Read every file that the next run of NAME would load, and tell what would become of it. Nothing is written.

    New and changed files, and those that failed and would be tried again: how many rows of each would load, and which
    records would be refused, with file, line, column, reason and text. What that means for the file is told by the
    ingestion's on_bad_record and its limits.

    Exit code 1: something would be refused; 3: it could not be told. A service lets a worker do it, and this command
    watches.
    """
    with _kept() as files, _kept() as records, control() as doing:

        def tell(found: Finding) -> None:
            (records if isinstance(found, RefusedRecord) else files).add(found)

        try:
            with stop_on_signals("Stopping.") as stopping, job_progress(quiet=as_json) as watcher:
                report = doing.validate(name, max_files, tell, watcher, stopping)
        except Interrupted as error:
            click.echo(str(error), err=True)
            ctx.exit(INTERRUPTED)
        if as_json:
            _write_json(report, files, records)
        else:
            _tell(report, files, records)
    ctx.exit(0 if report.is_clean else REFUSED)


class _Kept:
    """What was told, on disk: there may be as much as records."""

    def __init__(self, lines: IO[str]) -> None:
        self._lines = lines
        self.first: list[Finding] = []

    def add(self, found: Finding) -> None:
        """Keep one more; files that would load as they are, are not among the first ones shown."""
        self._lines.write(plain_json(found) + "\n")
        remarkable = not isinstance(found, FileProspect) or found.prospect is not Prospect.LOADS
        if remarkable and len(self.first) < SHOWN:
            self.first.append(found)

    def lines(self) -> Iterator[str]:
        """All of them, as JSON."""
        self._lines.seek(0)
        return (line.rstrip("\n") for line in self._lines)


@contextmanager
def _kept() -> Iterator[_Kept]:
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as lines:
        yield _Kept(lines)


def _write_json(report: ValidationReport, files: _Kept, records: _Kept) -> None:
    told = json.loads(plain_json(report))
    click.echo(
        f'{{"is_clean": {json.dumps(report.is_clean)},\n"report": {json.dumps(told, ensure_ascii=False, indent=2)},'
    )
    for name, kept, end in (("files", files, "],"), ("refused", records, "]}")):
        click.echo(f'"{name}": [', nl=False)
        for number, line in enumerate(kept.lines()):
            click.echo(",\n" if number else "\n", nl=False)
            click.echo(line, nl=False)
        click.echo(end)


def _tell(report: ValidationReport, files: _Kept, records: _Kept) -> None:
    waiting = sum(report.waiting.values())
    click.echo(
        f"{report.ingestion}: {counted(waiting, 'file')} waiting{_reasons(report.waiting)}, "
        f"{report.validated:,} of them read ({size(report.bytes)})."
    )
    if report.skipped:
        click.echo(f"{counted(sum(report.skipped.values()), 'file')} would not be read{_reasons(report.skipped)}.")
    if report.problem is not None:
        console.print(status_text("FAILED"), end=" ")
        click.echo(f"A run would fail as a whole: {report.problem}")
        return
    for prospect, count in report.files.items():
        click.echo(f"{counted(count, 'file')} {_WORDS[prospect]}.")
    click.echo()
    _tell_refused(report, files, records)


def _tell_refused(report: ValidationReport, files: _Kept, records: _Kept) -> None:
    console.print(status_text("SUCCESS" if report.is_clean else "FAILED"), end=" ")
    click.echo(f"{counted(report.records, 'row')} would load, {counted(report.refused, 'record')} would be refused.")
    if files.first:
        write_table(
            ["FILE", "WOULD", "ROWS", "REFUSED", "WHY"],
            [
                [f.file_path, f.prospect.value, f.records, f.refused, f.error_message]
                for f in files.first
                if isinstance(f, FileProspect)
            ],
            empty="",
        )
    if records.first:
        click.echo()
        write_table(
            ["FILE", "LINE", "COLUMN", "REASON", "MESSAGE", "RECORD"],
            [
                [r.file_path, r.line, r.column or "", r.reason, r.message, (r.raw or "")[:_SHOWN_TEXT]]
                for r in records.first
                if isinstance(r, RefusedRecord)
            ],
            empty="",
        )
    if not report.is_clean:
        click.echo(f"The first {SHOWN} of each are shown; all of them: autoloader validate {report.ingestion} --json")


def _reasons(counts: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{reason} {count:,}' for reason, count in counts.items())})" if counts else ""
