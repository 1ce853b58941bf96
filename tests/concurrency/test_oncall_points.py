"""The brakes and bulk where they meet claims and settles (I11, I13)."""

from __future__ import annotations

from queue_schema.calls import clients, oncall
from queue_schema.calls.oncall import Selection
from queue_schema.shapes import Need, Submission
from queue_schema.states import Cause, JobState
from tests.concurrency.test_lock_points import on
from tests.support.interleave import Background, held_open, impatient
from tests.support.verbs import Agent, Project


def test_a_halt_waits_for_no_claim_and_no_claim_for_a_halt(
    database_url, conn, project: Project, agent: Agent
):
    """On call nobody wants to wait; what was claimed before the halt is running work."""
    first, _ = project.submit(), project.submit()
    with held_open(database_url) as other, impatient(database_url) as mine:
        [claimed] = on(agent, other).claim(1)
        assert oncall.halt(mine, on=True) is True
    assert claimed.job_id == first
    assert agent.claim() == []

    with held_open(database_url) as other, impatient(database_url) as mine:
        oncall.halt(other, on=False)
        assert on(agent, mine).claim() == []
    assert len(agent.claim()) == 1


def test_a_heartbeat_waits_for_no_bulk(database_url, project: Project, agent: Agent):
    """I11: also while its own leases are being told to stop."""
    project.submit()
    claimed = agent.claim_one()
    with held_open(database_url) as other, impatient(database_url) as mine:
        oncall.bulk(other, "requeue", project.id, Selection(states=[JobState.RUNNING]))
        assert on(agent, mine).beat(claimed.token).commands == []


def test_a_bulk_cancel_sees_the_claim_it_waited_for(database_url, conn, project: Project, agent: Agent):
    """A job on its way from ready to running is cancelled all the same."""
    project.submit()
    with held_open(database_url) as other:
        [claimed] = on(agent, other).claim(1)
        bulk = Background(
            database_url, lambda mine: oncall.bulk(mine, "cancel", project.id, Selection(kind="noop"))
        )
        bulk.wait_until_blocked(conn)

    assert bulk.result().changed == 1
    assert [command.token for command in agent.beat(claimed.token).commands] == [claimed.token]


def test_a_requeue_that_waited_for_the_settle_changes_nothing(
    database_url, conn, project: Project, agent: Agent
):
    """The attempt is over, and its result stands."""
    job = project.submit()
    claimed = agent.claim_one()
    running = Selection(states=[JobState.RUNNING])
    with held_open(database_url) as other:
        on(agent, other).complete(claimed)
        bulk = Background(database_url, lambda mine: oncall.bulk(mine, "requeue", project.id, running))
        bulk.wait_until_blocked(conn)

    assert (bulk.result().matched, bulk.result().changed) == (1, 0)
    assert project.state(job) == "succeeded"


def test_two_requeues_of_the_same_failures_run_each_once(database_url, conn, project: Project, agent: Agent):
    """The second waits for the first and finds nothing ended."""
    job = project.submit()
    agent.fail(agent.claim_one(), Cause.USER_ERROR)
    failed = Selection(states=[JobState.FAILED])
    with held_open(database_url) as other:
        assert oncall.bulk(other, "requeue", project.id, failed).changed == 1
        second = Background(database_url, lambda mine: oncall.bulk(mine, "requeue", project.id, failed))
        second.wait_until_blocked(conn)

    assert second.result().changed == 0
    assert project.events(job).count("submitted") == 2


def test_a_lane_made_while_its_kind_is_paused_is_paused(database_url, conn, project: Project, agent: Agent):
    """The new lane waits for the pause, and does as its sisters do."""
    project.submit()
    new = Submission(kind="noop", need=Need(ram_mib=77))
    with held_open(database_url) as other:
        clients.pause(other, project.id, paused=True, kind="noop")
        late = Background(database_url, lambda mine: clients.submit(mine, project.id, [new]))
        late.wait_until_blocked(conn)
    late.result()

    assert agent.claim() == []
