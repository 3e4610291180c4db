from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyiceberg.partitioning import PartitionField as IcebergPartitionField
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema as IcebergSchema
from pyiceberg.transforms import BucketTransform, DayTransform
from pyiceberg.types import (
    DecimalType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    UUIDType,
)

from autoloader.errors import TableMismatch, UsageError
from autoloader.lake.partitions import check_form, partition_spec
from autoloader.lake.tables import SOURCE_FILE_METRICS, ensure_table, load_table, shape
from autoloader.lake.types import iceberg_schema, our_type
from autoloader.model import METADATA_COLUMNS
from autoloader.schema.table import PartitionField
from autoloader.schema.types import Array, Column, DataType, Decimal, Map, Scalar, Schema, Struct

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

ID = Column("id", Scalar.BIGINT)
AT = Column("at", Scalar.TIMESTAMP)
NAME = Column("name", Scalar.STRING)

data_types: st.SearchStrategy[DataType] = st.recursive(
    st.sampled_from(Scalar) | st.builds(Decimal, st.integers(20, 38), st.integers(0, 20)),
    lambda inner: (
        st.builds(Array, inner)
        | st.builds(Map, st.just(Scalar.STRING), inner)
        | st.builds(lambda a, b: Struct((Column("a", a), Column("b", b))), inner, inner)
    ),
    max_leaves=6,
)


@given(data_types)
def test_every_type_becomes_an_iceberg_type_and_comes_back(data_type: DataType) -> None:
    schema = iceberg_schema(Schema((Column("c", data_type),)))

    assert our_type(schema.fields[0].field_type) == data_type
    assert not any(
        schema.find_field(field_id).required for field_id in schema.field_ids if _is_no_map_key(schema, field_id)
    )


def _is_no_map_key(schema: IcebergSchema, field_id: int) -> bool:
    return not (schema.find_column_name(field_id) or "").endswith(".key")


def test_the_table_is_made_with_the_metadata_columns_at_its_end(lake: Catalog, namespace: str) -> None:
    table = ensure_table(lake, namespace, "t", Schema((ID, AT)), [], {"commit.manifest.min-count-to-merge": "7"})

    assert [field.name for field in table.schema().fields] == ["id", "at", *METADATA_COLUMNS]
    assert [str(field.field_type) for field in table.schema().fields][2:] == [
        "string",
        "timestamptz",
        "string",
        "timestamptz",
    ]
    assert table.properties[SOURCE_FILE_METRICS] == "full"
    assert table.properties["commit.manifest.min-count-to-merge"] == "7"


def test_the_users_own_metrics_setting_stays(lake: Catalog, namespace: str) -> None:
    table = ensure_table(lake, namespace, "t", Schema((ID,)), [], {SOURCE_FILE_METRICS: "truncate(64)"})

    assert table.properties[SOURCE_FILE_METRICS] == "truncate(64)"


def test_a_nested_namespace_is_made_on_the_way(lake: Catalog, namespace: str) -> None:
    table = ensure_table(lake, f"{namespace}.deep.er", "t", Schema((ID,)))

    assert table.name() == (namespace, "deep", "er", "t")
    assert load_table(lake, f"{namespace}.deep.er", "t") is not None


def test_a_table_that_is_not_there_is_none(lake: Catalog, namespace: str) -> None:
    assert load_table(lake, namespace, "nowhere") is None
    assert load_table(lake, "nowhere", "t") is None


def test_many_who_make_one_table_at_once_all_use_the_same(lake: Catalog, namespace: str) -> None:
    together = threading.Barrier(6)

    def make(_: int) -> tuple[str, int]:
        together.wait()
        table = ensure_table(lake, f"{namespace}.new", "t", Schema((ID, AT)), ["day(at)"])
        return str(table.metadata.table_uuid), len(table.spec().fields)

    with ThreadPoolExecutor(6) as pool:
        made = set(pool.map(make, range(6)))
    there = load_table(lake, f"{namespace}.new", "t")
    assert there is not None
    assert made == {(str(there.metadata.table_uuid), 1)}


