"""``run`` and ``runs``."""

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
from autoloader.cli.session import session, stop_on_signals
from autoloader.errors import WrongState
from autoloader.ledger import files, ingestions
from autoloader.ledger import runs as ledger_runs
from autoloader.ledger.database import transaction
from autoloader.model import DEFAULT_TENANT, FileStatus, IngestionStatus, RunStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from autoloader.model import File, Run

SHOWN_FAILURES = 5
SOME_FAILED = 1


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
@json_option
@click.pass_context
def run(ctx: click.Context, name: str, *, since: datetime | None, max_files: int | None, as_json: bool) -> None:
    """List the source of NAME and load everything new or changed into its table.

    A run that is already going on is joined, not doubled. Exit code 1: some files failed; 3: could not run.
    """
    with session() as runtime:
        with transaction(runtime.database) as connection:
            ingestion = ingestions.by_name(connection, DEFAULT_TENANT, name)
        if ingestion.status is not IngestionStatus.ACTIVE:
            raise WrongState(f"{name} is {ingestion.status}: `autoloader edit {name} --status ACTIVE` lets it run")
        begin = since.replace(tzinfo=UTC) if since else None
        with stop_on_signals() as stopping, progress(quiet=as_json) as observer:
            ended = runtime.run(ingestion, since=begin, max_files=max_files, observer=observer, stopping=stopping)
        with transaction(runtime.database) as connection:
            failed = files.failed_in_run(connection, ended.id, limit=SHOWN_FAILURES) if ended.files_failed else []
    if as_json:
        write_json(ended)
    else:
        _summary(name, ended, failed)
    ctx.exit(_exit_code(ended))


@click.command("runs")
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The newest so many.")
@json_option
def list_runs(name: str | None, *, limit: int, as_json: bool) -> None:
    """List the runs of NAME, or of every ingestion, newest first."""
    with session() as runtime, transaction(runtime.database) as connection:
        known = {i.id: i for i in ingestions.list_all(connection, DEFAULT_TENANT)}
        chosen = ingestions.by_name(connection, DEFAULT_TENANT, name).id if name else None
        found = ledger_runs.list_runs(connection, chosen, limit=limit)
    if as_json:
        write_json(found)
        return
    write_table(
        ["RUN", "INGESTION", "STATUS", "STARTED", "TOOK", "NEW", "LOADED", "FAILED", "SKIPPED", "ROWS", "READ"],
        [
            [
                r.id,
                known[r.ingestion_id].name,
                run_status(r),
                r.started_at,
                duration(r.duration_seconds),
                r.files_discovered,
                r.files_succeeded,
                r.files_failed,
                r.files_skipped,
                r.records_ingested,
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
    if run.status is RunStatus.CANCELLED:
        return INTERRUPTED
    return COULD_NOT_RUN if any(error.file_path is None for error in run.errors) else SOME_FAILED
