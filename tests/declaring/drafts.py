"""Ingestions of every kind that can be saved, with texts that YAML finds hard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from tests.schema.test_schema_text import SCHEMAS

from autoloader.engines.fields import check_paths
from autoloader.errors import UsageError
from autoloader.model import IngestionStatus, OnChangedFile, UnknownFields, WriteMode
from autoloader.objects.globs import Pattern
from autoloader.schema import to_ddl

if TYPE_CHECKING:
    from collections.abc import Callable

_TRICKY = (
    "no|on|yes|True|null|~|0123|1_000|1.0|2024-01-15|12:30:45|.inf|=|<<|*a|&a|!a|%a|@a|`a|- a|a: b|a #b|'|\"|[a]|{a: b}"
    "|a\u2028b|a\x85b|\ufeffa|a\tb|a\nb|\na|a\n| a|a |\\|---|...|--- a|é|\U0001f600|\x7f|#a|?|? a||\r\n"
)
TEXTS = st.sampled_from(_TRICKY.split("|")) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
)


def holds(rule: Callable[[str], object], text: str) -> bool:
    """Whether a rule of the product takes this text."""
    try:
        rule(text)
    except UsageError:
        return False
    return True


PATTERNS = TEXTS.filter(lambda text: holds(Pattern, text))
ONE_LINE = TEXTS.filter(lambda text: not {"\n", "\r"} & set(text))
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,15}", fullmatch=True)
REFERENCES = st.sampled_from(["env:KEY", "file:/run/secrets/key", "file:/a:b#c"])
CREDENTIALS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "endpoint_url": st.sampled_from(["http://127.0.0.1:9000", "https://s3.example.com/"]),
        "aws_region": st.sampled_from(["eu-central-1", "no"]),
        "aws_session_token": REFERENCES,
        "role_arn": st.just("arn:aws:iam::123456789012:role/reader"),
        "profile": TEXTS.filter(bool),
    },
).flatmap(
    lambda found: (
        st.just(found) | st.builds(lambda k: found | {"aws_access_key_id": k, "aws_secret_access_key": k}, REFERENCES)
    )
)
OPTIONS: dict[str, st.SearchStrategy[dict[str, str]]] = {
    "json": st.fixed_dictionaries({}, optional={"multiLine": st.sampled_from(["true", "False"])})
    | st.fixed_dictionaries({"recordPath": st.sampled_from(["Records", "detail.items"])}),
    "csv": st.fixed_dictionaries(
        {},
        optional={
            "nullValue": ONE_LINE,
            "sep": st.sampled_from([";", "#", "\\t", ":", "-"]),
            "header": st.just("true"),
        },
    ),
    "parquet": st.just({}),
    "avro": st.just({}),
    "orc": st.just({}),
}
FORMATS = st.sampled_from(sorted(OPTIONS)).flatmap(
    lambda kind: st.fixed_dictionaries({"format_type": st.just(kind)}, optional={"format_options": OPTIONS[kind]})
)
FOLDERS = TEXTS.filter(lambda text: holds(lambda name: check_paths([name]), text))
LAYOUTS = st.fixed_dictionaries({}, optional={"schema_json": SCHEMAS.map(to_ddl)}) | st.fixed_dictionaries(
    {"partition_columns": st.lists(st.sampled_from(["a", "day(at)", "bucket(16, id)"]), unique=True).map(tuple)},
    optional={"path_columns": st.lists(FOLDERS, max_size=3, unique_by=str.casefold).map(tuple)},
)
CLUSTERS: st.SearchStrategy[dict[str, Any]] = st.just({}) | st.fixed_dictionaries(
    {"spark_connect_url": st.sampled_from(["sc://spark:15002", "sc://h:1/;use_ssl=true"])},
    optional={"spark_connect_token": REFERENCES},
)
LIMITS = {"max_bad_records": st.integers(0, 2**63 - 1), "max_bad_ratio": st.floats(0, 1)}
FAIL_FILE = st.fixed_dictionaries({}, optional={"on_bad_record": st.just("fail_file")})
SET_ASIDE = st.fixed_dictionaries({"on_bad_record": st.sampled_from(["quarantine", "skip"])}, optional=LIMITS)
DRAFTS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda *parts: {name: value for part in parts for name, value in part.items()},
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "source_path": st.sampled_from(["s3://landing", "s3a://landing/a: b #c", "s3://landing/é/'\"/- x"]),
            "database": st.sampled_from(["raw", "no", "a1.b2"]),
            "table": st.sampled_from(["events", "on", "1e3", "0123"]),
        },
        optional={
            "source_file_pattern": PATTERNS,
            "source_credentials": CREDENTIALS,
            "table_properties": st.dictionaries(TEXTS, TEXTS, max_size=3),
            "write_mode": st.sampled_from(list(WriteMode)),
            "max_file_size_bytes": st.integers(1, 2**63 - 1) | st.sampled_from(["500MB", "5GiB", "1kB", 1024]),
            "max_retries": st.integers(0, 1000),
            "on_changed_file": st.sampled_from(list(OnChangedFile)),
            "unknown_fields": st.sampled_from(list(UnknownFields)),
            "status": st.sampled_from([IngestionStatus.ACTIVE, IngestionStatus.PAUSED, IngestionStatus.DRAFT]),
        },
    ),
    FORMATS.flatmap(
        lambda kind: (FAIL_FILE | SET_ASIDE if kind["format_type"] == "json" else FAIL_FILE).map(lambda bad: kind | bad)
    ),
    LAYOUTS,
    CLUSTERS,
)
"""Drafts that `define` takes."""
