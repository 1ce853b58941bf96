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
    """Submit, claim and settle; the last claim and the last settle."""
    for _ in range(jobs // per_call):
        clients.submit(project.conn, project.id, [Submission(kind="noop")] * per_call)
        claimed: list[Any] = []
        claim = watch(project.conn, lambda: claimed.extend(agent.claim(per_call)))  # noqa: B023  # called at once
        items = [Completion(job.job_id, job.token) for job in claimed]
        settle = watch(project.conn, lambda: agents.complete(project.conn, agent.session, items))  # noqa: B023
    return claim, settle


@pytest.mark.usefixtures("held")
def test_i9_what_came_and_went_costs_nothing(conn, project: Project):
    """The plans are those of the first calls, when there was next to nothing, as in any young session."""
    agent = Agent(conn, slots=PER_CALL)
    before = rounds(project, agent, 10 * JOBS, JOBS)
    rounds(project, agent, CHURN, PER_CALL)
    conn.execute(
        "select fleet._advance(lane_id) from fleet.lanes"
    )  # as a claim does by chance, each 1,000 jobs or so
    after = rounds(project, agent, JOBS, JOBS)

    for few, many in zip(before, after, strict=True):
        assert many.buffers <= 1.5 * few.buffers, (few.by_table(), many.by_table())
