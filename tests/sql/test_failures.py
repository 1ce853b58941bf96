"""Failure by cause: policies that can be changed, pauses with jitter, the brake on releases, dead letters (Q8; I8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from queue_schema import desk
from queue_schema.calls import agents, chores, clients, oncall
from queue_schema.calls.oncall import PolicyChange, Selection
from queue_schema.errors import BadRequest
from queue_schema.shapes import Claimed, Released, Submission
from queue_schema.states import Cause, JobState
from tests.support.clock import Clock
from tests.support.verbs import Agent, Project


def pause_s(project: Project, job: UUID) -> float:
    """How long a job will wait from now on."""
    asked = "select extract(epoch from run_at - fleet.now()) from fleet.waiting where job_id = %s"
    row = project.conn.execute(asked, (job,)).fetchone()
    return 0.0 if row is None else float(row[0])


def hand_back(agent: Agent, claimed: Claimed) -> str:
    """The second look found no room."""
    item = Released(claimed.job_id, claimed.token, "device full", started=False)
    [settled] = agents.release(agent.conn, agent.session, [item])
    return str(settled.state)


def dead(project: Project, **fields: Any) -> list[desk.Dead]:
    """Dead letters of the project."""
    return desk.dead(project.conn, project.id, desk.DeadFilter(**fields), limit=100)


def test_a_policy_is_changed_by_cause(conn, project: Project, agent: Agent):
    """From the next failure on; what is left out stays."""
    changed = oncall.policy(conn, "timeout", PolicyChange(base_s=40, max_s=40))
    assert (changed.charged, changed.retried, changed.base_s) == ("user", True, 40)
    assert changed in desk.policies(conn)
    job = project.submit(retries=1)
    agent.fail(agent.claim_one(), Cause.TIMEOUT)
    assert 19 < pause_s(project, job) <= 40

    oncall.policy(conn, "lost", PolicyChange(retried=False))
    clients.cancel(conn, project.id, [job])
    lost = project.submit(retries=5)
    claimed = agent.claim_one()
    conn.execute(
        "select fleet._settle(null, jsonb_build_array(jsonb_build_object('job_id', %s::text, 'token', %s::text,"
        " 'cause', 'lost')), 'failed', 'reaper')",
        (str(claimed.job_id), str(claimed.token)),
    )
    assert project.row(lost)["cause"] == "lost"


@pytest.mark.parametrize(
    ("cause", "change", "field"),
    [
        ("nonsense", {}, "cause"),
        ("cancelled", {"retried": True}, "cause"),
        ("dependency", {"base_s": 1.0}, "cause"),
        ("infrastructure", {"charged": "user"}, "charged"),
        ("lost", {"charged": "user"}, "charged"),
        ("user_error", {"charged": "nobody"}, "charged"),
        ("timeout", {"base_s": -1.0}, "base_s"),
        ("timeout", {"base_s": 1e9}, "base_s"),
        ("timeout", {"base_s": 50.0, "max_s": 10.0}, "max_s"),
    ],
)
def test_a_policy_that_breaks_a_promise_is_refused(conn, cause: str, change: dict[str, Any], field: str):
    """I8: the user never pays for the fleet, and nothing is tried for ever."""
    before = desk.policies(conn)
    with pytest.raises(BadRequest) as caught:
        oncall.policy(conn, cause, PolicyChange(**change))

    assert caught.value.field in (field, None)
    assert desk.policies(conn) == before


def test_pauses_double_with_jitter_up_to_the_longest(conn, clock: Clock, project: Project, agent: Agent):
    """2, 4, 8 ... 120 s for infrastructure, each times a random half to one: not all jobs come back at once."""
    jobs = [project.submit() for _ in range(20)]
    for longest in (2, 4, 8, 16, 32, 64, 120, 120):
        for claimed in agent.claim():
            agent.fail(claimed, Cause.INFRASTRUCTURE)
        conn.execute("delete from fleet.node_health")  # else this node gets one job at a time
        pauses = [pause_s(project, job) for job in jobs]
        assert all(longest / 2 - 1 < pause <= longest for pause in pauses)
        assert max(pauses) - min(pauses) > longest / 20
        clock.advance(130)
        agent.beat()
        chores.promote(conn)


def test_what_nodes_hand_back_again_and_again_waits(conn, clock: Clock, project: Project, agent: Agent):
    """Twice at once at its old place, then 2, 4, 8 ... 60 s; nobody is blamed, and no retry is used up."""
    job = project.submit()
    assert [hand_back(agent, agent.claim_one()) for _ in range(2)] == ["ready", "ready"]
    for longest in (2, 4, 8, 16, 32, 60, 60):
        assert hand_back(agent, agent.claim_one()) == "waiting"
        assert longest / 2 - 1 < pause_s(project, job) <= longest
        assert agent.claim() == []
        clock.advance(61)
        chores.promote(conn)

    row = project.row(job)
    assert (row["state"], row["retries_used"], row["infra_retries"]) == ("ready", 0, 0)
    assert conn.execute("select count(*) from fleet.node_health where failing <> '{}'").fetchone() == (0,)


@pytest.mark.parametrize("start", ["release", "fail", "requeue"])
def test_a_real_start_takes_the_brake_off(conn, clock: Clock, project: Project, agent: Agent, start: str):
    """Only releases in a row count; the job's place is kept all the while."""
    job = project.submit(retries=3)
    for _ in range(2):
        hand_back(agent, agent.claim_one())
    claimed = agent.claim_one()
    if start == "fail":
        agent.fail(claimed)
        clock.advance(10)
        chores.promote(conn)
    else:
        if start == "requeue":
            oncall.bulk(conn, "requeue", project.id, Selection(states=[JobState.RUNNING]))
        agent.release(claimed, "preempted")
    project.submit()

    assert hand_back(agent, agent.claim_one()) == "ready"
    assert agent.claim_one().job_id == job


