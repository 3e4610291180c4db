"""What the service answers: the contract's fields, with no secret in any of them."""

from autoloader.api.answers.answer import Answer, NextCursor
from autoloader.api.answers.files import (
    File,
    FileCounts,
    FilePage,
    FileStory,
    FileVersion,
    Load,
    LostLoads,
    Reject,
    RejectPage,
    Retried,
)
from autoloader.api.answers.health import Alive, Part, Readiness
from autoloader.api.answers.ingestions import Credentials, Ingestion, IngestionPage
from autoloader.api.answers.runs import Run, RunError, RunPage
from autoloader.api.answers.trying import (
    ColumnEvidence,
    Connection,
    Disagreement,
    FileReason,
    Matching,
    Preview,
    SourceObject,
)
from autoloader.api.answers.verifying import (
    Difference,
    DifferencePage,
    Reading,
    TableStanding,
    Verification,
    VerificationPage,
    VerificationReport,
)

__all__ = [
    "Alive",
    "Answer",
    "ColumnEvidence",
    "Connection",
    "Credentials",
    "Difference",
    "DifferencePage",
    "Disagreement",
    "File",
    "FileCounts",
    "FilePage",
    "FileReason",
    "FileStory",
    "FileVersion",
    "Ingestion",
    "IngestionPage",
    "Load",
    "LostLoads",
    "Matching",
    "NextCursor",
    "Part",
    "Preview",
    "Readiness",
    "Reading",
    "Reject",
    "RejectPage",
    "Retried",
    "Run",
    "RunError",
    "RunPage",
    "SourceObject",
    "TableStanding",
    "Verification",
    "VerificationPage",
    "VerificationReport",
]
