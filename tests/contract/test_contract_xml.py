"""XML through either engine: the elements of one tag are records, by Spark's rules, and nothing is expanded."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.contract.conftest import IN_TASKS

from autoloader.model import EngineName, FileStatus, FormatType

if TYPE_CHECKING:
    from collections.abc import Callable

    Put = Callable[[str, bytes | str], str]

ENGINES = (str(EngineName.EMBEDDED), IN_TASKS)
"""Spark's own reader is not asked for these."""

DDL = "_id INT, title STRING, price DECIMAL(5,2), tag ARRAY<STRING>, author STRUCT<_VALUE: STRING, _born: INT>"


def load(loads: Any, ddl: str = DDL, **options: str) -> Any:
    return loads.load(ddl, format_type=FormatType.XML, options={"rowTag": "book"} | options)


def test_attributes_children_and_texts_become_columns(loads: Any, put: Put) -> None:
    put(
        "a.xml",
        """<?xml version="1.0"?>
<!-- a shop -->
<shop><owner>nobody</owner>
  <book id="1" lent="no"><title>A &amp; <![CDATA[<B>]]></title><price unit="EUR"> 1.50 </price>
    <tag>x</tag><tag/><tag>y</tag><author born="1904">Ann</author><isbn>unknown here</isbn></book>
  <shelf><book><title>Nested <i>in</i> markup</title><tag>one</tag><author>Bob</author></book></shelf>
  <book/>
  <book><book>within</book><title></title><price></price><author/></book>
</shop>""",
    )
    put("b.xml", '<book id="7"><title>alone</title></book>')
    put("none.xml", "<shop></shop>")
    put("blank.xml", " \n")
    result = load(loads)
    names = ("_id", "title", "price", "tag", "author")
    found = [tuple(row[name] for name in names) for row in result.rows if row["_source_file"].endswith("/a.xml")]
    assert found == [
        (1, "A & <B>", Decimal("1.50"), ["x", "", "y"], {"_VALUE": "Ann", "_born": 1904}),
        (None, '{"i":"in","_VALUE":"Nested  markup"}', None, ["one"], {"_VALUE": "Bob", "_born": None}),
        (None, None, None, None, None),
        (None, "", None, None, None),
    ]
    assert sorted(row["_id"] for row in result.rows if row["_id"]) == [1, 7]
    assert {outcome.status for outcome in result.outcomes.values()} == {FileStatus.SUCCESS}


def test_nested_types_and_other_names_of_attributes_and_texts(loads: Any, put: Put) -> None:
    put("a.xml", '<r><book><p><q n="1">a</q><q n="2"/></p><m><k1>1</k1><k2>2</k2></m></book></r>')
    ddl = "p STRUCT<q: ARRAY<STRUCT<`@n`: INT, `#`: STRING>>>, m MAP<STRING, BIGINT>"
    (row,) = load(loads, ddl, attributePrefix="@", valueTag="#").rows
    assert row["p"] == {"q": [{"@n": 1, "#": "a"}, {"@n": 2, "#": None}]}
    assert sorted(row["m"]) == [("k1", 1), ("k2", 2)]


def test_the_encoding_is_that_of_the_declaration_or_of_the_option(loads: Any, put: Put) -> None:
    declared = '<?xml version="1.0" encoding="ISO-8859-1"?><book><title>caf\u00e9</title></book>'
    put("declared.xml", declared.encode("latin-1"))
    put("utf-8.xml", "\ufeff<book><title>caf\u00e9</title></book>")
    assert load(loads).values("title") == ["caf\u00e9"] * 2
    put("utf-8.xml", declared.encode("utf-16"))
    put("declared.xml", "<book><title>na\u00efve</title></book>".encode("utf-16"))
    assert load(loads, encoding="utf-16").values("title") == ["caf\u00e9", "na\u00efve"]


LAUGHS = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 10))
DTD = "<!DOCTYPE b [{}]><book><title>&x;</title></book>"
REMOTE = '<!DOCTYPE b SYSTEM "http://127.0.0.1:1/x.dtd"><book><title>&x;</title></book>'
TWICE = "<s><book/><book><price>1</price><price>2</price></book></s>"
BAD: list[tuple[bytes | str, str]] = [
    ("<shop><book><title>a</title></book><book></shop>", "element 2: it is not XML: mismatched"),
    ("<shop><book><title>a</title></book>", "element 2: it is not XML: no element found"),
    ("<book></book><book></book>", "element 2: it is not XML: junk after document element"),
    ("<shop><book a='1' a='2'/></shop>", "element 1: it is not XML: duplicate attribute"),
    ("plain text", "element 1: it is not XML: syntax error"),
    (b"<book><title>caf\xe9</title></book>", "element 1: it is not XML: not well-formed"),
    (DTD.format(f'<!ENTITY l0 "lol">{LAUGHS}'), "element 1: it declares the entity l0"),
    (DTD.format('<!ENTITY x SYSTEM "file:///etc/passwd">'), "element 1: it declares the entity x"),
    (REMOTE, "element 1: the entity &x; is declared elsewhere"),
    ("<book><title>&x;</title></book>", "element 1: it is not XML: undefined entity"),
    ("<s><book/><book><price>1.505</price></book></s>", 'element 2, column "price": "1.505" would be rounded'),
    (TWICE, 'element 2, column "price": ["1","2"] is not a DECIMAL'),
    ("<book><price><x>1</x></price></book>", 'element 1, column "price": {"x":"1"} is not a DECIMAL'),
    ("<book>" + "<a>" * 1000 + "</a>" * 1000 + "</book>", "element 1: it is nested too deeply"),
    ("<book><title>" + "x" * (16 * 1024**2 + 1) + "</title></book>", "element 1: it is over 16 MiB"),
    ("<book><!--" + "x" * (18 * 1024**2) + "--></book>", "element 1: a tag, a comment or a"),
]


def test_what_is_malformed_bad_or_dangerous_fails_its_file_alone(loads: Any, put: Put) -> None:
    for at, (body, _) in enumerate(BAD):
        put(f"{at}.xml", body)
    comments = "<!-- -->" * 3_000_000
    put("good.xml", f"<?xml version='1.0'?><!DOCTYPE shop><shop>{comments}<book><title>good</title></book></shop>")
    result = load(loads)
    for at, (body, start) in enumerate(BAD):
        kind, message = result.failure(f"{at}.xml")
        assert kind == "BadRecord", body[:100]
        assert str(message).replace("the record is malformed: ", "").startswith(start), message
    assert result.values("title") == ["good"]
