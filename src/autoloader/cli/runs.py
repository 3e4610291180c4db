"""``run``, ``runs`` and ``cancel``."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import click

from autoloader.cli import COULD_NOT_RUN, INTERRUPTED
from autoloader.cli.output import (
    console,
    counted,
    duration,
    json_option,
    printable,
    run_status,
    size,
    write_json,
    write_table,
)
from autoloader.cli.progress import progress
from autoloader.cli.session import control
from autoloader.cli.signals import stop_on_signals
from autoloader.control import Wanted
from autoloader.model import FileStatus, RunStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from autoloader.model import File, Run

SHOWN_FAILURES = 5
SOME_FAILED = 1
ACTIVE = frozenset({RunStatus.QUEUED, RunStatus.RUNNING})


@click.command()
@click.argument("name")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]),
    help="Only files modified at this time (UTC) or later.",
)
@click.option(
    "--max-files",
    type=click.IntRange(1, 1_000_000_000),
    help="Take at most so many new files; later runs take the rest.",
)
@click.option("--detach", is_flag=True, help="Let a worker do it, and do not wait: the run's number is the answer.")
@json_option
@click.pass_context
def run(
    ctx: click.Context, name: str, *, since: datetime | None, max_files: int | None, detach: bool, as_json: bool
) -> None:
    """List the source of NAME and load everything new or changed into its table.

    A run that is already going on is joined, not doubled. Exit code 1: some files failed; 3: could not run.

    A service lets its workers do it, and this command watches: Ctrl-C ends the watching, not the run.
    """
    wanted = Wanted(since=since.replace(tzinfo=UTC) if since else None, max_files=max_files)
    with control() as doing:
        if detach:
            _detached(name, doing.enqueue(name, wanted), as_json=as_json)
            return
        with stop_on_signals(doing.when_stopped) as stopping, progress(quiet=as_json) as watcher:
            ended = doing.run(name, wanted, watcher, stopping)
        failed = doing.failed(ended, SHOWN_FAILURES) if ended.files_failed and not as_json else []
    if as_json:
        write_json(ended)
    elif ended.status not in ACTIVE:
        _summary(name, ended, failed)
    if ended.status in ACTIVE:
        click.echo(f"{_goes_on(name, ended)} Watch it again: autoloader run {name}", err=True)
    ctx.exit(_exit_code(ended))


def _detached(name: str, made: Run, *, as_json: bool) -> None:
    if as_json:
        write_json(made)
    else:
        click.echo(f"{_goes_on(name, made)} See how it goes: autoloader runs {name}")


def _goes_on(name: str, active: Run) -> str:
    what = "waits for a worker" if active.status is RunStatus.QUEUED else "goes on"
    return f"Run {active.id} of {name} {what}. Stop it: autoloader cancel {active.id}."


@click.command()
@click.argument("run_id", type=click.IntRange(1, 2**63 - 1))
@json_option
def cancel(run_id: int, *, as_json: bool) -> None:
    """Stop the run RUN_ID: no load begins any more, and the one in hand is put back.

    What was loaded stays; the rest waits for the next run.
    """
    with control() as doing:
        cancelled = doing.cancel(run_id)
    if as_json:
        write_json(cancelled)
    else:
        click.echo(f"Cancelled run {run_id}. What it did not load waits for the next run.")


@click.command("runs")
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The newest so many.")
@json_option
def list_runs(name: str | None, *, limit: int, as_json: bool) -> None:
    """List the runs of NAME, or of every ingestion, newest first."""
    with control() as doing:
        found = doing.runs(name, limit)
        known = {} if as_json else {i.id: i.name for i in doing.ingestions()}
    if as_json:
        write_json(found)
        return
    write_table(
        [
            "RUN",
            "INGESTION",
            "STATUS",
            "STARTED",
            "TOOK",
            "NEW",
            "LOADED",
            "FAILED",
            "SKIPPED",
            "ROWS",
            "REJECTED",
            "READ",
        ],
        [
            [
                r.id,
                known[r.ingestion_id],
                run_status(r),
                r.started_at,
                duration(r.duration_seconds),
                r.files_discovered,
                r.files_succeeded,
                r.files_failed,
                r.files_skipped,
                r.records_ingested,
                r.records_rejected,
                size(r.bytes_read),
            ]
            for r in found
            if r.ingestion_id in known
        ],
        empty="No run yet. Start one with `autoloader run NAME`.",
    )
    for r in found:
        for error in r.errors[:1]:
            click.echo(f"Run {r.id}: {error.message}")


def _summary(name: str, run: Run, failed: Sequence[File]) -> None:
    console.print(run_status(run), end=" ")
    took = duration(run.duration_seconds)
    if run.status is RunStatus.SUCCESS and not run.files_processed and not run.files_skipped:
        click.echo(f"{name}: nothing new ({took}).")
        return
    parts = [f"{counted(run.files_succeeded, 'file')} loaded", counted(run.records_ingested, "row")]
    if run.records_rejected:
        parts.append(f"{counted(run.records_rejected, 'bad record')} left out")
    if run.files_failed:
        parts.append(f"{run.files_failed:,} failed")
    if run.files_skipped:
        parts.append(f"{run.files_skipped:,} skipped")
    rate = ""
    if run.duration_seconds and run.files_processed:
        rate = f" ({run.files_processed / run.duration_seconds:,.0f} files/s, "
        rate += f"{size(round(run.bytes_read / run.duration_seconds))}/s)"
    click.echo(f"{name}: {', '.join(parts)}, {size(run.bytes_read)} read in {took}{rate}.")
    for error in run.errors:
        click.echo(f"  {error.message}")
    for file in failed:
        click.echo(f"  {printable(file.file_path)}: {file.error_message}")
    if run.files_failed > len(failed):
        click.echo(f"  … and {run.files_failed - len(failed):,} more")
    if run.files_failed:
        click.echo(f"All of them: autoloader files {name} --status {FileStatus.FAILED}")


def _exit_code(run: Run) -> int:
    if run.status is RunStatus.SUCCESS:
        return SOME_FAILED if run.files_failed else 0
    if run.status is RunStatus.CANCELLED or run.status in ACTIVE:
        return INTERRUPTED
    return COULD_NOT_RUN if any(error.file_path is None for error in run.errors) else SOME_FAILED
