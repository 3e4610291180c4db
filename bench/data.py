"""Makes the data of the benchmark and puts it into the bucket: event records, the same for every contestant."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import obstore

from forms import NDJSON, Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import S3Store

SCHEMA = (
    "id BIGINT, at TIMESTAMP, user STRING, kind STRING, amount DECIMAL(10,2), score DOUBLE, ok BOOLEAN, "
    "device STRUCT<os: STRING, version: STRING, ip: STRING>, tags ARRAY<STRING>, url STRING"
)
"""The ten columns of an event, as ``autoloader create --schema`` takes them."""

UPLOADS_AT_ONCE = 32
RECORDS_IN_MEMORY = 50_000
_PART_BYTES = 16 * 1024**2
_TAILS = 20_000
_TYPED = {"Content-Type": "application/x-ndjson"}
"""SeaweedFS gzips what nobody gave a type, and parts of large uploads; whoever reads it pays for that. S3 does not."""
_SEED = 20_240_115
_FIRST_SECOND = 1_705_276_800


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """Files of one shape below one prefix; record ids count up from 0 across them.

    Attributes:
        title: what people read in the report.
        form: how the records are written down.
    """

    name: str
    title: str
    files: int
    records_per_file: int
    form: Form = NDJSON

    @property
    def prefix(self) -> str:
        """Where the files are in the bucket, with a closing slash."""
        return f"bench/{self.name}/"

    @property
    def records(self) -> int:
        """Rows of the whole data set."""
        return self.files * self.records_per_file

    @property
    def rejects(self) -> int:
        """Bad records of the whole data set, which come on top of its rows."""
        return self.files * self.form.rejects * -(-self.records_per_file // RECORDS_IN_MEMORY)

    @property
    def sum_of_ids(self) -> int:
        """The sum over the column ``id``: with the count it tells whether each record came exactly once."""
        return self.records * (self.records - 1) // 2


def upload(store: S3Store, dataset: Dataset) -> int:
    """Make the files and put them into the bucket: a few at a time, or a large one while it is made.

    Returns:
        Bytes of the whole data set.
    """
    if dataset.records_per_file > RECORDS_IN_MEMORY:
        return sum(_stream(store, key, parts) for key, parts in texts_of(dataset))
    return asyncio.run(_upload(store, dataset))


def remove(store: S3Store, dataset: Dataset) -> None:
    """Take the files out of the bucket again."""
    for page in obstore.list(store, dataset.prefix, chunk_size=1000):
        obstore.delete(store, [meta["path"] for meta in page])


def texts_of(dataset: Dataset) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Key and bytes of every file, in order. The same on every machine: the random numbers are seeded."""
    tails = _tails(random.Random(_SEED))
    for number in range(dataset.files):
        key = f"{dataset.prefix}events-{number:06}{dataset.form.ending}"
        yield key, dataset.form.written(_parts(dataset, number, tails))


def _parts(dataset: Dataset, number: int, tails: list[str]) -> Iterator[bytes]:
    """The records of one file, some at a time."""
    first = number * dataset.records_per_file
    past = first + dataset.records_per_file
    for start in range(first, past, RECORDS_IN_MEMORY):
        lines = [_line(index, tails) for index in range(start, min(start + RECORDS_IN_MEMORY, past))]
        yield "".join(lines).encode()


def _stream(store: S3Store, key: str, parts: Iterator[bytes]) -> int:
    """A multipart upload of what comes, whose size is counted."""
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for part in parts:
            size += len(part)
            yield part

    obstore.put(store, key, counted(), use_multipart=True, chunk_size=_PART_BYTES, max_concurrency=4)
    return size


async def _upload(store: S3Store, dataset: Dataset) -> int:
    """Keep ``UPLOADS_AT_ONCE`` puts under way; the files are made in between."""
    total = 0
    under_way: set[asyncio.Future[obstore.PutResult]] = set()
    for key, text in texts_of(dataset):
        body = b"".join(text)
        total += len(body)
        put = obstore.put_async(store, key, body, attributes=_TYPED, use_multipart=False)
        under_way.add(asyncio.ensure_future(put))
        if len(under_way) >= UPLOADS_AT_ONCE:
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
    await asyncio.gather(*under_way)
    return total


def _line(index: int, tails: list[str]) -> str:
    """One record: its own id and instant, and one of the prepared tails."""
    second = _FIRST_SECOND + index // 40
    hours, minutes, seconds = second // 3600 % 24, second // 60 % 60, second % 60
    day = 1 + second // 86_400 % 28
    at = f"2024-01-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{index % 40 * 25:03}Z"
    return f'{{"id":{index},"at":"{at}",{tails[index * 7919 % _TAILS]}'


def _tails(chance: random.Random) -> list[str]:
    """The other eight columns as JSON text: made once, since making them anew would take longer than loading."""
    return [_tail(chance) for _ in range(_TAILS)]


def _tail(chance: random.Random) -> str:
    kind = chance.choice(("view", "click", "search", "buy", "login"))
    system, version = chance.choice((("iOS", "17.2"), ("Android", "14"), ("Windows", "11"), ("Linux", "6.6")))
    tags = ",".join(f'"{tag}"' for tag in chance.sample(("new", "mobile", "eu", "beta", "vip"), chance.randrange(3)))
    return (
        f'"user":"user-{chance.randrange(50_000)}","kind":"{kind}","amount":{chance.randrange(100_000) / 100:.2f},'
        f'"score":{chance.random():.6f},"ok":{"false" if chance.randrange(30) == 0 else "true"},'
        f'"device":{{"os":"{system}","version":"{version}","ip":"10.{chance.randrange(256)}.{chance.randrange(256)}.7"}},'
        f'"tags":[{tags}],"url":"/{kind}/{chance.randrange(10**6)}"}}\n'
    )