def test_a_cancel_holds_for_what_is_handed_back(conn, project: Project, agent: Agent):
    """The brake does not bring a cancelled job back."""
    job = project.submit()
    for _ in range(2):
        hand_back(agent, agent.claim_one())
    claimed = agent.claim_one()
    clients.cancel(conn, project.id, [job])

    assert hand_back(agent, claimed) == "cancelled"


def test_dead_letters_are_those_that_failed_by_themselves(conn, clock: Clock, project: Project, agent: Agent):
    """Newest first, with cause, message and last node; not what waited for them, not what may still be tried."""
    first, _ = project.submit_many(
        [Submission(kind="noop", ref="a", name="first"), Submission(kind="noop", after=["a"])]
    )
    agent.fail(agent.claim_one(), message="boom")
    clock.advance(60)
    second = project.submit("command")
    agent.fail(agent.claim_one(), Cause.TIMEOUT)
    project.submit(retries=1)
    agent.fail(agent.claim_one())
    Project(conn, "other").submit()
    agent.fail(agent.claim_one())

    listed = dead(project)
    assert [each.job_id for each in listed] == [second, first]
    assert (listed[1].name, listed[1].cause, listed[1].message, listed[1].last_node) == (
        "first",
        "user_error",
        "boom",
        "node-1",
    )
    assert [each.job_id for each in dead(project, cause=Cause.USER_ERROR)] == [first]
    assert [each.job_id for each in dead(project, kind="command")] == [second]
    middle = listed[0].ended_at - timedelta(seconds=30)
    assert [each.job_id for each in dead(project, ended_before=middle)] == [first]
    assert [each.job_id for each in dead(project, ended_after=middle)] == [second]
    beyond = (listed[0].ended_at, listed[0].job_id)
    assert [each.job_id for each in dead(project, beyond=beyond)] == [first]
    assert desk.dead_by_cause(conn, project.id, desk.DeadFilter()) == {"user_error": 1, "timeout": 1}


def test_a_redrive_runs_the_dead_again_and_leaves_the_rest(
    conn, clock: Clock, project: Project, agent: Agent
):
    """All of a cause in bounded batches, with fresh retries; then what waited for them."""
    chains = [
        project.submit_many([Submission(kind="noop", ref="a"), Submission(kind="noop", after=["a"])])
        for _ in range(3)
    ]
    for claimed in agent.claim():
        agent.fail(claimed, Cause.USER_ERROR)
    wanted = Selection(states=[JobState.FAILED], dead=True, cause=Cause.USER_ERROR)
    assert oncall.bulk(conn, "requeue", project.id, wanted, dry_run=True).matched == 3
    first = oncall.bulk(conn, "requeue", project.id, wanted, limit=2)
    second = oncall.bulk(conn, "requeue", project.id, wanted, limit=2, after=first.next)
    assert (first.changed, second.changed) == (2, 1)
    assert [[project.state(job) for job in chain] for chain in chains] == [["ready", "failed"]] * 3
    assert dead(project) == []

    waited = Selection(states=[JobState.FAILED], cause=Cause.DEPENDENCY)
    assert oncall.bulk(conn, "requeue", project.id, waited).changed == 3
    assert [[project.state(job) for job in chain] for chain in chains] == [["ready", "waiting"]] * 3
