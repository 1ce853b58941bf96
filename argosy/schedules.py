"""Work that comes by the clock, from Python: `client.schedules`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from argosy._http import Transport
from argosy.models import Blob
from argosy.spec import JobSpec, as_json


class ScheduleError(msgspec.Struct, frozen=True):
    """Why a tick was refused."""

    message: str
    field: str | None = None
    fix: str | None = None


class ScheduleInfo(msgspec.Struct, frozen=True):
    """One schedule, as last heard of."""

    name: str
    cron: str
    timezone: str
    enabled: bool
    missed: str
    created_at: datetime
    next_tick: datetime | None = None
    """None while it is paused."""
    last_tick: datetime | None = None
    last_outcome: str | None = None
    """`submitted`, `skipped` (it was missed) or `refused`."""
    last_job_ids: list[str] = []
    last_error: ScheduleError | None = None
    jobs: list[dict[str, Any]] = []


class _Schedules(msgspec.Struct):
    schedules: list[ScheduleInfo]


class _Enabled(msgspec.Struct):
    schedule: ScheduleInfo
    changed: bool


class Schedules:
    """The schedules of one project."""

    def __init__(self, http: Transport, upload: Callable[[Path | bytes], Blob]) -> None:
        self._http = http
        self._upload = upload

    def create(
        self,
        name: str,
        cron: str,
        jobs: Sequence[JobSpec],
        *,
        timezone: str = "UTC",
        missed: str = "run_once",
        enabled: bool = True,
    ) -> ScheduleInfo:
        """Submit *jobs* at each tick of *cron* (`"0 3 * * mon-fri"`, `"@daily"`).

        Args:
            name: Unique within the project; the jobs carry it as the tag `schedule`.
            cron: Minute, hour, day of month, month, day of week.
            jobs: One, or a small graph.
            timezone: In which the expression is meant.
            missed: After an absence of the scheduler: `run_once` for all missed ticks, or `skip`.
            enabled: False makes it paused.

        Raises:
            BadRequest: An argument is not usable; its `field` says which.
            Conflict: Another schedule has that name.
        """
        return self.create_raw(
            {
                "name": name,
                "cron": cron,
                "timezone": timezone,
                "missed": missed,
                "enabled": enabled,
                "jobs": as_json(jobs, self._upload),
            }
        )

    def create_raw(self, schedule: dict[str, Any]) -> ScheduleInfo:
        """Make a schedule that is written as the API wants it."""
        return self._http.call("POST", "/v1/schedules", ScheduleInfo, json=schedule)

    def list(self) -> list[ScheduleInfo]:
        """All of them, by name."""
        return self._http.call("GET", "/v1/schedules", _Schedules).schedules

    def get(self, name: str) -> ScheduleInfo:
        """One of them."""
        return self._http.call("GET", _path(name), ScheduleInfo)

    def pause(self, name: str) -> bool:
        """No ticks until it is resumed. Returns whether that changed anything."""
        return self._http.call("POST", _path(name, "/pause"), _Enabled).changed

    def resume(self, name: str) -> bool:
        """Go on with the next tick. Returns whether that changed anything."""
        return self._http.call("POST", _path(name, "/resume"), _Enabled).changed

    def delete(self, name: str) -> None:
        """Forget it; what it submitted stays."""
        self._http.call("DELETE", _path(name), type(None))


def _path(name: str, leaf: str = "") -> str:
    return f"/v1/schedules/{quote(name, safe='')}{leaf}"
