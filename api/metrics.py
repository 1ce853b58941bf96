"""`GET /metrics`: the fleet in numbers, as the database has them, and this process beside them.

What is true of the whole fleet is asked of the database when somebody scrapes, and remembered for a few seconds; each
API process says the same. Counters are the database's own, which no restart resets. What only one process knows, its
requests, is counted in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import psycopg
import structlog
from litestar import Response, get
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from psycopg_pool import ConnectionPool, PoolTimeout

from api.auth import needs
from api.problems import responses
from api.services import Running
from queue_schema import desk
from queue_schema.states import Scope

log = structlog.get_logger(__name__)

_PATIENCE_MS = 5000
_UP = "database.up"


class Number(NamedTuple):
    """One metric of the fleet; `argosy.` stands before its name, and its unit behind it in Prometheus."""

    name: str
    unit: str
    description: str
    counts: bool = False
    """It only grows."""


NUMBERS = (
    Number("queue.depth", "{job}", "Ready jobs, by project, kind and class, and why they are held."),
    Number("queue.oldest_age", "s", "Since the oldest ready job was submitted."),
    Number("jobs.waiting", "{job}", "Jobs that wait for other jobs or for a time."),
    Number("jobs.running", "{job}", "Jobs that run, by project, kind and class."),
    Number("nodes", "{node}", "Hosts that ever joined, by state."),
    Number("device.memory.limit", "By", "All memory of a device."),
    Number("device.memory.free", "By", "Free memory of a device in the last sample that the database kept."),
    Number("device.memory.booked", "By", "Memory of a device that is booked for running jobs."),
    Number("device.fault.age", "s", "Since when a device takes no work, and why: sick, disk_full, owner."),
    Number("attempts", "{attempt}", "Attempts that ended, ever, by how and why.", counts=True),
    Number("halted", "", "1 while the whole fleet is stopped."),
    Number("kinds.quarantined", "{kind}", "Kinds of which nothing is claimed."),
    Number("lanes.paused", "{lane}", "Active lanes that are paused."),
    Number("reaper.age", "s", "Since the reaper ran: it does every few seconds while a scheduler lives."),
    Number("reaper.alarm", "", "1 while too much of the fleet is silent at once, and nothing is taken back."),
    Number(
        "erasures.oldest.age", "s", "Since the oldest erasure was asked for that is not done; 0: all are."
    ),
    Number(
        "forecast.coverage.ratio",
        "1",
        "Of the latest forecasts, the share that came by the bound of nine in ten.",
    ),
    Number("forecast.judged", "{forecast}", "Of so many it is the share; 500 at most."),
    Number(
        "forecast.error.ratio",
        "1",
        "What took place over what was said, in the middle: 1 is right, 2 twice as long.",
    ),
    Number(
        "partitions.ahead", "d", "Days for which the history has partitions after today; -1: none for today."
    ),
    Number(
        "database.snapshot.age", "{transaction}", "Transactions since the oldest snapshot somebody holds."
    ),
    Number(_UP, "", "1 if the numbers of the fleet could be read."),
)


class FleetNumbers:
    """Reads them all in one query, and again when they are too old."""

    def __init__(self, pool: ConnectionPool[Any], *, age_s: float) -> None:
        self._pool = pool
        self._age_s = age_s
        self._read_at: float | None = None
        self._found: dict[str, list[Observation]] = {}
        self._lock = Lock()

    def observe(self, meter: Meter) -> None:
        """Answer for each of `NUMBERS` from now on."""
        for number in NUMBERS:
            make = meter.create_observable_counter if number.counts else meter.create_observable_gauge
            make(
                "argosy." + number.name,
                callbacks=[partial(self._of, number.name)],
                unit=number.unit,
                description=number.description,
            )

    def _of(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        with self._lock:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at > self._age_s:
                self._found = self._read()
                self._read_at = time.monotonic()
            return self._found.get(name, [])

    def _read(self) -> dict[str, list[Observation]]:
        try:
            with self._pool.connection() as conn, conn.transaction():
                conn.execute(f"set local statement_timeout = {_PATIENCE_MS}")
                points = desk.points(conn)
        except (psycopg.Error, PoolTimeout) as exc:
            log.warning("metrics.unread", error=str(exc).strip())
            return {_UP: [Observation(0)]}
        found: dict[str, list[Observation]] = {_UP: [Observation(1)]}
        for point in points:
            found.setdefault(point.metric, []).append(Observation(point.value, point.labels))
        return found


@get(
    "/metrics",
    tags=["health"],
    guards=[needs(Scope.METRICS)],
    sync_to_thread=True,
    summary="The fleet in numbers",
    responses=responses(),
    media_type="text/plain",
)
def metrics(services: Running) -> Response[bytes]:
    """For Prometheus, in its text format; with a key of scope `metrics`, for it shows every project."""
    body, media_type = services.signals.exposition()
    return Response(body, media_type=media_type)


HANDLERS: list[Any] = [metrics]
