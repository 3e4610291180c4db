"""Writes what was measured: a page for people, a JSON file for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from crews import LARGE_ONE, LAST_SMALL, TEN, TWO
from faults import EIGHT, RESCUED, WHOLE_LOAD
from promises import GIB, MB, Figures, Verdict, service_verdicts, verdicts
from races import AGAIN, BATCH, DLT, FIRST, LIMIT, LISTING, ON_SPARK, OURS, OWN_READERS, START, STREAM, Figure
from service import FLAT_OUT, Answers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cases import Case

ORDER = (
    *(OURS, ON_SPARK, OWN_READERS, BATCH, STREAM, LIMIT, DLT, FIRST, AGAIN, LISTING, START),
    *(TWO, TEN, LARGE_ONE, LAST_SMALL, RESCUED, EIGHT, WHOLE_LOAD),
)

HOW = """\
## How it was measured

One run of `make bench` starts an embedded stack of its own (object store, catalog, PostgreSQL) and makes the data:
event records of ten columns, about 220 bytes each, with a nested struct and an array, the same on every machine. The
stack shares the cores with whoever is measured.

Every figure is of one whole process from its start to its end, imports included, measured from outside: wall time,
processor time (user and system), and peak resident memory with children. The contestants take turns, round by round,
each on a fresh table (ours on a fresh ledger too). After every round the rows, the sum of their ids and the number of
snapshots are checked by reading the table. Tables show medians; a ratio is the median of the ratios within a round;
memory is the highest of all rounds.

Every file of up to 11 MB is put in one request and with a content type, for every contestant: the store of the stack
gzips others, which S3 does not, and unpacks them on the same cores.

- **autoloader** is `autoloader run` as a user types it, with the strict value rules and an outcome for every file.
- **bare limit** is `bench/limit.py`: list and fetch with obstore in threads, join the files into pieces of 64 MiB, one
  typed `read_json` of DuckDB for each piece, Parquet with zstd, one commit. It has no ledger, reads leniently, cannot
  say which row came from which file, and one bad file stops it.
- **dlt** is `bench/dlt/load.py`: its filesystem source with `read_jsonl`, read in threads, normalized by two workers,
  into Iceberg by its filesystem destination. Its catalog is a SQLite file, since the stack's REST catalog keeps tables
  in a bucket of their own while dlt wants table and state in one. Nested values stay JSON text in their row, which
  spares it child tables.
- **autoloader on spark** is the same `autoloader run` with `engine: spark`: the cluster's Python has Autoloader, so its
  tasks run the embedded engine. **autoloader on spark sql** is the same where it has not: Spark's own readers, judged
  by expressions. **spark batch** and **spark streaming** are `bench/spark_ways.py`: Spark reading the same prefix as
  JSON with the explicit schema, by `writeTo(…).create()` and by Structured Streaming with the trigger `availableNow`,
  into a new Iceberg table. All of them talk to one Spark Connect server of the stack, in local mode with every core and
  2 GiB, that is up before the clock and has loaded a little in each of the ways. Time counts from the start of the
  client to its end; processor and memory are those of the client.
- **One file of 5 GB** and the same in gzip are loaded with the settings as they come; the size is that of the text. So
  is the **JSON array of 1 GB**, with `multiLine=true`. They are there for their memory.
- **each with bad records**: 20 files of 11 MB. In each, one record is cut off and one has a text for its amount, and
  every hundredth has a field that the schema does not know. They are loaded with `on_bad_record: quarantine`,
  `sourceRow=true` and `unknown_fields: rescue`, so every row has its line, and every bad record goes to the rejects
  table with its line and its text, which is checked in the tables. *MB/s after start* is by the run's own times,
  without the start of the interpreter.
- **bare listing** is obstore listing the same prefix; its time is taken without its start.
- **2 workers**, **10 workers** are so many `autoloader worker --concurrency 1` processes, up before the clock and
  warmed up by loading the same files into another table, with loads of 500 files; the time is from the trigger of the
  run to its end, by the ledger, and so is the processor's. Memory is what all of them hold at the end. *10,000 files
  beside 49 others* is 50 ingestions triggered at once, the large one first, and two workers.
- **death to loaded**: a worker kills itself when its load is prepared (a failpoint); another one, up all the while,
  takes its files over. From the death to the end of the run; the lease is 10 s here.
- **8 workers** are eight processes with loads of five files into one table: as many commits as that makes, all on main.
- **one load** runs in the benchmark's own process, where storing the outcomes, looking at the table and renewing the
  lease are timed, in whatever thread: that is the share of the protocol.
- **API**: a ledger with 1,000,000 files of four ingestions (20 ingestions, 100,000 runs, as many entries of history as
  files), made by SQL; `autoloader serve`, one process; 16 clients in a process of their own, each of which sends ten
  requests in a second, 160 all together, with a token, over a connection that it keeps. Each asks every route in a
  random order of its own: twelve different requests of each, and what monitors ask (`/healthz`, `/readyz`, `/metrics`)
  once. After 5 s of warming up, 60 s count. A time is from the instant at which the request was due to the last byte
  received, so that no answer that is slow hides the wait of those after it. Then the same clients ask again as soon as
  they have an answer, for 20 s: that is the last row, and tells how much the service can do. PostgreSQL and the clients
  share the cores with the service.
