"""The Spark engine: files are read and written by a cluster, over Spark Connect; no JVM runs here."""

from autoloader.engines.spark.engine import SparkEngine
from autoloader.engines.spark.tasks import TaskEngine

__all__ = ["SparkEngine", "TaskEngine"]
