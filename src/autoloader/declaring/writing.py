"""An ingestion as a document that a person reads, and that declares the same ingestion again."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any

import yaml
from pydantic.fields import FieldInfo
from typing_extensions import override

from autoloader.defining import Draft, as_draft
from autoloader.model import IngestionStatus
from autoloader.schema import parse_schema, to_ddl
from autoloader.schema.types import Schema
from autoloader.vault import MASK

if TYPE_CHECKING:
    from autoloader.model import NewIngestion

ORDER = (
    "name",
    "status",
    "source_path",
    "source_file_pattern",
    "source_credentials",
    "format_type",
    "format_options",
    "schema_json",
    "schema_hints",
    "catalog",
    "database",
    "table",
    "write_mode",
    "path_columns",
    "partition_columns",
    "table_properties",
    "engine",
    "spark_connect_url",
    "spark_connect_token",
    "on_changed_file",
    "on_bad_record",
    "max_bad_records",
    "max_bad_ratio",
    "unknown_fields",
    "max_file_size_bytes",
    "max_retries",
)
"""The order of the fields, as the contract has it."""

# Of the mappings pydantic keeps the factory; each of them is empty by default.
DEFAULTS = {
    field.name: (
        field.default
        if not isinstance(field.default, FieldInfo)
        else {}
        if field.default.default_factory
        else field.default.default
    )
    for field in fields(Draft)
    if field.default is not MISSING
}
"""What a field is that nobody said anything of; those without a default are not in it."""

_SEALED = f"# A key that is '{MASK}' is stored sealed; it means: as it is. It cannot be written into a file.\n"
_UNITS = {"TiB": 1 << 40, "TB": 10**12, "GiB": 1 << 30, "GB": 10**9, "MiB": 1 << 20, "MB": 10**6, "KiB": 1 << 10}
# What YAML folds into a line end, or must not hold unescaped.
_ESCAPED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_UNBROKEN = 2**31 - 1


def dump(ingestion: NewIngestion) -> str:
    """The document that declares an ingestion: one value a line, defaults left out.

    Secrets are written as references, or where they are stored sealed as ``***``, which keeps them.
    """
    values = decided(ingestion)
    if ingestion.status is IngestionStatus.ERROR:
        # Found by the service, not decided by a person.
        del values["status"]
    text = yaml.dump(
        {name: _written(name, values[name]) for name in ORDER if name in values},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=_UNBROKEN,
    )
    secrets = [*values.get("source_credentials", {}).values(), values.get("spark_connect_token")]
    return (_SEALED if MASK in secrets else "") + text


def decided(ingestion: NewIngestion) -> dict[str, Any]:
    """The fields of an ingestion that have no default, or another value than their default."""
    draft = as_draft(ingestion)
    draft["source_credentials"] = {
        name: value for name, value in draft["source_credentials"].items() if value is not None
    }
    return {name: value for name, value in draft.items() if name not in DEFAULTS or value != DEFAULTS[name]}


def columns(schema_json: str) -> list[str]:
    """Each column of a stored schema as DDL."""
    return [to_ddl(Schema((column,))) for column in parse_schema(schema_json).columns]


def size(count: int) -> str:
    """Bytes with the largest unit that says exactly as many: ``500MB``, ``5GiB``, ``1000001``."""
    return next((f"{count // unit}{name}" for name, unit in _UNITS.items() if count % unit == 0), str(count))


def _written(name: str, value: Any) -> object:  # noqa: ANN401  a value of any field
    match name:
        case "schema_json":
            return ",\n".join(columns(value))
        case "max_file_size_bytes":
            text = size(value)
            return int(text) if text.isdigit() else text
        case "partition_columns" | "path_columns":
            return list(value)
        case "format_options" | "table_properties":
            return dict(sorted(value.items()))
        case _:
            return value if isinstance(value, (int, float, dict)) else str(value)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks; every value where it stands, never as an alias."""

    @override
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _ESCAPED.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
