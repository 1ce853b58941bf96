"""What is on disk before it is answered, and what need not be (docs/adr/0006)."""

from __future__ import annotations

import psycopg
import pytest

from queue_schema.shapes import Submission
from tests.support.verbs import Agent, Project


def waits(conn: psycopg.Connection) -> bool:
    """Whether the commit of the transaction that is open now waits for the disk."""
    row = conn.execute("select current_setting('synchronous_commit')").fetchone()
    assert row is not None
    return row[0] != "off"


@pytest.mark.parametrize("asked", ["on", "off"])
def test_submissions_and_ends_wait_for_the_disk_and_claims_do_not(
    conn, project: Project, agent: Agent, asked: str
):
    """Whatever the connection asks for; a claim that took an exclusive job waits, too."""
    conn.execute(f"set synchronous_commit = {asked}")
    with conn.transaction():
        project.submit()
        assert waits(conn)
    with conn.transaction():
        claimed = agent.claim_one()
        assert not waits(conn)
    with conn.transaction():
        agent.complete(claimed)
        assert waits(conn)
    project.submit_many([Submission(kind="noop"), Submission(kind="noop", exclusive=True)])
    with conn.transaction():
        assert len(agent.claim(2)) == 2
        assert waits(conn)


def test_a_fleet_may_be_told_not_to_wait(conn, project: Project):
    """`settings.durable` off: for those who may lose their last moments."""
    conn.execute("set synchronous_commit = off")
    conn.execute("update fleet.settings set durable = false")

    with conn.transaction():
        project.submit()

        assert not waits(conn)
