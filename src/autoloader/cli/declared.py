"""``apply`` and ``export``: ingestions declared in files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autoloader.cli import DIFFERENT
from autoloader.cli.output import counted, json_option, write_json
from autoloader.cli.session import control
from autoloader.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoloader.control import Control
    from autoloader.declaring import Backend, Plan, Step
    from autoloader.model import Ingestion


@click.command("apply")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option(
    "-f",
    "--file",
    "more",
    multiple=True,
    metavar="PATH",
    help="A file, a folder (all *.yaml and *.yml in and below it), or - for stdin. Repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--prune", is_flag=True, help="Delete the ingestions that are not declared, with their history.")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="With --dry-run: exit code 4 when there is something to do, else 0."
)
@json_option
@click.pass_context
def apply(
    ctx: click.Context,
    paths: tuple[str, ...],
    more: tuple[str, ...],
    *,
    dry_run: bool,
    prune: bool,
    yes: bool,
    detailed_exitcode: bool,
    as_json: bool,
) -> None:
    """Create, change and with --prune delete ingestions, so that they are those that the files declare.

    Every document is checked before anything is done, and what would be done is shown first. What a document leaves out
    has its default; only schema_json and status stay as they are. `autoloader export` writes such files.

    For example: autoloader apply -f ingestions/
    """
    _require_sense(more + paths, dry_run=dry_run, yes=yes, detailed_exitcode=detailed_exitcode, as_json=as_json)
    from autoloader.cli.changes import write_plan
    from autoloader.declaring import make_plan, read

    documents = read(more + paths)
    with control() as doing:
        backend = _backend(doing)
        plan = make_plan(documents, backend, prune=prune)
        if not as_json:
            write_plan(plan, prune=prune)
        done = [] if dry_run or not plan.open else _act(plan, backend, yes=yes, quiet=as_json)
    if as_json:
        write_json(_as_json(plan, done, dry_run=dry_run))
    ctx.exit(DIFFERENT if detailed_exitcode and plan.open else 0)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "-o",
    "--output",
    metavar="FILE|FOLDER",
    help="One file (*.yaml, *.yml), or a folder with a file for each ingestion. Default: stdout.",
)
def export(names: tuple[str, ...], output: str | None) -> None:
    """Write the ingestions called NAME, or all, as YAML documents that `autoloader apply` takes.

    Keys are written as references; one that is stored sealed is written as '***', which keeps it.

    For example: autoloader export -o ingestions/
    """
    with control() as doing:
        found = [doing.named(name) for name in dict.fromkeys(names)] if names else doing.ingestions()
    if not found:
        click.echo("No ingestion yet: nothing is written.", err=True)
    elif output is None:
        click.echo(_documents(found), nl=False)
    else:
        written = _write(found, Path(output), folder=output.endswith("/"))
        click.echo(f"Wrote {counted(len(found), 'ingestion')} to {written}.", err=True)


def _require_sense(paths: Sequence[str], *, dry_run: bool, yes: bool, detailed_exitcode: bool, as_json: bool) -> None:
    if not paths:
        raise click.UsageError("Nothing to apply: name files or folders, such as -f ingestions/ (see --help).")
    if detailed_exitcode and not dry_run:
        raise click.UsageError("--detailed-exitcode goes with --dry-run.")
    if as_json and not (dry_run or yes):
        raise click.UsageError("--json cannot ask: give --yes to act, or --dry-run to look.")


def _act(plan: Plan, backend: Backend, *, yes: bool, quiet: bool) -> list[Step]:
    """Ask, and do it; returns what was done."""
    from autoloader.cli.changes import done
    from autoloader.declaring import carry_out

    if not yes:
        _ask(plan)
    steps = []
    for step in carry_out(plan, backend):
        steps.append(step)
        if not quiet:
            click.echo(done(step))
    return steps


def _ask(plan: Plan) -> None:
    if not sys.stdin.isatty():
        raise UsageError("nothing was done: there is no terminal to ask on. Give --yes to act, or --dry-run to look")
    from autoloader.cli.changes import summary

    if not click.confirm(f"Do this ({summary(plan)})?", err=True):
        click.echo("Nothing was done.", err=True)
        raise click.Abort


def _backend(doing: Control) -> Backend:
    from autoloader.declaring import Backend

    return Backend(
        list_all=doing.ingestions,
        check=doing.check,
        create=doing.create,
        edit=doing.edit,
        delete=doing.delete,
        count_files=lambda ingestion: sum(doing.standing(ingestion.name).files.values()),
    )


def _as_json(plan: Plan, done: Sequence[Step], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "steps": [
            {
                "action": step.action,
                "name": step.name,
                "place": step.document and step.document.place(),
                "differences": step.differences,
                "files": step.files,
                "notes": step.notes,
                "done": any(step is each for each in done),
            }
            for step in plan.steps
        ],
        "undeclared": plan.undeclared,
    }


def _documents(found: Sequence[Ingestion]) -> str:
    from autoloader.declaring import dump

    return "---\n".join(dump(ingestion) for ingestion in found)


def _write(found: Sequence[Ingestion], output: Path, *, folder: bool) -> Path:
    from autoloader.declaring import dump

    one_file = output.is_file() or (not folder and not output.is_dir() and output.suffix in {".yaml", ".yml"})
    try:
        if one_file:
            output.write_text(_documents(found), "utf-8")
            return output
        output.mkdir(parents=True, exist_ok=True)
        for ingestion in found:
            (output / f"{ingestion.name}.yaml").write_text(dump(ingestion), "utf-8")
    except OSError as error:
        raise UsageError(f"{error.filename or output} cannot be written: {error.strerror}", field="--output") from None
    return output
