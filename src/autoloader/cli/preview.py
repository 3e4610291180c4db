"""``preview`` and ``test``: look before you load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from autoloader.cli.options import describing, draft_of
from autoloader.cli.output import console, counted, instant, json_option, size, write_json, write_table
from autoloader.cli.session import control
from autoloader.schema import to_ddl, to_json

if TYPE_CHECKING:
    from autoloader.preview import Preview


@click.command()
@click.argument("name", required=False)
@describing
@json_option
def preview(name: str | None, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401  options as click gives them
    """Show what a run of NAME would do: the schema, ten rows, the files that match and those it would skip.

    Options change what is previewed but are not saved; without NAME they describe an ingestion not saved yet. Nothing
    is written.
    """
    changes = draft_of(given)
    with control() as doing:
        seen = doing.preview(name, changes)
    if as_json:
        write_json(_told(seen))
    else:
        _show(seen)


@click.command()
@click.argument("name", required=False)
@describing
@json_option
def test(name: str | None, *, as_json: bool, **given: Any) -> None:  # noqa: ANN401  options as click gives them
    """Test whether the bucket of NAME can be listed, and a file of it be read. Exit code 3 when not.

    On Spark also whether the cluster answers, has Iceberg, sees the same table and reads the bucket.

    Options change what is tested but are not saved; without NAME they describe an ingestion not saved yet.
    """
    changes = draft_of(given)
    with control() as doing:
        checked = doing.test(name, changes)
    if as_json:
        write_json({"listed": checked.listed, "read": checked.read, "spark": checked.spark, "message": str(checked)})
    else:
        click.echo(str(checked))


def _told(seen: Preview) -> dict[str, Any]:
    """As the HTTP API tells it."""
    return {
        "source_path": seen.source_path,
        "schema_json": to_json(seen.schema) if seen.schema else None,
        "inferred": seen.inferred,
        "sampled": seen.sampled,
        "evidence": seen.evidence,
        "disagreements": seen.disagreements,
        "columns": seen.columns,
        "rows": seen.rows,
        "matching": {"files": seen.files, "bytes": seen.bytes, "complete": seen.complete},
        "examples": seen.examples,
        "skipped": [{"path": path, "reason": reason} for path, reason in seen.skipped],
        "problems": [{"path": path, "reason": reason} for path, reason in seen.problems],
    }


def _show(seen: Preview) -> None:
    more = "" if seen.complete else "more than "
    console.print("[bold]Matching[/bold] ", end="")
    click.echo(f"{more}{counted(seen.files, 'file')}, {size(seen.bytes)} below {seen.source_path}")
    write_table(
        ["FILE", "SIZE", "MODIFIED"],
        [[example.path, size(example.size_bytes), instant(example.modified_at)] for example in seen.examples],
        empty="No file matches: check the path and the pattern.",
    )
    for path, reason in seen.skipped:
        console.print("[yellow]would be skipped[/yellow] ", end="")
        click.echo(f"{path}: {reason}")
    for path, message in seen.problems:
        console.print("[red]problem[/red] ", end="")
        click.echo(f"{path}: {message}")
    if seen.schema is not None:
        given = f"inferred from {counted(seen.sampled, 'file')}" if seen.inferred else "given"
        console.print(f"\n[bold]Schema[/bold] ({given})")
        click.echo(to_ddl(seen.schema))
    _show_evidence(seen)
    if seen.rows:
        console.print(f"\n[bold]Rows[/bold] (the first {len(seen.rows)} of a sample)")
        write_table(seen.columns, seen.rows, empty="")


def _show_evidence(seen: Preview) -> None:
    if not seen.evidence:
        return
    console.print("\n[bold]Evidence[/bold]")
    write_table(
        ["COLUMN", "TYPE", "FILES", "SEEN", "NULL", "TYPES BY FILE", "EXAMPLE"],
        [
            [
                each.column,
                f"{each.type} (hint)" if each.hinted else each.type,
                f"{each.files:,} of {seen.sampled:,}",
                None if each.records is None else f"{each.records:,} of {each.of_records:,}",
                each.nulls,
                ", ".join(each.types),
                each.example,
            ]
            for each in seen.evidence
        ],
        empty="",
    )
    for each in seen.disagreements:
        console.print("[yellow]disagrees[/yellow] ", end="")
        click.echo(f"{each.path}: {each.column}: {each.message}")
