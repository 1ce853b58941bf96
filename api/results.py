"""What became of a job: its attempts, log lines, events as they happen, and the files it made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from anyio.to_thread import run_sync
from litestar import Request, Response, get
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Stream

from api.auth import needs
from api.download import RawAnswer, file_response
from api.feed import News
from api.problems import responses
from api.services import ANY_BIGINT, JobId, Running, Who, resolve
from queue_schema import reads
from queue_schema.errors import BadRequest, NotFound
from queue_schema.states import Scope

_LIVE = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
After = Annotated[int, QueryParameter(ge=0, le=ANY_BIGINT, description="Only what came after this id.")]


LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID", description="As `after`, and stronger; browsers send it by themselves."
    ),
]


class Outputs(msgspec.Struct, frozen=True):
    """The files of a job's last success."""

    outputs: list[reads.Output]


class Attempts(msgspec.Struct, frozen=True):
    """The runs of a job, first to last."""

    attempts: list[reads.Attempt]


class Logs(msgspec.Struct, frozen=True):
    """Some log lines, oldest first."""

    chunks: list[reads.LogChunk]
    next: int | None
    """Give this as `after` for more; none when there is no more for now."""


@get(
    "/jobs/{job_id:str}/attempts",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List the runs of a job",
    responses=responses(404, 409),
)
def list_attempts(job_id: JobId, who: Who, services: Running) -> Attempts:
    """Where each ran, how it ended, and why."""
    with services.pool.connection() as conn:
        found = reads.job(conn, who.project_id, resolve(conn, who.project_id, job_id)).job_id
        return Attempts(reads.attempts(conn, who.project_id, found))


@get(
    "/jobs/{job_id:str}/logs",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    summary="Read a job's log",
    responses=responses(404, 409),
)
async def read_logs(
    *,
    job_id: JobId,
    who: Who,
    services: Running,
    follow: Annotated[
        bool,
        QueryParameter(
            description="Stream chunks as JSON lines, until the job has ended; blank lines keep it alive."
        ),
    ] = False,
    after: After = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> Response[Any]:
    """One page of whole lines, or with `follow=true` all there is and then each line as it comes."""

    def read() -> tuple[reads.Job, list[reads.LogChunk]]:
        with services.pool.connection() as conn:
            job = reads.job(conn, who.project_id, resolve(conn, who.project_id, job_id))
            return job, [] if follow else reads.logs_after(conn, {job.job_id: after}, limit=limit)

    job, chunks = await run_sync(read)
    if not follow:
        return Response(Logs(chunks, chunks[-1].log_id if len(chunks) == limit else None))

    async def lines() -> AsyncIterator[bytes]:
        async for news in services.feed.watch(job.job_id, "logs", after=after):
            if news is None:
                yield b"\n"
            else:
                yield b"".join(msgspec.json.encode(chunk) + b"\n" for chunk in news.logs)

    return Stream(lines(), media_type="application/x-ndjson", headers=_LIVE)


@get(
    "/jobs/{job_id:str}/events",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    summary="Watch a job",
    responses=responses(404, 409),
    media_type="text/event-stream",
)
async def watch(
    job_id: JobId,
    who: Who,
    services: Running,
    after: After = 0,
    last_event_id: LastEventId = None,
) -> Stream:
    """Server-sent events from the first on (or after `Last-Event-ID`), until the job has ended.

    Each has the job's new step as its event name (`submitted`, `claimed`, `succeeded`, ...); `progress` carries no
    id and may skip steps; `end` comes last and carries the final state.
    """
    last = (last_event_id or "").strip()
    if last:
        if not (last.isascii() and last.isdigit() and int(last[:20]) <= ANY_BIGINT):
            raise BadRequest(
                "not an event id", field="Last-Event-ID", fix="Send the id of the last event you got."
            )
        after = int(last[:20])

    def read() -> reads.Job:
        with services.pool.connection() as conn:
            return reads.job(conn, who.project_id, resolve(conn, who.project_id, job_id))

    job = await run_sync(read)

    async def stream() -> AsyncIterator[bytes]:
        yield b": watching\nretry: 2000\n\n"
        async for news in services.feed.watch(job.job_id, "events", after=after):
            yield b": alive\n\n" if news is None else _frames(news)

    return Stream(stream(), media_type="text/event-stream", headers=_LIVE)


def _frames(news: News) -> bytes:
    frames = [_frame(event.event, event, event.event_id) for event in news.events]
    if news.progress is not None:
        # Before the steps it led to would be as right: the two are read in one look.
        frames.insert(0 if news.ended else len(frames), _frame("progress", news.progress))
    if news.ended:
        frames.append(_frame("end", {"state": news.state}))
    return b"".join(frames)


def _frame(name: str, data: Any, event_id: int | None = None) -> bytes:
    # JSON has no raw line breaks, so one `data:` line always holds it.
    head = b"" if event_id is None else b"id: %d\n" % event_id
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), msgspec.json.encode(data))


@get(
    "/jobs/{job_id:str}/outputs",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List the files a job made",
    responses=responses(404, 409),
)
def list_outputs(job_id: JobId, who: Who, services: Running) -> Outputs:
    """They are there from the moment the job succeeds, all at once."""
    with services.pool.connection() as conn:
        found = reads.job(conn, who.project_id, resolve(conn, who.project_id, job_id)).job_id
        return Outputs(reads.outputs(conn, who.project_id, found))


@get(
    "/jobs/{job_id:str}/outputs/{name:path}",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    summary="Download a file a job made",
    operation_class=RawAnswer,
    responses=responses(404, 409, 416),
)
async def get_output(
    job_id: JobId, name: FromPath[str], who: Who, services: Running, request: Request[Any, Any, Any]
) -> Response[Any]:
    """The file itself. A `Range` of bytes may be asked for."""
    wanted = name.removeprefix("/")

    def read() -> reads.Output:
        with services.pool.connection() as conn:
            found = reads.job(conn, who.project_id, resolve(conn, who.project_id, job_id)).job_id
            for output in reads.outputs(conn, who.project_id, found):
                if output.name == wanted:
                    return output
        raise NotFound(f"the job has no output {wanted!r}", field="name", fix="List its outputs first.")

    output = await run_sync(read)
    return await file_response(
        services.store,
        request,
        who.project_id,
        sha256=output.sha256,
        size=output.size,
        media_type=output.media_type,
        name=output.name,
    )


HANDLERS: list[Any] = [list_attempts, read_logs, watch, list_outputs, get_output]
