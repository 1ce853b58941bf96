"""Nodes that join, live, fall silent and come back: I4, I6, I14, Q4, Q5."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from queue_schema.calls import agents, chores, clients
from queue_schema.errors import BadRequest, NodeNameTaken, SessionLost
from queue_schema.shapes import Submission
from tests.support.interleave import held_open
from tests.support.verbs import Agent, Project, reap, reaper_at_work

LEASE_S = 30


def wait_with_reaper(conn, clock, seconds: float) -> list:
    """Time passes while the reaper runs every five seconds, as it does."""
    rounds = []
    for _ in range(int(seconds // 5)):
        clock.advance(5)
        rounds.append(reap(conn))
    return rounds


def test_a_silent_node_loses_its_jobs(conn, clock, project: Project, agent: Agent):
    """Q5: they are ready again at once, the cause is lost, and the user's retries are untouched."""
    job = project.submit()
    agent.claim()
    reaper_at_work(conn)
    rounds = wait_with_reaper(conn, clock, LEASE_S + 5)

    assert sum(done.leases for done in rounds) == 1
    assert project.events(job)[-1] == "lost"
    row = project.row(job)
    assert (row["state"], row["infra_retries"], row["retries_used"]) == ("ready", 1, 0)


def test_a_node_that_beats_keeps_its_jobs(conn, clock, project: Project, agent: Agent):
    """Heartbeats alone keep it."""
    project.submit()
    claimed = agent.claim_one()
    reaper_at_work(conn)
    for _ in range(12):
        clock.advance(10)
        agent.beat(claimed.token)
        assert reap(conn).leases == 0


def test_an_expired_lease_that_nobody_took_is_renewed(conn, clock, project: Project, agent: Agent):
    """I6: a late heartbeat before the reaper comes is in time."""
    project.submit()
    claimed = agent.claim_one()
    reaper_at_work(conn)
    clock.advance(LEASE_S - 1)
    reap(conn)
    clock.advance(5)
    assert agent.beat(claimed.token).lost == []

    assert reap(conn).sessions == 0
    assert agent.complete(claimed).state == "succeeded"


def test_after_its_own_absence_the_reaper_waits_one_lease(conn, clock, project: Project, agent: Agent):
    """I6: when it was away, nobody could be seen beating; the living get time to."""
    project.submit()
    agent.claim()
    reaper_at_work(conn)
    clock.advance(10 * LEASE_S)

    assert reap(conn).held_back == "grace"
    rounds = wait_with_reaper(conn, clock, LEASE_S + 5)
    assert [done.held_back for done in rounds[:5]] == ["grace"] * 5
    assert sum(done.leases for done in rounds) == 1


def test_after_the_databases_absence_the_reaper_waits_one_lease(conn, clock, project: Project, agent: Agent):
    """I6: a server that started after the reaper last ran was away, however short that was."""
    project.submit()
    agent.claim()
    clock.advance(LEASE_S + 5)
    conn.execute(
        "update fleet.reaper set ran_at = pg_postmaster_start_time() - interval '1 s', grace_until = null"
    )

    assert reap(conn).held_back == "grace"


def test_when_much_of_the_fleet_falls_silent_at_once_the_reaper_stops(conn, clock, project: Project):
    """I6: the fault is likely not the nodes'; an alarm is raised, and after a while it goes on."""
    nodes = [Agent(conn, f"node-{number}") for number in range(10)]
    for _ in nodes:
        project.submit()
    for node in nodes:
        node.claim(1)
    reaper_at_work(conn)
    rounds = []
    for _ in range(8):
        clock.advance(5)
        for node in nodes[6:]:
            node.beat()
        rounds.append(reap(conn))

    assert rounds[-1].held_back == "alarm"
    assert sum(done.sessions for done in rounds) == 0
    assert conn.execute("select alarm from fleet.v_reaper").fetchone()[0].startswith("6 sessions")
    for _ in range(70):
        clock.advance(5)
        for node in nodes[6:]:
            node.beat()
        rounds.append(reap(conn))
    assert sum(done.sessions for done in rounds) == 6


def test_the_reaper_works_in_bounded_batches(conn, clock):
    """I6: a large loss is taken back in steps."""
    conn.execute("update fleet.settings set alarm_min_nodes = 100")
    for number in range(5):
        Agent(conn, f"node-{number}")
    reaper_at_work(conn)
    clock.advance(25)
    reap(conn)
    clock.advance(10)

    assert [chores.reap(conn, limit=2).sessions for _ in range(4)] == [2, 2, 1, 0]


def test_a_lease_its_session_does_not_name_is_released(conn, clock, project: Project, agent: Agent):
    """I14: the answer to its claim was lost; two beats later it is ready again, without blame."""
    job = project.submit()
    agent.claim()
    reaper_at_work(conn)
    clock.advance(11)
    agent.beat()
    assert reap(conn).unnamed == 0
    clock.advance(10)
    agent.beat()

    assert reap(conn).unnamed == 1
    row = project.row(job)
    assert (row["state"], row["infra_retries"], row["retries_used"]) == ("ready", 0, 0)


def test_a_lease_that_is_named_again_is_kept(conn, clock, project: Project, agent: Agent):
    """I14: one beat that missed it is no reason."""
    project.submit()
    claimed = agent.claim_one()
    reaper_at_work(conn)
    for named in (False, True, False, True):
        clock.advance(11)
        agent.beat(*([claimed.token] if named else []))
        assert reap(conn).unnamed == 0


