"""I9: an open transaction keeps every dead row in every index; claims and settles must not walk them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from queue_schema.calls import agents, clients
from queue_schema.shapes import Completion, Submission
from tests.plans.plans import Ran, watch
from tests.support.verbs import Agent, Project

CHURN = 5_000
PER_CALL = 500
JOBS = 10


@pytest.fixture
def held(database_url: str) -> Any:
    """A snapshot from before everything."""
    with psycopg.connect(database_url) as old:
        old.execute("set transaction isolation level repeatable read")
        old.execute("select count(*) from fleet.jobs")
        yield old


def rounds(project: Project, agent: Agent, jobs: int, per_call: int) -> tuple[Ran, Ran]:
    """Submit, claim and settle; of each the call that touched least (one that plans anew reads the catalog, too)."""
    claims, settles = [], []
    for _ in range(jobs // per_call):
        clients.submit(project.conn, project.id, [Submission(kind="noop")] * per_call)
        # As a claim does by chance, each 1,000 jobs or so.
        project.conn.execute("select fleet._advance(array[lane_id]) from fleet.lanes")
        claimed: list[Any] = []
        claims.append(watch(project.conn, lambda: claimed.extend(agent.claim(per_call))))  # noqa: B023  # called at once
        items = [Completion(job.job_id, job.token) for job in claimed]
        settles.append(watch(project.conn, lambda: agents.complete(project.conn, agent.session, items)))  # noqa: B023
    return min(claims, key=lambda ran: ran.buffers), min(settles, key=lambda ran: ran.buffers)


@pytest.mark.usefixtures("held")
def test_i9_what_came_and_went_costs_nothing(conn, project: Project):
    """The plans are those of the first calls, when there was next to nothing, as in any young session."""
    agent = Agent(conn, slots=PER_CALL)
    before = rounds(project, agent, 5 * JOBS, JOBS)
    rounds(project, agent, CHURN, PER_CALL)
    after = rounds(project, agent, 5 * JOBS, JOBS)

    for few, many in zip(before, after, strict=True):
        assert many.buffers <= 1.3 * few.buffers, f"{few.by_table()}\n{many.by_table()}"
