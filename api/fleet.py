"""The fleet itself: its nodes, a project's brake, and whether this process is well."""

from __future__ import annotations

from typing import Any

import msgspec
from anyio.to_thread import run_sync
from litestar import Response, get, post
from litestar.params import FromPath, JSONBody

from api.auth import needs
from api.problems import StoreAway, answer, responses
from api.services import Running, Who, wake
from queue_schema import reads
from queue_schema.calls import clients
from queue_schema.states import Priority, Scope


class Nodes(msgspec.Struct, frozen=True):
    """All hosts."""

    nodes: list[reads.Node]


class Drain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a node shall take no new work."""

    on: bool = True


class Drained(msgspec.Struct, frozen=True):
    """The answer to `Drain`."""

    node: str
    draining: bool
    changed: bool


class Pause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether this project's work shall wait; `priority` narrows it to one class, `kind` to one kind."""

    paused: bool
    priority: Priority | None = None
    kind: str | None = None


class Paused(msgspec.Struct, frozen=True):
    """The answer to `Pause`."""

    paused: bool
    lanes: int
    """How many lanes changed."""


class Health(msgspec.Struct, frozen=True):
    """`ok`, whenever it is an answer at all."""

    status: str


@get(
    "/nodes",
    tags=["fleet"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List the nodes",
    responses=responses(),
)
def list_nodes(services: Running) -> Nodes:
    """Each host with its devices: total, measured free, and booked memory."""
    with services.pool.connection() as conn:
        return Nodes(reads.nodes(conn))


@post(
    "/nodes/{node:str}/drain",
    tags=["fleet"],
    guards=[needs(Scope.ADMIN)],
    sync_to_thread=True,
    status_code=200,
    summary="Drain a node",
    responses=responses(404),
)
def drain(node: FromPath[str], data: JSONBody[Drain], services: Running) -> Drained:
    """It finishes what it runs and takes nothing new; `{"on": false}` ends that."""
    with services.pool.connection() as conn:
        changed = clients.drain(conn, node, on=data.on)
        if changed and not data.on:
            wake(conn)
    return Drained(node, draining=data.on, changed=changed)


@post(
    "/pause",
    tags=["fleet"],
    guards=[needs(Scope.ADMIN)],
    sync_to_thread=True,
    status_code=200,
    summary="Pause this project",
    responses=responses(404),
)
def pause(data: JSONBody[Pause], who: Who, services: Running) -> Paused:
    """Nothing more of it is started (running work goes on) until `{"paused": false}`."""
    priority = None if data.priority is None else str(data.priority)
    with services.pool.connection() as conn:
        lanes = clients.pause(conn, who.project_id, paused=data.paused, priority=priority, kind=data.kind)
        if not data.paused:
            wake(conn)
    return Paused(data.paused, lanes)


@get(
    "/healthz",
    tags=["health"],
    opt={"open": True},
    security=[{}],
    sync_to_thread=False,
    summary="Is it alive?",
)
def healthz() -> Health:
    """The process answers; nothing else is looked at."""
    return Health("ok")


@get("/readyz", tags=["health"], opt={"open": True}, security=[{}], summary="Can it work?")
async def readyz(services: Running) -> Response[Any]:
    """The database is there and migrated, and the file store can be written to; 503 if not."""

    def database() -> None:
        with services.pool.connection() as conn:
            conn.execute("select 1 from fleet.v_jobs limit 0")

    await run_sync(database)
    try:
        await services.store.check()
    except StoreAway as exc:
        return answer(503, code="store_away", detail=f"the file store cannot be written to: {exc}")
    return Response(Health("ok"))


V1_HANDLERS: list[Any] = [list_nodes, drain, pause]
ROOT_HANDLERS: list[Any] = [healthz, readyz]
