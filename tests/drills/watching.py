"""Wait for something of a fleet, and do for it meanwhile what `argosy up` does; see that it kept its word."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg

from argosy.local.fleet import LocalFleet
from bench.chaos.checker import Journal, violations


def until(local: LocalFleet, true: Callable[[], object], within_s: float) -> None:
    """Look until it is so; what dies is started again meanwhile."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"not within {within_s} s"
        local.watch()
        time.sleep(0.1)


def at_rest(url: str) -> bool:
    """Whether every job has ended."""
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute("select from fleet.jobs where outcome is null limit 1").fetchone() is None


def assert_each_succeeded_once(url: str, jobs: Sequence[str]) -> None:
    """These jobs, and no others, are there; each succeeded, once; the history has nothing that must not be."""
    with psycopg.connect(url, autocommit=True) as conn:
        rows = conn.execute("select job_id::text, outcome::text from fleet.jobs").fetchall()
        assert dict(rows) == dict.fromkeys(jobs, "succeeded")
        found = violations(conn, [UUID(job) for job in jobs], Journal(), told_tokens=False)
    assert found == []
