"""What the people who run a project or the fleet look at: reads over the views, as `reads` has them for jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from queue_schema._rows import Connection, rows, select, view
from queue_schema.calls.schedules import Missed
from queue_schema.errors import NotFound


class ScheduleError(msgspec.Struct, frozen=True):
    """Why a tick was refused."""

    message: str
    field: str | None = None
    fix: str | None = None


class Schedule(msgspec.Struct, frozen=True):
    """Work that comes by the clock."""

    schedule_id: UUID
    name: str
    cron: str
    timezone: str
    enabled: bool
    missed: Missed
    next_tick: datetime | None
    """None while it is paused."""
    last_tick: datetime | None
    last_outcome: str | None
    """`submitted`, `skipped` (it was missed) or `refused`."""
    last_job_ids: list[UUID]
    last_error: ScheduleError | None
    jobs: list[dict[str, Any]]
    created_at: datetime


_SCHEDULES = view("v_schedules", Schedule, "project_id")


def now(conn: Connection) -> datetime:
    """The clock of the fleet (I4)."""
    row = conn.execute("select fleet.now()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def schedules(conn: Connection, project_id: UUID) -> list[Schedule]:
    """The schedules of a project, by name."""
    columns = _SCHEDULES.c
    return rows(
        conn,
        select(_SCHEDULES, Schedule).where(columns.project_id == project_id).order_by(columns.name),
        Schedule,
    )


def schedule(conn: Connection, project_id: UUID, name: str) -> Schedule:
    """One schedule.

    Raises:
        NotFound: There is none of that name.
    """
    columns = _SCHEDULES.c
    statement = select(_SCHEDULES, Schedule).where(columns.project_id == project_id, columns.name == name)
    found = rows(conn, statement, Schedule)
    if not found:
        raise NotFound(
            f"there is no schedule {name} in this project",
            field="name",
            fix="List schedules to find its name.",
        )
    return found[0]
