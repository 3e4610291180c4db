"""Plain text: Spark's lines are ours, where they are UTF-8 and nothing says that the file is something else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.engines.spark.sql import literal, quote

if TYPE_CHECKING:
    from pyspark.sql.connect.dataframe import DataFrame

_MARK = r"'\uFEFF'"
_NOTHING = r"'\u0000'"
_ANOTHER_FORMAT = (
    r"\A(?:\x1F[\x8B\x9D]|\x28\xB5\x2F\xFD|[P-_]\*M\x18|BZh[1-9]|\xFD7zXZ|"
    r"Obj\x01|PK\x03\x04|7z\xBC\xAF|Rar!\x1A|\x04\x22M\x18)"
)
"""How a file may begin that is packed, or an archive: it need not hold a byte 0."""


def records(lines: DataFrame, column: str) -> DataFrame:
    """``lines`` (with the column ``value``) with ``r``, the record: the line without its line end."""
    end = r"if(endswith(value, '\r'), left(value, length(value) - 1), value)"
    return lines.selectExpr("*", f"struct({end} AS {quote(column)}) AS r")


def in_another_format(text: str) -> str:
    """SQL: the text, or its file if it is the first line, may be packed or no text at all."""
    return f"{text} RLIKE {literal(_ANOTHER_FORMAT)}"


def suspicious() -> str:
    """SQL over ``records``: the line is too long, no UTF-8, or may be of a file that is marked, packed or binary."""
    sure = [
        f"octet_length(value) <= {RECORD_LIMIT_BYTES}",
        "is_valid_utf8(value)",
        f"instr(value, {_NOTHING}) = 0",
        f"NOT startswith(value, {_MARK})",
        f"NOT {in_another_format('value')}",
    ]
    return f"NOT coalesce({' AND '.join(sure)}, false)"
