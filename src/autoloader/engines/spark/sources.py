"""Which files of a load Spark reads, by which paths, and how its names for them are told from ours.

The ledger says ``s3://bucket/key`` with the key as it is; Spark says ``s3a://`` and quotes what a URI cannot hold.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from autoloader.engines.spark.sql import literal
from autoloader.objects.hadoop import SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql.connect.dataframe import DataFrame
    from pyspark.sql.connect.readwriter import DataFrameReader

    from autoloader.model import ClaimedFile
    from autoloader.objects import ObjectStore

OURS, THEIRS = "s3://", f"{SCHEME}://"
_KEPT = "-_.!~*'():@&=+$,;/"
_GLOB = re.compile(r"[*?\[\]{}\\]")
_UNREAD = re.compile(r"(^|/)[_.]|//|(^|/)\.{1,2}(/|$)|\.(bz2|deflate|snappy|lz4|zst|zstd|xz|lzo|br)$", re.IGNORECASE)
"""Keys that Spark passes over, or decompresses by their name in a way of its own."""
_FEW = 32
"""So many paths are named one by one; of more, their folders."""

_WORTH_A_REQUEST = 30
"""So many objects are listed by Spark in the time in which it looks up one that is named: 0.1 ms against 3 ms."""

_REQUESTS = 16
_CLOCK_STEP = timedelta(milliseconds=1)
"""Of Spark's times of files."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What Spark is told to read.

    Attributes:
        paths: files, or folders to be looked through.
        files: the claimed files by Spark's name; what else is found in the folders is left out.
        others: what else was found there, where that is less than the files: shorter to say, and so sooner read.
        scheme: in place of ``s3a`` where Spark reads: see ``objects.hadoop.scheme``.
    """

    paths: Sequence[str]
    files: Mapping[str, ClaimedFile]
    by_folder: bool = field(default=False)
    others: Sequence[str] | None = field(default=None)
    scheme: str = SCHEME

    def only(self, files: Mapping[str, ClaimedFile]) -> Source:
        """Some of its files."""
        if self.by_folder:
            return replace(self, files=files, others=None)
        return replace(self, files=files, paths=[_hadoop(file.path) for file in files.values()])


def files_of(read: DataFrameReader, source: Source, columns: Sequence[str] = ("value",)) -> DataFrame:
    """These columns (SQL) of the files, with their ``path`` as Spark has it and ``modified_at``."""
    paths = [under(source.scheme, path) for path in source.paths]
    found = read.option("recursiveFileLookup", "true").load(paths)
    if source.by_folder:
        # Before anything is opened: Spark prunes files by this.
        found = found.where(_meant(source))
    path = "_metadata.file_path"
    if source.scheme != SCHEME:
        path = f"'{SCHEME}' || substr({path}, {len(source.scheme) + 1})"
    return found.selectExpr(*columns, f"{path} AS path", "_metadata.file_modification_time AS modified_at")


def _meant(source: Source) -> str:
    """SQL: a file in the folders is one of the source's."""
    if source.others is None:
        return _is_one_of(source, source.files)
    # What comes meanwhile is newer. Should it not be, its rows are taken out when those that were staged are counted.
    latest = max(file.modified_at for file in source.files.values()) + _CLOCK_STEP
    old = f"_metadata.file_modification_time <= TIMESTAMP {literal(latest.isoformat())}"
    return f"{old} AND NOT {_is_one_of(source, source.others)}" if source.others else old


def _is_one_of(source: Source, names: Iterable[str]) -> str:
    return f"_metadata.file_path IN ({', '.join(literal(under(source.scheme, name)) for name in names)})"


def under(scheme: str, path: str) -> str:
    """A path of Spark's, or ours, with this scheme."""
    return f"{scheme}://{path.partition('://')[2]}"


def theirs(path: str) -> str:
    """Our path as ``_metadata.file_path`` has it (``java.net.URI`` keeps what is beyond ASCII)."""
    key = path.removeprefix(OURS)
    return THEIRS + "".join(c if not c.isascii() and c.isprintable() else quote(c, safe=_KEPT) for c in key)


