"""Ingestions of a folder of the test's own prefix, as the tests of workers and of faults save them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoloader.model import FormatType, NewIngestion

if TYPE_CHECKING:
    from tests.conftest import Landing


def ingestion_of_folder(landing: Landing, namespace: str, name: str, **fields: Any) -> NewIngestion:
    """Of NDJSON in the folder ``NAME/``, into a table of the same name, unless ``fields`` say another."""
    return NewIngestion(
        **{
            "name": name,
            "source_path": f"{landing.path}{name}/",
            "format_type": FormatType.JSON,
            "schema_json": "id BIGINT",
            "catalog": "lake",
            "database": namespace,
            "table": name,
        }
        | fields
    )