def test_the_shape_has_the_field_ids_of_the_created_table_down_to_the_leaves(lake: Catalog, namespace: str) -> None:
    columns = (
        Column("meta", Struct((Column("ip", Scalar.STRING), Column("tags", Array(Scalar.STRING))))),
        Column("counts", Map(Scalar.STRING, Scalar.INT)),
        ID,
    )
    table = ensure_table(lake, namespace, "t", Schema(columns))

    made = shape(table)

    assert made.schema.columns[:3] == columns
    assert made.schema.names[3:] == METADATA_COLUMNS
    schema = table.schema()
    names = {
        ("meta",): "meta",
        ("meta", "ip"): "meta.ip",
        ("meta", "tags"): "meta.tags",
        ("meta", "tags", "element"): "meta.tags.element",
        ("counts", "key"): "counts.key",
        ("counts", "value"): "counts.value",
        ("id",): "id",
        ("_load_id",): "_load_id",
    }
    assert {path: made.field_ids[path] for path in names} == {
        path: schema.find_field(name).field_id for path, name in names.items()
    }
    assert len(set(made.field_ids.values())) == len(made.field_ids) == len(schema.field_ids)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("name", PartitionField("name", "name", "identity")),
        ("NAME", PartitionField("name", "name", "identity")),
        ("day(at)", PartitionField("at_day", "at", "day")),
        (" Days( at ) ", PartitionField("at_day", "at", "day")),
        ("hours(at)", PartitionField("at_hour", "at", "hour")),
        ("month(at)", PartitionField("at_month", "at", "month")),
        ("years(at)", PartitionField("at_year", "at", "year")),
        ("bucket(16, id)", PartitionField("id_bucket", "id", "bucket[16]")),
        ("truncate(4,name)", PartitionField("name_trunc", "name", "truncate[4]")),
        ("bucket(8, `name`)", PartitionField("name_bucket", "name", "bucket[8]")),
        ("identity(id)", PartitionField("id", "id", "identity")),
    ],
)
def test_partitions_are_written_as_people_write_them(
    lake: Catalog, namespace: str, words: str, expected: PartitionField
) -> None:
    table = ensure_table(lake, namespace, "t", Schema((ID, AT, NAME)), [words])

    assert shape(table).partition == (expected,)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("nowhere", "no column 'nowhere'"),
        ("day(nowhere)", "no column 'nowhere'"),
        ("day(id)", "day cannot be taken of id, which is long"),
        ("hour(name)", "hour cannot be taken"),
        ("bucket(id)", "write a column, or"),
        ("bucket(0, id)", "write a column, or"),
        ("bucket(-1, id)", "write a column, or"),
        ("truncate(x, name)", "write a column, or"),
        ("week(at)", "write a column, or"),
        ("day(at", "write a column, or"),
        ("day(5, at)", "write a column, or"),
        ("meta", "identity cannot be taken of meta"),
        ("", "no column ''"),
    ],
)
def test_partitions_that_cannot_be_are_refused_with_what_to_write(words: str, says: str) -> None:
    schema = Schema((ID, AT, NAME, Column("meta", Struct((ID,)))))
    with pytest.raises(UsageError, match="partition") as refused:
        partition_spec([words], iceberg_schema(schema))

    assert says in str(refused.value)
    assert refused.value.field == "partition_columns"


def test_the_same_partition_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="twice"):
        partition_spec(["day(at)", "days(at)"], iceberg_schema(Schema((AT,))))


def test_a_partition_named_like_a_column_is_refused() -> None:
    with pytest.raises(UsageError, match="as a column already is"):
        partition_spec(["day(at)"], iceberg_schema(Schema((AT, Column("at_day", Scalar.INT)))))


def test_words_are_checked_before_the_columns_are_known() -> None:
    check_form(["anything", "day(at)", "bucket(4, x)"])
    for words in ("week(at)", "bucket(x)", " "):
        with pytest.raises(UsageError, match="partition"):
            check_form([words])


@given(st.text(max_size=20))
def test_any_text_is_a_partition_or_a_usage_error(words: str) -> None:
    with suppress(UsageError):
        check_form([words])


def test_a_table_made_by_someone_else_gets_the_metadata_columns_and_keeps_its_rest(
    lake: Catalog, namespace: str
) -> None:
    lake.create_table(
        (namespace, "t"),
        IcebergSchema(
            NestedField(1, "ID", LongType(), required=False), NestedField(2, "token", UUIDType(), required=False)
        ),
    )

    table = ensure_table(lake, namespace, "t", Schema((Column("id", Scalar.INT),)), [], {"ignored": "yes"})

    assert [field.name for field in table.schema().fields] == ["ID", "token", *METADATA_COLUMNS]
    assert table.properties.get(SOURCE_FILE_METRICS) == "full"
    assert "ignored" not in table.properties
    made = shape(table)
    assert made.schema.names == ("ID", *METADATA_COLUMNS)
    assert made.schema.columns[0].type == Scalar.BIGINT


def test_many_who_add_the_metadata_columns_at_once_add_them_once(lake: Catalog, namespace: str) -> None:
    lake.create_table((namespace, "t"), IcebergSchema(NestedField(1, "id", LongType(), required=False)))
    together = threading.Barrier(4)

    def ensure(_: int) -> list[str]:
        together.wait()
        return [field.name for field in ensure_table(lake, namespace, "t", Schema((ID,))).schema().fields]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ensure, range(4))) == [["id", *METADATA_COLUMNS]] * 4


