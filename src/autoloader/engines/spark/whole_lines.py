"""Small NDJSON files: each is one value of Spark's, which is then cut into its lines.

To open a file costs Spark as much as to read some hundred lines of it, and most of what it does line by line it then
does file by file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.spark.sources import no_larger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql.connect.dataframe import DataFrame

    from autoloader.model import ClaimedFile

_SMALL_BYTES = 1024**2
_SMALL_COMPRESSED_BYTES = 64 * 1024


def small(files: Sequence[ClaimedFile]) -> bool:
    """Whether all of them are."""
    return all(no_larger(file, _SMALL_BYTES, most_packed=_SMALL_COMPRESSED_BYTES) for file in files)


def lines(texts: DataFrame) -> DataFrame:
    """The lines of ``texts`` (with ``path``, ``modified_at`` and ``value``)."""
    # To cut a text Spark decodes it, and what is no UTF-8 would be lost: such a text is one line, which is bad.
    cut = r"CASE WHEN is_valid_utf8(value) THEN split(value, '\n') ELSE array(value) END"
    return texts.selectExpr("path", "modified_at", f"explode({cut}) AS value")
