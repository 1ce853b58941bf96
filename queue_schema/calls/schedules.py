"""The verbs of work that comes by the clock: for the API, which makes schedules, and the scheduler, which ticks."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from queue_schema.calls._edge import Connection, Json, call
from queue_schema.shapes import Submission

Missed = Literal["run_once", "skip"]


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Jobs to submit at each tick of a cron expression."""

    name: str
    """Unique within the project. The jobs carry it as the tag `schedule`, and the time of the tick as `tick`."""
    cron: str
    """Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, @yearly."""
    jobs: list[Submission]
    """One job, or a small graph; all or none."""
    timezone: str = "UTC"
    missed: Missed = "run_once"
    """After an absence of the scheduler: one submission for all missed ticks, or none."""
    enabled: bool = True


class Scheduled(msgspec.Struct, frozen=True):
    """The answer to `Schedule`."""

    schedule_id: UUID
    created: bool
    """False when exactly this schedule was there already."""


class Due(msgspec.Struct, frozen=True):
    """A schedule whose tick has come."""

    schedule_id: UUID
    name: str
    cron: str
    timezone: str
    tick: datetime
    now: datetime
    """The database's clock."""


class Ticked(msgspec.Struct, frozen=True):
    """What became of one tick."""

    outcome: Literal["submitted", "skipped", "refused", "stale"]
    """`stale`: another scheduler made it, or the schedule changed. `refused`: the schedule's `last_error` says why."""
    job_ids: list[UUID]


def create(
    conn: Connection, project_id: UUID, schedule: Schedule, *, next_tick: datetime, key_id: UUID | None = None
) -> Scheduled:
    """Make a schedule, having tried its submission out.

    Raises:
        BadRequest, NotFound: As `clients.submit`, or the name or policy is not usable.
        Conflict: Another schedule has the name.
    """
    return call(
        conn,
        "create_schedule_v1",
        Scheduled,
        p_project=project_id,
        p_schedule=Json(schedule),
        p_next=next_tick,
        p_key=key_id,
    )


def enable(conn: Connection, project_id: UUID, name: str, *, next_tick: datetime | None) -> bool:
    """Let a schedule go on with this tick; None pauses it. Returns whether that changed anything.

    Raises:
        NotFound: There is none of that name.
    """
    return call(
        conn,
        "enable_schedule_v1",
        bool,
        p_project=project_id,
        p_name=name,
        p_enabled=next_tick is not None,
        p_next=next_tick,
    )


def delete(conn: Connection, project_id: UUID, name: str) -> bool:
    """Forget a schedule; what it submitted stays. Returns whether there was one."""
    return call(conn, "delete_schedule_v1", bool, p_project=project_id, p_name=name)


def due(conn: Connection, *, limit: int = 100) -> list[Due]:
    """Schedules whose tick has come, the longest overdue first."""
    return call(conn, "due_schedules_v1", list[Due], p_limit=limit)


def tick(conn: Connection, schedule_id: UUID, *, tick: datetime, following: datetime | None) -> Ticked:
    """Make one tick, whoever else tries to; call `agents.wake` after one that submitted.

    Args:
        conn: As role fleet_scheduler.
        schedule_id: Which schedule.
        tick: The tick that `due` named.
        following: The first one in the future; None pauses the schedule.
    """
    return call(conn, "tick_v1", Ticked, p_schedule=schedule_id, p_tick=tick, p_next=following)
