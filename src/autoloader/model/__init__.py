"""The vocabulary as frozen values: ingestion, run, file, load, outcome, and their statuses.

Nothing here does anything; every other room speaks in these words.
"""

from autoloader.model.access import Scope, Token
from autoloader.model.files import (
    LOAD_ID,
    LOADED_AT,
    METADATA_COLUMNS,
    SOURCE_FILE,
    SOURCE_MODIFIED_AT,
    ClaimedFile,
    DataFile,
    File,
    FileStatus,
    FileVersion,
    Load,
    LoadState,
    Outcome,
    SourceObject,
)
from autoloader.model.ingestions import (
    DEFAULT_MAX_FILE_SIZE_BYTES,
    DEFAULT_MAX_RETRIES,
    DEFAULT_TENANT,
    NAME,
    FormatType,
    Ingestion,
    IngestionStatus,
    NewIngestion,
    OnChangedFile,
    SourceCredentials,
    WriteMode,
)
from autoloader.model.runs import ListingCounts, Run, RunError, RunStatus, RunTrigger, Waiting

__all__ = [
    "DEFAULT_MAX_FILE_SIZE_BYTES",
    "DEFAULT_MAX_RETRIES",
    "DEFAULT_TENANT",
    "LOADED_AT",
    "LOAD_ID",
    "METADATA_COLUMNS",
    "NAME",
    "SOURCE_FILE",
    "SOURCE_MODIFIED_AT",
    "ClaimedFile",
    "DataFile",
    "File",
    "FileStatus",
    "FileVersion",
    "FormatType",
    "Ingestion",
    "IngestionStatus",
    "ListingCounts",
    "Load",
    "LoadState",
    "NewIngestion",
    "OnChangedFile",
    "Outcome",
    "Run",
    "RunError",
    "RunStatus",
    "RunTrigger",
    "Scope",
    "SourceCredentials",
    "SourceObject",
    "Token",
    "Waiting",
    "WriteMode",
]
