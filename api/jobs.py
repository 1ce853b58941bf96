"""Jobs in, and what is known of them: submit, list, show, cancel, retry."""

from __future__ import annotations

import re
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromQuery, HeaderParameter, QueryParameter

from api.auth import needs
from api.problems import responses
from api.services import JobId, Running, Services, Who, resolve, wake
from api.strict import check
from queue_schema import reads
from queue_schema.calls import clients
from queue_schema.errors import BadRequest, FleetError
from queue_schema.shapes import Principal, Submission, Submitted
from queue_schema.states import JobState, Priority, Scope

_MOST_JOBS = 5000
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,200}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="1 to 200 characters of your choice, of visible ASCII without blanks. For a day the same submission "
        "with the same key changes nothing and gets the first answer.",
    ),
]
Traceparent = Annotated[str | None, HeaderParameter(name="traceparent", description="W3C trace context.")]


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Several jobs, submitted all or none; they may point at each other by `ref`."""

    jobs: list[Submission]


class BatchSubmitted(msgspec.Struct, frozen=True):
    """The answers, in the order of the jobs."""

    jobs: list[Submitted]


class JobPage(msgspec.Struct, frozen=True):
    """Some jobs, newest first."""

    jobs: list[reads.JobSummary]
    next: str | None
    """Give this as `cursor` for the page after; none when this was the last."""


_PHOTOS = {f"photo-{number}.jpg": {"sha256": f"{number:064x}"} for number in range(1, 5)}
_ONE = [
    Example(
        summary="A command",
        value={"kind": "command", "params": {"argv": ["nvidia-smi"]}, "need": {"gpus": 1, "vram_mib": 2048}},
    ),
    Example(
        summary="Training on uploaded photos, high priority, at most two hours",
        value={
            "kind": "diffusion.train_lora",
            "name": "anna",
            "priority": "high",
            "params": {"steps": 800},
            "inputs": _PHOTOS,
            "timeout_s": 7200,
            "tags": {"customer": "42"},
        },
    ),
]
_WORKFLOW = [
    Example(
        summary="Train, then generate with what the training made",
        value={
            "jobs": [
                {"ref": "train", "kind": "diffusion.train_lora", "params": {"steps": 800}, "inputs": _PHOTOS},
                {
                    "kind": "diffusion.generate",
                    "params": {"prompt": "a portrait"},
                    "inputs": {"lora": {"job": "train", "output": "lora.safetensors"}},
                    "after": ["train"],
                },
            ]
        },
    )
]


@post(
    "/jobs",
    tags=["jobs"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    summary="Submit a job",
    responses=responses(404, 409, 413),
)
def submit(
    data: Annotated[Submission, Body(examples=_ONE)],
    who: Who,
    services: Running,
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> Response[Submitted]:
    """Add one job. Once answered, it survives any crash. 200 instead of 201: it had been submitted before."""
    check(data, "")
    try:
        [answer] = _submit(services, who, [data], idempotency_key, traceparent)
    except FleetError as exc:
        # The verb takes a list; its caller here wrote no list.
        exc.field = exc.field.removeprefix("jobs[0]").lstrip(".") or None if exc.field else None
        raise
    return Response(answer, status_code=201 if answer.created else 200)


@post(
    "/jobs/batch",
    tags=["jobs"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    summary="Submit several jobs, or a workflow",
    responses=responses(404, 409, 413),
)
def submit_batch(
    data: Annotated[Batch, Body(examples=_WORKFLOW)],
    who: Who,
    services: Running,
    idempotency_key: IdempotencyKey = None,
    traceparent: Traceparent = None,
) -> Response[BatchSubmitted]:
    """Add all of them or none. A job may name another one's `ref` in `after` and `inputs`."""
    if not 1 <= len(data.jobs) <= _MOST_JOBS:
        raise BadRequest(
            f"{len(data.jobs)} jobs in one request", field="jobs", fix=f"Send 1 to {_MOST_JOBS} jobs at once."
        )
    for index, job in enumerate(data.jobs):
        check(job, f"jobs[{index}].")
    answers = _submit(services, who, data.jobs, idempotency_key, traceparent)
    created = any(answer.created for answer in answers)
    return Response(BatchSubmitted(answers), status_code=201 if created else 200)


