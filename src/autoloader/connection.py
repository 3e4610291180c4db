"""test-connection: what an ingestion needs, asked part by part: its bucket from here, and its Spark cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoloader.errors import SparkMisconfigured
from autoloader.objects.checking import Checked, check
from autoloader.objects.paths import parse_source_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from autoloader.engines.spark.checking import Needed, Part
    from autoloader.engines.spark.session import Cluster
    from autoloader.model import NewIngestion
    from autoloader.objects import ObjectStore


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """What works.

    Attributes:
        listed: as ``Checked.listed``.
        read: as ``Checked.read``.
        spark: what was found of the cluster, a sentence for each part; empty where none is used.
    """

    listed: int
    read: str | None
    spark: tuple[str, ...] = ()

    def __str__(self) -> str:
        bucket = str(Checked(listed=self.listed, read=self.read))
        return f"{bucket} Spark works: {'; '.join(self.spark)}." if self.spark else bucket


def reach(
    ingestion: NewIngestion,
    store: ObjectStore,
    cluster: Cluster | None,
    needed: Callable[[NewIngestion, str | None], Needed],
) -> Connection:
    """Look at everything an ingestion needs; nothing is written.

    Args:
        cluster: None where no load of it would use one.
        needed: what the cluster must see, given the file that could be read from here.

    Raises:
        SourceError: the bucket cannot be listed or read from here.
        LakeError: the catalog does not answer us.
        SparkError: the cluster does not answer, or parts of it do not work: every such part is named with what to set.
    """
    seen = check(store, parse_source_path(ingestion.source_path).prefix)
    if cluster is None:
        return Connection(listed=seen.listed, read=seen.read)
    from autoloader.engines.spark.checking import examine  # noqa: PLC0415  only who uses Spark needs it

    parts = examine(cluster, needed(ingestion, seen.read))
    if not all(part.works for part in parts):
        raise SparkMisconfigured(f"Spark at {cluster.url} cannot load this: {_told(parts)}")
    return Connection(listed=seen.listed, read=seen.read, spark=tuple(part.message for part in parts))


def _told(parts: Sequence[Part]) -> str:
    failing = [f"{part.name}: {part.message.rstrip('.')}." for part in parts if not part.works]
    working = [part.message for part in parts if part.works]
    return " ".join([*failing, f"What works: {'; '.join(working)}." if working else ""]).rstrip()
