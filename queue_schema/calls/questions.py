"""What is asked of the queue without changing it: why, when, and what would fit. Answered by rehearsal (docs/flow.md).

Rehearsals follow each other, one at a time for the whole fleet; each takes some tenths of a second to some seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from queue_schema.calls._edge import Connection, Json, call
from queue_schema.shapes import Submission
from queue_schema.states import JobState


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that keeps a job from starting."""

    cause: str
    """dependency, future, halted, quarantined, paused, cap, quota, draining, label, too_big, busy, reservation,
    no_live_node or behind."""
    message: str
    change: dict[str, Any] | None = None
    """The smallest change that does away with it: a verb and its arguments. None: only time helps."""
    free_at: datetime | None = None
    """When the nodes that are busy should have room by themselves."""


class Why(msgspec.Struct, frozen=True):
    """Why a job has not started."""

    job_id: UUID
    state: JobState
    causes: list[Reason]
    """All at once: with every change made, it starts. Empty when it runs, has ended, or will start any moment."""
    proved: bool
    """The changes were tried on a copy of the queue, and the job was given to the node."""
    node: str | None = None
    """The one that lacks least."""
    ahead: int = 0
    """Jobs before it in its own lane."""


class Bounds(msgspec.Struct, frozen=True):
    """Even odds, and nine of ten."""

    p50: datetime
    p90: datetime


class Eta(msgspec.Struct, frozen=True):
    """When a job starts and finishes."""

    job_id: UUID
    state: JobState
    basis: Literal["simulated", "extrapolated", "unknown", "ended"]
    """`extrapolated`: farther back than was played through, by the pace of its lane; `unknown`: not within a week as
    things are, `why` says more."""
    made_at: datetime | None = None
    start: Bounds | None = None
    started_at: datetime | None = None
    finish: Bounds | None = None
    ended_at: datetime | None = None
    ahead: int = 0


class Fit(msgspec.Struct, frozen=True):
    """What would become of a job if it were submitted now."""

    starts: Literal["now", "later", "never"]
    """`never`: not within a week, as things are."""
    ref: str | None = None
    node: str | None = None
    devices: list[int] = []
    start: Bounds | None = None
    finish: Bounds | None = None
    causes: list[Reason] = []
    """Why not now."""


class Forecast(msgspec.Struct, frozen=True):
    """One round of forecasting."""

    made_at: datetime
    jobs: int
    fresh: bool
    """False when the last one was young enough."""


def why(conn: Connection, project_id: UUID | None, job_id: UUID) -> Why:
    """The true reason, and the smallest change that starts the job now.

    Args:
        conn: Any.
        project_id: The asker's; None for somebody who may see all.
        job_id: The job.

    Raises:
        NotFound: There is no such job in this project.
    """
    return call(conn, "why_v1", Why, p_project=project_id, p_job=job_id)


def eta(conn: Connection, project_id: UUID | None, job_id: UUID, *, max_age_s: float = 10.0) -> Eta:
    """When it will start and finish, by a forecast that is `max_age_s` old at most.

    Raises:
        NotFound: There is no such job in this project.
    """
    return call(conn, "eta_v1", Eta, p_project=project_id, p_job=job_id, p_max_age_s=max_age_s)


def fit(
    conn: Connection, project_id: UUID, jobs: Sequence[Submission], *, key_id: UUID | None = None
) -> list[Fit]:
    """What would start now, where, and when; nothing is submitted.

    Raises:
        BadRequest: As `clients.submit`.
    """
    return call(conn, "fit_v1", list[Fit], p_project=project_id, p_jobs=Json(jobs), p_key=key_id)


def forecast(conn: Connection, *, max_age_s: float = 0.0) -> Forecast:
    """Forecast all jobs in sight, and judge what was forecast before."""
    return call(conn, "forecast_v1", Forecast, p_max_age_s=max_age_s)