def _submit(
    services: Services, who: Principal, jobs: list[Submission], idempotency_key: str | None, trace: str | None
) -> list[Submitted]:
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise BadRequest(
            "not a usable key",
            field="Idempotency-Key",
            fix="Use 1 to 200 visible ASCII characters, no blanks.",
        )
    with services.pool.connection() as conn:
        brought = trace if trace and _TRACEPARENT.fullmatch(trace) else None
        answers = services.submissions.told(
            who,
            jobs,
            brought,
            lambda trace: clients.submit(
                conn,
                who.project_id,
                jobs,
                key_id=who.key_id,
                idempotency_key=idempotency_key,
                trace=trace,
            ),
        )
        wake(conn)
    return answers


@get(
    "/jobs",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List jobs, newest first",
    responses=responses(),
)
def list_jobs(
    *,
    who: Who,
    services: Running,
    states: Annotated[
        list[JobState] | None, QueryParameter(name="state", description="One or several.")
    ] = None,
    kind: FromQuery[str | None] = None,
    priority: FromQuery[Priority | None] = None,
    name: FromQuery[str | None] = None,
    tag: Annotated[
        list[str] | None, QueryParameter(description="`key:value`; given several times, all must match.")
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, QueryParameter(description="The `next` of the page before.")] = None,
) -> JobPage:
    """Pages hold still: a job submitted meanwhile comes before the first page, never between two."""
    wanted = reads.JobFilter(
        states=states or [],
        kind=kind,
        priority=priority,
        name=name,
        tags=dict(_tag(each) for each in tag or []),
        before=_cursor(cursor),
    )
    with services.pool.connection() as conn:
        found = reads.jobs(conn, who.project_id, wanted, limit=limit + 1)
    page = found[:limit]
    return JobPage(page, page[-1].job_id.hex if len(found) > limit else None)


def _tag(text: str) -> tuple[str, str]:
    key, separator, value = text.partition(":")
    if not separator or not key:
        raise BadRequest(f"{text!r} is no tag", field="tag", fix="Write tag=key:value.")
    return key, value


def _cursor(text: str | None) -> UUID | None:
    if text is None:
        return None
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise BadRequest("not a cursor", field="cursor", fix="Give the `next` of the page before.")
    return UUID(text)


@get(
    "/jobs/{job_id:str}",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="Show a job",
    responses=responses(404, 409),
)
def show_job(job_id: JobId, who: Who, services: Running) -> reads.Job:
    """Everything known of one job."""
    with services.pool.connection() as conn:
        return reads.job(conn, who.project_id, resolve(conn, who.project_id, job_id))


@post(
    "/jobs/{job_id:str}/cancel",
    tags=["jobs"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    status_code=200,
    summary="Cancel a job",
    responses=responses(404, 409),
)
def cancel(job_id: JobId, who: Who, services: Running) -> clients.Cancelled:
    """End it wherever it is. Running work is told at once and ends within seconds: `cancelling`."""
    with services.pool.connection() as conn:
        [answer] = clients.cancel(conn, who.project_id, [resolve(conn, who.project_id, job_id)])
    return answer


@post(
    "/jobs/{job_id:str}/retry",
    tags=["jobs"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    status_code=200,
    summary="Run an ended job again",
    responses=responses(404, 409),
)
def retry(job_id: JobId, who: Who, services: Running) -> clients.Retried:
    """Same job, same id, fresh retries. Outputs of its last success stay until the next one."""
    with services.pool.connection() as conn:
        [answer] = clients.retry(conn, who.project_id, [resolve(conn, who.project_id, job_id)])
        wake(conn)
    return answer


HANDLERS: list[Any] = [submit, submit_batch, list_jobs, show_job, cancel, retry]
