"""I2: every write about an attempt names its token, and a stale one is refused; a repeated one is recognised."""

from __future__ import annotations

from uuid import uuid4

import pytest

from queue_schema.calls import agents
from queue_schema.errors import LeaseLost, SessionLost
from queue_schema.shapes import Claimed, Report, Session
from queue_schema.states import SettleOutcome
from tests.support.verbs import Agent, Project, reap, reaper_at_work

STALE = SettleOutcome.LEASE_LOST


@pytest.fixture
def stale(conn, clock, project: Project, agent: Agent) -> Claimed:
    """A lease that was reaped from under its (live again) agent, and taken by another node."""
    project.submit()
    claimed = agent.claim_one()
    reaper_at_work(conn)
    for _ in range(7):
        clock.advance(5)
        reap(conn)
    other = Agent(conn, "node-2")
    assert other.claim_one().job_id == claimed.job_id
    agent.join()
    return claimed


@pytest.mark.parametrize("verb", ["complete", "fail", "release"])
def test_a_stale_token_settles_nothing(project: Project, agent: Agent, stale: Claimed, verb: str):
    """I2: a host that lost its lease cannot end the next host's attempt."""
    settled = getattr(agent, verb)(stale)

    assert (settled.outcome, settled.state) == (STALE, None)
    assert project.state(stale.job_id) == "running"


def test_a_stale_token_writes_no_checkpoint(conn, agent: Agent, stale: Claimed):
    """I2: nor can it say where the next attempt goes on."""
    with pytest.raises(LeaseLost):
        agents.checkpoint(
            conn, agent.session, job_id=stale.job_id, token=stale.token, sha256="a" * 64, size=1, step=1
        )


def test_a_stale_token_reports_nothing(conn, project: Project, agent: Agent, stale: Claimed):
    """I2: its progress is dropped, and it is told which tokens those were."""
    lost = agents.report(conn, agent.session, [Report(stale.job_id, stale.token, step=7)])

    assert lost == [stale.token]
    assert project.row(stale.job_id)["progress"] is None


def test_a_stale_token_is_lost_in_the_heartbeat(agent: Agent, stale: Claimed):
    """I2: the heartbeat says so, and the agent kills that runner."""
    assert agent.beat(stale.token).lost == [stale.token]


@pytest.mark.parametrize("verb", ["complete", "fail", "release"])
def test_a_second_settle_with_the_same_token_changes_nothing(project: Project, agent: Agent, verb: str):
    """Every verb may be repeated: an answer that was lost is given again."""
    job = project.submit()
    claimed = agent.claim_one()
    getattr(agent, verb)(claimed)
    state = project.state(job)

    again = agent.complete(claimed)

    assert again.outcome is SettleOutcome.ALREADY_SETTLED
    assert again.state == state == project.state(job)


def test_a_second_settle_of_a_job_that_history_has_outlived_is_answered(conn, project: Project, agent: Agent):
    """A spool that comes back after the retention: the attempt is still known, its job is not."""
    job = project.submit()
    claimed = agent.claim_one()
    agent.complete(claimed)
    conn.execute("delete from fleet.jobs where job_id = %s", (job,))

    again = agent.complete(claimed)

    assert (again.outcome, again.state) == (SettleOutcome.ALREADY_SETTLED, None)


def test_another_session_cannot_settle_with_a_token_it_saw(conn, project: Project, agent: Agent):
    """I2: the token must also be one of the calling session's own."""
    project.submit()
    claimed = agent.claim_one()
    other = Agent(conn, "node-2")

    assert other.complete(claimed).outcome is STALE


def test_a_wrong_secret_is_refused_by_every_verb(conn, agent: Agent, project: Project):
    """Knowing a session's id is not enough to speak for it."""
    project.submit()
    claimed = agent.claim_one()
    right, agent.session = agent.session, Session(agent.session.session_id, "0" * 64)
    attempts = [
        agent.claim,
        lambda: agent.beat(claimed.token),
        lambda: agent.complete(claimed),
        lambda: agent.fail(claimed),
        lambda: agent.release(claimed),
        lambda: agents.report(conn, agent.session, [Report(claimed.job_id, claimed.token)]),
        lambda: agents.checkpoint(
            conn, agent.session, job_id=claimed.job_id, token=claimed.token, sha256="a" * 64, size=1, step=1
        ),
        lambda: agents.leave(conn, agent.session),
    ]

    for attempt in attempts:
        with pytest.raises(SessionLost):
            attempt()
    agent.session = right
    assert agent.complete(claimed).outcome is SettleOutcome.SETTLED


def test_the_token_is_new_at_every_claim(project: Project, agent: Agent):
    """I2: a counter could be reset; a random token cannot come back."""
    project.submit()
    first = agent.claim_one()
    agent.release(first)
    second = agent.claim_one()

    assert first.job_id == second.job_id
    assert first.token != second.token
    assert (first.attempt, second.attempt) == (1, 2)


def test_the_same_claim_again_gets_the_same_answer(project: Project, agent: Agent):
    """An agent that never saw the answer asks again and gets the same leases, not more."""
    for _ in range(3):
        project.submit()
    request = uuid4()
    first = agent.claim(2, request_id=request)

    assert agent.claim(2, request_id=request) == first
    assert len(first) == 2


def test_one_stale_item_does_not_undo_its_neighbours(conn, project: Project, agent: Agent):
    """A batch settles what it can and says what it could not."""
    from queue_schema.shapes import Completion

    job = project.submit()
    claimed = agent.claim_one()

    answers = agents.complete(
        conn, agent.session, [Completion(uuid4(), uuid4()), Completion(claimed.job_id, claimed.token)]
    )

    assert [answer.outcome for answer in answers] == [STALE, SettleOutcome.SETTLED]
    assert project.state(job) == "succeeded"
