"""Every error the project raises on purpose.

AutoloaderError
├── UsageError                  the caller asked for something that cannot be; names the field
│   ├── NameTaken               another ingestion, or token, of the tenant has the name
│   ├── NotKnown                no such ingestion, run, file, load or token
│   ├── WrongState              the thing is there, but not in a state that allows this
│   ├── EditedMeanwhile         another one edited it since it was read
│   └── KeyReused               an Idempotency-Key that was used for another request
├── AccessError                 whoever asks may not
│   ├── NotAuthenticated        no token, or one that is unknown or revoked
│   └── NotAllowed              the scope of the token does not reach that far
├── VaultError                  the key that opens stored secrets is missing, damaged, readable by others or another one
├── SourceError                 the bucket cannot be listed or read; names the bucket and the action
│   ├── BucketNotFound
│   ├── SourceAccessDenied
│   ├── CredentialsMissing
│   └── SourceUnavailable       ↻ throttled, 5xx, connection lost, after the retries of the client
├── FileError                   one file cannot be loaded; the others of its load are not touched
│   ├── FileChanged             ↻ another etag than the one claimed: the new version is loaded instead
│   ├── FileVanished            listed, but gone when it was read
│   ├── FileUnreadable          not what its format says: truncated, binary, a broken footer
│   ├── HeaderMismatch          a CSV header that lacks a column or names one twice
│   ├── TypeMismatch            a typed file (Parquet) whose columns do not fit the schema
│   ├── PathMismatch            a key without a folder that a column is told by, or with a value not of its type
│   └── BadRecord               a record that the contract refuses; with line, column, reason code and raw text
├── LakeError                   the catalog or the table
│   ├── CatalogUnavailable      ↻ no answer, 5xx, or a commit whose fate is unknown to the end
│   ├── CatalogMisconfigured    unknown catalog, wrong key, a name the catalog refuses
│   ├── TableMismatch           the table exists and does not fit the ingestion
│   ├── TableMoved              ↻ it got other columns while a load was on its way that adds some
│   └── HistoryTooShort         the table's snapshots no longer reach back far enough to decide
├── SparkError                  the Spark cluster
│   ├── SparkUnavailable        ↻ no answer, or the session was lost on the way
│   └── SparkMisconfigured      it refuses us, lacks Iceberg, or cannot see the table or the bucket
├── LedgerError
│   ├── LedgerUnavailable       ↻ no connection to PostgreSQL
│   ├── LedgerOutdated          the schema of the database is not that of this program
│   └── LeaseLost               another worker owns the outcome now: stop, write nothing
├── ServiceError                a service asked over HTTP answers what cannot be understood
│   └── ServiceUnavailable      ↻ it cannot be reached, or gives no answer in time
├── Interrupted                 a person stopped the work; what was in hand waits again
├── SpoolFull                   ↻ no room on the disk that holds files on their way
├── MemoryShort                   the parser needs more memory than it may have
└── StackError                  the embedded stack cannot start, or a part of it died

↻ trying again can help (``retryable``). A message says what happened, to which thing, and what to do; it never holds a
secret.
"""

from __future__ import annotations

from typing import ClassVar


class AutoloaderError(Exception):
    """The root. ``str(error)`` is fit to be shown to the person who uses the tool."""

    retryable: ClassVar[bool] = False

    @property
    def error_type(self) -> str:
        """The stable name under which the ledger, the API and the logs keep this error."""
        return type(self).__name__


