"""The verbs behind the API: for a project whose key was checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from queue_schema.calls._edge import Connection, Json, act, call
from queue_schema.shapes import Principal, Submission, Submitted
from queue_schema.states import JobState


class Cancelled(msgspec.Struct, frozen=True):
    """What a cancel did with one job."""

    job_id: UUID
    outcome: Literal["cancelled", "cancelling", "already_ended"]
    """`cancelling`: it runs; its agent has been told and ends it."""
    state: JobState


class Retried(msgspec.Struct, frozen=True):
    """What a retry did with one job."""

    job_id: UUID
    outcome: Literal["retried", "not_ended"]
    state: JobState


class Amended(msgspec.Struct, frozen=True):
    """A job that was changed."""

    job_id: UUID
    state: JobState


class Granted(msgspec.Struct, frozen=True):
    """A lease's right to one file."""

    project_id: UUID
    ready: bool
    """False while that very file is being removed from the store: ask again in a moment."""


def authenticate(conn: Connection, key: str) -> Principal | None:
    """Whose API key this is; None when it is unknown or revoked."""
    return call(conn, "authenticate_v1", Principal | None, p_key=key)  # type: ignore[arg-type]  # a union is no type[T]


def submit(
    conn: Connection,
    project_id: UUID,
    jobs: Sequence[Submission],
    *,
    key_id: UUID | None = None,
    idempotency_key: str | None = None,
    trace: str | None = None,
) -> list[Submitted]:
    """Add jobs, all or none; ids in the same order.

    Sessions that sleep hear of it with the commit; `agents.wake` after it finds the few that did not.

    Raises:
        BadRequest: The field names the job and the argument, for example `jobs[2].after[0]`.
        NotFound: A blob or a job it points at is not of this project.
        Conflict: The idempotency key was used for another submission.
    """
    return call(
        conn,
        "submit_v1",
        list[Submitted],
        p_project=project_id,
        p_jobs=Json(jobs),
        p_key=key_id,
        p_idempotency_key=idempotency_key,
        p_trace=trace,
    )


def amend(
    conn: Connection, project_id: UUID, job_id: UUID, *, key_id: UUID | None = None, **fields: Any
) -> Amended:
    """Change a job that has not started. Call `agents.wake` after.

    Args:
        conn: Any.
        project_id: Whose job it is.
        job_id: The job; it keeps its age.
        key_id: The key that asks; its ceiling holds.
        fields: `priority`; `need`, whose fields go over what it needs now; `run_at`, None for now; `after=[]`.

    Raises:
        BadRequest: A field is unknown or its value cannot be.
        NotFound: There is no such job in this project.
        Conflict: It runs, or has ended.
    """
    return call(
        conn, "amend_v1", Amended, p_project=project_id, p_job=job_id, p_fields=Json(fields), p_key=key_id
    )


def cancel(conn: Connection, project_id: UUID, job_ids: Sequence[UUID]) -> list[Cancelled]:
    """End jobs wherever they are; those that wait for them end as failed, cause `dependency`.

    Raises:
        NotFound: One of them is not a job of this project; none was cancelled.
    """
    return call(conn, "cancel_v1", list[Cancelled], p_project=project_id, p_jobs=list(job_ids))


def retry(conn: Connection, project_id: UUID, job_ids: Sequence[UUID]) -> list[Retried]:
    """Run ended jobs again, with fresh retries; outputs of the last success stay until the next one.

    Raises:
        NotFound: One of them is not a job of this project; none was retried.
    """
    return call(conn, "retry_v1", list[Retried], p_project=project_id, p_jobs=list(job_ids))


def pause(
    conn: Connection,
    project_id: UUID,
    *,
    paused: bool,
    priority: str | None = None,
    kind: str | None = None,
) -> int:
    """Stop (or resume) claims of a project, of one priority class of it, or of one kind; running work goes on.

    Returns:
        How many lanes changed.

    Raises:
        NotFound: There is no such kind.
    """
    return act(conn, "pause_v1", int, p_project=project_id, p_paused=paused, p_priority=priority, p_kind=kind)


def drain(conn: Connection, node: str, *, on: bool = True) -> bool:
    """Let a node finish what it runs and take nothing new; `on=False` ends that.

    Returns:
        Whether this changed anything.

    Raises:
        NotFound: No node has that name.
    """
    return act(conn, "drain_v1", bool, p_node=node, p_on=on)


def reserve_blob(conn: Connection, project_id: UUID, *, sha256: str, size: int, media_type: str) -> bool:
    """Before a client's file is put into the store: it has a row as long as it is there.

    Returns:
        False while that very file is being removed: ask again in a moment.
    """
    return call(
        conn,
        "reserve_blob_v1",
        bool,
        p_project=project_id,
        p_sha256=sha256,
        p_size=size,
        p_media_type=media_type,
    )


def put_blob(conn: Connection, project_id: UUID, *, sha256: str, size: int, media_type: str) -> bool:
    """Show a file that a client stored. Returns False when the project had it already.

    Raises:
        Conflict: It is being removed.
    """
    return call(
        conn,
        "put_blob_v1",
        bool,
        p_project=project_id,
        p_sha256=sha256,
        p_size=size,
        p_media_type=media_type,
    )


def grant(
    conn: Connection,
    *,
    session_id: UUID,
    secret: str,
    job_id: UUID,
    token: UUID,
    sha256: str,
    write: bool,
    size: int = 0,
    media_type: str = "application/octet-stream",
) -> Granted:
    """Check that a lease may read this input or checkpoint, or record a file it is about to have stored (I15).

    A written file is visible to nobody else until `complete` or `checkpoint` names it (I7).

    Raises:
        SessionLost, LeaseLost: The caller does not hold that lease.
        NotAllowed: The file is no input of that job.
    """
    return call(
        conn,
        "grant_v1",
        Granted,
        p_session=session_id,
        p_secret=secret,
        p_job=job_id,
        p_token=token,
        p_sha256=sha256,
        p_write=write,
        p_size=size,
        p_media_type=media_type,
    )
