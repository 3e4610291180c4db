"""Settings from the environment (``AUTOLOADER_*``) and a file (``autoloader.toml``), validated once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from autoloader.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings(BaseSettings):
    """What the person who runs the program decides. Environment first, then the file, then these defaults."""

    model_config = SettingsConfigDict(env_prefix="AUTOLOADER_", extra="forbid", frozen=True)

    home: Path = Field(Path("~/.autoloader"), description="Folder of the embedded stack: its data, keys and logs.")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL of the ledger. Set: no embedded stack is started. Unset: the stack's own."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Keys that seal stored credentials, separated by commas; the first seals, all open. "
        "Unset: the file `secret.key` in the home folder.",
    )
    s3_endpoint_url: str | None = Field(None, description="S3 endpoint for ingestions that name none.")
    s3_region: str | None = Field(None, description="Region for ingestions that name none.")
    spool_dir: Path | None = Field(
        None, description="Where files wait between fetch and parse. Default: `spool` in the home folder."
    )
    spool_bytes: int = Field(256 * 1024**2, ge=1024**2, description="How many bytes of files are fetched ahead.")
    max_compression_ratio: int = Field(
        200,
        ge=2,
        description="How many times its stored size a compressed file may unpack to, once that is over 64 MiB; "
        "one that goes on is FAILED as a compression bomb.",
    )
    memory_limit: str = Field("256MB", pattern=r"^\d+(MB|GB)$", description="Memory the parser may use in one load.")
    threads: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, description="Threads of the parser.")
    fetch_concurrency: int = Field(
        64,
        ge=1,
        le=256,
        description="Requests for small files under way at once to the bucket; of files over 256 KiB, 16 at most.",
    )
    max_files_per_load: int = Field(10_000, ge=1, description="Files one load takes at most.")
    max_bytes_per_load: int = Field(2 * 1024**3, ge=1, description="Bytes one load takes; a larger file goes alone.")
    loads_at_once: int | None = Field(
        None, ge=1, description="Loads of one ingestion under way at once, over all workers. Unset: no limit."
    )
    lease_seconds: int = Field(60, ge=1, description="Silence after which a worker's load counts as lost.")
    spark_connect_url: str | None = Field(
        None,
        pattern=r"^sc://[^/;\s]+/?$",
        description="Spark Connect server, `sc://host:15002`, of ingestions with `engine: spark` that name none.",
    )
    spark_connect_token: SecretStr | None = Field(None, description="Its token; it is sent over TLS.")
    spark_reader: Literal["auto", "python", "sql"] = Field(
        "auto",
        description="Who reads the files on a cluster. `python`: the embedded engine in its tasks, where their Python "
        "has this version of Autoloader. `sql`: Spark's own readers. `auto`: `python` where that is possible.",
    )
    spark_dir: Path = Field(
        Path("~/.cache/autoloader/spark"), description="Where `make spark` put Spark, for `autoloader up --spark`."
    )
    spark_memory: str = Field("2g", pattern=r"^\d+[mg]$", description="Memory of the Spark of `autoloader up --spark`.")
    url: str | None = Field(
        None, description="A running service that does what is typed here. Unset: it is done with the database itself."
    )
    token: SecretStr | None = Field(None, description="The API token for that service.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("warning", description="Least level logged.")
    log_format: Literal["console", "json"] = Field("console", description="How a log line is written, on stderr.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is the library's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit arguments, the environment, then the file named by ``AUTOLOADER_CONFIG``."""
        file = Path(os.environ.get("AUTOLOADER_CONFIG", "autoloader.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    @property
    def home_dir(self) -> Path:
        """The home folder, absolute."""
        return self.home.expanduser().absolute()

    @property
    def lease(self) -> timedelta:
        """The lease as a duration."""
        return timedelta(seconds=self.lease_seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Connections:
    """Where the parts are, once it is decided whether they are the embedded stack's or the user's own.

    Attributes:
        database_url: of the ledger, in SQLAlchemy's form (``postgresql+psycopg://…``).
        s3_endpoint_url: default endpoint of sources, None for AWS.
        s3_access_key_id: the embedded stack's key, None for the default AWS chain.
        s3_secret_access_key: likewise.
        s3_region: default region.
        catalogs: PyIceberg properties by catalog name, added to those of PyIceberg's own configuration.
        spark_connect_url: of ingestions that name none.
        spark_connect_token: likewise.
    """

    database_url: str = field(repr=False)
    s3_endpoint_url: str | None = None
    s3_access_key_id: str | None = field(default=None, repr=False)
    s3_secret_access_key: str | None = field(default=None, repr=False)
    s3_region: str | None = None
    catalogs: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    spark_connect_url: str | None = None
    spark_connect_token: str | None = field(default=None, repr=False)


def load_settings() -> Settings:
    """Read the settings once.

    Raises:
        UsageError: a value is not valid; the message names the variable and says why, without the value.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = "AUTOLOADER_" + "_".join(str(part) for part in first["loc"]).upper()
        raise UsageError(f"{name}: {first['msg']}", field=name) from None


def external_connections(settings: Settings) -> Connections:
    """The user's own parts: PostgreSQL by ``database_url``, AWS or another S3, catalogs of PyIceberg's configuration.

    Raises:
        UsageError: no ``database_url``, or one that is not PostgreSQL's.
    """
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise UsageError(
            "AUTOLOADER_DATABASE_URL must look like postgresql://user:password@host:5432/autoloader_db",
            field="AUTOLOADER_DATABASE_URL",
        )
    return Connections(
        database_url=f"postgresql+psycopg://{rest}",
        s3_endpoint_url=settings.s3_endpoint_url,
        s3_region=settings.s3_region,
        spark_connect_url=settings.spark_connect_url,
        spark_connect_token=settings.spark_connect_token.get_secret_value() if settings.spark_connect_token else None,
    )
