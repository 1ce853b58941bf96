"""The verbs of erasure: the API asks and removes from the store, the scheduler brings on, each node drops and says so."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from queue_schema.calls._edge import Connection, Json, act, call
from queue_schema.shapes import Session


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be gone: exactly one of these."""

    files: list[str] | None = None
    """These, by sha256, and all that jobs made of them."""
    tags: dict[str, str] | None = None
    """What jobs with all these tags made, what was made of that, and the files that only such jobs read."""
    everything: bool | None = None
    """All files and jobs that the project has now."""


class Asked(msgspec.Struct, frozen=True):
    """The answer to a request."""

    erasure_id: UUID


class ErasedOn(msgspec.Struct, frozen=True):
    """What one round did."""

    open: int
    """Under way still."""
    done: int


class Blob(msgspec.Struct, frozen=True):
    """One stored file."""

    project_id: UUID
    sha256: str


class Erasure(msgspec.Struct, frozen=True):
    """What a node is to drop."""

    erasure_id: UUID
    project_id: UUID
    everything: bool
    """All that there is of the project; `files` is empty then."""
    files: list[str]


class Dropped(msgspec.Struct, frozen=True):
    """What a node had of it."""

    files: int
    models: int
    runners: int
    """At rest, with who knows what in their memory."""


def erase(conn: Connection, project_id: UUID, wanted: Wanted, *, key_id: UUID | None = None) -> Asked:
    """Have something gone for good. Asked again while it is under way, the answer is the same.

    Raises:
        BadRequest: It is not one of the three, or too much at once.
        NotFound: The project has no such file, or no job with such tags.
    """
    return call(conn, "erase_v1", Asked, p_project=project_id, p_what=Json(wanted), p_key=key_id)


def waive(conn: Connection, erasure_id: UUID, node: str, *, reason: str) -> None:
    """Do not wait for a node whose machine is gone; the receipt gives the reason.

    Raises:
        BadRequest: There is no reason.
        NotFound: That erasure does not wait for such a node.
        Conflict: The node has confirmed.
    """
    act(conn, "waive_erasure_v1", type(None), p_erasure=erasure_id, p_node=node, p_reason=reason)


def erase_on(conn: Connection, *, limit: int = 1000) -> ErasedOn:
    """Bring every erasure a step further, with *limit* jobs each at most."""
    return call(conn, "erase_on_v1", ErasedOn, p_limit=limit)


def remove_blobs(conn: Connection, *, limit: int = 100) -> list[Blob]:
    """Take some files whose time has come, to remove them from the store; nobody else does for ten minutes."""
    return call(conn, "remove_blobs_v1", list[Blob], p_limit=limit)


def blobs_removed(conn: Connection, blobs: Sequence[Blob]) -> int:
    """Say that the store has none of these any more. Returns how many were known still."""
    return call(conn, "blobs_removed_v1", int, p_blobs=Json(blobs))


def erasures(conn: Connection, session: Session) -> list[Erasure]:
    """What this node is to drop, the oldest first.

    Raises:
        SessionLost: Join again.
    """
    return call(conn, "erasures_v1", list[Erasure], p_session=session.session_id, p_secret=session.secret)


def erased(conn: Connection, session: Session, erasure_id: UUID, dropped: Dropped) -> None:
    """Say that this node has nothing of it any more.

    Raises:
        SessionLost: Join again.
    """
    call(
        conn,
        "erased_v1",
        type(None),
        p_session=session.session_id,
        p_secret=session.secret,
        p_erasure=erasure_id,
        p_dropped=Json(dropped),
    )
