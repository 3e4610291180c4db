"""Where documents stand: files, folders of them, and the standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autoloader.declaring.documents import Document, parse
from autoloader.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STDIN = "-"
SUFFIXES = (".yaml", ".yml")
_MOST_BYTES = 32 * 1024 * 1024


def read(paths: Sequence[str]) -> list[Document]:
    """Every document of these files, of the ``*.yaml`` and ``*.yml`` in and below these folders, of ``-`` (stdin).

    Raises:
        UsageError: a file cannot be read, a document is refused, two have one name, or there is none; all that is wrong
            with the documents is told at once.
    """
    found = [each for file, text in _texts(paths) for each in parse(text, file)]
    documents = [each for each in found if isinstance(each, Document)]
    refuse_all([*(each for each in found if isinstance(each, UsageError)), *_twice(documents)])
    if not documents:
        raise UsageError(f"nothing is declared in {', '.join(paths)}: one document an ingestion is expected")
    return documents


def refuse_all(problems: Sequence[UsageError]) -> None:
    """Raise what is wrong: the one problem as it is, several as one list.

    Raises:
        UsageError: there is a problem.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise UsageError("\n  ".join([f"{len(problems)} problems, and nothing was done:", *map(str, problems)]))


def _twice(documents: Sequence[Document]) -> Iterator[UsageError]:
    first: dict[str, Document] = {}
    for document in documents:
        other = first.setdefault(document.name, document)
        if other is not document:
            yield UsageError(
                f"{document.place('name')}: {document.name} is declared already, at {other.place('name')}", field="name"
            )


def _texts(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each file once, with its text."""
    seen = set()
    for path in paths:
        for file in [None] if path == STDIN else _files(Path(path)):
            known = file and file.resolve()
            if known not in seen:
                seen.add(known)
                yield ("stdin", _text(sys.stdin.buffer.read(_MOST_BYTES + 1), "stdin")) if file is None else _read(file)


def _files(path: Path) -> list[Path]:
    """The file itself, or the documents in and below a folder, by name; what begins with a dot is hidden."""
    if not path.is_dir():
        return [path]
    below = sorted(found for suffix in SUFFIXES for found in path.rglob(f"*{suffix}"))
    found = [f for f in below if f.is_file() and not any(part.startswith(".") for part in f.relative_to(path).parts)]
    if not found:
        raise UsageError(f"{path} holds no file *.yaml or *.yml", field="--file")
    return found


def _read(file: Path) -> tuple[str, str]:
    try:
        with file.open("rb") as opened:
            return str(file), _text(opened.read(_MOST_BYTES + 1), str(file))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", field="--file") from None


def _text(data: bytes, file: str) -> str:
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"{file} is larger than {_MOST_BYTES >> 20} MiB: that is no file of ingestions", field="--file"
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{file}:{line}: not UTF-8", field="--file") from None
