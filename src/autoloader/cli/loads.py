"""``lost`` and ``settle``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from autoloader.cli.output import counted, json_option, write_json, write_table
from autoloader.cli.session import control
from autoloader.errors import UsageError
from autoloader.model import LoadState

if TYPE_CHECKING:
    from uuid import UUID

    from autoloader.model import Load


@click.command()
@json_option
def lost(*, as_json: bool) -> None:
    """List the loads whose worker fell silent and that are not settled yet.

    Workers settle them within seconds of the catalog's answering. Those about which the table cannot tell any more
    stay until a person decides: autoloader settle.
    """
    with control() as doing:
        found = doing.lost()
    if as_json:
        write_json(found)
        return
    write_table(
        ["LOAD", "TABLE", "STARTED", "FILES", "WORKER", "WHY IT IS OPEN"],
        [
            [str(load.id), load.table_name, load.started_at, load.files, load.worker, load.error_message or "new"]
            for load in found
        ],
        empty="No load is lost.",
    )


@click.command()
@click.argument("load_id", type=click.UUID)
@click.option(
    "--loaded/--not-loaded",
    default=None,
    help="Its rows are in the table, or shall not be loaded again; or they are not, and its files wait again.",
)
@json_option
def settle(load_id: UUID, *, loaded: bool | None, as_json: bool) -> None:
    """Decide about the lost load LOAD_ID, whose evidence is gone.

    Look into the table first: SELECT count(*) … WHERE _load_id = 'LOAD_ID'. What the table itself still shows counts
    more than what is said here.
    """
    if loaded is None:
        raise UsageError("say which it is: --loaded or --not-loaded", field="--loaded")
    with control() as doing:
        settled = doing.settle(load_id, loaded=loaded)
    if as_json:
        write_json(settled)
    else:
        click.echo(_said(settled))


def _said(load: Load) -> str:
    if load.state is LoadState.COMMITTED:
        return f"Load {load.id} counts as loaded, with snapshot {load.snapshot_id}."
    files = counted(load.files, "file")
    return f"Load {load.id} is kept out of {load.table_name}. The next run loads its {files} again."
