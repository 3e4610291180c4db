"""Who takes part: ours, the bare limit, dlt and Spark, each as a command on a fresh table, with its own folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from pyiceberg.catalog import load_catalog
from sqlalchemy import make_url

from autoloader.lake.rejects import SUFFIX
from data import SCHEMA
from dlt_environment import PYTHON as DLT_PYTHON
from place import BUCKET, CATALOG, NAMESPACE, catalog_variables, spark_variables, store_variables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from autoloader.settings import Connections
    from data import Dataset

HERE = Path(__file__).resolve().parent
AUTOLOADER = str(Path(sys.executable).with_name("autoloader"))
INGESTION = "events"
DLT_CATALOG = "dlt"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One contestant on one data set, ready to start.

    Attributes:
        catalog: PyIceberg's properties of the catalog that holds the table.
        catalog_name: the name it goes by; a SQL catalog keeps its tables under this name.
        table: its name; empty where nothing is loaded.
        database: the ledger made for this attempt alone, None where there is none.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    table: str
    catalog: Mapping[str, str]
    catalog_name: str = CATALOG
    database: str | None = None

    def open_catalog(self) -> Catalog:
        """The catalog through PyIceberg."""
        return load_catalog(self.catalog_name, **self.catalog)

    def open_table(self) -> Table:
        """The table as it is now."""
        return self.open_catalog().load_table(f"{NAMESPACE}.{self.table}")

    def open_rejects(self) -> Table:
        """The table of its bad records as it is now."""
        return self.open_catalog().load_table(f"{NAMESPACE}.{self.table}{SUFFIX}")


class Arena:
    """Where attempts are made and cleared away.

    Args:
        connections: the parts; their PostgreSQL user may make databases.
        folder: for the attempts' own folders.
    """

    def __init__(self, connections: Connections, folder: Path) -> None:
        self.connections = connections
        self.folder = folder
        self.catalog = connections.catalogs[CATALOG]
        load_catalog(CATALOG, **self.catalog).create_namespace_if_not_exists(NAMESPACE)

    def ours(self, dataset: Dataset, label: str, engine: str = "embedded", **settings: str) -> Attempt:
        """``autoloader run`` on a fresh ledger; the ingestion is made before the clock starts, the table within."""
        database = f"bench_{label}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        url = make_url(self.connections.database_url).set(database=database)
        folder, surroundings = self._surroundings(label)
        surroundings["AUTOLOADER_DATABASE_URL"] = url.render_as_string(hide_password=False)
        surroundings |= {"AUTOLOADER_HOME": str(folder)} | settings
        creation = [AUTOLOADER, "create", INGESTION, "--source", f"s3://{BUCKET}/{dataset.prefix}"]
        creation += ["--pattern", f"*{dataset.form.ending}", "--format", "json", "--schema", SCHEMA]
        creation += dataset.form.options
        creation += ["--table", f"{CATALOG}.{NAMESPACE}.{label}", "--engine", engine]
        for command in ([AUTOLOADER, "db", "upgrade"], creation):
            subprocess.run(command, env=surroundings, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return Attempt(
            command=[AUTOLOADER, "run", INGESTION, "--json"],
            environment=surroundings,
            folder=folder,
            table=label,
            catalog=self.catalog,
            database=database,
        )

    def on_spark(self, dataset: Dataset, label: str) -> Attempt:
        """The same with the engine ``spark``, in its tasks."""
        return self.ours(dataset, label, engine="spark", AUTOLOADER_SPARK_READER="python")

    def by_own_readers(self, dataset: Dataset, label: str) -> Attempt:
        """The same by Spark's own readers, as on a cluster without Autoloader."""
        return self.ours(dataset, label, engine="spark", AUTOLOADER_SPARK_READER="sql")

    def spark_batch(self, dataset: Dataset, label: str) -> Attempt:
        """Spark by itself: ``spark_ways.py batch``."""
        return self._spark("batch", dataset, label)

    def spark_stream(self, dataset: Dataset, label: str) -> Attempt:
        """Spark's Structured Streaming: ``spark_ways.py stream``."""
        return self._spark("stream", dataset, label)

    def _spark(self, way: str, dataset: Dataset, label: str) -> Attempt:
        folder, surroundings = self._surroundings(label)
        target = [f"s3a://{BUCKET}/{dataset.prefix}", f"{CATALOG}.{NAMESPACE}.{label}"]
        command = [sys.executable, str(HERE / "spark_ways.py"), way, *target, (folder / "checkpoint").as_uri()]
        return Attempt(command=command, environment=surroundings, folder=folder, table=label, catalog=self.catalog)

    def service(self, label: str) -> Attempt:
        """``autoloader serve`` on an empty database, with no ledger in it yet."""
        database = f"bench_{label}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
        url = make_url(self.connections.database_url).set(database=database)
        folder, surroundings = self._surroundings(label)
        surroundings["AUTOLOADER_DATABASE_URL"] = url.render_as_string(hide_password=False)
        surroundings["AUTOLOADER_HOME"] = str(folder)
        return Attempt(
            command=[AUTOLOADER, "serve", "--port", "0"],
            environment=surroundings,
            folder=folder,
            table="",
            catalog=self.catalog,
            database=database,
        )

    def limit(self, dataset: Dataset, label: str) -> Attempt:
        """The script in ``limit.py``."""
        folder, surroundings = self._surroundings(label)
        command = [sys.executable, str(HERE / "limit.py"), "load", dataset.prefix, f"{NAMESPACE}.{label}"]
        return Attempt(command=command, environment=surroundings, folder=folder, table=label, catalog=self.catalog)

    def dlt(self, dataset: Dataset, label: str) -> Attempt:
        """The script in ``dlt/load.py``, in dlt's own environment and with a catalog of its own."""
        folder, surroundings = self._surroundings(label)
        storage = {name: value for name, value in self.catalog.items() if name.startswith("s3.")}
        catalog = {"type": "sql", "uri": f"sqlite:///{folder / 'catalog.db'}", **storage}
        surroundings |= catalog_variables(DLT_CATALOG, catalog) | {"DLT_DATA_DIR": str(folder)}
        command = [str(DLT_PYTHON), str(HERE / "dlt" / "load.py"), BUCKET, dataset.prefix, label]
        return Attempt(
            command=command,
            environment=surroundings,
            folder=folder,
            table=label,
            catalog=catalog,
            catalog_name=DLT_CATALOG,
        )

    def clear(self, attempt: Attempt) -> None:
        """Remove the table, the ledger and the folder of an attempt."""
        if attempt.table:
            catalog = attempt.open_catalog()
            catalog.drop_table(f"{NAMESPACE}.{attempt.table}")
            if catalog.table_exists(rejects := f"{NAMESPACE}.{attempt.table}{SUFFIX}"):
                catalog.drop_table(rejects)
        if attempt.database:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(attempt.database)))
        shutil.rmtree(attempt.folder)

    def _surroundings(self, label: str) -> tuple[Path, dict[str, str]]:
        """A folder for one attempt and the variables around it: nothing of the user's own configuration is read."""
        folder = self.folder / label
        folder.mkdir()
        own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder), "TMPDIR": str(folder)}
        variables = spark_variables(self.connections) | store_variables(self.connections)
        return folder, own | variables | catalog_variables(CATALOG, self.catalog)

    def _execute(self, statement: sql.Composed) -> None:
        url = make_url(self.connections.database_url).set(drivername="postgresql")
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            connection.execute(statement)
