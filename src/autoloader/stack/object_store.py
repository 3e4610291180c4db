"""SeaweedFS: the S3 object store and the Iceberg REST catalog, one process."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, ClassVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from autoloader.errors import StackError
from autoloader.stack.processes import Detached, Launch, spawn
from autoloader.stack.programs import weed_program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from autoloader.stack.home import Home

BUCKETS = ("landing", "lake")
PROBE = ".autoloader-probe"
"""An object of the stack's own in the last bucket, by which it sees that the store can write and read."""
WAREHOUSE = "warehouse"
REGION = "us-east-1"
_TIMEOUT_SECONDS = 2.0
# No proxy stands between us and this machine, whatever the environment says.
_HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ObjectStore:
    """How the object store is started and known to be well."""

    name = "object store"
    # Only what people connect to has a usual port. The admin server's gRPC port must be its HTTP port plus 10,000:
    # its own worker looks for it there whatever the flag says.
    usual_ports: ClassVar[Mapping[str, int | None]] = {
        "s3": 8333,
        "catalog": 8181,
        "master": None,
        "master-rpc": None,
        "volume": None,
        "volume-rpc": None,
        "filer": None,
        "filer-rpc": None,
        "s3-rpc": None,
        "admin+grpc": None,
    }
    stop_signal = signal.SIGTERM

    def __init__(self, home: Home) -> None:
        self._home = home
        self.marker = f"-dir={home.object_store}"

    def prepare(self) -> None:
        """Nothing to lay out: the store does that itself.

        Raises:
            StackError: SeaweedFS would take the folder's path for several.
        """
        if "," in self.marker:
            raise StackError(
                f"The object store cannot keep its data in {self._home.object_store}: its path has a comma. "
                "Choose another folder with AUTOLOADER_HOME."
            )

    def start(self, ports: Mapping[str, int], log: Path) -> Detached:
        """Start it on these ports."""
        listen = {
            "s3.port": ports["s3"],
            "s3.port.grpc": ports["s3-rpc"],
            "s3.port.iceberg": ports["catalog"],
            "s3.port.lance": 0,
            "master.port": ports["master"],
            "master.port.grpc": ports["master-rpc"],
            "volume.port": ports["volume"],
            "volume.port.grpc": ports["volume-rpc"],
            "filer.port": ports["filer"],
            "filer.port.grpc": ports["filer-rpc"],
            "admin.port": ports["admin+grpc"],
            "admin.port.grpc": ports["admin+grpc"] + 10_000,
            "webdav.port": 0,
        }
        settings = {
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "bucket": ",".join(BUCKETS),
            "tableBucket": WAREHOUSE,
            "master.telemetry": "false",
            "webdav": "false",
            "admin.ui": "false",
            "s3.autoCreateBucket": "false",  # a misspelt bucket is an error here as it is in AWS
            "volume.preStopSeconds": 0,  # there is no second server that could take over meanwhile
        }
        flags = [f"-{name}={value}" for name, value in {**settings, **listen}.items()]
        command = [str(weed_program()), "-logtostderr", "mini", self.marker, *flags]
        return spawn(Launch(command=command, environment=self._environment()), log)

    def check(self, ports: Mapping[str, int]) -> str | None:
        """Why it cannot be used yet, or None once buckets and catalog answer to the credentials of this home."""
        try:
            with _HTTP.open(f"http://127.0.0.1:{ports['s3']}/status", timeout=_TIMEOUT_SECONDS):
                pass
            catalog = f"http://127.0.0.1:{ports['catalog']}/v1"
            request = urllib.request.Request(  # noqa: S310  always http and this machine
                f"{catalog}/{WAREHOUSE}/namespaces", headers={"Authorization": f"Bearer {self._token(catalog)}"}
            )
            # The table bucket is the last thing made in a new home: once it answers, the buckets are there as well.
            with _HTTP.open(request, timeout=_TIMEOUT_SECONDS):
                pass
            self._write_and_read(ports["s3"])
        except (OSError, ValueError, KeyError, BotoCoreError, ClientError) as error:
            return f"it does not answer as it should ({error})"
        return None

    def _write_and_read(self, port: int) -> None:
        """An object there and back: the disks of the store join it a moment after its doors open."""
        keys = self._home.credentials()
        store = boto3.session.Session().client(
            "s3",
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id=keys.s3_access_key_id,
            aws_secret_access_key=keys.s3_secret_access_key,
            config=Config(
                s3={"addressing_style": "path"},
                proxies={},
                connect_timeout=_TIMEOUT_SECONDS,
                read_timeout=_TIMEOUT_SECONDS,
                retries={"total_max_attempts": 1},
            ),
        )
        try:
            store.put_object(Bucket=BUCKETS[-1], Key=PROBE, Body=b"well")
            store.get_object(Bucket=BUCKETS[-1], Key=PROBE)["Body"].read()
        finally:
            store.close()

    def _token(self, catalog: str) -> str:
        keys = self._home.credentials()
        form = {
            "grant_type": "client_credentials",
            "client_id": keys.s3_access_key_id,
            "client_secret": keys.s3_secret_access_key,
        }
        with _HTTP.open(
            f"{catalog}/oauth/tokens", data=urllib.parse.urlencode(form).encode(), timeout=_TIMEOUT_SECONDS
        ) as answer:
            token: str = json.load(answer)["access_token"]
        return token

    def _environment(self) -> dict[str, str]:
        keys = self._home.credentials()
        signing = {
            # Without these anyone on this machine could read and write through the store's inner HTTP ports.
            "WEED_JWT_SIGNING_KEY": f"volume-write-{keys.internal_key}",
            "WEED_JWT_SIGNING_READ_KEY": f"volume-read-{keys.internal_key}",
            "WEED_JWT_FILER_SIGNING_KEY": f"filer-write-{keys.internal_key}",
            "WEED_JWT_FILER_SIGNING_READ_KEY": f"filer-read-{keys.internal_key}",
            "WEED_ADMIN_USER": "admin",
            "WEED_ADMIN_PASSWORD": keys.internal_key,
        }
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._home.object_store),  # not the user's: ~/.seaweedfs may configure another cluster
            "AWS_ACCESS_KEY_ID": keys.s3_access_key_id,
            "AWS_SECRET_ACCESS_KEY": keys.s3_secret_access_key,
            **signing,
        }
