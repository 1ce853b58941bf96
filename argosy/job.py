"""One job, as a handle: ask it, wait for it, fetch what it made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import msgspec

from argosy._http import ALIVE_S, Query
from argosy._patience import Patience
from argosy.errors import ArgosyError, Away, BadRequest, JobFailed, OutputsLeft, Unreachable
from argosy.models import Attempt, JobEvent, JobInfo, LogChunk, Output
from argosy.questions import Eta, Why
from argosy.spec import OutputOf

if TYPE_CHECKING:
    from argosy.client import Client


class Job:
    """A job of this project. What it knows was true when it was asked; `refresh()` asks again."""

    def __init__(
        self, client: Client, job_id: str, *, info: JobInfo | None = None, created: bool = True
    ) -> None:
        self._client = client
        self._info = info
        self.id = job_id
        self.created = created
        """False when a submission with this idempotency key had been made before."""

    def __repr__(self) -> str:
        return f"<argosy.Job {self.id}{f' {self._info.state}' if self._info else ''}>"

    @property
    def info(self) -> JobInfo:
        """What was last heard of it."""
        return self._info or self.refresh()

    @property
    def state(self) -> str:
        """`waiting`, `ready`, `running`, `succeeded`, `failed` or `cancelled`, when last heard of."""
        return self.info.state

    @property
    def result(self) -> dict[str, Any] | None:
        """The values it returned; its files are `outputs`."""
        return self.refresh().result

    def refresh(self) -> JobInfo:
        """Ask the fleet, and remember."""
        self._info = self._client.http.call("GET", self._path(), JobInfo)
        return self._info

    def output(self, name: str) -> OutputOf:
        """A file it will make, as an input of another job."""
        return OutputOf(self, name)

    def cancel(self) -> str:
        """End it wherever it is. Returns `cancelled`, `cancelling` (it runs, and ends soon) or `already_ended`."""
        return str(self._client.http.call("POST", self._path("cancel"), dict[str, Any])["outcome"])

    def retry(self) -> str:
        """Run it again if it has ended. Returns `retried` or `not_ended`."""
        answer = self._client.http.call("POST", self._path("retry"), dict[str, Any])
        self._info = None
        return str(answer["outcome"])

    def why(self) -> Why:
        """Why it has not started, and the smallest change that starts it now."""
        return self._client.http.call("GET", self._path("why"), Why)

    def eta(self) -> Eta:
        """When it will start and finish: even odds, and nine of ten."""
        return self._client.http.call("GET", self._path("eta"), Eta)

    def change(self, **fields: Any) -> str:
        """Change it before it starts: `priority`, `need`, `run_at` (None: now), `after` (only []). Returns its state.

        Raises:
            BadRequest: A field, or its value, cannot be.
            Conflict: It runs, or has ended.
        """
        answer = self._client.http.call("PATCH", self._path(), dict[str, Any], json=fields)
        self._info = None
        return str(answer["state"])

    def attempts(self) -> list[Attempt]:
        """Its runs, first to last."""
        return self._client.http.call("GET", self._path("attempts"), _Attempts).attempts

    def wait(self, timeout: float | None = None, *, check: bool = True) -> Job:
        """Return when it has ended. While the API or its database is away, go on waiting.

        Args:
            timeout: Seconds; None waits for ever, but not for longer than ten minutes without any answer.
            check: Raise when it ended otherwise than as a success.

        Raises:
            WaitTimeout: It has not ended in time, or nobody could say so; it goes on.
            JobFailed: It failed or was cancelled.
            Unreachable: Without a timeout: nothing has answered for ten minutes.
            Away: Without a timeout: the database has been away for ten minutes.
        """
        patience = Patience(self.id, timeout_s=timeout)
        for _ in self._events(patience, after=None):
            pass
        info = patience.answer(self.refresh)
        if check and info.state != "succeeded":
            reason = (info.error.message if info.error else None) or info.cause or "no reason was given"
            raise JobFailed(
                f"job {self.id} {info.state}: {reason}",
                job_id=self.id,
                state=info.state,
                cause=info.cause,
                traceback=info.error.traceback if info.error else None,
            )
        return self

    def events(self, *, after: int | None = None) -> Iterator[JobEvent]:
        """What happened and happens to it, until it has ended.

        Goes on by itself after a broken connection, and while the API or its database is away: for ten minutes
        without any answer.
        """
        return self._events(Patience(self.id), after=after)

    def _events(self, patience: Patience, *, after: int | None) -> Iterator[JobEvent]:
        last = after
        while True:
            left_s = patience.left_s()
            headers = {} if last is None else {"Last-Event-ID": str(last)}
            read_s = ALIVE_S if left_s is None else min(ALIVE_S, left_s + 0.05)
            try:
                with self._client.http.stream(
                    self._path("events"), headers=headers, read_s=read_s, until=patience.deadline
                ) as answer:
                    patience.heard()
                    for event in _parse(answer.iter_lines()):
                        if event is None:
                            patience.left_s()
                            continue
                        last = event.id if event.id is not None else last
                        yield event
                        if event.name == "end":
                            return
                        patience.left_s()
            except httpx.TransportError:
                pass  # go on after the last event, as when the server closed it
            except (Unreachable, Away) as exc:
                patience.not_answered(exc)
                continue
            patience.broken_off()

    def logs(self, *, follow: bool = False, after: int = 0) -> Iterator[LogChunk]:
        """Its log, oldest first; with *follow* also what comes, until it has ended, as patiently as `events`."""
        while not follow:
            page = self._logs(after)
            yield from page.chunks
            if page.next is None:
                return
            after = page.next
        patience = Patience(self.id)
        while True:
            # Asked first: what is written before the job ends is in the stream that is opened after.
            ended = patience.answer(self.refresh).ended
            query: Query = [("after", after), ("follow", True)]
            try:
                with self._client.http.stream(self._path("logs"), query=query, read_s=ALIVE_S) as answer:
                    for line in answer.iter_lines():
                        if not line:
                            continue
                        chunk = msgspec.json.decode(line, type=LogChunk)
                        after = chunk.log_id
                        yield chunk
            except httpx.TransportError:
                patience.broken_off()
                continue
            except (Unreachable, Away) as exc:
                patience.not_answered(exc)
                continue
            if ended or patience.answer(self.refresh).ended:
                break
        # A server that was stopped ends its streams, too: look once more for what it did not say.
        rest: int | None = after
        while rest is not None:
            page = patience.answer(partial(self._logs, rest))
            yield from page.chunks
            rest = page.next

    def _logs(self, after: int) -> _Logs:
        query: Query = [("after", after), ("limit", 500)]
        return self._client.http.call("GET", self._path("logs"), _Logs, query=query)

    @property
    def outputs(self) -> dict[str, Output]:
        """The files of its last success, by name."""
        listed = self._client.http.call("GET", self._path("outputs"), _Outputs).outputs
        return {output.name: output for output in listed}

    def download(self, folder: str | Path = ".", *, names: list[str] | None = None) -> list[Path]:
        """Fetch its files (or those *names*) into *folder*, checked by their hashes.

        Raises:
            OutputsLeft: Some names cannot be files there, or would lead out of it; all others were fetched.
            ArgosyError: It has no output of that name.
        """
        there = self.outputs
        paths: list[Path] = []
        left: dict[str, str] = {}
        for name in there if names is None else names:
            if name not in there:
                raise ArgosyError(
                    f"job {self.id} has no output {name!r}",
                    code="not_found",
                    field="name",
                    fix=f"It has: {', '.join(there) or 'none'}.",
                )
            source = self._path(f"outputs/{quote(name, safe='')}")
            try:
                path = Path(folder) / _inside(name)
                paths.append(self._client.fetch(source, path, sha256=there[name].sha256))
            except BadRequest as exc:
                left[name] = Exception.__str__(exc)
        if left:
            raise OutputsLeft(left, paths)
        return paths

    def _path(self, leaf: str = "") -> str:
        path = f"/v1/jobs/{quote(self.id, safe='')}"
        return f"{path}/{leaf}" if leaf else path


class _Attempts(msgspec.Struct):
    attempts: list[Attempt]


class _Outputs(msgspec.Struct):
    outputs: list[Output]


class _Logs(msgspec.Struct):
    chunks: list[LogChunk]
    next: int | None = None


def _inside(name: str) -> PurePosixPath:
    """*name* as a path that stays below the folder it is joined to; the job chose it, and it may be hostile."""
    path = PurePosixPath(name)
    means_more = os.name == "nt" and any(each in name for each in "\\:")
    if path.is_absolute() or ".." in path.parts or not path.parts or means_more:
        raise BadRequest(f"{name!r} is no name for a file here", code="bad_name", field="name")
    return path


def _parse(lines: Iterator[str]) -> Iterator[JobEvent | None]:
    """Server-sent events; None for a sign of life."""
    name, data, event_id = "message", "", None
    for line in lines:
        if line.startswith(":"):
            yield None
        elif line:
            key, _, value = line.partition(": ")
            if key == "event":
                name = value
            elif key == "data":
                data = value
            elif key == "id":
                event_id = int(value)
        else:
            if data:
                yield JobEvent(name, msgspec.json.decode(data), event_id)
            name, data, event_id = "message", "", None
