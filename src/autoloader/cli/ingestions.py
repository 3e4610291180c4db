"""``create``, ``list``, ``show``, ``edit``, ``delete``, ``pause``, ``resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from autoloader.cli.options import describing, draft_of
from autoloader.cli.output import console, counted, instant, json_option, run_status, size, write_json, write_table
from autoloader.cli.session import control
from autoloader.model import FileStatus, IngestionStatus
from autoloader.schema import parse_schema, to_ddl

if TYPE_CHECKING:
    from autoloader.model import Ingestion


@click.command()
@click.argument("name")
@describing
@json_option
def create(name: str, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401  options as click gives them
    """Save a new ingestion NAME: which files, read how, into which table.

    For example: autoloader create events --source s3://landing/events/ --pattern '*.json' --format json
    --table lake.raw.events
    """
    draft = draft_of(given) | {"name": name}
    with control() as doing:
        ingestion = doing.create(draft)
    if as_json:
        write_json(ingestion)
    else:
        click.echo(f"Saved {name}: {ingestion.source_path}{ingestion.source_file_pattern} → {ingestion.table_name}")
        click.echo(f"Look before you load: autoloader preview {name}    Load: autoloader run {name}")


@click.command("list")
@json_option
def list_all(*, as_json: bool) -> None:
    """List the ingestions."""
    with control() as doing:
        found = doing.ingestions()
    if as_json:
        write_json(found)
        return
    write_table(
        ["NAME", "STATUS", "SOURCE", "FORMAT", "TABLE"],
        [[i.name, i.status, f"{i.source_path}{i.source_file_pattern}", i.format_type, i.table_name] for i in found],
        empty="No ingestion yet. Make one with `autoloader create`, or see `autoloader demo`.",
    )


@click.command()
@click.argument("name")
@json_option
def show(name: str, *, as_json: bool) -> None:
    """Show the ingestion NAME, how its files stand, and its last run."""
    with control() as doing:
        standing = doing.standing(name)
    if as_json:
        write_json(standing)
        return
    for label, value in _facts(standing.ingestion).items():
        console.print(f"[bold]{label:<14}[/bold]", end="")
        click.echo(value)
    console.print("[bold]Files         [/bold]", end="")
    click.echo(", ".join(f"{standing.files[status]:,} {status}" for status in FileStatus))
    console.print("[bold]Last run      [/bold]", end="")
    last = standing.last_run
    click.echo(f"{last.id}: {run_status(last)}, {instant(last.started_at)}" if last else "none yet")


@click.command()
@click.argument("name")
@click.option("--name", "new_name", metavar="NAME", help="Give it another name.")
@click.option("--status", type=click.Choice(["ACTIVE", "PAUSED"]), help="PAUSED: runs are refused until ACTIVE again.")
@describing
@json_option
def edit(name: str, *, new_name: str | None, status: str | None, as_json: bool, **given: Any) -> None:  # noqa: ANN401
    """Change the ingestion NAME. What is not given stays; the history of its files always stays."""
    changes = draft_of(given)
    if new_name is not None:
        changes["name"] = new_name
    if status is not None:
        changes["status"] = status
    if not changes:
        raise click.UsageError("Nothing to change: name at least one option (see --help).")
    with control() as doing:
        after = doing.edit(doing.named(name), changes)
    if as_json:
        write_json(after)
    else:
        click.echo(f"Saved {after.name}.")


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(name: str, *, yes: bool) -> None:
    """Delete the ingestion NAME with the history of its files. The table and its rows stay.

    An ingestion made anew over the same files would load them again: `autoloader pause` keeps the history.
    """
    with control() as doing:
        standing = doing.standing(name)
        table, known = standing.ingestion.table_name, sum(standing.files.values())
        if not yes:
            click.confirm(
                f"Delete {name} and the history of {counted(known, 'file')}? Table {table} keeps its rows",
                abort=True,
                err=True,
            )
        doing.delete(standing.ingestion)
    click.echo(f"Deleted {name}. Table {table} keeps its rows.")


@click.command()
@click.argument("name")
@json_option
def pause(name: str, *, as_json: bool) -> None:
    """Let no run of the ingestion NAME start until it is resumed. A run that goes on is not stopped by it."""
    _move(name, IngestionStatus.PAUSED, f"Paused {name}. Let it run again: autoloader resume {name}", as_json=as_json)


@click.command()
@click.argument("name")
@json_option
def resume(name: str, *, as_json: bool) -> None:
    """Let the ingestion NAME run again. What came meanwhile is loaded by its next run."""
    _move(name, IngestionStatus.ACTIVE, f"{name} may run again: autoloader run {name}", as_json=as_json)


def _move(name: str, status: IngestionStatus, said: str, *, as_json: bool) -> None:
    with control() as doing:
        moved = doing.move(name, status)
    if as_json:
        write_json(moved)
    else:
        click.echo(said)


def _facts(ingestion: Ingestion) -> dict[str, str]:
    hinted = f", with {ingestion.schema_hints}" if ingestion.schema_hints else ""
    schema = f"inferred at the first run{hinted}"
    if ingestion.schema_json is not None:
        schema = to_ddl(parse_schema(ingestion.schema_json))
    return {
        "Name": f"{ingestion.name} ({ingestion.status})",
        "Source": f"{ingestion.source_path} {ingestion.source_file_pattern}",
        "Format": " ".join([ingestion.format_type, *(f"{k}={v}" for k, v in ingestion.format_options.items())]),
        "Table": ingestion.table_name,
        "Schema": schema,
        "Path columns": ", ".join(ingestion.path_columns) or "none",
        "Partitions": ", ".join(ingestion.partition_columns) or "none",
        "Write mode": ingestion.write_mode,
        "Engine": " ".join(filter(None, [ingestion.engine, ingestion.spark_connect_url])),
        "Changed files": ingestion.on_changed_file,
        "Bad records": _bad_records(ingestion),
        "Unknown fields": ingestion.unknown_fields,
        "Limits": f"{size(ingestion.max_file_size_bytes)} a file, {ingestion.max_retries} retries",
    }


def _bad_records(ingestion: Ingestion) -> str:
    most = f"; more than {ingestion.max_bad_records:,} fail a file" if ingestion.max_bad_records is not None else ""
    part = f"; a part over {ingestion.max_bad_ratio:g} fails a file" if ingestion.max_bad_ratio is not None else ""
    return f"{ingestion.on_bad_record}{most}{part}"