def test_an_attempt_past_its_time_ends_though_its_agent_forgot(conn, clock, project: Project, agent: Agent):
    """Heartbeats find the dead, the deadline finds the stuck."""
    job = project.submit(timeout_s=60)
    claimed = agent.claim_one()
    reaper_at_work(conn)
    for _ in range(13):
        clock.advance(10)
        agent.beat(claimed.token)
        reap(conn)

    assert (project.state(job), project.row(job)["cause"]) == ("failed", "timeout")
    assert agent.complete(claimed).outcome == "lease_lost"


def test_a_restarted_agent_gets_its_leases_back(project: Project, agent: Agent):
    """A new boot is a new session; what the old one held comes along, to be settled or handed back."""
    project.submit()
    claimed = agent.claim_one()
    old = agent.session
    assert agent.join() == [claimed.token]

    with pytest.raises(SessionLost):
        agents.heartbeat(agent.conn, old, tokens=[claimed.token])
    assert agent.complete(claimed).state == "succeeded"


def test_a_second_live_machine_under_one_name_is_refused(conn, clock, agent: Agent):
    """Two machines must not book each other's memory; after a lease of silence the name is free."""
    with pytest.raises(NodeNameTaken) as caught:
        Agent(conn, agent.node, instance="another machine")
    assert caught.value.fix
    clock.advance(LEASE_S + 1)

    Agent(conn, agent.node, instance="another machine")


def test_a_machine_that_takes_over_a_silent_name_does_not_take_its_jobs(
    conn, clock, project: Project, agent: Agent
):
    """The jobs of the silent one run again elsewhere."""
    job = project.submit()
    agent.claim()
    clock.advance(LEASE_S + 1)
    other = Agent(conn, agent.node, instance="another machine")

    assert project.state(job) == "ready"
    assert other.claim_one().job_id == job


def test_leaving_hands_back_what_is_left(project: Project, agent: Agent):
    """Q4: a node may go at any time."""
    job = project.submit()
    agent.claim()
    agents.leave(agent.conn, agent.session)

    assert project.state(job) == "ready"
    assert project.events(job)[-1] == "released"


def test_a_bad_node_name_is_refused(conn):
    """By field, with the fix."""
    with pytest.raises(BadRequest) as caught:
        Agent(conn, "no spaces please")
    assert caught.value.field == "node"


def test_a_submission_wakes_a_session_that_waits(database_url, project: Project, agent: Agent):
    """Polling is the truth, NOTIFY makes it quick: one sleeping session that fits, one notification."""
    other = Agent(agent.conn, "node-2", kinds=["command"])
    with psycopg.connect(database_url, autocommit=True) as ear:
        for who in (agent, other):
            ear.execute(f"listen {agents.channel_of(who.session)}")
            who.claim(waiting=True)
        project.submit()
        heard = list(ear.notifies(timeout=5, stop_after=1))

    assert [(note.channel, note.payload) for note in heard] == [(agents.channel_of(agent.session), "work")]


def test_who_is_on_its_way_is_not_doubled(conn, project: Project, agent: Agent):
    """One job, two sleepers: the second sleeps on, until the first has found nothing and there is still a job."""
    Agent(conn, "node-2").claim(waiting=True)
    agent.claim(waiting=True)
    project.submit()
    assert told(conn) == ["node-1"], "the one that has been there longest"
    assert agents.wake(conn) == 0
    project.submit()
    assert told(conn) == ["node-1", "node-2"]

    assert len(agent.claim(waiting=True)) == 2
    agent.claim(waiting=True)
    assert told(conn) == ["node-2"]
    project.submit()
    assert told(conn) == ["node-1", "node-2"]


def test_who_fell_asleep_at_that_moment_is_woken_after(database_url, conn, project: Project, agent: Agent):
    """The submission does not see a sleeper that has not committed, and its second look does not see the job."""
    with held_open(database_url) as other:
        clients.submit(other, project.id, [Submission(kind="noop")])
        agent.claim(waiting=True)
        agent.claim(waiting=True)
    assert told(conn) == []

    assert agents.wake(conn) == 1
    assert told(conn) == ["node-1"]


def test_a_session_that_was_replaced_is_not_woken(conn, project: Project, agent: Agent):
    """It slept when its agent was killed; the agent's next life is told, not the one that hears nothing."""
    agent.claim(waiting=True)
    agent.join()
    agent.claim(waiting=True)
    project.submit()

    assert told(conn) == ["node-1"]
    assert conn.execute("select array_agg(session_id) from fleet.idle_sessions").fetchone() == (
        [agent.session.session_id],
    )


def told(conn) -> list[str]:
    """Nodes that were woken and have not claimed since."""
    return [
        node
        for (node,) in conn.execute(
            "select n.node from fleet.idle_sessions d join fleet.sessions s using (session_id)"
            " join fleet.nodes n using (node_id) where d.told_at is not null order by n.node"
        )
    ]


def test_an_unknown_session_is_refused(conn, agent: Agent):
    """A session that never was gets no answer that could be mistaken for one."""
    with pytest.raises(SessionLost):
        agents.heartbeat(conn, type(agent.session)(uuid4(), "x"), tokens=[])


def test_nothing_is_ended_as_overdue_while_the_reaper_holds_back(conn, clock, project: Project, agent: Agent):
    """I6, I12: the database was away past the job's time limit; its result is in the spool and must get in."""
    job = project.submit(timeout_s=60)
    claimed = agent.claim_one()
    reaper_at_work(conn)
    clock.advance(300)
    done = reap(conn)
    agent.beat(claimed.token)

    assert (done.held_back, done.overdue) == ("grace", 0)
    assert agent.complete(claimed).outcome == "settled"
    assert project.state(job) == "succeeded"
