"""The cases: which data, who takes part, how often."""

from __future__ import annotations

from dataclasses import dataclass, replace

from crews import FAIR, LARGE_ONE, LAST_SMALL, SHARED, TEN, TWO
from data import Dataset
from faults import CONTENDED, EIGHT, PROTOCOL, RESCUE, RESCUED, WHOLE_LOAD
from forms import ARRAY, FLAWED, GZIP
from races import BATCH, DLT, LIMIT, ON_SPARK, OURS, OWN_READERS, STREAM


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One data set and what is done with it.

    Attributes:
        contestants: who is measured; empty: one load and then second runs with nothing new.
        size_bytes: of the data set once it is made.
    """

    dataset: Dataset
    contestants: tuple[str, ...] = ()
    size_bytes: int = 0


SPARK = ("spark-small", "spark-large")
"""Cases that need Spark: on the data of ``small`` and ``large``."""

FULL = (
    Case(
        dataset=Dataset(name="small", title="10,000 files of 22 KB", files=10_000, records_per_file=100),
        contestants=(OURS, LIMIT, DLT),
    ),
    Case(
        dataset=Dataset(name="large", title="20 files of 11 MB", files=20, records_per_file=50_000),
        contestants=(OURS, LIMIT, DLT),
    ),
    Case(
        dataset=Dataset(name="huge", title="One file of 1 GB", files=1, records_per_file=4_900_000),
        contestants=(OURS, LIMIT),
    ),
    Case(
        dataset=Dataset(name="stream", title="One file of 5 GB", files=1, records_per_file=23_000_000),
        contestants=(OURS,),
    ),
    Case(
        dataset=Dataset(name="packed", title="One file of 5 GB, gzip", files=1, records_per_file=23_000_000, form=GZIP),
        contestants=(OURS,),
    ),
    Case(
        dataset=Dataset(name="array", title="One JSON array of 1 GB", files=1, records_per_file=4_900_000, form=ARRAY),
        contestants=(OURS,),
    ),
    Case(
        dataset=Dataset(
            name="exact",
            title="20 files of 11 MB, each with bad records",
            files=20,
            records_per_file=50_000,
            form=FLAWED,
        ),
        contestants=(OURS,),
    ),
    Case(dataset=Dataset(name="known", title="10,000 known files, nothing new", files=10_000, records_per_file=10)),
    Case(
        dataset=Dataset(name=SHARED, title="5,000 files, shared by workers", files=5_000, records_per_file=10),
        contestants=(TWO, TEN),
    ),
    Case(
        dataset=Dataset(name=FAIR, title="10,000 files beside 49 others", files=10_000, records_per_file=10),
        contestants=(LARGE_ONE, LAST_SMALL),
    ),
    Case(
        dataset=Dataset(name=RESCUE, title="200 files of a worker that died", files=200, records_per_file=10),
        contestants=(RESCUED,),
    ),
    Case(
        dataset=Dataset(name=CONTENDED, title="400 files in 80 loads, 8 workers", files=400, records_per_file=10),
        contestants=(EIGHT,),
    ),
    Case(
        dataset=Dataset(name=PROTOCOL, title="10,000 files: the protocol", files=10_000, records_per_file=100),
        contestants=(WHOLE_LOAD,),
    ),
    Case(
        dataset=Dataset(name=SPARK[0], title="10,000 files of 22 KB, on Spark", files=10_000, records_per_file=100),
        contestants=(OURS, ON_SPARK, OWN_READERS, BATCH, STREAM),
    ),
    Case(
        dataset=Dataset(name=SPARK[1], title="20 files of 11 MB, on Spark", files=20, records_per_file=50_000),
        contestants=(OURS, ON_SPARK, OWN_READERS, BATCH, STREAM),
    ),
    Case(dataset=Dataset(name="tiny", title="100,000 known files, nothing new", files=100_000, records_per_file=1)),
)


def quick(case: Case) -> Case:
    """The same with a twentieth of the data: to see that all works, not to judge by."""
    dataset = replace(case.dataset, title=f"A twentieth of: {case.dataset.title}")
    if dataset.files == 1:
        return replace(case, dataset=replace(dataset, records_per_file=dataset.records_per_file // 20))
    return replace(case, dataset=replace(dataset, files=dataset.files // 20))
