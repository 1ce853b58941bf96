"""For people on call: the halt, the quarantine, pauses by kind, and what the views say of them (Q12, Q16)."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from queue_schema import desk
from queue_schema.calls import admin, agents, clients, oncall, questions
from queue_schema.errors import BadRequest, NotFound
from queue_schema.shapes import Need, Submission
from queue_schema.states import Priority
from tests.support.verbs import Agent, Project


def queued(conn: Any) -> list[tuple[str, str | None]]:
    """Kind and what holds it, of what is ready."""
    return list(conn.execute("select kind, held from fleet.v_queue order by kind"))


def sleeps(conn: Any, agent: Agent) -> bool:
    """Whether wake would find this session."""
    asked = "select from fleet.idle_sessions where session_id = %s"
    return conn.execute(asked, (agent.session.session_id,)).fetchone() is not None


def test_a_halt_stops_all_claims_and_nothing_else(conn, project: Project, agent: Agent):
    """Q16: running work goes on and ends, submissions are taken, nothing is started until it is over."""
    running = project.submit()
    claimed = agent.claim_one()
    assert oncall.halt(conn, on=True, reason="bad driver") is True
    assert oncall.halt(conn, on=True, reason="again") is False
    [answer] = clients.submit(conn, project.id, [Submission(kind="noop")])
    assert (answer.state, answer.held) == ("ready", "halted")
    assert agent.claim(waiting=True) == []
    assert agent.beat(claimed.token).lost == []
    agent.complete(claimed)
    assert project.state(running) == "succeeded"
    assert project.row(answer.job_id)["held"] == "halted"
    assert queued(conn) == [("noop", "halted")]
    info = desk.fleet(conn)
    assert (info.halted, info.halt_reason, info.live_nodes) == (True, "bad driver", 1)

    assert oncall.halt(conn, on=False) is True
    assert agent.claim_one().job_id == answer.job_id
    assert desk.fleet(conn).halt_reason is None


def test_nobody_is_woken_while_the_fleet_is_halted_and_all_are_when_it_goes(
    conn, project: Project, agent: Agent
):
    """A session that asked during the halt sleeps until somebody lets it go."""
    oncall.halt(conn, on=True)
    project.submit()
    assert agent.claim(waiting=True) == []
    assert agents.wake(conn) == 0
    assert sleeps(conn, agent)

    oncall.halt(conn, on=False)
    assert agents.wake(conn) == 1


def test_a_claim_whose_answer_was_lost_is_answered_again_under_a_halt(conn, project: Project, agent: Agent):
    """It was given before; not to say so would leave the job with nobody."""
    project.submit()
    sample = agent.sample()
    request_id = project.key.key_id
    first = agent.claim(1, request_id=request_id, sample=sample)
    oncall.halt(conn, on=True)

    assert agent.claim(1, request_id=request_id, sample=sample) == first


def test_a_quarantined_kind_is_taken_and_not_claimed(conn, project: Project, agent: Agent):
    """Q16: its jobs stand ready and say why; other kinds go on; a release lets them go at their old place."""
    first = project.submit("command")
    assert oncall.quarantine(conn, "command", on=True, reason="fills disks") is True
    assert oncall.quarantine(conn, "command", on=True) is False
    [second] = clients.submit(conn, project.id, [Submission(kind="command")])
    other = project.submit("noop")
    assert (second.state, second.held) == ("ready", "quarantined")
    assert [job.job_id for job in agent.claim(waiting=True)] == [other]
    assert agent.claim(waiting=True) == []
    assert agents.wake(conn) == 0
    assert queued(conn) == [("command", "quarantined")]
    kind = desk.kind(conn, "command")
    assert (kind.quarantined, kind.quarantine_reason, kind.ready) == (True, "fills disks", 2)
    assert desk.fleet(conn).quarantined == ["command"]

    assert oncall.quarantine(conn, "command", on=False) is True
    assert agents.wake(conn) == 1
    assert [job.job_id for job in agent.claim()] == [first, second.job_id]


def test_a_kind_that_is_not_there_is_not_quarantined(conn):
    """The error says which there are."""
    with pytest.raises(NotFound) as caught:
        oncall.quarantine(conn, "nonsense", on=True)
    assert "noop" in (caught.value.fix or "")


def test_a_pause_can_be_narrowed_to_a_kind(conn, project: Project, agent: Agent):
    """Q12: its lanes alone, those to come too; other projects are not touched."""
    held = project.submit("command")
    free = project.submit("noop")
    other = Project(conn, "other").submit("command")
    assert clients.pause(conn, project.id, paused=True, kind="command") == 1
    late = project.submit("command", need=Need(ram_mib=77))
    assert {project.row(job)["held"] for job in (held, late)} == {"paused"}
    assert {job.job_id for job in agent.claim()} == {free, other}

    assert clients.pause(conn, project.id, paused=False, kind="command") == 2
    assert {job.job_id for job in agent.claim()} == {held, late}
    with pytest.raises(NotFound):
        clients.pause(conn, project.id, paused=True, kind="nonsense")


def test_resuming_a_kind_does_not_resume_a_class_that_is_paused(conn, project: Project, agent: Agent):
    """Two hands on two brakes: each holds until its own is released."""
    low = project.submit("command", priority=Priority.LOW)
    normal = project.submit("command")
    clients.pause(conn, project.id, paused=True, priority="low")
    clients.pause(conn, project.id, paused=True, kind="command")
    clients.pause(conn, project.id, paused=False, kind="command")

    assert [job.job_id for job in agent.claim()] == [normal]
    clients.pause(conn, project.id, paused=False)
    assert [job.job_id for job in agent.claim()] == [low]


@pytest.mark.parametrize("name", ["halted", "halt_reason"])
def test_the_halt_is_no_setting_that_one_changes_by_the_way(conn, name: str):
    """It has a verb of its own, that says why."""
    with pytest.raises(BadRequest):
        admin.configure(conn, **{name: 1.0})
    assert name not in admin.configure(conn)


def test_a_pause_of_a_kind_holds_for_lanes_to_come(conn, project: Project, agent: Agent):
    """Another class, the first job of its kind, a change of a job: none of them is a way round it."""
    amended = project.submit("noop")
    assert clients.pause(conn, project.id, paused=True, kind="noop") == 1
    assert clients.pause(conn, project.id, paused=True, kind="command") == 0
    others = [project.submit("noop", priority=Priority.HIGH), project.submit("command")]
    clients.amend(conn, project.id, amended, priority="low")

    assert agent.claim() == []
    assert {project.row(job)["held"] for job in (amended, *others)} == {"paused"}
    assert (
        questions.fit(conn, project.id, [Submission(kind="command", priority=Priority.LOW)])[0].starts
        == "never"
    )

    clients.pause(conn, project.id, paused=False, kind="command")
    assert [job.job_id for job in agent.claim()] == [others[1]]
    clients.pause(conn, project.id, paused=False)
    assert {job.job_id for job in agent.claim()} == {amended, others[0]}
    last = project.submit("noop", priority=Priority.URGENT)
    assert agent.claim_one().job_id == last


def test_a_pause_that_neither_begins_nor_ends_is_refused(conn, project: Project):
    """From psql: null would lift it from lanes to come, and leave it on those that are there."""
    job = project.submit()
    clients.pause(conn, project.id, paused=True)

    with pytest.raises(psycopg.Error) as caught:
        conn.execute("select fleet.pause_v1(%s, null)", (project.id,))

    assert (caught.value.sqlstate, caught.value.diag.column_name) == ("JQ002", "paused")
    assert {project.row(one)["held"] for one in (job, project.submit("command"))} == {"paused"}
