"""What the API shows: SQLAlchemy Core statements over the views of schema `fleet`, and the shapes they fill.

Reads only; every write is a call of `queue_schema.calls`. Statements are compiled here and run on a psycopg
connection, so that one pool serves reads and writes alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from queue_schema._rows import Connection, rows, select, view
from queue_schema.errors import Conflict, NotFound
from queue_schema.shapes import Held, Need
from queue_schema.states import Cause, JobEnd, JobState, Priority


class Progress(msgspec.Struct, frozen=True):
    """The latest news an attempt reported."""

    at: datetime
    step: int | None = None
    total: int | None = None
    message: str | None = None
    metrics: dict[str, float | None] | None = None
    metrics_step: int | None = None


class JobError(msgspec.Struct, frozen=True):
    """Why the last attempt ended badly, for people."""

    message: str | None = None
    traceback: str | None = None


class Edge(msgspec.Struct, frozen=True):
    """One job that a job waits, or waited, for."""

    job: UUID
    when: JobEnd
    satisfied: bool


class JobSummary(msgspec.Struct, frozen=True):
    """One job in a list: what a table shows, nothing that can be large."""

    job_id: UUID
    kind: str
    name: str | None
    priority: Priority
    state: JobState
    held: Held | None
    """Why a ready job is not claimed now: the fleet, its kind or its project is stopped."""
    cause: Cause | None
    tags: dict[str, str]
    attempts: int
    node: str | None
    progress: Progress | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Job(msgspec.Struct, frozen=True):
    """One job, whole."""

    job_id: UUID
    project: str
    kind: str
    name: str | None
    priority: Priority
    state: JobState
    held: Held | None
    """Why a ready job is not claimed now: the fleet, its kind or its project is stopped."""
    cause: Cause | None
    error: JobError | None
    params: dict[str, Any]
    need: Need
    inputs: dict[str, Any]
    tags: dict[str, str]
    after: list[UUID]
    edges: list[Edge]
    """The same as `after`, each with the end that is waited for."""
    waits_for: int
    """How many of them it still waits for."""
    run_at: datetime | None
    start_by: datetime | None
    timeout_s: int
    retries: int
    retries_used: int
    infra_retries: int
    """Runs lost to the fleet's own faults; they use up no retry."""
    attempts: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    node: str | None
    devices: list[int] | None
    progress: Progress | None
    result: dict[str, Any] | None
    webhook: str | None
    exclusive: bool
    preemptible: bool
    cancel_requested: bool


class Output(msgspec.Struct, frozen=True):
    """One file a job made."""

    name: str
    sha256: str
    size: int
    media_type: str


class Attempt(msgspec.Struct, frozen=True):
    """One run of a job."""

    attempt: int
    node: str | None
    devices: list[int] | None
    vram_mib: int | None
    started_at: datetime
    ended_at: datetime | None
    outcome: str
    """`succeeded`, `failed`, `released` or `running`."""
    cause: Cause | None
    message: str | None
    traceback: str | None
    peak_mib: int | None


class LogChunk(msgspec.Struct, frozen=True):
    """Whole lines of one stream of one attempt."""

    log_id: int
    job_id: UUID
    attempt: int
    at: datetime
    stream: str
    text: str


class Event(msgspec.Struct, frozen=True):
    """One step in a job's life."""

    event_id: int
    job_id: UUID
    at: datetime
    event: str
    detail: dict[str, Any] | None


class Device(msgspec.Struct, frozen=True):
    """One device of a node, as last measured."""

    idx: int
    kind: str
    name: str
    uuid: str
    total_mib: int
    free_mib: int | None = None
    booked_mib: int | None = None
    fault: str | None = None
    """Why it takes no work; None: it is well."""
    fault_since: datetime | None = None


class Node(msgspec.Struct, frozen=True):
    """One host of the fleet."""

    node: str
    state: str
    """`live`, `silent`, `gone` or `draining`."""
    draining: bool
    labels: dict[str, str]
    pools: list[str]
    kinds: list[str]
    version: str | None
    slots: int | None
    running: int
    cpu_milli: int | None
    disk_mib: int | None
    joined_at: datetime | None
    beat_at: datetime | None
    devices: list[Device]


class Blob(msgspec.Struct, frozen=True):
    """One file of a project."""

    sha256: str
    size: int
    media_type: str
    created_at: datetime


class Pulse(msgspec.Struct, frozen=True):
    """As much of a job as a watcher has to be told again and again."""

    job_id: UUID
    state: JobState
    progress: Progress | None


class JobFilter(msgspec.Struct, frozen=True):
    """Which jobs to list; what is left out does not filter."""

    states: Sequence[JobState] = ()
    kind: str | None = None
    priority: Priority | None = None
    name: str | None = None
    tags: Mapping[str, str] = {}
    before: UUID | None = None
    """Only jobs older than this one."""


_JOBS = view("v_jobs", Job, "project_id")
_OUTPUTS = view("v_artifacts", Output, "job_id", "project_id")
_ATTEMPTS = view("v_attempts", Attempt, "job_id", "project_id")
_LOGS = view("v_logs", LogChunk, "project_id")
_EVENTS = view("v_events", Event, "project_id")
_NODES = view("v_nodes", Node)
_BLOBS = view("v_blobs", Blob, "project_id")


def find_job(conn: Connection, project_id: UUID, prefix: str) -> UUID:
    """The id of the one job of this project that starts with *prefix* (hex digits, at least 8, no dashes).

    Raises:
        NotFound: No job starts so.
        Conflict: Several do.
    """
    low, high = UUID(prefix.ljust(32, "0")), UUID(prefix.ljust(32, "f"))
    job_id = _JOBS.c.job_id
    statement = (
        sa.select(job_id)
        .where(_JOBS.c.project_id == project_id, job_id >= low, job_id <= high)
        .order_by(job_id)
        .limit(2)
    )
    found = rows(conn, statement, dict[str, UUID])
    if not found:
        raise NotFound(f"no job {prefix} in this project", field="job_id")
    if len(found) > 1:
        raise Conflict(f"several jobs start with {prefix}", field="job_id", fix="Give more digits of the id.")
    return found[0]["job_id"]


