"""Whether a contestant did the work: every record once, in as many snapshots as there should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc
from pyiceberg.table.snapshots import ancestors_of

from autoloader.model import SOURCE_ROW

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from data import Dataset


class WrongResult(Exception):  # noqa: N818  named for what was found
    """The table does not hold the records of the data set, each exactly once."""


def check(table: Table, dataset: Dataset, *, snapshots: int) -> None:
    """Count the rows, add up their ids and count the commits, by PyIceberg's own reader.

    Raises:
        WrongResult: with what was found and what should be there.
    """
    rows = total = 0
    for batch in table.scan(selected_fields=("id",)).to_arrow_batch_reader():
        rows += batch.num_rows
        total += pc.sum(batch["id"]).as_py() or 0
    found = (rows, total, commits(table))
    wanted = (dataset.records, dataset.sum_of_ids, snapshots)
    if found != wanted:
        raise WrongResult(f"{dataset.name}: rows, sum of ids and snapshots are {found}, and should be {wanted}")


def check_rejects(table: Table, rejects: Table, dataset: Dataset) -> None:
    """Every bad record is set apart with its text, and the rows and they have every line of the files between them.

    Raises:
        WrongResult: with what was found and what should be there.
    """
    apart = rejects.scan(selected_fields=("line", "raw")).to_arrow()
    lines = pc.sum(apart["line"]).as_py()
    for batch in table.scan(selected_fields=(SOURCE_ROW,)).to_arrow_batch_reader():
        lines += pc.sum(batch[SOURCE_ROW]).as_py() or 0
    in_file = dataset.records_per_file + dataset.rejects // dataset.files
    found = (apart.num_rows, apart["raw"].null_count, lines)
    wanted = (dataset.rejects, 0, dataset.files * in_file * (in_file + 1) // 2)
    if found != wanted:
        raise WrongResult(f"{dataset.name}: rejects, those without a text, sum of lines are {found}, not {wanted}")


def commits(table: Table) -> int:
    """How many snapshots readers of the table have seen; what was only staged is not among them."""
    return sum(1 for _ in ancestors_of(table.current_snapshot(), table.metadata))