- **start only** is the interpreter with the imports of `autoloader run`. *Time after start* is a run's wall time less
  this.

## How to repeat it

```sh
make bench
```

`bench/run.py --quick` is a small rehearsal. `--only CASE` measures some of the cases; with `--write` they take the
place of what was measured before, and the others stay. The measurements one by one are in `bench/results.json`.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """All that was measured.

    Attributes:
        sizes: bytes of the data of each case.
        answers: of the API; empty where it was not asked.
    """

    figures: Sequence[Figure]
    sizes: Mapping[str, int]
    answers: Sequence[Answers] = ()

    def over(self, before: Results) -> Results:
        """These, and the cases of ``before`` that were not measured again."""
        kept = [figure for figure in before.figures if figure.case not in self.sizes]
        return Results(
            figures=[*kept, *self.figures],
            sizes={**before.sizes, **self.sizes},
            answers=self.answers or before.answers,
        )


def written(results: Results, machine: Mapping[str, str]) -> str:
    """Everything measured, as JSON."""
    return json.dumps({"machine": dict(machine)} | asdict(results), indent=1) + "\n"


def read(text: str) -> Results:
    """What ``written`` wrote."""
    told = json.loads(text)
    return Results(
        figures=[Figure(**each) for each in told["figures"]],
        sizes=told["sizes"],
        answers=[Answers(**each) for each in told.get("answers", [])],
    )


def page(results: Results, cases: Sequence[Case], machine: Mapping[str, str]) -> str:
    """The Markdown page."""
    facts = ", ".join(f"{name} {value}" for name, value in machine.items() if name not in {"date", "cores", "memory"})
    head = (
        f"# Benchmarks\n\nWritten by `make bench` on {machine['date']}: {machine['cores']} cores, "
        f"{machine['memory']} of memory, {facts}.\n"
    )
    figures = Figures(results.figures)
    shown = [replace(case, size_bytes=results.sizes[case.dataset.name]) for case in cases]
    promises = _promises([*verdicts(results.figures), *service_verdicts(results.answers)])
    parts = [head, promises, *(_case(figures, case) for case in shown), *_service(results.answers), HOW]
    return "\n".join(parts)


def _promises(judged: Sequence[Verdict]) -> str:
    rows = [[v.promise, v.wanted, v.found, "yes" if v.kept else "**no**"] for v in judged]
    return "## Promises\n\n" + table(["", "must be", "is", "kept"], rows)


def _service(answers: Sequence[Answers]) -> list[str]:
    rows = [
        [
            _title(a),
            f"{a.requests:,}",
            f"{a.per_second:.0f}",
            f"{a.p50_seconds * 1000:.0f} ms",
            f"{a.p99_seconds * 1000:.0f} ms",
        ]
        for a in answers
    ]
    columns = ["", "requests", "per second", "p50", "p99"]
    return ["## API with 1,000,000 files, 16 clients\n\n" + table(columns, rows)] if rows else []


def _title(answers: Answers) -> str:
    return answers.route if answers.route == FLAT_OUT else f"`{answers.route}`"


def _case(figures: Figures, case: Case) -> str:
    names = [name for name in ORDER if figures.of(case.dataset.name, name)]
    rows = [_row(figures, case, name, names) for name in names]
    columns = ["", "wall, median", "from – to", "processor", "files/s", "MB/s", "peak memory", "times ours"]
    rounds = max(figure.round for figure in figures.all if figure.case == case.dataset.name)
    return f"## {case.dataset.title}\n\nRounds: {rounds}.\n\n" + table(columns, rows)


def _row(figures: Figures, case: Case, name: str, names: Sequence[str]) -> list[str]:
    own = figures.of(case.dataset.name, name)
    walls = [figure.wall_seconds for figure in own]
    wall = median(walls)
    loads = name in {OURS, ON_SPARK, BATCH, STREAM, LIMIT, DLT, FIRST, TWO, TEN, LARGE_ONE, EIGHT, WHOLE_LOAD}
    compared = OURS in names and name != OURS
    return [
        name,
        f"{wall:.2f} s",
        f"{min(walls):.2f} – {max(walls):.2f} s",
        f"{median(figure.cpu_seconds for figure in own):.2f} s",
        f"{case.dataset.files / wall:,.0f}" if loads else "",
        f"{case.size_bytes / MB / wall:,.0f}" if loads else "",
        memory(figures.peak(case.dataset.name, name)),
        f"{figures.ratio(case.dataset.name, name, OURS):.2f}" if compared else "",
    ]


def memory(size: int) -> str:
    """Bytes for people."""
    return f"{size / GIB:.2f} GiB" if size >= GIB else f"{size / MB:.0f} MB"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all but the first column on the right."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
