"""What the people who run a project or the fleet look at: reads over the views, as `reads` has them for jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from queue_schema._rows import Connection, rows, select, view
from queue_schema.calls.schedules import Missed
from queue_schema.errors import NotFound
from queue_schema.shapes import Need


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


class Fleet(msgspec.Struct, frozen=True):
    """Is anything stopped, and how much goes on."""

    halted: bool
    halt_reason: str | None
    quarantined: list[str]
    """Kinds that nobody claims."""
    paused_lanes: int
    live_nodes: int
    running: int


class Kind(msgspec.Struct, frozen=True):
    """What code can run, and what it needs when the job does not say."""

    kind: str
    description: str
    quarantined: bool
    quarantine_reason: str | None
    need: Need
    timeout_s: int
    retries: int
    ready: int
    running: int


_FLEET = view("v_fleet", Fleet)
_KINDS = view("v_kinds", Kind)
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


def fleet(conn: Connection) -> Fleet:
    """The brakes of the whole fleet."""
    [found] = rows(conn, select(_FLEET, Fleet), Fleet)
    return found


def kinds(conn: Connection) -> list[Kind]:
    """What can run, by name."""
    return rows(conn, select(_KINDS, Kind).order_by(_KINDS.c.kind), Kind)


def kind(conn: Connection, name: str) -> Kind:
    """One kind.

    Raises:
        NotFound: There is none of that name.
    """
    found = rows(conn, select(_KINDS, Kind).where(_KINDS.c.kind == name), Kind)
    if not found:
        raise NotFound(f"there is no kind {name}", field="kind", fix="List the kinds to find its name.")
    return found[0]


def project_named(conn: Connection, name: str) -> UUID:
    """The id of a project.

    Raises:
        NotFound: There is none of that name.
    """
    row = conn.execute("select p.project_id from fleet.v_projects as p where p.name = %s", (name,)).fetchone()
    if row is None:
        raise NotFound(f"there is no project {name}", field="project")
    found: UUID = row[0]
    return found
