"""The Spark Connect server of the benchmark: beside the stack that runs, warmed up before anything is measured."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from autoloader.errors import StackError
from autoloader.settings import load_settings
from autoloader.stack import Stack
from autoloader.stack.programs import java_home
from autoloader.stack.spark import SparkInstall
from contestants import Arena
from data import Dataset, upload
from place import BUCKET, open_bucket, store_variables
from races import BATCH, ON_SPARK, OWN_READERS, STREAM, race

if TYPE_CHECKING:
    from pathlib import Path

MEMORY = "2g"
WARM = Dataset(name="warm", title="Warming up", files=20, records_per_file=2_000)


def missing() -> str | None:
    """Why Spark cannot take part here; None where it can."""
    try:
        java_home()
        _ = _install().home
        importlib.import_module("pyspark.sql.connect.session")
    except (StackError, ImportError) as error:
        return f"{error}"
    return None


def with_spark(home: Path, folder: Path) -> Arena:
    """The arena of the stack in this home, now with a server that has loaded a little in each way."""
    arena = Arena(Stack(home, _install()).start(), folder)
    upload(open_bucket(BUCKET, store_variables(arena.connections)), WARM)
    race(arena, WARM, (ON_SPARK, OWN_READERS, BATCH, STREAM), rounds=1)
    return arena


def _install() -> SparkInstall:
    return SparkInstall(folder=load_settings().spark_dir.expanduser(), memory=MEMORY, threads=os.cpu_count() or 1)
