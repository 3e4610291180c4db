"""Where the parts are: told to every process of the benchmark through the variables that the tools read anyway."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from obstore.store import S3Store
from pyiceberg.catalog import load_catalog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.catalog import Catalog

    from autoloader.settings import Connections

BUCKET = "landing"
CATALOG = "lake"
NAMESPACE = "bench"


def store_variables(connections: Connections) -> dict[str, str]:
    """The variables by which the AWS clients, dlt and ``autoloader`` find the object store."""
    found = {
        "AWS_ENDPOINT_URL": connections.s3_endpoint_url,
        "AWS_ACCESS_KEY_ID": connections.s3_access_key_id,
        "AWS_SECRET_ACCESS_KEY": connections.s3_secret_access_key,
        "AWS_REGION": connections.s3_region,
        "AWS_DEFAULT_REGION": connections.s3_region,
        "AUTOLOADER_S3_ENDPOINT_URL": connections.s3_endpoint_url,
        "AUTOLOADER_S3_REGION": connections.s3_region,
    }
    return {name: value for name, value in found.items() if value is not None}


def spark_variables(connections: Connections) -> dict[str, str]:
    """The variables by which ``autoloader`` and Spark's own client find Spark Connect; none where it is not there."""
    url, token = connections.spark_connect_url, connections.spark_connect_token
    if url is None or token is None:
        return {}
    ours = {"AUTOLOADER_SPARK_CONNECT_URL": url, "AUTOLOADER_SPARK_CONNECT_TOKEN": token}
    return ours | {"SPARK_REMOTE": f"{url}/;token={token}"}


def catalog_variables(name: str, properties: Mapping[str, str]) -> dict[str, str]:
    """The variables by which PyIceberg knows a catalog of this name."""
    start = f"PYICEBERG_CATALOG__{name.upper()}__"
    return {start + key.upper().replace(".", "__").replace("-", "_"): value for key, value in properties.items()}


def open_bucket(bucket: str, variables: Mapping[str, str] = os.environ) -> S3Store:
    """A bucket through obstore, by this process's environment or by such variables."""
    return S3Store(
        bucket,
        endpoint=variables["AWS_ENDPOINT_URL"],
        access_key_id=variables["AWS_ACCESS_KEY_ID"],
        secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region=variables["AWS_REGION"],
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )


def open_lake() -> Catalog:
    """The catalog through PyIceberg, by this process's environment."""
    return load_catalog(CATALOG)