def job(conn: Connection, project_id: UUID, job_id: UUID) -> Job:
    """One job.

    Raises:
        NotFound: It is not a job of this project.
    """
    statement = select(_JOBS, Job).where(_JOBS.c.project_id == project_id, _JOBS.c.job_id == job_id)
    found = rows(conn, statement, Job)
    if not found:
        raise NotFound(f"no job {job_id} in this project", field="job_id")
    return found[0]


def project_of(conn: Connection, job_id: UUID) -> UUID:
    """The project a job belongs to. Ask only after the caller has proved that the job is its to know of.

    Raises:
        NotFound: There is no such job.
    """
    statement = sa.select(_JOBS.c.project_id).where(_JOBS.c.job_id == job_id)
    found = rows(conn, statement, dict[str, UUID])
    if not found:
        raise NotFound(f"no job {job_id}", field="Argosy-Job")
    return found[0]["project_id"]


def jobs(conn: Connection, project_id: UUID, wanted: JobFilter, *, limit: int) -> list[JobSummary]:
    """Jobs of a project, newest first. Page on with the last id as `before`: ids never move."""
    columns = _JOBS.c
    statement = select(_JOBS, JobSummary).where(columns.project_id == project_id)
    if wanted.states:
        # The cast lets an enum column be compared with any word, without an index being lost on text.
        statement = statement.where(
            sa.cast(columns.state, sa.Text).in_([str(state) for state in wanted.states])
        )
        # Said twice, once so that an index can see it: the state is computed, whether a job has ended is not.
        if not any(state.ended for state in wanted.states):
            statement = statement.where(columns.ended_at.is_(None))
    if wanted.kind is not None:
        statement = statement.where(columns.kind == wanted.kind)
    if wanted.priority is not None:
        statement = statement.where(sa.cast(columns.priority, sa.Text) == str(wanted.priority))
    if wanted.name is not None:
        statement = statement.where(columns.name == wanted.name)
    if wanted.tags:
        tags = sa.literal(msgspec.json.encode(wanted.tags).decode(), sa.Text)
        statement = statement.where(columns.tags.op("@>")(sa.cast(tags, postgresql.JSONB)))
    if wanted.before is not None:
        statement = statement.where(columns.job_id < wanted.before)
    return rows(conn, statement.order_by(columns.job_id.desc()).limit(limit), JobSummary)


def outputs(conn: Connection, project_id: UUID, job_id: UUID) -> list[Output]:
    """The files of a job's last success, by name."""
    columns = _OUTPUTS.c
    statement = select(_OUTPUTS, Output).where(columns.project_id == project_id, columns.job_id == job_id)
    return rows(conn, statement.order_by(columns.name), Output)


def attempts(conn: Connection, project_id: UUID, job_id: UUID) -> list[Attempt]:
    """The runs of a job, first to last."""
    columns = _ATTEMPTS.c
    statement = select(_ATTEMPTS, Attempt).where(columns.project_id == project_id, columns.job_id == job_id)
    return rows(conn, statement.order_by(columns.attempt), Attempt)


def nodes(conn: Connection) -> list[Node]:
    """Every host, by name."""
    return rows(conn, select(_NODES, Node).order_by(_NODES.c.node), Node)


def blob(conn: Connection, project_id: UUID, sha256: str) -> Blob | None:
    """A file, if this project may see it (I15, I7)."""
    statement = select(_BLOBS, Blob).where(_BLOBS.c.project_id == project_id, _BLOBS.c.sha256 == sha256)
    found = rows(conn, statement, Blob)
    return found[0] if found else None


def pulses(conn: Connection, job_ids: Sequence[UUID]) -> list[Pulse]:
    """State and progress of many jobs in one look; a job that is not there any more is left out."""
    return rows(conn, select(_JOBS, Pulse).where(_JOBS.c.job_id.in_(job_ids)), Pulse)


def events_after(conn: Connection, after: Mapping[UUID, int], *, limit: int) -> list[Event]:
    """Events of many jobs, oldest first, each job's after an id of its own.

    The cursor is per job: within a job each event is written under that job's lock, so ids grow in the order of
    commits; between jobs they do not.
    """
    return rows(conn, _after(_EVENTS, Event, "event_id", after, limit), Event)


def logs_after(conn: Connection, after: Mapping[UUID, int], *, limit: int) -> list[LogChunk]:
    """Log chunks of many jobs, oldest first, each job's after an id of its own."""
    return rows(conn, _after(_LOGS, LogChunk, "log_id", after, limit), LogChunk)


def _after(
    source: sa.TableClause, shape: type[msgspec.Struct], key: str, after: Mapping[UUID, int], limit: int
) -> sa.Select[Any]:
    ids = sa.literal(list(after), sa.ARRAY(sa.Uuid))
    marks = sa.literal(list(after.values()), sa.ARRAY(sa.BigInteger))
    wanted = sa.func.unnest(ids, marks).table_valued(
        sa.column("job_id", sa.Uuid), sa.column("mark", sa.BigInteger), name="wanted"
    )
    # `render_derived` writes the column names out: unnest alone would call both of them `unnest`.
    wanted = wanted.render_derived()
    joined = sa.and_(source.c.job_id == wanted.c.job_id, source.c[key] > wanted.c.mark)
    return select(source, shape).join_from(source, wanted, joined).order_by(source.c[key]).limit(limit)
