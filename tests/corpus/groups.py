"""Files of our own making, in groups that are one load each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.reference.reader import Asked, read

from autoloader.model import FormatType, UnknownFields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.reference.reader import Asked as Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Files that are read alike.

    Attributes:
        files: bodies by name, or what makes them where that takes a while.
    """

    name: str
    ddl: str
    files: Mapping[str, bytes] | Callable[[], Mapping[str, bytes]]
    format_type: FormatType = FormatType.JSON
    options: Mapping[str, str] = field(default_factory=dict)
    unknown: UnknownFields = UnknownFields.IGNORE

    @property
    def asked(self) -> Settings:
        """The settings of the ingestion."""
        return Asked(self.format_type, self.ddl, self.options, self.unknown)

    @property
    def bodies(self) -> Mapping[str, bytes]:
        """The files."""
        return self.files() if callable(self.files) else self.files


def in_files(lines: Sequence[str], asked: Settings, head: str = "") -> dict[str, bytes]:
    """Records in files, the good ones apart from the bad: Spark leaves a file with one that is bad to another judge.

    Args:
        head: stands at the start of each file.
    """
    good: list[str] = []
    bad: list[str] = []
    for line in lines:
        answer = read(f"{head}{line}\n".encode(), asked, tolerant=True)
        (bad if answer.rejects or answer.failed else good).append(line)
    chunks = [("good", good[at : at + 6]) for at in range(0, len(good), 6)]
    chunks += [("bad", bad[at : at + 60]) for at in range(0, len(bad), 60)]
    return {f"{at:03}-{kind}": (head + "\n".join(chunk) + "\n").encode() for at, (kind, chunk) in enumerate(chunks)}


def named(*bodies: bytes | str, start: str = "") -> dict[str, bytes]:
    """Bodies under numbers."""
    texts = [body.encode() if isinstance(body, str) else body for body in bodies]
    return {f"{start}{at:03}": text for at, text in enumerate(texts)}
