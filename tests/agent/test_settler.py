"""What the settler does with a batch, against a real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from agent.leases import Lease, Leases
from agent.line import Line
from agent.membership import Membership
from agent.reporter import Reporter
from agent.settler import Settler
from agent.spool import Spool
from queue_schema.shapes import Claimed, Completion, Failed, Released
from queue_schema.states import Cause
from tests.support.verbs import Agent, Project
from tests.support.waiting import eventually


@pytest.fixture
def leases(membership: Membership) -> Leases:
    return membership._leases


@pytest.fixture
def settler(
    database_url: str, membership: Membership, leases: Leases, agent: Agent, tmp_path: Path
) -> Iterator[Settler]:
    """Settles for the session of `agent`; not started yet."""
    membership._session = agent.session
    line = Line(database_url, "settler")
    reporter = Reporter(line, membership, every_s=60.0, lost=lambda _: None)
    found = Settler(line, membership, leases, Spool(tmp_path), reporter, settled=lambda: None)
    yield found
    found.stop()
    found.join(5)
    line.close()


@pytest.fixture
def three(project: Project, agent: Agent, leases: Leases) -> list[Claimed]:
    """Three claimed jobs."""
    for _ in range(3):
        project.submit("noop")
    claimed = agent.claim(3)
    leases.add(*(Lease(job.job_id, job.token, job, 0.0) for job in claimed))
    return claimed


def test_what_waits_is_settled_in_one_call_a_verb(conn, settler, leases, three):
    """Completions, failures and releases of one batch each end in a transaction of their own, and only in that."""
    settler.settle(
        Completion(three[0].job_id, three[0].token),
        Failed(three[1].job_id, three[1].token, Cause.USER_ERROR, "no"),
        Completion(three[2].job_id, three[2].token),
    )
    settler.start()
    eventually(lambda: not leases.tokens())

    ends = conn.execute(
        "select outcome::text, count(*), count(distinct ended_at) from fleet.attempts group by 1 order by 1"
    ).fetchall()
    assert ends == [("failed", 1, 1), ("succeeded", 2, 1)]
    assert conn.execute("select text from fleet.logs").fetchall() == [("[ended as user_error: no]\n",)]


def test_a_result_the_database_refuses_does_not_hold_up_its_batch(conn, settler, leases, three, tmp_path):
    """The others succeed; that one ends as its owner's mistake, and nothing stays in the spool."""
    bad = three[1]
    settler.settle(
        *(Completion(job.job_id, job.token, [], {"text": "\0" if job is bad else "fine"}) for job in three)
    )
    settler.start()
    eventually(lambda: not leases.tokens())

    ends = dict(conn.execute("select job_id, outcome::text from fleet.attempts").fetchall())
    assert ends == {job.job_id: "failed" if job is bad else "succeeded" for job in three}
    message = conn.execute("select message from fleet.attempts where outcome = 'failed'").fetchone()[0]
    assert message.startswith("the result was refused")
    assert list(tmp_path.iterdir()) == []


def test_a_lost_lease_does_not_hold_up_its_batch(conn, settler, leases, three, tmp_path):
    """A stale token is an answer like the others: forgotten, and nothing of it is told."""
    settler.settle(*(Completion(job.job_id, job.token) for job in three), Released(uuid4(), uuid4(), "gone"))
    conn.execute("update fleet.leases set token = gen_random_uuid() where job_id = %s", (three[0].job_id,))
    settler.start()
    eventually(lambda: not leases.tokens())

    assert conn.execute("select count(*) from fleet.attempts").fetchone()[0] == 2
    eventually(lambda: list(tmp_path.iterdir()) == [])
