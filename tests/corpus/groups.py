"""Files of our own making, in groups that are one load each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.reference.reader import Asked

from autoloader.model import FormatType, UnknownFields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.reference.reader import Asked as Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Files that are read alike.

    Attributes:
        files: bodies by name.
    """

    name: str
    ddl: str
    files: Mapping[str, bytes]
    format_type: FormatType = FormatType.JSON
    options: Mapping[str, str] = field(default_factory=dict)
    unknown: UnknownFields = UnknownFields.IGNORE

    @property
    def asked(self) -> Settings:
        """The settings of the ingestion."""
        return Asked(self.format_type, self.ddl, self.options, self.unknown)


def named(*bodies: bytes | str, start: str = "") -> dict[str, bytes]:
    """Bodies under numbers."""
    texts = [body.encode() if isinstance(body, str) else body for body in bodies]
    return {f"{start}{at:03}": text for at, text in enumerate(texts)}
