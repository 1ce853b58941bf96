"""I9: what agents update again and again stays on its page and writes no index.

PostgreSQL can do that (a heap-only update) while no column changes that any index of the table names, be it in its
condition alone: one index too many on `jobs`, and each success writes all of them.
"""

from __future__ import annotations

from typing import Any

import psycopg

from queue_schema.calls import agents
from queue_schema.shapes import Completion, Submission
from tests.support.verbs import Agent, Project

JOBS = 100


def test_a_success_and_a_beat_write_no_index(conn: psycopg.Connection[Any], project: Project):
    agent = Agent(conn, slots=JOBS, ram_mib=64_000 * JOBS, cpu_milli=64_000 * JOBS)
    project.submit_many([Submission(kind="noop", params={"prompt": "x" * 200})] * JOBS)
    with conn.transaction():
        held = agent.claim(JOBS)
        agent.beat(*[job.token for job in held])
        agents.complete(conn, agent.session, [Completion(job.job_id, job.token) for job in held])
        found = {
            table: (updated, in_place)
            for table, updated, in_place in conn.execute(
                "select relname, n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables"
                " where schemaname = 'fleet' and relname in ('jobs', 'session_beats', 'bookings')"
            )
        }
    assert found == {"jobs": (JOBS, JOBS), "session_beats": (1, 1), "bookings": (2, 2)}
