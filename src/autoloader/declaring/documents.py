"""From the text of a file to the ingestions it declares, each value with the line it stands in.

YAML decides by itself what ``no``, ``1.0`` or ``2024-01-15`` is. Here the field decides: a text is what was written,
also without quotes. So the text is only composed into nodes, which are read by the shape of each field; nothing is
built from tags, and an alias is never unfolded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Never, TypeVar

import yaml
from yaml.reader import ReaderError

from autoloader.defining import FIELDS
from autoloader.errors import UsageError
from autoloader.model import IngestionStatus, SourceCredentials
from autoloader.vault import CREDENTIAL_SECRETS, MASK, REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_Node = TypeVar("_Node", bound=yaml.Node)

CREDENTIALS = tuple(field.name for field in fields(SourceCredentials))
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_KINDS = {yaml.ScalarNode: "a text", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}
_TAGS = {
    yaml.ScalarNode: "tag:yaml.org,2002:str",
    yaml.SequenceNode: "tag:yaml.org,2002:seq",
    yaml.MappingNode: "tag:yaml.org,2002:map",
}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_WHOLE = re.compile(r"[0-9]{1,19}")
_QUOTES = "a text that begins with * & { [ % @ or holds ': ' or ' #' stands in quotes, such as '*.json'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """One ingestion as a file declares it.

    Attributes:
        draft: the fields that are written there, as ``defining.define`` takes them.
        file: as the person named it.
        lines: where each field stands, by its path (``max_retries``, ``format_options.sep``), counted from 1; under the
            empty path, where the document begins.
    """

    draft: Mapping[str, Any]
    file: str
    lines: Mapping[str, int]

    @property
    def name(self) -> str:
        """The key: the document and the saved ingestion of this name are the same one."""
        name: str = self.draft["name"]
        return name

    def place(self, field: str | None = None) -> str:
        """``file:line`` of a field, or of the nearest thing around it that is written there."""
        path = field or ""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return f"{self.file}:{self.lines[path]}"


def parse(text: str, file: str) -> list[Document | UsageError]:
    """The documents of a text, each read or refused; after what is not YAML nothing more is read.

    Args:
        file: what messages call the text.
    """
    found: list[Document | UsageError] = []
    nodes = _nodes(text, file)
    while True:
        try:
            node = next(nodes, None)
            if node is None:
                return found
            found.append(_Reader(file).document(node))
        except UsageError as error:
            found.append(error)


def _nodes(text: str, file: str) -> Iterator[yaml.Node]:
    """The documents as nodes; those that are empty are left out."""
    try:
        for node in yaml.compose_all(text, Loader=yaml.BaseLoader):
            if not _is_null(node):
                yield node
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = ord(error.character) if isinstance(error.character, str) else error.character
        raise UsageError(f"{file}:{line}: the character U+{code:04X} is not one of YAML") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}" if mark else file
        # What is quoted here may be what was meant to be a secret; all else that YAML says is its own words.
        problem = re.sub(r"(undefined [a-z ]+) '.*'", r"\1", error.problem or "not well formed")
        raise UsageError(f"{where}: not YAML: {problem} ({_QUOTES})") from None
    except (ValueError, OverflowError):
        raise UsageError(f"{file}: not YAML: an escape in it names no character") from None
    except RecursionError:
        raise UsageError(f"{file}: nested too deeply: an ingestion is a few fields") from None


class _Reader:
    """Reads one document, and notes in which line it found what."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[str, int] = {}

    def document(self, node: yaml.Node) -> Document:
        """The ingestion that a node declares.

        Raises:
            UsageError: it does not; the message begins with ``file:line``.
        """
        self.lines[""] = node.start_mark.line + 1
        if isinstance(node, yaml.SequenceNode):
            self.refuse(node, "a document is one ingestion, field by field: part several with a line ---", "")
        parts = self.parts(node, "", FIELDS)
        if "name" not in parts:
            self.refuse(node, "name is required: it says which ingestion this is", "name")
        draft = {field: self.value(field, part) for field, part in parts.items()}
        return Document(draft=draft, file=self.file, lines=self.lines)

    def value(  # noqa: PLR0911  one return for each shape
        self, field: str, node: yaml.Node
    ) -> object:
        """The value of a field, by the field's shape."""
        match field:
            case "partition_columns" | "path_columns":
                return self.texts(node, field)
            case "format_options" | "table_properties":
                return {name: self.text(part, f"{field}.{name}") for name, part in self.parts(node, field).items()}
            case "source_credentials":
                return self.credentials(node)
            case "spark_connect_token":
                return self.secret(node, field, "token")
            case "max_retries" | "max_bad_records":
                return self.whole(node, field)
            case "max_bad_ratio":
                return self.number(node, field)
            case "status":
                return self.status(node)
            case _:
                return self.text(node, field)

    def credentials(self, node: yaml.Node) -> dict[str, str]:
        """How to reach the bucket: no key itself, only where it is to be found, or that it stays."""
        field = "source_credentials"
        return {
            name: (
                self.secret(part, f"{field}.{name}", "key")
                if name in CREDENTIAL_SECRETS
                else self.text(part, f"{field}.{name}")
            )
            for name, part in self.parts(node, field, CREDENTIALS).items()
        }

    def secret(self, node: yaml.Node, field: str, kind: str) -> str:
        """Where a secret is to be found, or that it stays."""
        given = self.text(node, field)
        if given != MASK and REFERENCE.fullmatch(given) is None:
            self.refuse(
                node,
                f"{field}: a {kind} itself is not written into a file: write env:NAME or file:/path, where it "
                f"is to be found, or '{MASK}', the one that is stored sealed",
                field,
            )
        return given

    def status(self, node: yaml.Node) -> str:
        """A status that a person can decide."""
        status = self.text(node, "status")
        if status == IngestionStatus.ERROR:
            self.refuse(node, "status: ERROR is what the service finds: write ACTIVE, PAUSED or DRAFT", "status")
        return status

    def whole(self, node: yaml.Node, field: str) -> int:
        """A whole number."""
        text = self.text(node, field)
        if _WHOLE.fullmatch(text) is None:
            self.refuse(node, f"{field}: give a whole number, such as 3", field)
        return int(text)

    def number(self, node: yaml.Node, field: str) -> float:
        """A number."""
        text = self.text(node, field)
        try:
            return float(text)
        except ValueError:
            self.refuse(node, f"{field}: give a number, such as 0.01", field)

    def texts(self, node: yaml.Node, field: str) -> tuple[str, ...]:
        """A list of texts."""
        items: list[yaml.Node] = self.expect(node, yaml.SequenceNode, field).value
        self.lines.update({f"{field}.{number}": item.start_mark.line + 1 for number, item in enumerate(items)})
        return tuple(self.text(item, f"{field}.{number}") for number, item in enumerate(items))

    def text(self, node: yaml.Node, field: str) -> str:
        """A text as it is written, whatever YAML would make of it."""
        if _is_null(node):
            self.refuse(
                node,
                f"{field} has no value: give it one, or leave the line out; the text itself, as 'null' or '', and one "
                "that begins with # stand in quotes",
                field,
            )
        text: str = self.expect(node, yaml.ScalarNode, field).value
        if _UNSTORABLE.search(text):
            self.refuse(node, f"{field} holds a character that cannot be stored (U+0000, or half of a pair)", field)
        return text

    def parts(self, node: yaml.Node, field: str, known: Sequence[str] | None = None) -> dict[str, yaml.Node]:
        """The values of a mapping by their names, each name once and one of those that are known."""
        found: dict[str, yaml.Node] = {}
        for key, part in self.expect(node, yaml.MappingNode, field).value:
            name = self.text(key, f"{field}: a name in it" if field else "a field's name")
            path = f"{field}.{name}" if field else name
            if known is not None and name not in known:
                self.refuse(key, _unknown(name, path, known), path)
            if name in found:
                self.refuse(key, f"{path} stands twice, first in line {self.lines[path]}", path)
            self.lines[path] = key.start_mark.line + 1
            found[name] = part
        return found

    def expect(self, node: yaml.Node, kind: type[_Node], field: str) -> _Node:
        """Refuse a node of another kind, and every tag: a tag says how to build a value, and none is built."""
        if node.tag != _TAGS[type(node)]:
            self.refuse(node, f"{field or 'the document'} has a tag (!): tags are not taken here", field)
        if not isinstance(node, kind):
            hint = f" ({_QUOTES})" if kind is yaml.ScalarNode else ""
            self.refuse(
                node, f"{field or 'the document'} must be {_KINDS[kind]}, not {_KINDS[type(node)]}{hint}", field
            )
        return node

    def refuse(self, node: yaml.Node, message: str, field: str) -> Never:
        """Refuse the document at this node."""
        raise UsageError(f"{self.file}:{node.start_mark.line + 1}: {message}", field=field or None)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in _NULLS


def _unknown(name: str, path: str, known: Sequence[str]) -> str:
    if name == "<<":
        return "<< is not taken: write the fields out"
    close = get_close_matches(name, known, n=1) or [each for each in known if name in each]
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"{path} is not a field of an ingestion; {hint}"
