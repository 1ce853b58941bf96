"""Talk to a fleet: submit jobs, find them, move files. Synchronous, typed, safe to share between threads."""

from __future__ import annotations

import errno
import hashlib
import mimetypes
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec

from argosy import trace
from argosy._http import Query, Transport
from argosy.config import find
from argosy.erasures import Erasures
from argosy.errors import ArgosyError, BadRequest, NotFound, Unreachable
from argosy.job import Job
from argosy.models import Blob, JobInfo, Node
from argosy.oncall import Dead, Fleet, Selection, selection
from argosy.questions import Fit
from argosy.schedules import Schedules
from argosy.spec import After, InputValue, JobSpec, as_json

_CHUNK = 1024 * 1024
_TRIES = 5
_NO_PLACE = frozenset({errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL})
"""The path is at fault, not the disk."""


class _Submitted(msgspec.Struct):
    job_id: str
    state: str
    created: bool = True


class _Batch(msgspec.Struct):
    jobs: list[_Submitted]


class _Page(msgspec.Struct):
    jobs: list[JobInfo]
    next: str | None = None


class _Fits(msgspec.Struct):
    jobs: list[Fit]


class _Nodes(msgspec.Struct):
    nodes: list[Node]


class Client:
    """A fleet, as one project sees it.

    Args:
        url: Where its API is; else ARGOSY_URL, else what `argosy up` wrote.
        api_key: Else ARGOSY_API_KEY, else what `argosy up` wrote.
        tries: How often a call is tried while nothing answers, or the answer is 503.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, *, tries: int = 6) -> None:
        self.http = Transport(find(url, api_key), tries=tries)
        self.schedules = Schedules(self.http, self._upload)
        self.fleet = Fleet(self.http)
        self.dead = Dead(self.http)
        self.erasures = Erasures(self.http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<argosy.Client {self.http.url}>"

    def close(self) -> None:
        """Let the connections go."""
        self.http.close()

    def submit(
        self,
        kind: str,
        params: Mapping[str, Any] | None = None,
        *,
        inputs: Mapping[str, InputValue] | None = None,
        after: Sequence[Job | str | After] = (),
        name: str | None = None,
        priority: str | None = None,
        need: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        run_at: datetime | None = None,
        start_by: datetime | None = None,
        timeout_s: int | None = None,
        retries: int | None = None,
        exclusive: bool = False,
        preemptible: bool = False,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Add a job; it survives any crash from then on.

        Files among *inputs* are uploaded first, and only if the fleet does not have them. The call is safe to
        repeat by itself; with an *idempotency_key* of yours, so is your whole program.

        Raises:
            BadRequest: An argument is not usable; its `field` says which.
            NotFound: A file or a job it points at is not of this project.
        """
        spec = JobSpec(
            kind=kind,
            params=params or {},
            inputs=inputs or {},
            after=after,
            name=name,
            priority=priority,
            need=need,
            tags=tags or {},
            run_at=run_at,
            start_by=start_by,
            timeout_s=timeout_s,
            retries=retries,
            exclusive=exclusive,
            preemptible=preemptible,
            webhook=webhook,
        )
        [stated] = as_json([spec], self._upload)
        del stated["ref"]
        answer = self.http.call(
            "POST", "/v1/jobs", _Submitted, json=stated, headers=_of_submission(idempotency_key)
        )
        return Job(self, answer.job_id, created=answer.created)

    def submit_many(self, specs: Sequence[JobSpec], *, idempotency_key: str | None = None) -> list[Job]:
        """Add several jobs, all or none; they may point at each other (`after`, `spec.output(name)`)."""
        return self.submit_raw(as_json(specs, self._upload), idempotency_key=idempotency_key)

    def submit_raw(
        self, jobs: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[Job]:
        """Add jobs that are written as the API wants them, all or none."""
        headers = _of_submission(idempotency_key)
        answer = self.http.call("POST", "/v1/jobs/batch", _Batch, json={"jobs": jobs}, headers=headers)
        return [Job(self, each.job_id, created=each.created) for each in answer.jobs]

    def fit(self, jobs: Sequence[JobSpec | Mapping[str, Any]]) -> list[Fit]:
        """What would start now, where, and when, if these were submitted; nothing is, and no file is uploaded.

        Raises:
            BadRequest: A job is not one that could be submitted; `field` says which.
        """
        stated = [
            dict(job)
            if isinstance(job, Mapping)
            else as_json([replace(job, inputs={}, after=())], _unsent)[0]
            for job in jobs
        ]
        return self.http.call("POST", "/v1/fit", _Fits, json={"jobs": stated}).jobs

    def job(self, job_id: str) -> Job:
        """One job, by its id or a unique beginning of it.

        Raises:
            NotFound: There is none.
            Conflict: Several begin so.
        """
        info = self.http.call("GET", f"/v1/jobs/{quote(job_id, safe='')}", JobInfo)
        return Job(self, info.job_id, info=info)

    def jobs(
        self,
        *,
        state: str | Sequence[str] | None = None,
        kind: str | None = None,
        priority: str | None = None,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Jobs, newest first; pages are fetched as they are needed."""
        query: Query = [
            (key, value) for key, value in (("kind", kind), ("priority", priority), ("name", name)) if value
        ]
        query += [("state", each) for each in ([state] if isinstance(state, str) else state or [])]
        query += [("tag", f"{key}:{value}") for key, value in (tags or {}).items()]
        left, cursor = limit, None
        while left is None or left > 0:
            size = 100 if left is None else min(left, 500)
            page_query = [*query, ("limit", str(size)), *([("cursor", cursor)] if cursor else [])]
            page = self.http.call("GET", "/v1/jobs", _Page, query=page_query)
            for info in page.jobs:
                yield Job(self, info.job_id, info=info)
            cursor = page.next
            if cursor is None:
                return
            left = None if left is None else left - len(page.jobs)

    def where(
        self,
        *,
        state: str | Sequence[str] | None = None,
        jobs: Sequence[str] | None = None,
        kind: str | None = None,
        priority: str | None = None,
        tags: Mapping[str, str] | None = None,
        older_than_s: float | None = None,
        node: str | None = None,
        cause: str | None = None,
        ended_after: datetime | None = None,
        ended_before: datetime | None = None,
        dead: bool = False,
        project: str | None = None,
    ) -> Selection:
        """Many jobs at once: `client.where(state="running", node="gpu-7").requeue()`.

        What is left out does not filter; *dead* are those that failed by themselves with no retry left. With
        *project*, those of another one, or of all (`*`); that needs the scope admin.
        """
        return selection(
            self.http,
            state=state,
            jobs=jobs,
            kind=kind,
            priority=priority,
            tags=tags,
            older_than_s=older_than_s,
            node=node,
            cause=cause,
            ended_after=ended_after,
            ended_before=ended_before,
            dead=dead,
            project=project,
        )

    def nodes(self) -> list[Node]:
        """The hosts of the fleet."""
        return self.http.call("GET", "/v1/nodes", _Nodes).nodes

    def drain(self, node: str, *, on: bool = True) -> bool:
        """Let a node take nothing new (or, with `on=False`, take work again). Returns whether that changed anything."""
        path = f"/v1/nodes/{quote(node, safe='')}/drain"
        return bool(self.http.call("POST", path, dict[str, Any], json={"on": on})["changed"])

    def pause(self, *, paused: bool = True, priority: str | None = None, kind: str | None = None) -> int:
        """Start nothing more of this project (or of one priority or kind of it). Returns how many lanes changed."""
        body = {"paused": paused, "priority": priority, "kind": kind}
        return int(self.http.call("POST", "/v1/pause", dict[str, Any], json=body)["lanes"])

    def put(self, source: str | Path | bytes, *, media_type: str | None = None) -> Blob:
        """Make sure the fleet has a file; what it has already is not sent again.

        Raises:
            BadRequest: There is no such file here, or it is too large.
        """
        if isinstance(source, bytes):
            held = source
            sha256, size = hashlib.sha256(held).hexdigest(), len(held)
        else:
            held, path = b"", Path(source)
            media_type = media_type or mimetypes.guess_type(path.name)[0]
            sha256, size = _hash(path)
        target = f"/v1/blobs/{sha256}"
        try:
            self.http.call("HEAD", target, type(None))
        except NotFound:
            headers = {"Content-Type": media_type or "application/octet-stream", "Content-Length": str(size)}
            body = (lambda: [held]) if isinstance(source, bytes) else (lambda: _read(Path(source)))
            self.http.call("PUT", target, type(None), headers=headers, body=body)
        return Blob(sha256, size)

    def get(self, sha256: str, path: str | Path) -> Path:
        """Fetch a file by its hash. Nothing lies at *path* until it is there whole.

        Raises:
            BadRequest: The path cannot be a file's.
            ArgosyError: It cannot be written.
        """
        return self.fetch(f"/v1/blobs/{quote(sha256, safe='')}", Path(path), sha256=sha256)

    def fetch(self, source: str, path: Path, *, sha256: str) -> Path:
        """Download *source*, check it, and only then name it *path*; a broken line is taken up where it broke."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise _not_writable(path, errno.EISDIR)  # before it is fetched in vain
            part = path.with_name(f".{path.name[:40]}.{uuid4().hex[:8]}.part")
            try:
                digest = self._download(source, part)
                if digest != sha256:
                    raise ArgosyError(
                        f"{path.name} arrived with the sha256 {digest}, not {sha256}",
                        code="hash_differs",
                        fix="Try again.",
                    )
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as exc:
            raise _not_writable(path, exc.errno or 0) from exc
        return path

    def _download(self, source: str, part: Path) -> str:
        digest, got = hashlib.sha256(), 0
        with part.open("wb") as file:
            for tried in range(1, _TRIES + 1):
                headers = {"Range": f"bytes={got}-"} if got else {}
                try:
                    with self.http.stream(source, headers=headers) as answer:
                        if got and answer.status_code != 206:
                            raise Unreachable(
                                "the server does not take a download up again", code="unreachable"
                            )
                        for chunk in answer.iter_raw(_CHUNK):
                            digest.update(chunk)
                            file.write(chunk)
                            got += len(chunk)
                    return digest.hexdigest()
                except httpx.TransportError as exc:
                    if tried == _TRIES:
                        raise Unreachable(
                            f"{source} broke off: {exc}", code="unreachable", fix="Try again."
                        ) from exc
                    time.sleep(0.2 * 2.0**tried)
        raise AssertionError("unreachable: the loop returns or raises")

    def _upload(self, source: Path | bytes) -> Blob:
        return self.put(source)


def _of_submission(key: str | None) -> dict[str, str]:
    if key is not None and not all("!" <= each <= "~" for each in key):  # no header could carry it
        raise BadRequest(
            "not a usable key",
            code="bad_request",
            field="idempotency_key",
            fix="Use 1 to 200 visible ASCII characters, no blanks.",
        )
    # An empty one is somebody's unset variable: the API refuses it, where a fresh one would submit twice.
    return {"Idempotency-Key": f"sdk-{uuid4().hex}" if key is None else key, **trace.headers()}


def _not_writable(path: Path, number: int) -> ArgosyError:
    kind = BadRequest if number in _NO_PLACE else ArgosyError
    return kind(f"{path}: {os.strerror(number)}", code="not_writable", field="path")


def _unsent(source: Path | bytes) -> Blob:
    raise AssertionError(f"nothing is uploaded here, not even {source!r}")


def _hash(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for chunk in _read(path):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _read(path: Path) -> Iterable[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as exc:
        raise BadRequest(f"{path}: {exc.strerror}", code="no_such_file", field="path") from exc
