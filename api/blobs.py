"""Files in and out: for clients by their project, for agents by the lease they hold (I15)."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from anyio.to_thread import run_sync
from litestar import Request, Response, get, head, post, put
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.exceptions import NotAuthorizedException
from litestar.params import HeaderParameter

from api.auth import address_of, needs
from api.download import BINARY, RawAnswer, RawBody, file_response, headers_of, media_type_of
from api.problems import StoreAway, responses
from api.services import Running, Services, Sha256, Who, sha256_of
from queue_schema import reads
from queue_schema.calls import clients
from queue_schema.calls.clients import Granted
from queue_schema.errors import BadRequest, NotAllowed, NotFound, SessionLost
from queue_schema.shapes import Principal
from queue_schema.states import Scope

T = TypeVar("T")
_REMOVAL_S = 10.0
"""How long an upload waits for the same file to be removed."""


class Stored(msgspec.Struct, frozen=True):
    """A file that is kept."""

    sha256: str
    size: int
    media_type: str
    created: bool
    """False when the project had it already."""


@post(
    "/blobs",
    tags=["files"],
    guards=[needs(Scope.SUBMIT)],
    operation_class=RawBody,
    summary="Upload a file",
    responses=responses(413),
)
async def post_blob(who: Who, services: Running, request: Request[Any, Any, Any]) -> Stored:
    """Send the bytes as the body; the answer has the sha256 by which jobs name the file."""
    return await _store(services, who, request, expected=None)


@put(
    "/blobs/{sha256:str}",
    tags=["files"],
    guards=[needs(Scope.SUBMIT)],
    operation_class=RawBody,
    summary="Upload a file whose sha256 is known",
    responses=responses(413, 422),
)
async def put_blob(sha256: Sha256, who: Who, services: Running, request: Request[Any, Any, Any]) -> Stored:
    """As POST, and refused (nothing is kept) if the body has another sha256."""
    return await _store(services, who, request, expected=sha256_of(sha256))


async def _store(
    services: Services, who: Principal, request: Request[Any, Any, Any], *, expected: str | None
) -> Stored:
    media_type = media_type_of(request.headers.get("content-type"))
    async with services.store.receive(request.stream()) as incoming:
        incoming.must_be(expected)
        facts: dict[str, Any] = {
            "sha256": incoming.sha256,
            "size": incoming.size,
            "media_type": media_type,
        }

        def told(verb: Callable[..., bool]) -> bool:
            with services.pool.connection() as conn:
                return verb(conn, who.project_id, **facts)

        await _until_ready(lambda: told(clients.reserve_blob))
        await services.store.keep(who.project_id, incoming)
        created = await run_sync(lambda: told(clients.put_blob))
    return Stored(incoming.sha256, incoming.size, media_type, created=created)


async def _until_ready(ready: Callable[[], bool]) -> None:
    """Not while the same file is being taken out of the store: the new one would go with it.

    Raises:
        StoreAway: That takes too long.
    """
    began = time.monotonic()
    while not await run_sync(ready):
        if time.monotonic() > began + _REMOVAL_S:
            raise StoreAway("this very file is being erased")
        await asyncio.sleep(0.2)


async def _visible(services: Services, who: Principal, sha256: str) -> reads.Blob:
    sha256_of(sha256)

    def read() -> reads.Blob | None:
        with services.pool.connection() as conn:
            return reads.blob(conn, who.project_id, sha256)

    found = await run_sync(read)
    if found is None:
        raise NotFound(f"this project has no file {sha256}", field="sha256", fix="Upload it first.")
    return found


@head(
    "/blobs/{sha256:str}",
    tags=["files"],
    guards=[needs(Scope.READ)],
    summary="Ask whether a file is there",
    responses=responses(404),
    response_headers=[
        ResponseHeader(name="Content-Length", description="The file's size.", documentation_only=True)
    ],
)
async def head_blob(sha256: Sha256, who: Who, services: Running) -> Response[None]:
    """Ask before you upload: what is there need not be sent again."""
    found = await _visible(services, who, sha256)
    headers = headers_of(sha256=found.sha256, size=found.size, media_type=found.media_type)
    media_type = headers.pop("Content-Type")
    headers["content-length"] = headers.pop("Content-Length")
    nothing: Any = b""  # not None: Litestar would write `null` for a file whose type is JSON
    return Response(nothing, headers=headers, media_type=media_type)


@get(
    "/blobs/{sha256:str}",
    tags=["files"],
    guards=[needs(Scope.READ)],
    summary="Download a file",
    operation_class=RawAnswer,
    responses=responses(404, 416),
)
async def get_blob(
    sha256: Sha256, who: Who, services: Running, request: Request[Any, Any, Any]
) -> Response[Any]:
    """A file this project uploaded, or a job of it made. A `Range` of bytes may be asked for."""
    found = await _visible(services, who, sha256)
    return await file_response(
        services.store,
        request,
        who.project_id,
        sha256=found.sha256,
        size=found.size,
        media_type=found.media_type,
    )


class Lease(msgspec.Struct, frozen=True):
    """What an agent's headers claim: this session holds this job's lease."""

    session_id: UUID
    secret: str
    job_id: UUID
    token: UUID

    def __repr__(self) -> str:
        return f"Lease({self.job_id})"


SessionHeader = Annotated[str | None, HeaderParameter(name="Argosy-Session", description="The session id.")]
SecretHeader = Annotated[
    str | None, HeaderParameter(name="Argosy-Secret", description="The session's secret.")
]
JobHeader = Annotated[str | None, HeaderParameter(name="Argosy-Job", description="The job's id.")]
TokenHeader = Annotated[str | None, HeaderParameter(name="Argosy-Token", description="The lease's token.")]


def lease_of(
    session: SessionHeader = None,
    secret: SecretHeader = None,
    job: JobHeader = None,
    token: TokenHeader = None,
) -> Lease:
    """Dependency `lease`. Without the headers nobody is asking: 401.

    Raises:
        NotAuthorizedException: One is missing.
        BadRequest: One is no uuid.
    """
    if session is None or secret is None or job is None or token is None:
        raise NotAuthorizedException("send Argosy-Session, Argosy-Secret, Argosy-Job and Argosy-Token")
    ids = {"Argosy-Session": session, "Argosy-Job": job, "Argosy-Token": token}
    parsed = []
    for header, text in ids.items():
        try:
            parsed.append(UUID(text))
        except ValueError as exc:
            raise BadRequest("not a uuid", field=header, fix="Send what join and claim gave you.") from exc
    return Lease(parsed[0], secret, parsed[1], parsed[2])


async def _checked(
    services: Services, request: Request[Any, Any, Any], lease: Lease, look: Callable[[], T]
) -> T:
    """The first look at a lease. An invented session is an unknown key: it costs the database as much.

    Raises:
        TooManyRequestsException: Too many from its address were none of ours.
    """
    address = address_of(request)
    digest = hashlib.sha256(lease.session_id.bytes + lease.secret.encode()).digest()
    services.pace.let_try(address, digest)
    try:
        found = await run_sync(look)
    except SessionLost:
        services.pace.looked_up(address, digest, ours=False)
        raise
    services.pace.looked_up(address, digest, ours=True)
    return found


def _grant(services: Services, lease: Lease, sha256: str, **written: Any) -> Granted:
    with services.pool.connection() as conn:
        return clients.grant(
            conn,
            session_id=lease.session_id,
            secret=lease.secret,
            job_id=lease.job_id,
            token=lease.token,
            sha256=sha256,
            **{"write": False, **written},
        )


@get(
    "/agent/blobs/{sha256:str}",
    tags=["agents"],
    opt={"open": True},
    security=[{"lease": []}],
    summary="Read an input of a leased job",
    operation_class=RawAnswer,
    responses=responses(404, 409, 416),
)
async def agent_get(
    sha256: Sha256, lease: NamedDependency[Lease], services: Running, request: Request[Any, Any, Any]
) -> Response[Any]:
    """For agents: an input or checkpoint of the job whose lease the headers name, and nothing else."""
    sha256_of(sha256)
    project_id = (
        await _checked(services, request, lease, lambda: _grant(services, lease, sha256))
    ).project_id
    # The store is asked, not v_blobs: a checkpoint is for the next attempt alone, and so in no view.
    size = await services.store.size(project_id, sha256)
    return await file_response(
        services.store, request, project_id, sha256=sha256, size=size, media_type=BINARY
    )


@put(
    "/agent/blobs/{sha256:str}",
    tags=["agents"],
    opt={"open": True},
    security=[{"lease": []}],
    operation_class=RawBody,
    summary="Store an output of a leased job",
    responses=responses(409, 413, 422),
)
async def agent_put(
    sha256: Sha256, lease: NamedDependency[Lease], services: Running, request: Request[Any, Any, Any]
) -> Stored:
    """For agents: nobody sees the file until `complete` or `checkpoint` names it.

    The lease is checked before the body is read, and again before the file is put into the store: it is recorded by then.
    """
    sha256_of(sha256)
    media_type = media_type_of(request.headers.get("content-type"))

    def may_write() -> UUID:
        try:
            return _grant(services, lease, sha256).project_id
        except NotAllowed:
            # The lease stands; the file is just no input of the job, as an output should be.
            with services.pool.connection() as conn:
                return reads.project_of(conn, lease.job_id)

    project_id = await _checked(services, request, lease, may_write)
    async with services.store.receive(request.stream()) as incoming:
        incoming.must_be(sha256)
        facts = {"write": True, "size": incoming.size, "media_type": media_type}
        await _until_ready(lambda: _grant(services, lease, sha256, **facts).ready)
        await services.store.keep(project_id, incoming)
    return Stored(sha256, incoming.size, media_type, created=True)


HANDLERS: list[Any] = [post_blob, put_blob, head_blob, get_blob, agent_get, agent_put]
