"""``files``, ``explain`` and ``retry``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autoloader.cli.output import (
    console,
    counted,
    instant,
    json_option,
    printable,
    size,
    status_text,
    write_json,
    write_table,
)
from autoloader.cli.session import control
from autoloader.errors import NotKnown
from autoloader.model import FileStatus, LoadState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.control import Story
    from autoloader.model import FileVersion, Ingestion


@click.command("files")
@click.argument("name")
@click.option("--status", type=click.Choice([str(s) for s in FileStatus], case_sensitive=False), help="Only these.")
@click.option("--path", metavar="GLOB", help="Only paths that match, such as '*/2024-*' or 's3://landing/events/*'.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="At most so many.")
@json_option
def list_files(name: str, *, status: str | None, path: str | None, limit: int, as_json: bool) -> None:
    """List the files of NAME and what became of them."""
    wanted = FileStatus(status.upper()) if status else None
    with control() as doing:
        found = doing.files(name, status=wanted, path=path, limit=limit)
    if as_json:
        write_json(found.files)
        return
    write_table(
        ["FILE", "STATUS", "ROWS", "REJECTED", "SIZE", "MODIFIED", "SETTLED", "REASON"],
        [
            [
                f.file_path,
                f.status,
                f.records_ingested if f.status is FileStatus.SUCCESS else None,
                f.records_rejected if f.status is FileStatus.SUCCESS else None,
                size(f.file_size_bytes),
                f.file_modified_at,
                f.processed_at,
                f.error_message or "",
            ]
            for f in found.files
        ],
        empty="No such file." if status or path else f"No file seen yet: autoloader run {name}",
    )
    if len(found.files) == limit < found.total and not path:
        click.echo(f"{limit:,} of {found.total:,} shown; --limit shows more.")


@click.command()
@click.argument("path", metavar="S3_PATH")
@json_option
def explain(path: str, *, as_json: bool) -> None:
    """Tell the whole story of one file: when it was seen, what became of every version, and why."""
    with control() as doing:
        stories = doing.explain(path)
        if not stories:
            raise _never_seen(path, doing.ingestions())
    if as_json:
        write_json([{"ingestion": s.ingestion.name, "file": s.file, "history": s.history} for s in stories])
        return
    for story in stories:
        _tell(story)


@click.command()
@click.argument("name")
@click.argument("paths", nargs=-1, metavar="[S3_PATH]...")
@json_option
def retry(name: str, *, paths: tuple[str, ...], as_json: bool) -> None:
    """Let the FAILED files of NAME, all or those named, be tried again by the next run."""
    with control() as doing:
        count = doing.retry(name, paths)
    if as_json:
        write_json({"files": count})
    elif count:
        click.echo(f"{counted(count, 'file')} will be tried again: autoloader run {name}")
    else:
        click.echo(f"No file of {name} is FAILED.")


def _never_seen(path: str, known: Sequence[Ingestion]) -> NotKnown:
    near = [ingestion.name for ingestion in known if path.startswith(ingestion.source_path)]
    hint = f"; `autoloader run {near[0]}` lists its folder" if near else "; no ingestion reads its folder"
    return NotKnown(f"No ingestion has seen {printable(path)}{hint}", field="path")


def _tell(story: Story) -> None:
    ingestion, file = story.ingestion, story.file
    console.print(status_text(file.status), end=" ")
    click.echo(printable(file.file_path))
    click.echo(f"  ingestion {ingestion.name}, table {ingestion.table_name}")
    modified = instant(file.file_modified_at)
    click.echo(f"  current version: {size(file.file_size_bytes)}, etag {file.file_etag}, modified {modified}")
    click.echo(f"  seen {instant(file.discovered_at)}")
    for version in story.history:
        click.echo(f"  {instant(version.recorded_at)}  etag {version.file_etag}: {_what_happened(version)}")
    if file.status is FileStatus.DISCOVERED:
        click.echo(f"  waiting to be loaded: autoloader run {ingestion.name}")
    if file.status is FileStatus.FAILED and file.retry_count < ingestion.max_retries:
        click.echo(f"  tried again by the next run ({file.retry_count} of {ingestion.max_retries} retries used)")
    elif file.status is FileStatus.FAILED:
        click.echo(
            f"  not tried again by itself: mend it, or autoloader retry {ingestion.name} {printable(file.file_path)}"
        )


def _what_happened(version: FileVersion) -> str:  # noqa: PLR0911  one return for each status
    load = f"load {version.load_id}"
    match version.status:
        case FileStatus.SUCCESS:
            where = f"snapshot {version.snapshot_id}" if version.snapshot_id else "no snapshot, as it holds no row"
            bad = f", {counted(version.records_rejected, 'bad record')} left out" if version.records_rejected else ""
            return f"{counted(version.records_ingested, 'row')} loaded by {load}, {where}{bad}"
        case FileStatus.FAILED if version.load_id is None:
            return f"refused: {version.error_message}"
        case FileStatus.FAILED:
            return f"failed in {load}: {version.error_message}"
        case FileStatus.SKIPPED:
            return f"skipped: {version.error_message}"
        case FileStatus.PROCESSING if version.load_state is LoadState.LOST:
            return f"its worker went silent in {load}; recovery is looking (autoloader lost tells more)"
        case FileStatus.PROCESSING:
            return f"being loaded by {load}"
        case FileStatus.DISCOVERED:
            return f"put back by {load}: {version.error_message}"
