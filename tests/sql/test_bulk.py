"""Cancel and requeue what a filter finds, in bounded batches (Q12, Q16)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg
import pytest

from queue_schema.calls import chores, clients, oncall
from queue_schema.calls.oncall import Bulk, Selection
from queue_schema.errors import BadRequest
from queue_schema.shapes import After, Submission
from queue_schema.states import Cause, Command, JobEnd, JobState, Priority
from tests.support.verbs import Agent, Project, place_of

RUNNING, FAILED = [JobState.RUNNING], [JobState.FAILED]


def cancel(project: Project, **fields: Any) -> Bulk:
    """Cancel what matches."""
    return oncall.bulk(project.conn, "cancel", project.id, Selection(**fields))


def requeue(project: Project, **fields: Any) -> Bulk:
    """Requeue what matches."""
    return oncall.bulk(project.conn, "requeue", project.id, Selection(**fields))


def states(project: Project, *jobs: UUID) -> list[str]:
    """Where each is."""
    return [project.state(job) for job in jobs]


def test_a_dry_run_says_how_many_and_does_nothing(conn, project: Project, agent: Agent):
    """The number is that of all, whatever the size of a batch."""
    jobs = [project.submit() for _ in range(5)]
    told = oncall.bulk(conn, "cancel", project.id, Selection(kind="noop"), dry_run=True, limit=2)

    assert (told.matched, told.changed, told.next) == (5, 0, None)
    assert set(states(project, *jobs)) == {"ready"}


def test_batches_are_bounded_and_go_on_where_they_ended(conn, project: Project):
    """Whoever repeats the call with `next` has them all, once."""
    jobs = [project.submit() for _ in range(5)]
    seen, after = [], None
    while True:
        done = oncall.bulk(conn, "cancel", project.id, Selection(kind="noop"), limit=2, after=after)
        seen.append(done.changed)
        after = done.next
        if after is None:
            break

    assert seen == [2, 2, 1]
    assert set(states(project, *jobs)) == {"cancelled"}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"kind": "command"}, {"command"}),
        ({"states": [JobState.WAITING]}, {"waiting"}),
        ({"states": [JobState.RUNNING]}, {"running"}),
        ({"states": [JobState.READY, JobState.WAITING], "kind": "noop"}, {"low", "tagged", "waiting"}),
        ({"priority": Priority.LOW}, {"low"}),
        ({"tags": {"order": "7"}}, {"tagged"}),
        ({"tags": {"order": "8"}}, set()),
        ({"node": "node-1"}, {"running"}),
        ({"node": "node-2"}, set()),
        ({"older_than_s": 500.0}, {"running"}),
        ({}, {"running", "command", "low", "tagged", "waiting"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # the same in every process
)
def test_a_filter_finds_what_it_says(
    conn, clock, project: Project, agent: Agent, fields: dict[str, Any], found: set[str]
):
    """By kind, state, class, tag, age, node; nothing that has ended, and nothing of another project."""
    project.submit(name="ended")
    agent.complete(agent.claim_one())
    running = project.submit(name="running")
    agent.claim_one()
    clock.advance(600)
    project.submit("command", name="command")
    project.submit(name="low", priority=Priority.LOW)
    project.submit(name="tagged", tags={"order": "7", "more": "x"})
    project.submit(name="waiting", after=[str(running)])
    other = Project(conn, "other").submit(name="other")
    conn.execute(
        "create temp table before as select job_id, name, fleet.state_of(job_id) as state from fleet.jobs"
    )
    cancel(project, **fields)
    rows = conn.execute(
        """select b.name from before as b join fleet.v_jobs as j using (job_id)
            where b.state::text <> j.state or j.cancel_requested"""
    ).fetchall()
    conn.execute("drop table before")

    taken = {row[0] for row in rows}
    assert taken - {"waiting"} == found - {"waiting"}
    assert ("waiting" in taken) == ("waiting" in found)
    assert project.state(other) == "ready"


def test_all_projects_at_once(conn, project: Project):
    """For whoever may: no project named."""
    mine, others = project.submit(), Project(conn, "other").submit()
    done = oncall.bulk(conn, "cancel", None, Selection(kind="noop"))

    assert (done.matched, done.changed) == (2, 2)
    assert states(project, mine, others) == ["cancelled", "cancelled"]


def test_running_work_is_handed_back_without_blame(conn, project: Project, agent: Agent):
    """Its agent is told as for a preemption; released, it is ready at its old place, and no retry is used up."""
    job, later = project.submit(retries=0), project.submit()
    claimed = agent.claim_one()
    assert requeue(project, states=RUNNING, node="node-1") == Bulk(1, 1, 0, None)
    [told] = agent.beat(claimed.token).commands
    assert (told.token, told.command) == (claimed.token, Command.PREEMPT)
    assert requeue(project, states=RUNNING) == Bulk(1, 0, 1, None)

    agent.release(claimed, "preempted")
    row = project.row(job)
    assert (row["state"], row["retries_used"], row["infra_retries"]) == ("ready", 0, 0)
    assert project.events(job) == ["submitted", "claimed", "preempting", "released"]
    assert [each.job_id for each in agent.claim()] == [job, later]


def test_a_cancel_that_was_asked_before_holds(conn, project: Project, agent: Agent):
    """A requeue does not turn it into a second life; a cancel after a requeue wins."""
    first, second = project.submit(), project.submit()
    one, two = agent.claim(2)
    clients.cancel(conn, project.id, [first])
    requeue(project, states=RUNNING)
    clients.cancel(conn, project.id, [second])
    agent.release(one)
    agent.release(two)

    assert states(project, first, second) == ["cancelled", "cancelled"]


def test_ended_work_runs_again(conn, project: Project, agent: Agent):
    """All of a cause, with fresh retries; others stay."""
    jobs = [project.submit() for _ in range(3)]
    for claimed, cause in zip(
        agent.claim(), [Cause.USER_ERROR, Cause.TIMEOUT, Cause.USER_ERROR], strict=True
    ):
        agent.fail(claimed, cause)
    done = requeue(project, states=FAILED, cause=Cause.USER_ERROR)

    assert (done.matched, done.changed) == (2, 2)
    assert states(project, *jobs) == ["ready", "failed", "ready"]


def test_of_a_graph_what_can_run_again_does(conn, project: Project, agent: Agent):
    """A whole graph comes back in its order, over batches; what waits for something that stays ended is left."""
    a, b, c = project.submit_many(
        [
            Submission(kind="noop", ref="a"),
            Submission(kind="noop", ref="b", after=["a"]),
            Submission(kind="noop", after=["b"]),
        ]
    )
    agent.fail(agent.claim_one(), Cause.USER_ERROR)
    assert requeue(project, states=FAILED, cause=Cause.DEPENDENCY) == Bulk(2, 0, 2, None)
    assert states(project, a, b, c) == ["failed", "failed", "failed"]

    after = None
    for _ in range(4):
        after = oncall.bulk(conn, "requeue", project.id, Selection(states=FAILED), limit=1, after=after).next
    assert after is None
    assert states(project, a, b, c) == ["ready", "waiting", "waiting"]
    assert [place_of(conn, job) for job in (a, b, c)] == [["ready"], ["waiting"], ["waiting"]]


def test_a_branch_that_was_not_needed_comes_back_with_its_graph(conn, project: Project, agent: Agent):
    """And waits for the failure anew."""
    a, rescue = project.submit_many(
        [Submission(kind="noop", ref="a"), Submission(kind="noop", after=[After("a", JobEnd.FAILED)])]
    )
    agent.complete(agent.claim_one())
    requeue(project, states=[JobState.SUCCEEDED, JobState.CANCELLED])
    chores.promote(conn)

    assert states(project, a, rescue) == ["ready", "waiting"]


def test_ids_are_a_filter_too(conn, project: Project, agent: Agent):
    """These, if they are in such a state; others never."""
    jobs = [project.submit() for _ in range(3)]
    assert cancel(project, jobs=jobs[:2]).changed == 2
    assert requeue(project, states=[JobState.CANCELLED], jobs=[jobs[0]]).changed == 1

    assert states(project, *jobs) == ["ready", "cancelled", "ready"]


@pytest.mark.parametrize(
    ("action", "fields", "limit", "field"),
    [
        ("requeue", {}, 10, "where.states"),
        ("requeue", {"states": [JobState.READY]}, 10, "where.states"),
        ("cancel", {"states": [JobState.FAILED]}, 10, "where.states"),
        ("cancel", {}, 0, "limit"),
        ("cancel", {}, 1001, "limit"),
        ("delete", {}, 10, "action"),
    ],
)
def test_what_makes_no_sense_is_refused(
    conn, project: Project, action: Any, fields: dict[str, Any], limit: int, field: str
):
    """By field, before anything is done."""
    with pytest.raises(BadRequest) as caught:
        oncall.bulk(conn, action, project.id, Selection(**fields), limit=limit)
    assert caught.value.field == field


def test_a_dry_run_is_one_or_it_is_not(conn, project: Project):
    """Null is no way to say `go on`."""
    project.submit()
    with pytest.raises(psycopg.Error) as caught:
        conn.execute("select fleet.bulk_v1('cancel', null, '{}', p_dry => null)")
    assert (caught.value.sqlstate, caught.value.diag.column_name) == ("JQ002", "dry")
    assert conn.execute("select count(*) from fleet.ready").fetchone() == (1,)


def test_states_that_are_null_are_not_said(conn, project: Project):
    """As if they were left out."""
    project.submit()
    cancelled = conn.execute(
        "select fleet.bulk_v1('cancel', %s, '{\"states\": null}') -> 'changed'", (project.id,)
    )
    assert cancelled.fetchone() == (1,)
