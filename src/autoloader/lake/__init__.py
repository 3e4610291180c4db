"""Iceberg: catalogs, tables, data files, and the one way a load reaches a table.

The only package that knows Iceberg. What may be trusted about a commit is written in ``publish`` and ``fences``; the
rule behind both is docs/adr/0003-one-publisher-one-attempt.md.
"""

from autoloader import arrow  # noqa: F401  before PyIceberg has pyarrow look for pandas
