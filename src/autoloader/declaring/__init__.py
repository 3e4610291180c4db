"""Ingestions declared in files, so that they live in git: read, compared with those saved, carried out; written.

A document is the whole of one ingestion, under the contract's names of fields: what it leaves out has its default. Two
fields are not only decided but also found: ``schema_json``, which is inferred at the first run, and ``status``, which
people set while things go wrong. Where a document says nothing of them, they stay as they are.
"""

from autoloader.declaring.acting import Backend, carry_out
from autoloader.declaring.documents import Document, parse
from autoloader.declaring.files import read
from autoloader.declaring.planning import Action, Difference, Plan, Step, make_plan
from autoloader.declaring.writing import dump

__all__ = [
    "Action",
    "Backend",
    "Difference",
    "Document",
    "Plan",
    "Step",
    "carry_out",
    "dump",
    "make_plan",
    "parse",
    "read",
]
