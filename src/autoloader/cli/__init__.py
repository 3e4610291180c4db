"""The command line. Commands are imported only when they are called, so that ``--help`` answers at once.

Exit codes: 0 done · 1 some files failed or would, or something differs · 2 wrong use · 3 could not run · 4 there are
differences, where ``--detailed-exitcode`` asks for it · 130 interrupted.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from typing_extensions import override

from autoloader.errors import AutoloaderError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

WRONG_USE = 2
COULD_NOT_RUN = 3
DIFFERENT = 4
INTERRUPTED = 130
_YOUNG_OBJECTS = 50_000
"""The collector waits for so many instead of 700: imports make a million objects that are no garbage."""

COMMANDS = {
    "create": ("ingestions:create", "Save a new ingestion."),
    "list": ("ingestions:list_all", "List the ingestions."),
    "show": ("ingestions:show", "Show one ingestion and how its files stand."),
    "edit": ("ingestions:edit", "Change an ingestion; the history of its files stays."),
    "delete": ("ingestions:delete", "Delete an ingestion and its history; the table stays."),
    "pause": ("ingestions:pause", "Let no run of an ingestion start until it is resumed."),
    "resume": ("ingestions:resume", "Let a paused ingestion run again."),
    "apply": ("declared:apply", "Make the saved ingestions those that files declare."),
    "export": ("declared:export", "Write ingestions as the files that declare them."),
    "test": ("preview:test", "Test whether the bucket can be listed and read."),
    "preview": ("preview:preview", "Show schema, rows and matching files; writes nothing."),
    "run": ("runs:run", "Load everything new into the table."),
    "serve": ("serve:serve", "Serve the HTTP API until stopped."),
    "worker": ("workers:worker", "Work on queued runs until stopped."),
    "runs": ("runs:list_runs", "List the runs."),
    "cancel": ("runs:cancel", "Stop a run that waits or goes on."),
    "files": ("files:list_files", "List files and what became of them."),
    "explain": ("files:explain", "Tell the whole story of one file."),
    "retry": ("files:retry", "Let failed files be tried again by the next run."),
    "rejects": ("rejects:rejects", "List bad records that were set apart; load their files again."),
    "validate": ("validating:validate", "Read what waits and tell what would load and what not."),
    "verify": ("verifying:verify", "Compare bucket, ledger and table; list what differs."),
    "lost": ("loads:lost", "List loads whose worker fell silent, and why they are open."),
    "settle": ("loads:settle", "Decide about a lost load that the table cannot tell about."),
    "up": ("stack:up", "Start the whole service on this machine: stack, API, worker."),
    "down": ("stack:down", "Stop the embedded stack."),
    "status": ("stack:status", "Show which parts run, and where."),
    "env": ("stack:env", "Print export lines that point other tools at the stack."),
    "token": ("tokens:token", "Manage the tokens that open the HTTP service."),
    "db": ("database:db", "Manage the ledger's database."),
    "demo": ("demo:demo", "See the whole job on real data, in under a minute."),
}
ANYWHERE = {
    "create",
    "list",
    "show",
    "edit",
    "delete",
    "pause",
    "resume",
    "apply",
    "export",
    "test",
    "preview",
    "run",
    "runs",
    "cancel",
    "files",
    "explain",
    "retry",
    "rejects",
    "validate",
    "verify",
    "lost",
    "settle",
}
"""The commands that a service can do as well; the others are about this machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Who is to do what is typed, as far as the command line says.

    Attributes:
        url: of a service; None: the settings decide.
        token: where its token is: ``env:NAME`` or ``file:/path``.
    """

    url: str | None = None
    token: str | None = None


class LazyGroup(click.Group):
    """Knows every command by name and help line; imports a command's module when it is called."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(f"autoloader.cli.{module}"), name)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_line) for name, (_, help_line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iceberg-autoloader", prog_name="autoloader")
@click.option(
    "--url",
    metavar="URL",
    help="Ask this service to do it, such as http://127.0.0.1:8080. Also: AUTOLOADER_URL. Else: the database itself.",
)
@click.option("--token", metavar="env:NAME|file:/PATH", help="Where its token is. Default: AUTOLOADER_TOKEN holds it.")
@click.pass_context
def cli(ctx: click.Context, *, url: str | None, token: str | None) -> None:
    """Files that keep arriving in object storage become rows of Iceberg tables, each file exactly once.

    Without settings everything runs on an embedded stack on this machine. Start with `autoloader demo`.
    """
    if (url or token) and ctx.invoked_subcommand not in ANYWHERE:
        raise UsageError(
            f"`autoloader {ctx.invoked_subcommand}` is about this machine, which no service does: leave out "
            f"{'--url' if url else '--token'}",
            field="--url" if url else "--token",
        )
    ctx.obj = Target(url=url, token=token)


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output, such as `head`, has what it wanted.
        sys.stderr.close()
        code = 0
    # The process ends: nobody needs its memory looked through once more.
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run one command; errors are told on stderr.

    Returns:
        The exit code.
    """
    try:
        _require_text(arguments)
        code = cli.main(list(arguments), prog_name="autoloader", standalone_mode=False)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return WRONG_USE
    except AutoloaderError as error:
        _tell(error, as_json="--json" in arguments)
        return WRONG_USE if isinstance(error, UsageError) else COULD_NOT_RUN
    return code if isinstance(code, int) else 0


def _require_text(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{argument!a} is no text in UTF-8: give it in that encoding") from None


def _tell(error: AutoloaderError, *, as_json: bool) -> None:
    """One sentence for people; one JSON object where the caller asked for JSON."""
    if as_json:
        field = error.field if isinstance(error, UsageError) else None
        problem = {"error": {"type": error.error_type, "message": str(error), "field": field}}
        click.echo(json.dumps(problem), err=True)
        return
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
