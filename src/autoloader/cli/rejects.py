"""``rejects``: list bad records that were set apart, and have their files loaded again."""

from __future__ import annotations

import click
from typing_extensions import override

from autoloader.cli.output import counted, json_option, write_json, write_table
from autoloader.cli.session import control
from autoloader.model import WantedRejects

_SHOWN = 200
"""Characters of a record in a table; ``--json`` has all of it."""


class _OrName(click.Group):
    """``rejects NAME`` means ``rejects list NAME``."""

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            return "list", self.commands["list"], args
        return super().resolve_command(ctx, args)


@click.group(cls=_OrName)
def rejects() -> None:
    """Bad records that were set apart: `rejects NAME` lists them, `rejects retry NAME` loads their files again."""


@rejects.command("list")
@click.argument("name")
@click.option("--file", "path", metavar="S3_PATH", help="Only those of this file.")
@click.option("--reason", metavar="CODE", help="Only those with this reason code, such as malformed or not_bigint.")
@click.option("--column", metavar="NAME", help="Only those with this column at fault.")
@click.option("--load", "load_id", type=click.UUID, metavar="ID", help="Only those that this load set apart.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="At most so many.")
@json_option
def list_rejects(name: str, *, limit: int, as_json: bool, **given: object) -> None:
    """List the bad records of NAME that were set apart, those of the newest loads first."""
    wanted = WantedRejects(**{what: None if value is None else str(value) for what, value in given.items()})
    with control() as doing:
        found = doing.rejects(name, wanted, limit + 1)
    if as_json:
        write_json(found[:limit])
        return
    write_table(
        ["FILE", "LINE", "COLUMN", "REASON", "MESSAGE", "RECORD"],
        [[r.file_path, r.line, r.column or "", r.reason, r.message, (r.raw or "")[:_SHOWN]] for r in found[:limit]],
        empty=f"No rejects of {name}." if wanted == WantedRejects() else "No such reject.",
    )
    if len(found) > limit:
        click.echo(f"The first {limit:,} are shown; --limit shows more.")


@rejects.command()
@click.argument("name")
@click.argument("paths", nargs=-1, metavar="[S3_PATH]...")
@json_option
def retry(name: str, *, paths: tuple[str, ...], as_json: bool) -> None:
    """Let the files of NAME that have rejects, all or those named, be loaded again by the next run.

    They are read with schema and options as they are then; their rows and rejects are replaced by what is found.
    """
    with control() as doing:
        count = doing.retry_rejects(name, paths)
    if as_json:
        write_json({"files": count})
    elif count:
        click.echo(f"{counted(count, 'file')} will be loaded again: autoloader run {name}")
    else:
        click.echo(f"No file of {name} has rejects.")
