"""Questions about jobs: why one has not started, when it will, what would fit; and the changes the answers propose."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from litestar import get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from api.auth import needs
from api.problems import responses
from api.services import JobId, Running, Who, resolve, wake
from api.strict import check
from queue_schema.calls import clients, questions
from queue_schema.errors import BadRequest, FleetError
from queue_schema.shapes import Need, Submission
from queue_schema.states import Priority, Scope

_MOST_FITS = 100


class Amendment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to change; what is left out stays."""

    priority: Priority | UnsetType = UNSET
    need: Need | UnsetType = UNSET
    """Its fields go over what the job needs now."""
    run_at: datetime | UnsetType | None = UNSET
    """null: now."""
    after: list[str] | UnsetType = UNSET
    """Only [], which lets go of what it still waits for."""


class FitRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Jobs as they would be submitted."""

    jobs: list[Submission]


class FitAnswer(msgspec.Struct, frozen=True):
    """One answer for each, in their order."""

    jobs: list[questions.Fit]


@get(
    "/jobs/{job_id:str}/why",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="Why has it not started?",
    responses=responses(404, 409),
)
def why(job_id: JobId, who: Who, services: Running) -> questions.Why:
    """The true reasons, and the smallest change of each that starts the job now; tried on a copy of the queue."""
    with services.pool.connection() as conn:
        return questions.why(conn, who.project_id, resolve(conn, who.project_id, job_id))


@get(
    "/jobs/{job_id:str}/eta",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="When will it start and finish?",
    responses=responses(404, 409),
)
def eta(job_id: JobId, who: Who, services: Running) -> questions.Eta:
    """Even odds (p50) and nine of ten (p90), from a forecast that is ten seconds old at most."""
    with services.pool.connection() as conn:
        return questions.eta(conn, who.project_id, resolve(conn, who.project_id, job_id))


@post(
    "/fit",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    status_code=200,
    summary="What would start now?",
    responses=responses(404),
)
def fit(data: JSONBody[FitRequest], who: Who, services: Running) -> FitAnswer:
    """Where and when each job would start if it were submitted now. Nothing is submitted; files are not looked at."""
    if not 1 <= len(data.jobs) <= _MOST_FITS:
        raise BadRequest(
            f"{len(data.jobs)} jobs in one question", field="jobs", fix=f"Ask for 1 to {_MOST_FITS} at once."
        )
    for index, job in enumerate(data.jobs):
        check(job, f"jobs[{index}].")
    with services.pool.connection() as conn:
        return FitAnswer(questions.fit(conn, who.project_id, data.jobs, key_id=who.key_id))


@patch(
    "/jobs/{job_id:str}",
    tags=["jobs"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    summary="Change a job that has not started",
    responses=responses(404, 409),
)
def amend(job_id: JobId, data: JSONBody[Amendment], who: Who, services: Running) -> clients.Amended:
    """Its class, what it needs, when it may start, what it waits for. It keeps its age."""
    fields = {
        field.name: value
        for field in msgspec.structs.fields(Amendment)
        if (value := getattr(data, field.name)) is not UNSET
    }
    if not fields:
        raise BadRequest("nothing to change", fix="Name priority, need, run_at or after.")
    run_at = fields.get("run_at")
    check(
        Submission(
            kind="",
            need=fields.get("need"),
            run_at=run_at if isinstance(run_at, datetime) else None,
        ),
        "",
    )
    with services.pool.connection() as conn:
        try:
            answer = clients.amend(
                conn,
                who.project_id,
                resolve(conn, who.project_id, job_id),
                key_id=who.key_id,
                **fields,
            )
        except FleetError as exc:
            exc.field = exc.field.removeprefix("jobs[0].") if exc.field else None
            raise
        wake(conn)
    return answer


HANDLERS: list[Any] = [why, eta, fit, amend]
