"""The ledger in PostgreSQL: what became of every file, and who is working on what. The only package that knows SQL.

Tables, from the outside in:

    ingestions ──< runs ──< loads ──< outcomes >── processed_files >── ingestions

``processed_files`` holds one row for each path: its current version and what became of it. ``outcomes`` holds one row
for each version and attempt, for ever: it is the history. A load is one attempt to put a fixed set of file versions
into one snapshot; its lease decides who may finish it, in database time.

Every function takes a connection with a transaction that the caller opened (``database.transaction``): one for each
use case. Rows are locked in one order, so that nothing deadlocks: ingestion, load, files, run. The one exception is
``loads.claim``, which shares the run first; it never waits for anything afterwards.
"""
