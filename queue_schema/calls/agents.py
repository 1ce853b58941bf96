"""The verbs of an agent. Every one but `join` proves itself by the session id and secret that `join` gave."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from queue_schema.calls._edge import Connection, Json, call
from queue_schema.errors import LeaseLost
from queue_schema.shapes import (
    Beat,
    Claimed,
    Completion,
    Failed,
    Join,
    Joined,
    Released,
    Report,
    Sample,
    Session,
    Settled,
)
from queue_schema.states import SettleOutcome


def join(conn: Connection, declared: Join) -> Joined:
    """Begin a session; a running one of the same node and instance ends, and its leases come along.

    Raises:
        NodeNameTaken: A live session of another instance has this node name.
        BadRequest: A declaration is not usable; the field says which.
    """
    return call(conn, "join_v1", Joined, p_declared=Json(declared))


def leave(conn: Connection, session: Session) -> None:
    """End the session; leases it still has are released without blame."""
    call(conn, "leave_v1", type(None), p_session=session.session_id, p_secret=session.secret)


def claim(
    conn: Connection, session: Session, *, request_id: UUID, sample: Sample, want: int, waiting: bool = False
) -> list[Claimed]:
    """Lease up to `want` jobs that fit what was measured, best first.

    The same `request_id` again replays the same answer. With `waiting`, an empty answer also says that this
    session sleeps until it is woken (channel `channel_of(session)`), so look once more before sleeping.

    Raises:
        SessionLost: Join again.
        BadRequest: The sample is older than one already used, or names a device this node has not declared.
    """
    return call(
        conn,
        "claim_v1",
        list[Claimed],
        p_session=session.session_id,
        p_secret=session.secret,
        p_request=request_id,
        p_sample=Json(sample),
        p_want=want,
        p_waiting=waiting,
    )


def health(conn: Connection, session: Session, sample: Sample) -> None:
    """Say what was measured, and what is sick, without claiming.

    Raises:
        SessionLost: Join again.
    """
    call(
        conn,
        "health_v1",
        type(None),
        p_session=session.session_id,
        p_secret=session.secret,
        p_sample=Json(sample),
    )


def heartbeat(conn: Connection, session: Session, *, tokens: Sequence[UUID]) -> Beat:
    """Renew the session and every lease named; waits for nobody (I11).

    Raises:
        SessionLost: The session was reaped; join again, the leases come back if nobody took them.
    """
    return call(
        conn,
        "heartbeat_v1",
        Beat,
        p_session=session.session_id,
        p_secret=session.secret,
        p_tokens=list(tokens),
    )


def report(conn: Connection, session: Session, reports: Sequence[Report]) -> list[UUID]:
    """Progress, metrics and log lines of running attempts, and nothing that decides anything.

    Returns:
        Tokens that are not leases of this session any more; their news was dropped.
    """
    return call(
        conn,
        "report_v1",
        list[UUID],
        p_session=session.session_id,
        p_secret=session.secret,
        p_reports=Json(reports),
    )


def checkpoint(
    conn: Connection, session: Session, *, job_id: UUID, token: UUID, sha256: str, size: int, step: int
) -> None:
    """Name the (already stored) blob from which another attempt may go on.

    Raises:
        LeaseLost: The token is stale.
    """
    call(
        conn,
        "checkpoint_v1",
        type(None),
        p_session=session.session_id,
        p_secret=session.secret,
        p_job=job_id,
        p_token=token,
        p_sha256=sha256,
        p_size=size,
        p_step=step,
    )


def complete(conn: Connection, session: Session, completions: Sequence[Completion]) -> list[Settled]:
    """End attempts as succeeded; outputs become visible and waiting jobs ready in the same commit (I7)."""
    return call(
        conn,
        "complete_v1",
        list[Settled],
        p_session=session.session_id,
        p_secret=session.secret,
        p_items=Json(completions),
    )


def fail(conn: Connection, session: Session, failures: Sequence[Failed]) -> list[Settled]:
    """End attempts as failed; the cause decides whether the job is tried again (I8).

    NULs in the texts, which PostgreSQL cannot store, are shown as U+FFFD: a failure must always be able to end.
    """
    return call(
        conn,
        "fail_v1",
        list[Settled],
        p_session=session.session_id,
        p_secret=session.secret,
        p_items=Json([_storable(failure) for failure in failures]),
    )


def _storable(failure: Failed) -> Failed:
    traceback = failure.traceback.replace("\0", "\ufffd") if failure.traceback is not None else None
    return msgspec.structs.replace(
        failure, message=failure.message.replace("\0", "\ufffd"), traceback=traceback
    )


def release(conn: Connection, session: Session, releases: Sequence[Released]) -> list[Settled]:
    """Hand attempts back without blame; the jobs are ready again at their old place in the queue.

    One that was handed back three times in a row before it started waits first, a minute at most.
    """
    return call(
        conn,
        "release_v1",
        list[Settled],
        p_session=session.session_id,
        p_secret=session.secret,
        p_items=Json(releases),
    )


def only(settled: list[Settled]) -> Settled:
    """The answer to a settle of one.

    Raises:
        LeaseLost: The token was stale.
    """
    [answer] = settled
    if answer.outcome is SettleOutcome.LEASE_LOST:
        raise LeaseLost(f"job {answer.job_id}: lease {answer.token} is not the current lease")
    return answer


def wake(conn: Connection) -> int:
    """After work became ready: notify waiting sessions, one for each job for which none is on its way yet.

    Called after the commit of submit, settle, retry and the chores; under load nobody waits and nothing is sent. A
    submission wakes with its own commit: there this finds who fell asleep at that moment, and who is far down a long
    line of sleepers.

    Returns:
        How many sessions were notified.
    """
    return call(conn, "wake_v1", int)


def channel_of(session: Session) -> str:
    """The NOTIFY channel on which the session is told to look: `work`, `cancel` or `drain` as payload."""
    return f"fleet_{session.session_id.hex}"
