"""The verbs of the scheduler. All are idempotent, bounded, and safe to run from several schedulers at once."""

from __future__ import annotations

import msgspec

from queue_schema.calls._edge import Connection, call
from queue_schema.shapes import Reaped, Webhook


class Promoted(msgspec.Struct, frozen=True):
    """What one round of promotion did."""

    ready: int
    expired: int
    """Jobs ended because their `start_by` passed."""


class Reserved(msgspec.Struct, frozen=True):
    """What one round of reserving did."""

    kept: int
    """Places that are kept now."""
    preempted: int
    """Attempts that were asked to give way."""


class Learned(msgspec.Struct, frozen=True):
    """What one round of learning did."""

    observations: int
    """Taken up; as many as the limit: there may be more."""
    moved: int
    """Needs that got another shape, and their backlogs with them."""


class Pruned(msgspec.Struct, frozen=True):
    """What one round of pruning removed."""

    partitions: int
    jobs: int
    idempotency: int
    sessions: int
    files: int
    """That nothing names any more: the API takes them out of the store."""


def reap(conn: Connection, *, limit: int = 50) -> Reaped:
    """Take back the leases of sessions that went silent, and end what is overdue (I6)."""
    return call(conn, "reap_v1", Reaped, p_limit=limit)


def promote(conn: Connection, *, limit: int = 1000) -> Promoted:
    """Move jobs whose time has come to ready; end those whose `start_by` passed."""
    return call(conn, "promote_v1", Promoted, p_limit=limit)


def rank(conn: Connection) -> int:
    """Add up what projects were charged and order their lanes by it (fair share).

    Returns:
        How many lanes got another rank.
    """
    return call(conn, "rank_v1", int)


def reserve(conn: Connection) -> Reserved:
    """Keep places for jobs that no node has room for (I10); ask preemptible work to give way to urgent jobs."""
    return call(conn, "reserve_v1", Reserved)


def learn(conn: Connection, *, limit: int = 10_000) -> Learned:
    """Let needs follow what their attempts took, and lower those whose raise has expired."""
    return call(conn, "learn_v1", Learned, p_limit=limit)


def prune(conn: Connection, *, keep_days: int = 90, limit: int = 5000) -> Pruned:
    """Drop history, ended jobs and unused files older than `keep_days`."""
    return call(conn, "prune_v1", Pruned, p_keep_days=keep_days, p_limit=limit)


def make_partitions(conn: Connection, *, days_ahead: int = 14) -> int:
    """Make sure the daily partitions of the history exist. Returns how many were made."""
    return call(conn, "make_partitions_v1", int, p_days_ahead=days_ahead)


def due_webhooks(conn: Connection, *, limit: int = 20, hold_s: float = 60.0) -> list[Webhook]:
    """Take deliveries that are due; each is hidden from other schedulers for `hold_s`."""
    return call(conn, "due_webhooks_v1", list[Webhook], p_limit=limit, p_hold_s=hold_s)


def webhook_done(conn: Connection, delivery_id: int, *, delivered: bool, detail: str) -> None:
    """Record how a delivery went; a failed one is due again after a growing pause, eight times at most."""
    call(conn, "webhook_done_v1", type(None), p_delivery=delivery_id, p_delivered=delivered, p_detail=detail)
