"""The embedded stack for one machine: object store, Iceberg REST catalog and PostgreSQL under one home folder."""

from autoloader.stack.lifecycle import PartStatus, Stack

__all__ = ["PartStatus", "Stack"]
