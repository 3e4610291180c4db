"""Plain text: Spark's lines are ours, where they are UTF-8 and nothing says that the file is something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.spark.sql import quote

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame

_MARK = r"'\uFEFF'"
_NOTHING = r"'\u0000'"


def records(lines: DataFrame, column: str) -> DataFrame:
    """``lines`` (with the column ``value``) with ``r``, the record: the line without its line end."""
    end = r"if(endswith(value, '\r'), left(value, length(value) - 1), value)"
    return lines.selectExpr("*", f"struct({end} AS {quote(column)}) AS r")


def suspicious() -> str:
    """SQL over ``records``: the line is too long, no UTF-8, or may be of a file that is marked, packed or binary."""
    sure = [
        f"octet_length(value) <= {RECORD_LIMIT_BYTES}",
        "is_valid_utf8(value)",
        f"instr(value, {_NOTHING}) = 0",
        f"NOT startswith(value, {_MARK})",
    ]
    return f"NOT coalesce({' AND '.join(sure)}, false)"