class UsageError(AutoloaderError):
    """Bad input, refused before anything was done.

    Attributes:
        field: the name of the field at fault, as the user wrote it (``schema_json``, ``--pattern``), or None.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class NameTaken(UsageError):  # noqa: N818  a state of the world, named as the user would
    """Another ingestion, or another token, of the same tenant has this name."""


class NotKnown(UsageError):  # noqa: N818
    """No such ingestion, run, file, load or token."""


class WrongState(UsageError):  # noqa: N818
    """The thing exists but its state does not allow what was asked."""


class EditedMeanwhile(UsageError):  # noqa: N818
    """The thing was edited by someone else since the caller read it."""


class KeyReused(UsageError):  # noqa: N818
    """An Idempotency-Key that was used for another request."""


class AccessError(AutoloaderError):
    """Whoever asks may not."""


class NotAuthenticated(AccessError):  # noqa: N818
    """No token was given, or one that is unknown or revoked."""


class NotAllowed(AccessError):  # noqa: N818
    """The token is known, but its scope does not reach that far."""


class VaultError(AutoloaderError):
    """The key that opens stored secrets is missing, damaged, readable by others, or another one."""


class SourceError(AutoloaderError):
    """The bucket cannot be listed or read."""


class BucketNotFound(SourceError):  # noqa: N818
    """There is no such bucket at this endpoint."""


class SourceAccessDenied(SourceError):  # noqa: N818
    """403: the message names the bucket, the action that was denied and what to grant."""


class CredentialsMissing(SourceError):  # noqa: N818
    """No credentials were found in the ingestion nor in the default AWS chain."""


class SourceUnavailable(SourceError):  # noqa: N818
    """Throttled, 5xx or unreachable, still so after the retries."""

    retryable = True


class FileError(AutoloaderError):
    """One file cannot be loaded. The others of its load are not touched."""


class FileChanged(FileError):  # noqa: N818
    """The object has another etag than the version that was claimed."""

    retryable = True


class FileVanished(FileError):  # noqa: N818
    """The object was listed but is gone."""


class FileUnreadable(FileError):  # noqa: N818
    """The bytes are not what the format says."""


class HeaderMismatch(FileError):  # noqa: N818
    """A CSV header that lacks a column of the schema, names one twice, or in two ways that differ by case alone."""


class TypeMismatch(FileError):  # noqa: N818
    """A typed file whose columns do not fit the schema without loss."""


class PathMismatch(FileError):  # noqa: N818
    """A key without a ``name=value`` folder that a column of the table is told by, or with a value not of its type."""


class BadRecord(FileError):  # noqa: N818
    """A record that the contract refuses.

    Attributes:
        line: physical line where the record begins, counted from 1 (for JSON documents: the element's number), or None.
        column: the column at fault, or None when the record as a whole is.
        code: the stable reason code (``malformed``, ``not_bigint``, ``out_of_range``, …).
        raw: the start of the record's text, or None.
    """

    def __init__(
        self, message: str, *, code: str, line: int | None = None, column: str | None = None, raw: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.line = line
        self.column = column
        self.raw = raw


class LakeError(AutoloaderError):
    """The catalog or the table."""


class CatalogUnavailable(LakeError):  # noqa: N818
    """The catalog does not answer, or the fate of a commit stayed unknown to the end of the retries."""

    retryable = True


class CatalogMisconfigured(LakeError):  # noqa: N818
    """Unknown catalog, refused credentials, or a name that the catalog does not take."""


class TableMismatch(LakeError):  # noqa: N818
    """The table exists and does not fit the ingestion; the message lists every difference."""


class TableMoved(LakeError):  # noqa: N818
    """The table got other columns while a load was on its way that adds some: its data files do not fit any more.

    Attributes:
        sent: whether a commit of the load was sent before that; it may have landed.
    """

    retryable = True

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class HistoryTooShort(LakeError):  # noqa: N818
    """The snapshots that would decide a lost load have been expired: a person must look."""


class SparkError(AutoloaderError):
    """The Spark cluster."""


class SparkUnavailable(SparkError):  # noqa: N818
    """Spark Connect does not answer, or the session was lost on the way."""

    retryable = True


class SparkMisconfigured(SparkError):  # noqa: N818
    """The cluster refuses us, lacks Iceberg, or cannot see the catalog, the table or the bucket."""


class LedgerError(AutoloaderError):
    """The ledger in PostgreSQL."""


class LedgerUnavailable(LedgerError):  # noqa: N818
    """No connection to PostgreSQL."""

    retryable = True


class LedgerOutdated(LedgerError):  # noqa: N818
    """The database schema is not the one this program was written for: ``autoloader db upgrade``."""


class LeaseLost(LedgerError):  # noqa: N818
    """The lease passed or was taken away; another worker owns the outcome."""


class ServiceError(AutoloaderError):
    """A service that was asked over HTTP answers what cannot be understood: it is another program, or a broken one."""


class ServiceUnavailable(ServiceError):  # noqa: N818
    """A service cannot be reached, or gives no answer in time."""

    retryable = True


class Interrupted(AutoloaderError):  # noqa: N818
    """A person stopped the work; what was in hand waits again."""


class SpoolFull(AutoloaderError):  # noqa: N818
    """No room on the disk that holds files on their way."""

    retryable = True


class MemoryShort(AutoloaderError):  # noqa: N818
    """The parser needs more memory than ``memory_limit`` gives it; the message says what takes so much."""


class StackError(AutoloaderError):
    """The embedded stack cannot start, or a part of it died."""
