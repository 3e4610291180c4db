"""Schemas as text: everything that is printed can be read again, everything else is understood or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoloader.errors import UsageError
from autoloader.model import METADATA_COLUMNS
from autoloader.schema import parse_schema, to_ddl, to_json
from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Schema, Struct

DECIMALS = st.integers(1, 38).flatmap(lambda p: st.builds(Decimal, st.just(p), st.integers(0, p)))
SIMPLE = st.sampled_from(Scalar) | DECIMALS
NAMES = st.text(st.characters(exclude_characters="\0.", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: name.strip() and name.casefold() not in METADATA_COLUMNS
)


def columns_of(types: st.SearchStrategy[DataType]) -> st.SearchStrategy[tuple[Column, ...]]:
    names = st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold)
    return names.flatmap(lambda found: st.tuples(*(st.builds(Column, st.just(name), types) for name in found)))


TYPES: st.SearchStrategy[DataType] = st.recursive(
    SIMPLE,
    lambda inner: st.builds(Array, inner) | st.builds(Map, SIMPLE, inner) | st.builds(Struct, columns_of(inner)),
    max_leaves=8,
)
SCHEMAS = st.builds(Schema, columns_of(TYPES))


def schema_or_refusal(text: str) -> Schema | UsageError:
    """Any other exception is a crash, and any other field a refusal that does not say where."""
    try:
        return parse_schema(text)
    except UsageError as error:
        if error.field != "schema_json" or not str(error).startswith("schema: "):
            raise
        return error


@given(SCHEMAS)
def test_a_schema_printed_as_ddl_reads_back_the_same(schema: Schema) -> None:
    assert parse_schema(to_ddl(schema)) == schema


@given(SCHEMAS)
def test_a_schema_printed_as_json_reads_back_the_same(schema: Schema) -> None:
    assert parse_schema(to_json(schema)) == schema


@given(st.text(max_size=40) | st.text("ab `,:<>()1 ARYSTUCMPINDEL", max_size=40))
def test_any_text_is_either_a_schema_or_refused_with_the_field_named(text: str) -> None:
    schema = schema_or_refusal(text)
    assert isinstance(schema, UsageError) or parse_schema(to_ddl(schema)) == schema


@given(SCHEMAS, st.data())
def test_json_with_any_part_replaced_is_read_or_refused_but_never_crashes(schema: Schema, data: st.DataObject) -> None:
    document = json.loads(to_json(schema))
    holders = [document, document["fields"], *document["fields"]]
    holder = data.draw(st.sampled_from(holders))
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    holder[data.draw(st.sampled_from(list(keys)))] = data.draw(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["", "void", "struct", "decimal(99,1)", [], {}])
    )
    assert schema_or_refusal(json.dumps(document)) is not None


def test_ddl_takes_what_people_write() -> None:
    text = """id BIGINT NOT NULL, at timestamp,
              m STRUCT<ip: STRING, `user agent` STRING COMMENT 'it''s', geo: STRUCT<x DOUBLE>>, tags ARRAY<STRING>,
              counts MAP<STRING, INT>, p DECIMAL(10, 2), q numeric, `odd ``name` STRING COMMENT "x" """
    assert parse_schema(text) == Schema(
        (
            Column("id", Scalar.BIGINT),
            Column("at", Scalar.TIMESTAMP),
            Column(
                "m",
                Struct(
                    (
                        Column("ip", Scalar.STRING),
                        Column("user agent", Scalar.STRING),
                        Column("geo", Struct((Column("x", Scalar.DOUBLE),))),
                    )
                ),
            ),
            Column("tags", Array(Scalar.STRING)),
            Column("counts", Map(Scalar.STRING, Scalar.INT)),
            Column("p", Decimal(10, 2)),
            Column("q", Decimal(10, 0)),
            Column("odd `name", Scalar.STRING),
        )
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("TINYINT", Scalar.INT),
        ("short", Scalar.INT),
        ("Integer", Scalar.INT),
        ("LONG", Scalar.BIGINT),
        ("real", Scalar.FLOAT),
        ("VARCHAR(20)", Scalar.STRING),
        ("char(3)", Scalar.STRING),
        ("TIMESTAMP_LTZ", Scalar.TIMESTAMP),
        ("timestamp_ntz", Scalar.TIMESTAMP_NTZ),
        ("DECIMAL(5)", Decimal(5, 0)),
    ],
)
def test_other_names_of_spark_mean_our_types(written: str, meant: DataType) -> None:
    assert parse_schema(f"a {written}").columns[0].type == meant
    document = {"type": "struct", "fields": [{"name": "a", "type": written, "nullable": False, "metadata": {"k": 1}}]}
    assert parse_schema(json.dumps(document)).columns[0].type == meant


def test_json_as_spark_writes_it_is_taken() -> None:
    written = (
        '{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},'
        '{"name":"m","type":{"type":"map","keyType":"string","valueType":{"type":"array","elementType":"decimal(10,2)",'
        '"containsNull":true},"valueContainsNull":true},"nullable":true,"metadata":{}}]}'
    )
    schema = parse_schema(written)
    assert to_ddl(schema) == "id BIGINT, m MAP<STRING, ARRAY<DECIMAL(10,2)>>"
    assert to_json(schema) == written


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it is empty"),
        ("  \n", "it is empty"),
        ("id", "expected the type of column id at position 3, found the end"),
        ("id BIGINT,", "expected the name of a column at position 11, found the end"),
        ("id BIGINT at TIMESTAMP", "expected a comma or the end at position 11, found 'at TIMESTAMP'"),
        ("id BIGINT; DROP TABLE x", "at position 10, found '; DROP TABLE x'"),
        ("a INT DEFAULT 3", "at position 7, found 'DEFAULT 3'"),
        ("a INT NOT", "expected NULL at position 10"),
        ("a INT COMMENT b", "expected the comment in quotes at position 15"),
        ("a BLOB", "column a has the unknown type 'BLOB'; known: STRING, INT"),
        ("m STRUCT<x: INTERVAL>", "column m.x has the unknown type 'INTERVAL'"),
        ("a ARRAY<INT", "expected '>' at position 12"),
        ("a MAP<STRING>", "expected ',' at position 13"),
        ("a STRUCT<>", "expected the name of a column"),
        ("a DECIMAL(39,2)", "column a: DECIMAL(39,2) cannot be"),
        ("a DECIMAL(5,6)", "DECIMAL(5,6) cannot be"),
        ("a DECIMAL(0)", "DECIMAL(0) cannot be"),
        ("a DECIMAL(3,2,1)", "DECIMAL(3,2,1) cannot be"),
        ("a DECIMAL(x)", "expected a whole number at position 11"),
        ("a INT(4)", "INT takes no numbers"),
        ("a VARCHAR", "unknown type 'VARCHAR'"),
        ("a INT, a STRING", "two columns are named a and a"),
        ("Id INT, iD STRING", "two columns are named Id and iD"),
        ("m STRUCT<x: INT, X: INT>", "two columns are named m.x and m.X"),
        ("`m.x` INT, m STRUCT<x: INT>", "two columns are named m.x and m.x"),
        ("_Load_ID STRING", "_Load_ID is written by the service"),
        ("`` INT", "a column has an empty name"),
        ("m STRUCT<` `: INT>", "a column in m has an empty name"),
        ("`a\0b` INT", "NUL character"),
        ("a MAP<ARRAY<INT>, INT>", "the keys of the map a must be of a simple type"),
        ("a " + "ARRAY<" * 60 + "INT" + ">" * 60, "nested more than 50 deep"),
        ("a " + "ARRAY<" * 5000, "nested more than 50 deep"),
        ("{", "not JSON at line 1, column 2"),
        ('{"type": "map"}', 'the schema is not {"type": "struct"'),
        ('{"type": "struct", "fields": []}', "it has no columns"),
        ('{"type": "struct", "fields": [{"name": "a"}]}', "field 1 needs a name and a type"),
        (
            '{"type": "struct", "fields": [{"name": "a", "type": {"type": "udt"}}]}',
            "column a has a type that is not known",
        ),
        (
            '{"type": "struct", "fields": [{"name": "a", "type": "decimal(1"}]}',
            "column a has the unknown type 'decimal(1'",
        ),
    ],
)
def test_a_schema_that_cannot_be_is_refused_with_the_place_and_the_reason(text: str, told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_schema(text)
    assert told in str(refusal.value)
    assert refusal.value.field == "schema_json"
