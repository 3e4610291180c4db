"""Files changed at random: whatever Spark takes for good is good to the embedded engine, with the same values."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.loads import Loads, SparkLoads

from autoloader.engines.spark import SparkEngine
from autoloader.model import FormatType, SourceCredentials
from autoloader.objects.s3 import open_s3

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from tests.conftest import Landing

    from autoloader.engines.spark.session import Cluster
    from autoloader.settings import Connections

FILES = int(os.environ.get("AUTOLOADER_MUTANTS", "150"))
SEED = int(os.environ.get("AUTOLOADER_SEED", "1"))
LINE = (
    '{"s": "a\\u00e9b", "i": 12, "b": -7, "d": 1.5, "n": 3.10, "o": true, "at": "2024-01-15T10:30:00.5+02:00", '
    '"day": "2024-02-29", "p": {"x": 1, "y": "z"}, "t": ["u", "v"], "m": {"k": 1.0}}'
)
PLAIN = LINE.replace("\\u00e9", '\\"é').replace(', "m": {"k": 1.0}', "")
JSON_DDL = (
    "s STRING, i INT, b BIGINT, d DOUBLE, n DECIMAL(10,2), o BOOLEAN, at TIMESTAMP, day DATE, "
    "p STRUCT<x: BIGINT, y: STRING>, t ARRAY<STRING>, m MAP<STRING, DOUBLE>"
)
CSV = (
    's,i,d,n,o,at,day\na,12,1.5,3.10,true,2024-01-15T10:30:00Z,2024-02-29\n"b ""c"", d",-7,1e3,,FALSE,,\n"",,,0.5,,,\n'
)
BARE_CSV = CSV.split("\n", 1)[1].replace('""c""', '\\"c\\"')
CSV_DDL = "s STRING, i INT, d DOUBLE, n DECIMAL(10,2), o BOOLEAN, at TIMESTAMP, day DATE"
PIECES = [
    *"{}[]\",:.\\ \n\r\t'+-eE019aéT#;|\0\ufeff",
    "null",
    "NaN",
    '""',
    "\\u0041",
    "\\ud800",
    "1e5",
    "0.10",
    "-0",
    "0.125",
    "9999999999",
    "2023-02-29",
    "null",
    '","',
    '"x": 1,',
]
CASES: dict[str, tuple[FormatType, dict[str, str], str, Sequence[str]]] = {
    "lines": (FormatType.JSON, {}, JSON_DDL, [LINE + "\n", LINE.replace(" ", "") + "\n" + LINE + "\n"]),
    "plain lines": (FormatType.JSON, {}, JSON_DDL, [PLAIN + "\n", PLAIN.replace(" ", "") + "\r\n" + PLAIN + "\n"]),
    "documents": (FormatType.JSON, {"multiLine": "true"}, JSON_DDL, [f"[{LINE},\n{LINE}]", LINE]),
    "csv": (FormatType.CSV, {"nullValue": "NA", "comment": "#"}, CSV_DDL, [CSV, CSV.replace("\n", "\r\n")]),
    "csv by position": (FormatType.CSV, {"header": "false", "escape": "\\"}, CSV_DDL, [BARE_CSV]),
}


def mutant(chance: random.Random, text: str) -> str:
    """The text with a few pieces of it put in, taken out, doubled or exchanged."""
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        at = chance.randrange(len(text) + 1)
        end = min(len(text), at + chance.choice([0, 0, 1, 1, 2, 5]))
        put = chance.choice(["", chance.choice(PIECES), chance.choice(PIECES), text[at:end] * 2])
        text = text[:at] + put + text[end:]
    return text


def seen(result: Any) -> dict[str, tuple[Any, ...]]:
    """By file: what became of it, and its rows without what differs from load to load."""
    rows: dict[str, list[str]] = {}
    for row in result.rows:
        kept = {name: value for name, value in row.items() if not name.startswith("_")}
        rows.setdefault(row["_source_file"].rpartition("/")[2], []).append(repr(kept))
    return {
        name: (o.status, o.error_type, o.error_message, o.records_ingested, sorted(rows.get(name, [])))
        for name, o in result.outcomes.items()
    }


@pytest.mark.parametrize("case", CASES)
def test_files_changed_at_random_come_out_the_same_on_both_engines(
    landing: Landing,
    connections: Connections,
    tmp_path: Path,
    catalog: Catalog,
    namespace: str,
    cluster: Cluster,
    case: str,
) -> None:
    format_type, options, ddl, bodies = CASES[case]
    chance = random.Random(f"{case} {SEED}")  # noqa: S311  the same in every run
    made = {f"{at:04}": mutant(chance, chance.choice(bodies)) for at in range(FILES)}
    if case == "lines":
        made["large"] = bodies[0] * (2 * 1024**2 // len(bodies[0]))  # beside it no file is read whole
    for name, body in made.items():
        landing.put(name, body)
    store = open_s3("landing", SourceCredentials(), connections, 8)
    plain = Loads(landing, store, tmp_path)
    engine = SparkEngine(cluster, plain.engine)
    on_spark = SparkLoads(landing, store, tmp_path, engine, catalog=catalog, namespace=namespace)
    one, other = (seen(each.load(ddl, format_type=format_type, options=options)) for each in (plain, on_spark))
    store.close()
    different = {name: (made[name], one[name], other[name]) for name in made if one[name] != other[name]}
    assert different == {}
    assert sum(str(found[0]) == "SUCCESS" for found in one.values()) >= FILES // 20, "not all are bad"
