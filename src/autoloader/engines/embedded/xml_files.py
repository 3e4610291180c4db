"""XML: each element with the row's tag is a record, by Spark's rules; read as a stream, without entities.

<row id="7"><name>a</name><tag>x</tag><tag>y</tag><price unit="EUR">5</price></row>
{"_id": "7", "name": "a", "tag": ["x", "y"], "price": {"_unit": "EUR", "_VALUE": "5"}}
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from autoloader.engines.embedded.readers import Unscreened
from autoloader.engines.embedded.strict_json import canonical_or_bad, compact, malformed
from autoloader.engines.embedded.unknown import joined
from autoloader.engines.embedded.xml_unknown import Several
from autoloader.engines.forms import RECORD_LIMIT_BYTES
from autoloader.errors import BadRecord
from autoloader.schema.types import Array, DataType, Map, Scalar, Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from autoloader.engines.embedded.readers import Found
    from autoloader.engines.options import XmlOptions
    from autoloader.schema.types import Column

_DEEPEST = 200
_SHOWN = 1000


@dataclass(slots=True)
class _Element:
    """An element that is not closed yet: its attributes and children by name, a list where one repeats."""

    name: str
    members: dict[str, Any]
    texts: list[str] = field(default_factory=list)


class XmlReader(Unscreened):
    """Reads one XML file. Records are counted as elements, from 1.

    Args:
        options: of the ingestion.
        columns: of the schema; None: records are given as they are, for a look at their shapes.
        write: canonical text of a record, from ``canonical_record``.
        tell: the text about the fields of a record that the schema does not know.
        key: under which that stands in a canonical record.
    """

    unit = "element"
    independent = False
    settled = False

    def __init__(
        self,
        options: XmlOptions,
        columns: Sequence[Column] | None,
        write: Callable[[dict[str, Any]], str],
        tell: Callable[[dict[str, Any]], str | None] = lambda _: None,
        key: str = "",
    ) -> None:
        self._options = options
        self._row = None if columns is None else Struct(tuple(columns))
        self._write = write
        self._tell = tell
        self._key = key
        # Whatever is not UTF-8 by option was recoded; otherwise the document says itself what it is in.
        self._parser = expat.ParserCreate(None if options.encoding == "utf-8" else "utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.CommentHandler = self._passed_over
        self._parser.ProcessingInstructionHandler = self._passed_over
        self._parser.EntityDeclHandler = self._entity
        self._parser.SkippedEntityHandler = self._skipped
        self._open: list[_Element] = []
        self._began_at = 0
        self._silent_bytes = 0
        self._begun = False
        self._records: deque[Any] = deque()
        self._elements = 0
        self._closed = 0

    def exact(self, block: bytes, line: int, *, last: bool) -> Iterator[Found]:  # noqa: ARG002  elements count
        """The records that end in this block, each with its number."""
        refused = self._parsed(block, last=last)
        while self._records:
            self._elements += 1
            yield self._elements, self._canonical(self._records.popleft()), ""
        if refused is not None:
            raise refused

    def _parsed(self, block: bytes, *, last: bool) -> BadRecord | None:
        self._begun = self._begun or bool(block.strip())
        if not self._begun:
            return None
        self._silent_bytes += len(block)
        try:
            self._parser.Parse(block, last)
        except expat.ExpatError as error:
            return self._bad(f"it is not XML: {error}")
        except _Refused as refused:
            return self._bad(str(refused))
        if self._silent_bytes > RECORD_LIMIT_BYTES:
            return self._bad("a tag, a comment or a declaration is over 16 MiB")
        return None

    def _bad(self, why: str) -> BadRecord:
        return malformed(why, unit="element", number=self._closed + 1, raw="")

    def _canonical(self, value: Any) -> str:  # noqa: ANN401  a text, or the members by name
        record = {self._options.value_tag: value} if isinstance(value, str) and value else value or {}
        shaped = record if self._row is None else self._shaped(record, self._row)
        try:
            written = canonical_or_bad(self._write, shaped, unit="element", number=self._elements, raw="")
        except BadRecord as bad:
            bad.raw = compact(record)[:_SHOWN]
            raise
        return joined(written, self._key, self._tell(record))

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._silent_bytes = 0
        if not self._open:
            if name != self._options.row_tag:
                return
            self._began_at = self._parser.CurrentByteIndex
        elif len(self._open) == _DEEPEST:
            raise _Refused("it is nested too deeply")
        prefix = self._options.attribute_prefix
        self._open.append(_Element(name, {prefix + key: value for key, value in attributes.items()}))
        self._check_size()

    def _end(self, name: str) -> None:
        self._silent_bytes = 0
        if not self._open:
            return
        self._check_size()
        element = self._open.pop()
        value = self._value(element)
        if not self._open:
            self._records.append(value)
            self._closed += 1
            return
        around = self._open[-1].members
        before = around.get(name)
        if before is None:
            around[name] = value
        elif isinstance(before, Several):
            before.append(value)
        else:
            around[name] = Several([before, value])

    def _value(self, element: _Element) -> Any:  # noqa: ANN401  likewise
        text = "".join(element.texts).strip()
        if not element.members:
            return text
        if text:
            if self._options.value_tag in element.members:
                raise _Refused(f"{self._options.value_tag} is the name of a child, and stands for a text as well")
            element.members[self._options.value_tag] = text
        return element.members

    def _text(self, text: str) -> None:
        self._silent_bytes = 0
        if self._open:
            self._open[-1].texts.append(text)
            self._check_size()

    def _passed_over(self, *_: str) -> None:
        self._silent_bytes = 0

    def _check_size(self) -> None:
        if self._parser.CurrentByteIndex - self._began_at > RECORD_LIMIT_BYTES:
            raise _Refused("it is over 16 MiB")

    def _entity(self, name: str, *_: object) -> None:
        raise _Refused(f"it declares the entity {name}: entities are not read, as they can make a small file enormous")

    def _skipped(self, name: str, *_: object) -> None:
        raise _Refused(f"the entity &{name}; is declared elsewhere, and is not read")

    def _shaped(self, value: Any, kind: DataType) -> Any:  # noqa: ANN401  likewise
        """The value as JSON of that type would be; what cannot be so is left for the writer to refuse."""
        match kind:
            case Array(element):
                return [self._shaped(each, element) for each in (value if isinstance(value, Several) else [value])]
            case Struct(columns) if isinstance(value, dict):
                return {c.name: self._shaped(value[c.name], c.type) for c in columns if c.name in value}
            case Struct() if isinstance(value, str):
                return self._shaped({self._options.value_tag: value}, kind) if value else None
            case Map(_, inner) if isinstance(value, dict):
                return {name: self._shaped(each, inner) for name, each in value.items()}
            case Scalar.STRING:
                return self._text_of(value)
            case _:
                return self._text_of(value) or None

    def _text_of(self, value: Any) -> Any:  # noqa: ANN401  likewise
        """The text of an element that has attributes and no children; anything else as it is."""
        if not isinstance(value, dict):
            return value
        prefix, tag = self._options.attribute_prefix, self._options.value_tag
        return value.get(tag, "") if all(name == tag or name.startswith(prefix) for name in value) else value


class _Refused(Exception):  # noqa: N818  it never leaves this module
    """Why the parser was stopped."""
