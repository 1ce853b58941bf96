"""For people on call: stop the fleet, keep a kind back, cancel and requeue in bulk."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
import psycopg
from litestar import get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, FromQuery, JSONBody

from api.auth import needs
from api.problems import responses
from api.services import Running, Who, wake
from api.strict import check_selection
from queue_schema import desk
from queue_schema.calls import oncall
from queue_schema.calls.oncall import Bulk, Selection
from queue_schema.errors import NotAllowed
from queue_schema.shapes import Principal
from queue_schema.states import Scope


class Brake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether to hold back, and why."""

    on: bool = True
    reason: str | None = None
    """For people; shown as long as it holds."""


class Halted(msgspec.Struct, frozen=True):
    """The answer to a halt of the fleet."""

    fleet: desk.Fleet
    changed: bool


class Quarantined(msgspec.Struct, frozen=True):
    """The answer to a quarantine."""

    kind: desk.Kind
    changed: bool


class Kinds(msgspec.Struct, frozen=True):
    """What can run."""

    kinds: list[desk.Kind]


class Needs(msgspec.Struct, frozen=True):
    """All, or the 500 that ran most."""

    needs: list[desk.LearnedNeed]


class BulkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which jobs, and how."""

    where: Selection
    project: str | None = None
    """Another project than the key's, or `*` for all; needs the scope admin."""
    dry_run: bool = False
    """Only count them."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 500
    """Most jobs of this batch."""
    after: UUID | None = None
    """`next` of the batch before."""


@get(
    "/fleet",
    tags=["fleet"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="Is anything stopped?",
    responses=responses(),
)
def show_fleet(services: Running) -> desk.Fleet:
    """The brakes that hold, and how much goes on."""
    with services.pool.connection() as conn:
        return desk.fleet(conn)


@post(
    "/fleet/halt",
    tags=["fleet"],
    guards=[needs(Scope.ADMIN)],
    sync_to_thread=True,
    status_code=200,
    summary="Stop all claims, or go on",
    responses=responses(),
)
def halt(data: JSONBody[Brake], services: Running) -> Halted:
    """Nothing more is started anywhere (running work goes on) until `{"on": false}`."""
    with services.pool.connection() as conn:
        changed = oncall.halt(conn, on=data.on, reason=data.reason)
        if not data.on:
            wake(conn)
        return Halted(desk.fleet(conn), changed)


@get(
    "/needs",
    tags=["jobs"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="What was learned of jobs' needs",
    responses=responses(),
)
def list_needs(who: Who, services: Running, kind: FromQuery[str | None] = None) -> Needs:
    """Memory declared, learned and raised, and run times, by kind, model and size; those that ran most first."""
    with services.pool.connection() as conn:
        return Needs(desk.needs(conn, who.project_id, kind=kind))


@get(
    "/kinds",
    tags=["fleet"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List the kinds",
    responses=responses(),
)
def list_kinds(services: Running) -> Kinds:
    """What can run, what it needs when a job does not say, and how much of it there is."""
    with services.pool.connection() as conn:
        return Kinds(desk.kinds(conn))


@post(
    "/kinds/{kind:str}/quarantine",
    tags=["fleet"],
    guards=[needs(Scope.ADMIN)],
    sync_to_thread=True,
    status_code=200,
    summary="Keep a kind back, or let it go",
    responses=responses(404),
)
def quarantine(kind: FromPath[str], data: JSONBody[Brake], services: Running) -> Quarantined:
    """No node starts it until `{"on": false}`; its jobs are taken and stand `ready`, `held: quarantined`."""
    with services.pool.connection() as conn:
        changed = oncall.quarantine(conn, kind, on=data.on, reason=data.reason)
        if not data.on:
            wake(conn)
        return Quarantined(desk.kind(conn, kind), changed)


_CANCEL = [
    Example(
        summary="How many of a kind wait since yesterday?",
        value={"where": {"kind": "command", "states": ["ready"], "older_than_s": 86400}, "dry_run": True},
    ),
]
_REQUEUE = [
    Example(
        summary="Off this node, without blame", value={"where": {"states": ["running"], "node": "gpu-7"}}
    ),
    Example(
        summary="All that a broken node failed",
        value={"where": {"states": ["failed"], "cause": "infrastructure", "node": "gpu-7"}},
    ),
]


@post(
    "/jobs/cancel",
    tags=["jobs"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    status_code=200,
    summary="Cancel in bulk",
    responses=responses(404),
)
def cancel_many(data: Annotated[BulkRequest, Body(examples=_CANCEL)], who: Who, services: Running) -> Bulk:
    """One batch of the jobs that match, wherever they are; ask again with `after` while there is a `next`."""
    return _bulk(services, who, "cancel", data)


@post(
    "/jobs/requeue",
    tags=["jobs"],
    guards=[needs(Scope.SUBMIT)],
    sync_to_thread=True,
    status_code=200,
    summary="Requeue in bulk",
    responses=responses(404),
)
def requeue_many(data: Annotated[BulkRequest, Body(examples=_REQUEUE)], who: Who, services: Running) -> Bulk:
    """Running work is asked to stop at a checkpoint and is ready again, nobody is blamed; ended work runs again."""
    return _bulk(services, who, "requeue", data)


def _bulk(services: Running, who: Principal, action: oncall.Action, data: BulkRequest) -> Bulk:
    check_selection(data.where)
    with services.pool.connection() as conn:
        done = oncall.bulk(
            conn,
            action,
            _project(conn, who, data.project),
            data.where,
            dry_run=data.dry_run,
            limit=data.limit,
            after=data.after,
        )
        if action == "requeue" and done.changed:
            wake(conn)
    return done


def _project(conn: psycopg.Connection[Any], who: Principal, named: str | None) -> UUID | None:
    if named is None or named == who.project:
        return who.project_id
    if Scope.ADMIN not in who.scopes:
        raise NotAllowed(
            f"the key of project {who.project} lacks the scope admin",
            field="project",
            fix="Leave the project out, or use a key with the scope admin.",
        )
    return None if named == "*" else desk.project_named(conn, named)


class Policies(msgspec.Struct, frozen=True):
    """What happens after an attempt failed, by cause."""

    policies: list[oncall.Policy]


@get(
    "/policies",
    tags=["fleet"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List the retry policies",
    responses=responses(),
)
def list_policies(services: Running) -> Policies:
    """By cause: who is charged, whether it is tried again, and after which pause."""
    with services.pool.connection() as conn:
        return Policies(desk.policies(conn))


@post(
    "/policies/{cause:str}",
    tags=["fleet"],
    guards=[needs(Scope.ADMIN)],
    sync_to_thread=True,
    status_code=200,
    summary="Change a retry policy",
    responses=responses(),
)
def set_policy(cause: FromPath[str], data: JSONBody[oncall.PolicyChange], services: Running) -> oncall.Policy:
    """For failures from now on; what is left out stays as it is."""
    with services.pool.connection() as conn:
        return oncall.policy(conn, cause, data)


HANDLERS: list[Any] = [
    show_fleet,
    halt,
    list_kinds,
    list_needs,
    quarantine,
    cancel_many,
    requeue_many,
    list_policies,
    set_policy,
]