def readable(file: ClaimedFile) -> bool:
    """Whether Spark reads such a key, and reads it as it is."""
    return named_as_it_is(file.path)


def named_as_it_is(path: str) -> bool:
    """Whether a path (``s3://bucket/key``) means to Spark the file that has it, and no other."""
    key = path.removeprefix(OURS)
    return key.isprintable() and not _GLOB.search(key) and not _UNREAD.search(_key(path))


def no_larger(file: ClaimedFile, most: int, *, most_packed: int) -> bool:
    """Whether a file has at most so many bytes; fewer where it is compressed, which Spark tells by its name."""
    return file.size_bytes <= (most_packed if file.path.lower().endswith(".gz") else most)


def source(files: Sequence[ClaimedFile], store: ObjectStore, scheme: str = SCHEME) -> Source:
    """How to name these files, all ``readable``.

    A file that is named costs Spark some requests, one that is found in a folder next to none: so many files are
    looked up in their folders, unless those hold far more than them.

    Raises:
        SourceError: the bucket cannot be listed any more.
    """
    by_name = {theirs(file.path): file for file in files}
    folders = [] if len(files) <= _FEW else _folders(files)
    around = _around(store, folders, _WORTH_A_REQUEST * len(files)) if folders else None
    if around is None:
        return Source(paths=[_hadoop(file.path) for file in files], files=by_name, scheme=scheme)
    others = around - {file.path for file in files}
    return Source(
        paths=[_hadoop(folder) for folder in folders],
        files=by_name,
        by_folder=True,
        others=[theirs(path) for path in sorted(others)] if len(others) < len(files) else None,
        scheme=scheme,
    )


def _folders(files: Sequence[ClaimedFile]) -> list[str]:
    """A few folders that hold all of them."""
    folders = sorted({file.path.rpartition("/")[0] + "/" for file in files})
    if len(folders) > _FEW:
        folders = [_shared(folders).rpartition("/")[0] + "/"]
    return [f for at, f in enumerate(folders) if not any(f.startswith(other) for other in folders[:at])]


def _around(store: ObjectStore, folders: Sequence[str], most: int) -> set[str] | None:
    """The paths in the folders; None where they are more than ``most``, when no more are listed."""
    found: set[str] = set()
    for folder in folders:
        for page in store.pages(_key(folder)):
            found.update(each.path for each in page)
            if len(found) > most:
                return None
    return found


def _shared(texts: Sequence[str]) -> str:
    """What all of them begin with, character by character."""
    first, last = min(texts), max(texts)
    alike = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:alike]


def _hadoop(path: str) -> str:
    return THEIRS + path.removeprefix(OURS)


def named_in(message: str, files: Iterable[str]) -> list[str]:
    """Which of the files (Spark's names) an error of Spark speaks of."""
    words = {under(SCHEME, word) for word in re.findall(rf"{SCHEME}[\w-]*://[^\s'\"]+", message)}
    spoken = words | {word.rstrip(".,:;)]") for word in words}
    return [name for name in files if name in spoken]


def changed(store: ObjectStore, files: Sequence[ClaimedFile], *, by_folder: bool) -> list[ClaimedFile]:
    """The files that are not what was claimed any more: another etag, or gone.

    Asked after Spark has read them: a file that is still the same was the same all the while.

    Args:
        by_folder: list what is around them all, in fewer requests than one for each.

    Raises:
        SourceError: the bucket cannot be listed any more.
    """
    keys = [_key(file.path) for file in files]
    if by_folder and keys:
        etags = {found.path: found.etag for page in store.pages(_shared(keys)) for found in page}
    else:
        with ThreadPoolExecutor(_REQUESTS, "look") as pool:
            # The key itself is the first that begins with it.
            found_first = pool.map(lambda key: next(iter(store.pages(key)), ()), keys)
            etags = {found.path: found.etag for page in found_first for found in page}
    return [file for file in files if etags.get(file.path) != file.etag]


def _key(path: str) -> str:
    return path.removeprefix(OURS).partition("/")[2]
