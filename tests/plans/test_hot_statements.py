"""I9: what the hot verbs read amid 100,000 ready, 30,000 waiting and 30,000 running jobs; counted, never timed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from bench.mass import multiply
from queue_schema import migrate
from queue_schema.calls import agents, chores
from queue_schema.shapes import Completion
from tests.plans.plans import Ran, watch
from tests.support.verbs import Agent, Project

READY = 100_000
ROWS = 30_000
BIG = (
    "ready", "waiting", "leases", "jobs", "job_events", "attempts", "charges", "progress", "dependencies", "artifacts",
    "checkpoints", "needs", "shapes",
)  # fmt: skip
SLEEPERS = 100


@dataclass
class World:
    """A database full of jobs."""

    conn: psycopg.Connection[Any]
    project: Project
    agent: Agent
    """Holds a few leases; another node's session holds the rest."""

    def held(self, want: int) -> list[Completion]:
        """Claim, as a settle names it."""
        return [Completion(job.job_id, job.token) for job in self.agent.claim(want)]


@pytest.fixture(scope="module")
def world(postgres: str) -> Iterator[World]:
    """Filled by plain SQL, and not analyzed by hand: the plans must not need it."""
    with psycopg.connect(postgres, autocommit=True) as conn:
        conn.execute("drop database if exists argosy_plans with (force)")
        conn.execute("create database argosy_plans")
    url = make_url(postgres).set(database="argosy_plans").render_as_string(hide_password=False)
    migrate.upgrade(url)
    with psycopg.connect(url, autocommit=True) as conn:
        project = Project(conn)
        busy = Agent(conn, "busy", slots=1)
        # Plans are made while all is small, by this connection, and kept.
        for _ in range(2):
            project.submit()
            busy.complete(busy.claim_one())
        multiply(conn, _claimed(project, busy), ROWS)
        multiply(conn, project.submit(run_at=datetime.now(tz=UTC) + timedelta(days=1)), ROWS)
        multiply(conn, project.submit(), READY)
        conn.execute(
            "insert into fleet.charges (era, project_id, low, amount)"
            " select -1000, %s, false, 0 from generate_series(1, %s)",
            (project.id, ROWS),
        )
        for number in range(SLEEPERS):
            sleeper = Agent(conn, f"sleeper-{number}", kinds=["selftest.allocate"])
            assert not sleeper.claim(waiting=True)
        # The one that can is the last one in line.
        conn.execute("insert into fleet.idle_sessions values (%s, 'infinity')", (busy.session.session_id,))
        yield World(conn, project, Agent(conn, "node-1", slots=ROWS))


def _claimed(project: Project, agent: Agent) -> Any:
    project.submit()
    return agent.claim_one().job_id


def _claim(world: World) -> Ran:
    return watch(world.conn, lambda: world.agent.claim(10))


def _settle(world: World) -> Ran:
    held = world.held(10)
    return watch(world.conn, lambda: agents.complete(world.conn, world.agent.session, held))


def _heartbeat(world: World) -> Ran:
    tokens = [each.token for each in world.held(3)]
    return watch(world.conn, lambda: world.agent.beat(*tokens))


def _submit(world: World) -> Ran:
    return watch(world.conn, world.project.submit)


def _promote(world: World) -> Ran:
    return watch(world.conn, lambda: chores.promote(world.conn))


def _wake(world: World) -> Ran:
    return watch(world.conn, lambda: agents.wake(world.conn))


def _rank(world: World) -> Ran:
    return watch(world.conn, lambda: chores.rank(world.conn))


def _reap(world: World) -> Ran:
    return watch(world.conn, lambda: chores.reap(world.conn))


@dataclass(frozen=True)
class Guard:
    """A verb, the most pages one call of it may touch, and what makes it touch more."""

    run: Callable[[World], Ran]
    buffers: int
    without: str
    """SQL, undone after."""


GUARDS = {
    "claim": Guard(_claim, 600, "alter table fleet.ready drop constraint ready_pkey"),
    "settle": Guard(_settle, 1200, "alter table fleet.leases drop constraint leases_pkey"),
    "heartbeat": Guard(_heartbeat, 100, "drop index fleet.leases_by_session"),
    "submit": Guard(
        # Of the sleepers, none of which can run it, it looks at 32.
        _submit,
        400,
        "alter table fleet.jobs drop constraint jobs_pkey; drop index fleet.jobs_by_project",
    ),
    "promote": Guard(_promote, 150, "drop index fleet.waiting_due"),
    "wake": Guard(_wake, 2500, "alter table fleet.ready drop constraint ready_pkey"),
    "rank": Guard(_rank, 150, "drop index fleet.charges_by_era"),
}


@pytest.mark.parametrize("verb", list(GUARDS))
def test_i9_a_hot_verb_reads_by_key(world: World, verb: str):
    """No table that grows with the backlog is read whole, and few pages are touched."""
    GUARDS[verb].run(world)  # the first call of a session reads the catalog too
    ran = GUARDS[verb].run(world)

    assert ran.read_whole(*BIG) == []
    assert ran.buffers <= GUARDS[verb].buffers, ran.by_table()


def test_i9_reap_reads_each_lease_twice_and_no_job(world: World):
    """It has no index to go by, since that would cost every claim; it runs each five seconds."""
    ran = _reap(world)

    assert ran.read_whole(*BIG) in ([], ["leases"])
    assert ran.rows_read("leases") <= 2.1 * ROWS
    assert ran.rows_read("jobs") == 0


@pytest.mark.parametrize("verb", list(GUARDS))
def test_i9_the_guard_notices_a_missing_index(world: World, verb: str):
    """A limit that nothing can break guards nothing."""
    guard = GUARDS[verb]
    with world.conn.transaction(force_rollback=True):
        world.conn.execute(guard.without.encode())
        ran = guard.run(world)

    assert ran.read_whole(*BIG) != [] or ran.buffers > guard.buffers
