"""The verbs of people on call: stop claims, keep a kind back, cancel and requeue in bulk."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from queue_schema.calls._edge import Connection, Json, act
from queue_schema.states import Cause, JobState, Priority

Action = Literal["cancel", "requeue"]
Charged = Literal["user", "infrastructure", "nobody"]


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which jobs; what is left out does not filter."""

    states: list[JobState] = []
    """To cancel: waiting, ready, running (all three if none is said). To requeue: running, or ended ones."""
    jobs: list[UUID] | None = None
    kind: str | None = None
    priority: Priority | None = None
    tags: dict[str, str] | None = None
    """All must match."""
    older_than_s: float | None = None
    """Submitted longer ago."""
    node: str | None = None
    """Where it runs, or ran last."""
    cause: Cause | None = None
    ended_after: datetime | None = None
    ended_before: datetime | None = None
    dead: bool = False
    """Only what failed by itself, with its retries used up."""


class Bulk(msgspec.Struct, frozen=True):
    """What one batch did."""

    matched: int
    """In a dry run: of all."""
    changed: int
    skipped: int
    """Ended or settled meanwhile, told already, or waiting for a job that has ended otherwise."""
    next: UUID | None
    """There may be more: give this as `after`."""


def bulk(
    conn: Connection,
    action: Action,
    project_id: UUID | None,
    wanted: Selection,
    *,
    dry_run: bool = False,
    limit: int = 500,
    after: UUID | None = None,
) -> Bulk:
    """Cancel or requeue one batch of the jobs that match. Call `agents.wake` after a requeue.

    Args:
        conn: As role fleet_api.
        action: `requeue` hands running attempts back without blame, and runs ended jobs again.
        project_id: Whose jobs; None for those of all projects.
        wanted: Which.
        dry_run: Only count them.
        limit: Most jobs in a batch, 1 to 1,000.
        after: `next` of the batch before.

    Raises:
        BadRequest: A state does not go with the action, or a requeue names none.
    """
    return act(
        conn,
        "bulk_v1",
        Bulk,
        p_action=action,
        p_project=project_id,
        p_filter=Json(wanted),
        p_dry=dry_run,
        p_limit=limit,
        p_after=after,
    )


def halt(conn: Connection, *, on: bool, reason: str | None = None) -> bool:
    """Stop all claims of the fleet, or go on (then call `agents.wake`); running work goes on.

    Returns:
        Whether that is news.
    """
    return act(conn, "halt_v1", bool, p_on=on, p_reason=reason)


def quarantine(conn: Connection, kind: str, *, on: bool, reason: str | None = None) -> bool:
    """Let nobody claim a kind, or let them again (then call `agents.wake`). Returns whether that is news.

    Raises:
        NotFound: There is no such kind.
    """
    return act(conn, "quarantine_v1", bool, p_kind=kind, p_on=on, p_reason=reason)


class Policy(msgspec.Struct, frozen=True):
    """What happens after an attempt failed."""

    cause: Cause
    charged: Charged
    """Whose retries it uses up."""
    retried: bool
    """False: the job ends at once."""
    base_s: float
    """Pause before the first retry; doubles each time, with jitter."""
    max_s: float


class PolicyChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What to change of a policy; what is left out stays."""

    charged: Charged | None = None
    retried: bool | None = None
    base_s: float | None = None
    max_s: float | None = None


def policy(conn: Connection, cause: str, change: PolicyChange) -> Policy:
    """Change what happens after an attempt failed for this cause.

    Raises:
        BadRequest: Nothing is ever retried after it, or it would be for ever, or the user would pay for the fleet.
    """
    return act(conn, "policy_v1", Policy, p_cause=cause, p_policy=Json(change))
