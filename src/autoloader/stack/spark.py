"""Spark Connect on this machine: a server in local mode that sees the stack's catalog and buckets."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from autoloader.errors import StackError
from autoloader.stack.object_store import REGION, WAREHOUSE
from autoloader.stack.processes import Detached, Launch, spawn
from autoloader.stack.programs import java_home

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from autoloader.stack.home import Home

NAME = "spark connect"
STORE = "object store"
CLASS = "org.apache.spark.sql.connect.service.SparkConnectServer"
_TIMEOUT_SECONDS = 2.0
_OWNER_ONLY = 0o600


@dataclass(frozen=True, kw_only=True, slots=True)
class SparkInstall:
    """Where Spark is, and how much of the machine it may have.

    Attributes:
        folder: as ``make spark`` leaves it: ``server`` with Spark, ``jars`` with Iceberg and S3.
        memory: of its JVM, as Spark writes sizes (``2g``).
        threads: tasks at once.
        java_options: for its JVM; a collector that is after throughput, as loads are, by default.
        settings: of Spark, besides those it needs here.
    """

    folder: Path
    memory: str
    threads: int
    java_options: str = "-XX:+UseParallelGC"
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """SPARK_HOME.

        Raises:
            StackError: Spark or its jars are not there.
        """
        home, jars = self.folder / "server" / "pyspark", self.folder / "jars"
        if not (home / "bin" / "spark-submit").exists() or not any(jars.glob("iceberg-spark-runtime-*.jar")):
            raise StackError(
                f"Spark is not installed in {self.folder}: run `make spark` in the project's folder, "
                "or name another folder with AUTOLOADER_SPARK_DIR."
            )
        return home


class SparkConnect:
    """How the Spark Connect server is started and known to be well.

    Its settings hold secrets, so they are in a file that nobody else can read and not in its command line.

    Args:
        home: of the stack.
        install: None where it is only looked at or stopped.
    """

    name = NAME
    usual_ports: ClassVar[Mapping[str, int | None]] = {"connect": 15002}
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home, install: SparkInstall | None = None) -> None:
        self._home = home
        self._install = install
        self._folder = home.folder / "spark"
        self._settings = self._folder / "spark.conf"
        self.marker = str(self._settings)

    @property
    def token(self) -> str:
        """What a client must show: whoever may use the server may run programs as its user."""
        return hashlib.sha256(f"spark connect {self._home.credentials().internal_key}".encode()).hexdigest()

    def address(self, port: int) -> str:
        """For clients. By this name, and no other, a token may be sent without TLS: it stays on this machine."""
        return f"sc://localhost:{port}"

    def prepare(self) -> None:
        """Make sure that it can be started.

        Raises:
            StackError: Java 17, Spark or its jars are missing.
        """
        if self._install is None:
            raise AssertionError("only looked at")
        java_home()
        _ = self._install.home
        shutil.rmtree(self._folder / "local", ignore_errors=True)  # what a killed server left
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def start(self, ports: Mapping[str, int], log: Path) -> Detached:
        """Start it on these ports."""
        if self._install is None:
            raise AssertionError("only looked at")
        settings = self._connect(ports["connect"], self._install) | self._iceberg() | self._s3()
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        self._settings.unlink(missing_ok=True)
        with os.fdopen(os.open(self._settings, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w") as output:
            output.write(lines)
        spark = self._install.home
        command = [str(spark / "bin" / "spark-submit"), "--properties-file", self.marker, "--class", CLASS]
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "JAVA_HOME": str(java_home()),
            "SPARK_HOME": str(spark),
            "SPARK_LOCAL_IP": "127.0.0.1",
            # Tasks have the Python that runs this, and an identity of their own for the store.
            "PYSPARK_PYTHON": sys.executable,
            "AWS_ACCESS_KEY_ID": self._home.credentials().s3_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self._home.credentials().s3_secret_access_key,
            "TZ": "UTC",
        }
        return spawn(Launch(command=[*command, "spark-internal"], environment=environment), log)

    def check(self, ports: Mapping[str, int]) -> str | None:
        """Why it cannot be used yet, or None once it listens and was started for the object store that runs now."""
        try:
            with socket.create_connection(("127.0.0.1", ports["connect"]), timeout=_TIMEOUT_SECONDS):
                pass
            settings = self._settings.read_text()
        except OSError as error:
            return f"it does not answer as it should ({error})"
        if f"spark.hadoop.fs.s3a.endpoint {self._endpoint('s3')}\n" not in settings:
            return "the object store has moved to another port"
        return None

    def _connect(self, port: int, install: SparkInstall) -> dict[str, str]:
        return {
            "spark.master": f"local[{install.threads}]",
            "spark.app.name": "autoloader",
            "spark.driver.memory": install.memory,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.extraClassPath": f"{install.folder / 'jars'}/*",
            "spark.driver.extraJavaOptions": install.java_options,
            "spark.ui.enabled": "false",
            "spark.local.dir": str(self._folder / "local"),
            "spark.sql.warehouse.dir": str(self._folder / "warehouse"),
            "spark.sql.catalogImplementation": "in-memory",
            "spark.sql.session.timeZone": "UTC",
            "spark.connect.grpc.binding.address": "127.0.0.1",
            "spark.connect.grpc.binding.port": str(port),
            "spark.connect.authenticate.token": self.token,
            **install.settings,
        }

    def _iceberg(self) -> dict[str, str]:
        keys, uri = self._home.credentials(), self._endpoint("catalog")
        catalog = {
            "": "org.apache.iceberg.spark.SparkCatalog",
            ".type": "rest",
            ".uri": uri,
            ".oauth2-server-uri": f"{uri}/v1/oauth/tokens",
            ".warehouse": f"s3://{WAREHOUSE}",
            ".credential": f"{keys.s3_access_key_id}:{keys.s3_secret_access_key}",
            ".cache-enabled": "false",  # else a load sees its table as it was some seconds ago
            ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
            ".client.region": REGION,
            ".s3.endpoint": self._endpoint("s3"),
            ".s3.path-style-access": "true",
            ".s3.access-key-id": keys.s3_access_key_id,
            ".s3.secret-access-key": keys.s3_secret_access_key,
        }
        extension = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
        return {"spark.sql.extensions": extension} | {f"spark.sql.catalog.lake{k}": v for k, v in catalog.items()}

    def _s3(self) -> dict[str, str]:
        keys = self._home.credentials()
        return {
            "spark.hadoop.fs.s3a.endpoint": self._endpoint("s3"),
            "spark.hadoop.fs.s3a.endpoint.region": REGION,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.access.key": keys.s3_access_key_id,
            "spark.hadoop.fs.s3a.secret.key": keys.s3_secret_access_key,
        }

    def _endpoint(self, port: str) -> str:
        return f"http://127.0.0.1:{self._home.remembered().ports[STORE][port]}"
