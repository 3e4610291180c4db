"""Whether a contestant did the work: every record once, in as many snapshots as there should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc
from pyiceberg.table.snapshots import ancestors_of

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


def commits(table: Table) -> int:
    """How many snapshots readers of the table have seen; what was only staged is not among them."""
    return sum(1 for _ in ancestors_of(table.current_snapshot(), table.metadata))