def test_a_table_that_does_not_fit_is_refused_with_every_difference(lake: Catalog, namespace: str) -> None:
    lake.create_table(
        (namespace, "t"),
        IcebergSchema(
            NestedField(1, "id", IntegerType(), required=False),
            NestedField(2, "at", TimestampType(), required=False),
            NestedField(3, "price", DecimalType(9, 2), required=False),
            NestedField(4, "must", StringType(), required=True),
            NestedField(
                5,
                "meta",
                StructType(
                    NestedField(6, "ip", LongType(), required=False), NestedField(7, "n", LongType(), required=True)
                ),
                required=False,
            ),
        ),
        partition_spec=PartitionSpec(IcebergPartitionField(2, 1000, DayTransform(), "at_day")),
    )
    schema = Schema(
        (ID, AT, NAME, Column("price", Decimal(10, 2)), Column("meta", Struct((Column("ip", Scalar.STRING),))))
    )

    with pytest.raises(TableMismatch) as refused:
        ensure_table(lake, namespace, "t", schema, ["bucket(4, id)"])

    for difference in (
        "id is int there and long in the schema",
        "at is timestamp there and timestamptz in the schema",
        "it has no column name (string)",
        "price is decimal(9, 2) there and decimal(10, 2)",
        "it requires a column must (string)",
        "meta.ip is long there and string",
        "it requires a column meta.n (long)",
        "it is partitioned by day(at), not by bucket[4](id)",
    ):
        assert difference in str(refused.value)
    assert "_source_file" not in str(refused.value)


def test_inner_values_that_the_table_requires_are_differences(lake: Catalog, namespace: str) -> None:
    numbers = ListType(11, LongType(), element_required=True)
    counts = MapType(12, StringType(), 13, LongType(), value_required=True)
    meta = StructType(NestedField(14, "ip", StringType(), required=True))
    lake.create_table(
        (namespace, "t"),
        IcebergSchema(
            NestedField(1, "numbers", numbers, required=False),
            NestedField(2, "counts", counts, required=False),
            NestedField(3, "meta", meta, required=True),
        ),
    )
    columns = (
        Column("numbers", Array(Scalar.INT)),
        Column("counts", Map(Scalar.STRING, Scalar.BIGINT)),
        Column("meta", Struct((Column("ip", Scalar.STRING),))),
    )

    with pytest.raises(TableMismatch) as refused:
        ensure_table(lake, namespace, "t", Schema(columns))

    for name in ("numbers.element", "counts.value", "meta.ip", "meta"):
        assert f"{name} is required there, and a file may lack it" in str(refused.value)


def test_wider_types_of_the_table_take_narrower_columns(lake: Catalog, namespace: str) -> None:
    lake.create_table(
        (namespace, "t"),
        IcebergSchema(
            NestedField(1, "n", LongType(), required=False), NestedField(2, "price", DecimalType(18, 2), required=False)
        ),
    )
    schema = Schema((Column("n", Scalar.INT), Column("price", Decimal(9, 2))))

    made = shape(ensure_table(lake, namespace, "t", schema))

    assert [column.type for column in made.schema.columns[:2]] == [Scalar.BIGINT, Decimal(18, 2)]


def test_no_partition_words_take_the_tables_own_spec(lake: Catalog, namespace: str) -> None:
    lake.create_table(
        (namespace, "t"),
        IcebergSchema(
            NestedField(1, "id", LongType(), required=False), NestedField(2, "at", TimestamptzType(), required=False)
        ),
        partition_spec=PartitionSpec(IcebergPartitionField(1, 1000, BucketTransform(4), "any_name")),
    )

    table = ensure_table(lake, namespace, "t", Schema((ID, AT)))

    assert shape(table).partition == (PartitionField("any_name", "id", "bucket[4]"),)
    assert ensure_table(lake, namespace, "t", Schema((ID, AT)), ["bucket(4, id)"]).spec() == table.spec()


def test_a_table_partitioned_by_a_nested_field_is_refused(lake: Catalog, namespace: str) -> None:
    meta = StructType(NestedField(2, "ip", StringType(), required=False))
    lake.create_table(
        (namespace, "t"),
        IcebergSchema(NestedField(1, "meta", meta, required=False), NestedField(3, "id", LongType(), required=False)),
        partition_spec=PartitionSpec(IcebergPartitionField(2, 1000, BucketTransform(4), "ip_bucket")),
    )

    with pytest.raises(TableMismatch, match=r"meta\.ip"):
        shape(ensure_table(lake, namespace, "t", Schema((ID,))))


def test_a_schema_with_a_metadata_column_is_refused(lake: Catalog, namespace: str) -> None:
    with pytest.raises(UsageError, match="_load_id") as refused:
        ensure_table(lake, namespace, "t", Schema((ID, Column("_Load_Id", Scalar.STRING))))

    assert refused.value.field == "schema_json"
    assert load_table(lake, namespace, "t") is None


def test_a_format_version_that_cannot_be_written_is_refused(lake: Catalog, namespace: str) -> None:
    with pytest.raises(UsageError, match="format-version 3") as refused:
        ensure_table(lake, namespace, "t", Schema((ID,)), [], {"format-version": "3"})

    assert refused.value.field == "table_properties"
