"""Work that comes by the clock: make schedules, look at them, pause them, forget them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, delete, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, PathParameter

from api.auth import needs
from api.problems import responses
from api.services import Running, Who
from api.strict import check
from queue_schema import cron, desk
from queue_schema.calls import schedules as verbs
from queue_schema.calls.schedules import Schedule
from queue_schema.errors import NotFound
from queue_schema.states import Scope

Name = Annotated[str, PathParameter(description="The schedule's name.")]


class Schedules(msgspec.Struct, frozen=True):
    """All schedules of the project, by name."""

    schedules: list[desk.Schedule]


class Enabled(msgspec.Struct, frozen=True):
    """What a pause or a resume did."""

    schedule: desk.Schedule
    changed: bool


_NIGHTLY = [
    Example(
        summary="Every weekday at three in the morning, Berlin time",
        value={
            "name": "nightly",
            "cron": "0 3 * * mon-fri",
            "timezone": "Europe/Berlin",
            "jobs": [{"kind": "command", "params": {"argv": ["sh", "-c", "date > outputs/when.txt"]}}],
        },
    )
]


@post(
    "/schedules",
    tags=["schedules"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    summary="Make a schedule",
    responses=responses(404, 409, 413),
)
def create(
    data: Annotated[Schedule, Body(examples=_NIGHTLY)], who: Who, services: Running
) -> Response[desk.Schedule]:
    """Its jobs are tried out now, then submitted at each tick. 200 instead of 201: exactly this one was there."""
    for index, job in enumerate(data.jobs):
        check(job, f"jobs[{index}].")
    with services.pool.connection() as conn:
        first = cron.following(data.cron, data.timezone, desk.now(conn))
        answer = verbs.create(conn, who.project_id, data, next_tick=first, key_id=who.key_id)
        made = desk.schedule(conn, who.project_id, data.name)
    return Response(made, status_code=201 if answer.created else 200)


@get(
    "/schedules",
    tags=["schedules"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List the schedules",
    responses=responses(),
)
def list_schedules(who: Who, services: Running) -> Schedules:
    """Each with its next tick, and what became of the last."""
    with services.pool.connection() as conn:
        return Schedules(desk.schedules(conn, who.project_id))


@get(
    "/schedules/{name:str}",
    tags=["schedules"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="Show a schedule",
    responses=responses(404),
)
def show(name: Name, who: Who, services: Running) -> desk.Schedule:
    """The jobs of its ticks carry the tag `schedule:<name>`."""
    with services.pool.connection() as conn:
        return desk.schedule(conn, who.project_id, name)


@post(
    "/schedules/{name:str}/pause",
    tags=["schedules"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    status_code=200,
    summary="Pause a schedule",
    responses=responses(404),
)
def pause(name: Name, who: Who, services: Running) -> Enabled:
    """No ticks until it is resumed; what it submitted goes on."""
    with services.pool.connection() as conn:
        changed = verbs.enable(conn, who.project_id, name, next_tick=None)
        return Enabled(desk.schedule(conn, who.project_id, name), changed)


@post(
    "/schedules/{name:str}/resume",
    tags=["schedules"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    status_code=200,
    summary="Resume a schedule",
    responses=responses(404),
)
def resume(name: Name, who: Who, services: Running) -> Enabled:
    """It goes on with its next tick; those while it was paused are not made up for."""
    with services.pool.connection() as conn:
        there = desk.schedule(conn, who.project_id, name)
        following = cron.following(there.cron, there.timezone, desk.now(conn))
        changed = verbs.enable(conn, who.project_id, name, next_tick=following)
        return Enabled(desk.schedule(conn, who.project_id, name), changed)


@delete(
    "/schedules/{name:str}",
    tags=["schedules"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    summary="Delete a schedule",
    responses=responses(404),
)
def remove(name: Name, who: Who, services: Running) -> None:
    """It makes no more ticks; what it submitted stays."""
    with services.pool.connection() as conn:
        if not verbs.delete(conn, who.project_id, name):
            raise NotFound(f"there is no schedule {name} in this project", field="name")


HANDLERS: list[Any] = [create, list_schedules, show, pause, resume, remove]
