"""``preview``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from autoloader import defining
from autoloader.cli.options import describing, draft_of
from autoloader.cli.output import console, counted, instant, json_option, size, write_json, write_table
from autoloader.cli.session import session
from autoloader.ledger import ingestions
from autoloader.ledger.database import transaction
from autoloader.model import DEFAULT_TENANT
from autoloader.preview import Preview, look
from autoloader.schema import to_ddl, to_json

if TYPE_CHECKING:
    from autoloader.model import NewIngestion
    from autoloader.runtime import Runtime


@click.command()
@click.argument("name", required=False)
@describing
@json_option
def preview(name: str | None, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401  options as click gives them
    """Show what a run of NAME would do: the schema, ten rows, the files that match and those it would skip.

    Options change what is previewed but are not saved; without NAME they describe an ingestion not saved yet. Nothing
    is written.
    """
    with session() as runtime:
        ingestion = _meant(runtime, name, draft_of(given))
        with runtime.open_store(ingestion) as store:
            seen = look(store, runtime.embedded(), ingestion)
    if as_json:
        write_json(
            {
                "schema": to_json(seen.schema) if seen.schema else None,
                "inferred": ingestion.schema_json is None,
                "columns": seen.columns,
                "rows": seen.rows,
                "matching": {"files": seen.files, "bytes": seen.bytes, "complete": seen.complete},
                "examples": seen.examples,
                "skipped": [{"path": path, "reason": reason} for path, reason in seen.skipped],
                "problems": [{"path": path, "message": message} for path, message in seen.problems],
            }
        )
        return
    _show(ingestion, seen)


def _meant(runtime: Runtime, name: str | None, changes: dict[str, Any]) -> NewIngestion:
    if name is None:
        return defining.define(
            {"name": "preview", "catalog": "lake", "database": "preview", "table": "preview"} | changes, runtime.vault
        )
    with transaction(runtime.database) as connection:
        saved = ingestions.by_name(connection, DEFAULT_TENANT, name)
    if not changes:
        return saved
    return defining.define(defining.as_draft(saved) | changes, runtime.vault, saved.source_credentials)


def _show(ingestion: NewIngestion, seen: Preview) -> None:
    more = "" if seen.complete else "more than "
    console.print("[bold]Matching[/bold] ", end="")
    click.echo(f"{more}{counted(seen.files, 'file')}, {size(seen.bytes)} below {ingestion.source_path}")
    write_table(
        ["FILE", "SIZE", "MODIFIED"],
        [[example.path, size(example.size_bytes), instant(example.modified_at)] for example in seen.examples],
        empty="No file matches: check the path and the pattern.",
    )
    for path, reason in seen.skipped:
        console.print("[yellow]would be skipped[/yellow] ", end="")
        click.echo(f"{path}: {reason}")
    for path, message in seen.problems:
        console.print("[red]would fail[/red] ", end="")
        click.echo(f"{path}: {message}")
    if seen.schema is not None:
        given = "given" if ingestion.schema_json is not None else f"inferred from {counted(seen.sampled, 'file')}"
        console.print(f"\n[bold]Schema[/bold] ({given})")
        click.echo(to_ddl(seen.schema))
    if seen.rows:
        console.print(f"\n[bold]Rows[/bold] (the first {len(seen.rows)} of a sample)")
        write_table(seen.columns, seen.rows, empty="")
