"""The Spark engine: files are read and written by a cluster, over Spark Connect; no JVM runs here."""

from autoloader.engines.spark.engine import SparkEngine

__all__ = ["SparkEngine"]
