"""Have files gone for good, everywhere, and see that they are."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath, JSONBody, QueryParameter

from api.auth import needs
from api.problems import responses
from api.services import Running, Who, sha256_of
from queue_schema.calls import erasures as verbs
from queue_schema.calls.erasures import Wanted
from queue_schema.receipts import Receipt, receipt, receipts
from queue_schema.states import Scope


class Receipts(msgspec.Struct, frozen=True):
    """What was erased, newest first."""

    erasures: list[Receipt]


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node that is not waited for any more."""

    node: str
    reason: str
    """What became of the machine and its disk; it stands in the receipt."""


_CUSTOMER = [
    Example(summary="All of one customer, whose jobs carry a tag", value={"tags": {"customer": "4711"}}),
    Example(summary="A photo, and all that was made of it", value={"files": ["0" * 64]}),
    Example(summary="All that the project has", value={"everything": True}),
]


@post(
    "/erasures",
    tags=["erasures"],
    guards=[needs(Scope.ERASE)],
    sync_to_thread=True,
    status_code=202,
    summary="Have files gone for good",
    responses=responses(404, 413),
)
def create(data: Annotated[Wanted, Body(examples=_CUSTOMER)], who: Who, services: Running) -> Receipt:
    """Nobody can read them from now on. Jobs that would use them are cancelled; then files, words and copies on nodes go.

    The answer is a receipt that is not done yet; look at it again until it is. Asked again before that, it is the same
    receipt.
    """
    for sha256 in data.files or []:
        sha256_of(sha256)
    with services.pool.connection() as conn:
        asked = verbs.erase(conn, who.project_id, data, key_id=who.key_id)
        return receipt(conn, asked.erasure_id)


@get(
    "/erasures",
    tags=["erasures"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="List what was erased",
    responses=responses(),
)
def list_all(
    who: Who, services: Running, limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100
) -> Receipts:
    """Receipts are kept for ever."""
    with services.pool.connection() as conn:
        return Receipts(receipts(conn, who.project_id, limit=limit))


@get(
    "/erasures/{erasure_id:uuid}",
    tags=["erasures"],
    guards=[needs(Scope.READ)],
    sync_to_thread=True,
    summary="See whether it is gone",
    responses=responses(404),
)
def show(erasure_id: FromPath[UUID], who: Who, services: Running) -> Receipt:
    """What went, when, and which nodes have not said yet that they have nothing of it."""
    with services.pool.connection() as conn:
        return receipt(conn, erasure_id, project_id=who.project_id)


@post(
    "/erasures/{erasure_id:uuid}/waive",
    tags=["erasures"],
    guards=[needs(Scope.ADMIN)],
    sync_to_thread=True,
    status_code=200,
    summary="Do not wait for a node",
    responses=responses(404, 409),
)
def waive(erasure_id: FromPath[UUID], data: JSONBody[Waiver], services: Running) -> Receipt:
    """For a machine that never comes back. If it does, its agent is not told again: wipe its disk before."""
    with services.pool.connection() as conn:
        verbs.waive(conn, erasure_id, data.node, reason=data.reason)
        return receipt(conn, erasure_id)


HANDLERS: list[Any] = [create, list_all, show, waive]
