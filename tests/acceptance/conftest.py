"""A real fleet for each test: API, scheduler and agents as processes, on the test database."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from argosy import Client
from argosy.local.children import Child
from argosy.local.fleet import LocalFleet, LocalFleetSettings
from tests.acceptance.shell import below
from tests.support.ports import free_port

LEASE_S = 6.0


class Fleet:
    """A local fleet, the SDK on it, and a connection that sees everything."""

    def __init__(self, url: str, home: Path, conn: psycopg.Connection[Any]) -> None:
        self.told: list[str] = []
        self.local = LocalFleet(
            LocalFleetSettings(home=home, database_url=url, port=free_port(), lease_s=LEASE_S),
            self.told.append,
        )
        self.conn = conn
        self.local.start()
        self.client = Client(self.local.url, self.local.api_key)

    def agent(self, node: str, **options: Any) -> Child:
        """Start an agent; returns when it has joined."""
        # Without torch in the forkserver an agent is ready in a second; the demo shows the other way.
        child = self.local.add_agent(node, **{"slots": 4, "preload": "workloads.runner", **options})
        self.until(lambda: any(one.node == node and one.state == "live" for one in self.client.nodes()))
        return child

    def until(self, true: Callable[[], object], timeout_s: float = 90.0) -> None:
        """Look until it is so; what dies is started again meanwhile, as `argosy up` does."""
        end = time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < end, f"not within {timeout_s} s; {self.told}\n{self.logs()}"
            self.local.watch()
            time.sleep(0.05)

    def all_ended(self) -> bool:
        """Whether nothing waits, is ready or runs."""
        row = self.conn.execute("select count(*) from fleet.jobs where outcome is null").fetchone()
        assert row is not None
        return bool(row[0] == 0)

    def running(self, job: str) -> bool:
        """Whether a job has a lease."""
        return self.conn.execute("select from fleet.leases where job_id = %s", (job,)).fetchone() is not None

    def assert_each_ended_once(self, expected: int) -> None:
        """None lost, none settled twice: one success per job, in the history and in the events."""
        rows = self.conn.execute(
            """
            select j.job_id, j.outcome::text,
                   (select count(*) from fleet.attempts a where a.job_id = j.job_id and a.outcome = 'succeeded'),
                   (select count(*) from fleet.v_events e where e.job_id = j.job_id and e.event = 'succeeded')
              from fleet.jobs j
            """
        ).fetchall()
        assert len(rows) == expected
        assert [row for row in rows if row[1:] != ("succeeded", 1, 1)] == []

    def logs(self) -> str:
        """The end of every program's log, for a failing test."""
        logs = sorted((self.local.home / "logs").glob("*.log"))
        return "\n".join(f"== {log.name}\n" + "\n".join(log.read_text().splitlines()[-15:]) for log in logs)

    def child(self, name: str) -> Child:
        """One program of the fleet."""
        return next(child for child in self.local._children if child.name == name)


def descendants(child: Child) -> list[psutil.Process]:
    """Every process below a program, the forkserver's children included."""
    assert child.process is not None
    return psutil.Process(child.process.pid).children(recursive=True)


@pytest.fixture
def fleet(database_url: str, conn: psycopg.Connection[Any], tmp_path: Path) -> Iterator[Fleet]:
    """API and scheduler run; a test adds agents."""
    running = Fleet(database_url, tmp_path / "home", conn)
    try:
        yield running
    finally:
        running.client.close()
        running.local.stop()


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, since a UNIX socket lives below; emptied of processes and files after the test."""
    folder = Path(f"/tmp/argosy-up-{os.getpid()}")
    folder.mkdir()
    yield folder / "home"
    for process in below(folder):
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)
