"""Done by a service that is asked over HTTP, as its OpenAPI document says."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from autoloader.connection import Connection
from autoloader.control import UNNAMED, Found, Standing, Story
from autoloader.control.told import part, preview_of, value_of, values_of
from autoloader.control.watching import report_of, watch
from autoloader.errors import UsageError
from autoloader.model import (
    Difference,
    File,
    FileProspect,
    FileStatus,
    FileVersion,
    Ingestion,
    IngestionStatus,
    Load,
    RefusedRecord,
    Reject,
    Run,
    Validation,
    Verification,
)
from autoloader.plan import unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from threading import Event
    from uuid import UUID

    from autoloader.control import JobWatcher, Wanted, Watcher
    from autoloader.control.wire import Wire
    from autoloader.model import Finding, NewIngestion, ValidationReport, VerificationReport, WantedRejects
    from autoloader.preview import Preview

OBJECTS = ("format_options", "table_properties")
"""Fields that an edit replaces as a whole, while a JSON merge patch would merge them."""
WATCHING = timedelta(minutes=2)
"""How long the service may be away while a run is watched: it may be started anew meanwhile."""


class Remote:
    """A ``Control`` over a service.

    Args:
        wire: leads to the service; opened and closed by the caller.
    """

    when_stopped = "The run goes on; once more stops at once."

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def create(self, draft: Mapping[str, Any]) -> Ingestion:
        """Sent again when the answer is lost, and made once."""
        told = self._wire.send("POST", "/ingestions", draft, headers=_once(), repeatable=True)
        return value_of(Ingestion, told)

    def ingestions(self) -> Sequence[Ingestion]:
        """Page after page."""
        return values_of(Ingestion, self._wire.pages("/ingestions"))

    def standing(self, name: str) -> Standing:
        """From three answers, a moment apart."""
        ingestion = self.named(name)
        newest = values_of(Run, self._wire.pages(f"/ingestions/{ingestion.id}/runs", at_most=1))
        return Standing(ingestion=ingestion, files=self._counts(ingestion), last_run=newest[0] if newest else None)

    def named(self, name: str) -> Ingestion:
        """Asked by name; where there is none, for all names, to say which is near."""
        try:
            found = values_of(Ingestion, self._wire.pages("/ingestions", {"name": name}))
        except UsageError as error:
            if error.field != "name":
                raise
            # Not even a name.
            found = []
        if found:
            return found[0]
        raise unknown_name(name, [each.name for each in self.ingestions()])

    def check(self, draft: Mapping[str, Any], saved: Ingestion | None) -> NewIngestion:
        """By the rules that need neither key nor catalog; the service checks the rest when it is asked to save."""
        from autoloader import defining  # noqa: PLC0415  it brings in PyIceberg, which takes a second to import

        return defining.define(draft, _NoKey(), saved)

    def edit(self, before: Ingestion, changes: Mapping[str, Any]) -> Ingestion:
        """As a patch of the version that was read."""
        told = self._wire.send("PATCH", f"/ingestions/{before.id}", _patch(before, changes), headers=_if_still(before))
        return value_of(Ingestion, told)

    def delete(self, before: Ingestion) -> None:
        """Sent once: whether it was done cannot be told from a second answer."""
        self._wire.send("DELETE", f"/ingestions/{before.id}", headers=_if_still(before))

    def move(self, name: str, status: IngestionStatus) -> Ingestion:
        """Asked again it is answered as it is."""
        verb = "pause" if status is IngestionStatus.PAUSED else "resume"
        return value_of(
            Ingestion, self._wire.send("POST", f"/ingestions/{self.named(name).id}/{verb}", repeatable=True)
        )

    def preview(self, name: str | None, changes: Mapping[str, Any]) -> Preview:
        """The service looks, within its own bounds."""
        return preview_of(self._try("preview", name, changes))

    def test(self, name: str | None, changes: Mapping[str, Any]) -> Connection:
        """The service asks, from where it is."""
        return value_of(Connection, self._try("test-connection", name, changes))

    def run(self, name: str, wanted: Wanted, watcher: Watcher, stopping: Event) -> Run:
        """Workers do it; here it is watched. It goes on when the watching is stopped."""
        run = self.enqueue(name, wanted)

        def again() -> Run:
            return value_of(Run, self._wire.get(f"/runs/{run.id}", patience=WATCHING))

        return watch(run, again, watcher, stopping)

    def enqueue(self, name: str, wanted: Wanted) -> Run:
        """Sent again when the answer is lost, and done once."""
        body = {
            name: value
            for name, value in (
                ("since", None if wanted.since is None else wanted.since.isoformat()),
                ("max_files", wanted.max_files),
            )
            if value is not None
        }
        path = f"/ingestions/{self.named(name).id}/run"
        return value_of(Run, self._wire.send("POST", path, body or None, headers=_once(), repeatable=True))

    def runs(self, name: str | None, limit: int) -> Sequence[Run]:
        """Page after page."""
        path = "/runs" if name is None else f"/ingestions/{self.named(name).id}/runs"
        return values_of(Run, self._wire.pages(path, at_most=limit))

    def failed(self, run: Run, limit: int) -> Sequence[File]:
        """Of the files that failed since the run began."""
        path, since = f"/ingestions/{run.ingestion_id}/files", run.started_at or run.created_at
        found = self._wire.pages(path, {"status": FileStatus.FAILED, "since": since.isoformat()})
        of_run = (file for file in map(_file, found) if file.run_id == run.id)
        return [file for _, file in zip(range(limit), of_run, strict=False)]

    def cancel(self, run_id: int) -> Run:
        """A second time it is answered as it is."""
        return value_of(Run, self._wire.send("POST", f"/runs/{run_id}/cancel", repeatable=True))

    def files(self, name: str, *, status: FileStatus | None, path: str | None, limit: int) -> Found:
        """Page after page; counted only where there may be more."""
        ingestion = self.named(name)
        asked = {"status": status, "path": path}
        found = values_of(File, self._wire.pages(f"/ingestions/{ingestion.id}/files", asked, at_most=limit))
        if len(found) < limit:
            return Found(files=found, total=len(found))
        counts = self._counts(ingestion)
        return Found(files=found, total=sum(counts.values()) if status is None else counts[status])

    def explain(self, path: str) -> Sequence[Story]:
        """From a few answers, a moment apart."""
        return [self._story(_file(each)) for each in part(self._wire.get("/files", {"path": path}), "items")]

    def retry(self, name: str, paths: Sequence[str]) -> int:
        """A lost answer is not asked for again: the second one would count none."""
        path = f"/ingestions/{self.named(name).id}/files/retry"
        count: int = part(self._wire.send("POST", path, {"paths": list(paths)} if paths else None), "files")
        return count

    def rejects(self, name: str, wanted: WantedRejects, limit: int) -> Sequence[Reject]:
        """Page after page."""
        path = f"/ingestions/{self.named(name).id}/rejects"
        return values_of(Reject, self._wire.pages(path, asdict(wanted), at_most=limit))

    def retry_rejects(self, name: str, paths: Sequence[str]) -> int:
        """A lost answer is not asked for again: the second one would count none."""
        path = f"/ingestions/{self.named(name).id}/rejects/retry"
        count: int = part(self._wire.send("POST", path, {"paths": list(paths)} if paths else None), "files")
        return count

    def lost(self) -> Sequence[Load]:
        """In one answer."""
        return values_of(Load, part(self._wire.get("/loads/lost"), "items"))

    def settle(self, load_id: UUID, *, loaded: bool) -> Load:
        """Sent once: a second answer could only say that it is settled already."""
        return value_of(Load, self._wire.send("POST", f"/loads/{load_id}/settle", {"loaded": loaded}))

    def verify(
        self, name: str, tell: Callable[[Difference], None], watcher: JobWatcher, stopping: Event
    ) -> VerificationReport:
        """A worker does it; here it is watched, and what it found is asked for page by page."""
        root = f"/ingestions/{self.named(name).id}"
        told = self._wire.send("POST", f"{root}/verify", headers=_once(), repeatable=True)
        begun = value_of(Verification, told)
        place = f"{root}/verifications/{begun.id}"

        def again() -> Verification:
            return value_of(Verification, self._wire.get(place, patience=WATCHING))

        report = report_of(begun, again, watcher, stopping)
        if not report.is_clean:
            for difference in self._wire.pages(f"{place}/differences"):
                tell(value_of(Difference, difference))
        return report

    def validate(
        self,
        name: str,
        max_files: int | None,
        tell: Callable[[Finding], None],
        watcher: JobWatcher,
        stopping: Event,
    ) -> ValidationReport:
        """A worker does it; here it is watched, and what it found is asked for page by page."""
        root = f"/ingestions/{self.named(name).id}"
        body = {"max_files": max_files}
        begun = value_of(
            Validation, self._wire.send("POST", f"{root}/validate", body, headers=_once(), repeatable=True)
        )
        place = f"{root}/validations/{begun.id}"

        def again() -> Validation:
            return value_of(Validation, self._wire.get(place, patience=WATCHING))

        report = report_of(begun, again, watcher, stopping)
        for refused in self._wire.pages(f"{place}/refused"):
            tell(value_of(RefusedRecord, refused))
        for file in self._wire.pages(f"{place}/files"):
            tell(value_of(FileProspect, file))
        return report

    def _counts(self, ingestion: Ingestion) -> dict[FileStatus, int]:
        counts = part(self._wire.get(f"/ingestions/{ingestion.id}/files/counts"), "files")
        return {status: part(counts, status) for status in FileStatus}

    def _story(self, file: File) -> Story:
        told = self._wire.get(f"/files/{file.id}")
        ingestion = self._wire.get(f"/ingestions/{file.ingestion_id}")
        return Story(
            ingestion=value_of(Ingestion, ingestion),
            file=_file(told),
            history=values_of(FileVersion, part(told, "history")),
        )

    def _try(self, what: str, name: str | None, changes: Mapping[str, Any]) -> object:
        if name is None:
            return self._wire.send("POST", f"/ingestions/{what}", UNNAMED | dict(changes), repeatable=True)
        saved = self.named(name)
        body = _patch(saved, changes) if changes else None
        return self._wire.send("POST", f"/ingestions/{saved.id}/{what}", body, repeatable=True)


def _file(told: object) -> File:
    return value_of(File, told)


def _once() -> dict[str, str]:
    """The header by which the service knows a request that is sent again."""
    return {"Idempotency-Key": uuid.uuid4().hex}


def _if_still(before: Ingestion) -> dict[str, str]:
    """The header by which the service refuses when somebody else edited it meanwhile."""
    return {"If-Match": f'"{before.version}"'}


class _NoKey:
    """In place of a vault: who asks a service has no key to seal with."""

    def seal(self, _secret: str) -> str:
        """Refuse.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "a key itself is not checked here: name it as env:NAME or file:/path", field="source_credentials"
        )


def _patch(before: Ingestion, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as a JSON merge patch (RFC 7396): what an object does not hold any more is null in it."""
    patch = dict(changes)
    for name in OBJECTS:
        if name in changes:
            patch[name] = dict.fromkeys(getattr(before, name)) | changes[name]
    return patch
