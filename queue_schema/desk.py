"""What the people who run a project or the fleet look at: reads over the views, as `reads` has them for jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa

from queue_schema._rows import Connection, rows, select, view
from queue_schema.calls.oncall import Policy
from queue_schema.calls.schedules import Missed
from queue_schema.errors import NotFound
from queue_schema.shapes import Need
from queue_schema.states import Cause


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


class LearnedNeed(msgspec.Struct, frozen=True):
    """What jobs of one kind, model and size need, and how long they take."""

    kind: str
    model: str | None
    size: str | None
    gpus: int
    memory: Literal["vram", "ram"]
    """Which memory the sizes are of: on each device, or the host's."""
    stated: bool
    """The submission named it: what is learned never lowers it."""
    declared_mib: int
    learned_mib: int | None
    """None: fewer than five attempts were measured."""
    raised_mib: int | None
    raised_until: datetime | None
    vram_mib: int
    """Booked on each device now."""
    ram_mib: int
    runs: int
    run_p50_s: float | None
    run_p90_s: float | None
    peak_mib: int | None


class Dead(msgspec.Struct, frozen=True):
    """A job that failed by itself, with its retries used up."""

    job_id: UUID
    kind: str
    name: str | None
    cause: Cause
    message: str | None
    attempts: int
    retries_used: int
    infra_retries: int
    last_node: str | None
    ended_at: datetime


class Act(msgspec.Struct, frozen=True):
    """What an operator did."""

    audit_id: int
    at: datetime
    login: str
    """Of the database."""
    key: str | None
    """The first part of the API key that asked; None: it was done at the database."""
    project: str | None
    """The key's."""
    act: str
    said: dict[str, Any]


class DeadFilter(msgspec.Struct, frozen=True):
    """Which of them; what is left out does not filter."""

    kind: str | None = None
    cause: Cause | None = None
    ended_after: datetime | None = None
    ended_before: datetime | None = None
    beyond: tuple[datetime, UUID] | None = None
    """Only those that come after this one in the list."""


class Point(msgspec.Struct, frozen=True):
    """One number of the fleet, for monitoring."""

    metric: str
    labels: dict[str, str | int]
    value: float


_POINTS = view("v_metrics", Point)
_DEAD = view("v_dead", Dead, "project_id")
_POLICIES = view("v_policies", Policy)
_AUDIT = view("v_audit", Act)
_FLEET = view("v_fleet", Fleet)
_KINDS = view("v_kinds", Kind)
_NEEDS = view("v_needs", LearnedNeed, "project_id")
_SCHEDULES = view("v_schedules", Schedule, "project_id")


def now(conn: Connection) -> datetime:
    """The clock of the fleet (I4)."""
    row = conn.execute("select fleet.now()").fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def points(conn: Connection) -> list[Point]:
    """The fleet in numbers, at one moment."""
    return rows(conn, select(_POINTS, Point), Point)


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


def needs(conn: Connection, project_id: UUID, *, kind: str | None = None) -> list[LearnedNeed]:
    """What the jobs of a project need, by kind, model and size; those that ran most first."""
    statement = select(_NEEDS, LearnedNeed).where(_NEEDS.c.project_id == project_id)
    if kind is not None:
        statement = statement.where(_NEEDS.c.kind == kind)
    return rows(conn, statement.order_by(_NEEDS.c.runs.desc(), _NEEDS.c.kind).limit(500), LearnedNeed)


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


def policies(conn: Connection) -> list[Policy]:
    """What happens after an attempt failed, by cause."""
    return rows(conn, select(_POLICIES, Policy).order_by(_POLICIES.c.cause), Policy)


def audit(conn: Connection, *, limit: int) -> list[Act]:
    """What operators did, newest first."""
    return rows(conn, select(_AUDIT, Act).order_by(_AUDIT.c.audit_id.desc()).limit(limit), Act)


def dead(conn: Connection, project_id: UUID, wanted: DeadFilter, *, limit: int) -> list[Dead]:
    """Jobs of a project that failed with their retries used up, newest first."""
    ended_at, job_id = sa.cast(_DEAD.c.ended_at, sa.DateTime(timezone=True)), _DEAD.c.job_id
    statement = select(_DEAD, Dead).where(*_narrowed(project_id, wanted))
    if wanted.beyond is not None:
        at, last = wanted.beyond
        statement = statement.where(
            ended_at <= at, sa.or_(ended_at < at, sa.and_(ended_at == at, job_id < last))
        )
    return rows(conn, statement.order_by(_DEAD.c.ended_at.desc(), job_id.desc()).limit(limit), Dead)


def dead_by_cause(conn: Connection, project_id: UUID, wanted: DeadFilter) -> dict[str, int]:
    """How many of them there are."""
    count = sa.func.count().label("jobs")
    statement = sa.select(_DEAD.c.cause, count).where(*_narrowed(project_id, wanted)).group_by(_DEAD.c.cause)
    return {str(row["cause"]): int(row["jobs"]) for row in rows(conn, statement, dict[str, Any])}


def _narrowed(project_id: UUID, wanted: DeadFilter) -> list[sa.ColumnElement[bool]]:
    columns = _DEAD.c
    found = [columns.project_id == project_id]
    if wanted.kind is not None:
        found.append(columns.kind == wanted.kind)
    if wanted.cause is not None:
        found.append(columns.cause == str(wanted.cause))
    ended_at = sa.cast(columns.ended_at, sa.DateTime(timezone=True))
    if wanted.ended_after is not None:
        found.append(ended_at >= wanted.ended_after)
    if wanted.ended_before is not None:
        found.append(ended_at < wanted.ended_before)
    return found
