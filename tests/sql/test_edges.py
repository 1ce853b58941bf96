"""Branches of a graph: what waits for a failure, for any end, and what becomes of the branch nobody needs (Q9)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from queue_schema.calls import clients
from queue_schema.errors import BadRequest, Conflict
from queue_schema.shapes import After, Input, Submission
from queue_schema.states import Cause, JobEnd
from tests.support.verbs import Agent, Project, place_of


def noop(ref: str | None = None, **edges: str) -> Submission:
    """A job by its ref and what it waits for: `a="failed"`."""
    return Submission(kind="noop", ref=ref, after=[After(job, JobEnd(when)) for job, when in edges.items()])


def settle(agent: Agent, job: UUID, end: str) -> None:
    """Run one ready job to this end."""
    claimed = next(each for each in agent.claim() if each.job_id == job)
    if end == "succeeded":
        agent.complete(claimed)
    else:
        agent.fail(claimed, Cause.CANCELLED if end == "cancelled" else Cause.USER_ERROR)


def causes(project: Project, *jobs: UUID) -> list[tuple[str, str | None]]:
    """State and cause of each."""
    rows = [project.row(job) for job in jobs]
    return [(row["state"], row["cause"]) for row in rows]


@pytest.mark.parametrize(
    ("end", "when", "becomes"),
    [
        ("succeeded", "succeeded", ("ready", None)),
        ("failed", "succeeded", ("failed", "dependency")),
        ("cancelled", "succeeded", ("failed", "dependency")),
        ("succeeded", "failed", ("cancelled", "dependency")),
        ("failed", "failed", ("ready", None)),
        ("cancelled", "failed", ("ready", None)),
        ("succeeded", "ended", ("ready", None)),
        ("failed", "ended", ("ready", None)),
        ("cancelled", "ended", ("ready", None)),
    ],
)
def test_an_edge_says_which_end_it_waits_for(
    project: Project, agent: Agent, end: str, when: str, becomes: tuple[str, str | None]
):
    """Q9: succeeded, failed (cancelled, too) or ended; what can no longer come ends the one that waits."""
    a, b = project.submit_many([noop("a"), noop(a=when)])
    assert project.state(b) == "waiting"
    settle(agent, a, end)

    assert causes(project, b) == [becomes]
    assert len(place_of(project.conn, b)) == 1


def test_a_branch_that_is_not_needed_says_so(project: Project, agent: Agent):
    """It ends as cancelled, cause dependency, and its owner is told why, once."""
    a, b = project.submit_many(
        [
            noop("a"),
            Submission(kind="noop", after=[After("a", JobEnd.FAILED)], webhook="https://example.org/hook"),
        ]
    )
    settle(agent, a, "succeeded")

    assert project.row(b)["error"]["message"] == f"not needed: job {a} succeeded"
    assert project.events(b) == ["submitted", "cancelled"]
    sent = project.conn.execute("select body ->> 'type' from fleet.webhook_deliveries").fetchall()
    assert sent == [("job.cancelled",)]


def test_what_waits_for_a_branch_that_is_not_needed_is_not_needed_either(project: Project, agent: Agent):
    """Neither its success nor its failure comes; only what waits for any end goes on."""
    train, rescue, report, alarm, tidy = project.submit_many(
        [
            noop("train"),
            noop("rescue", train="failed"),
            noop(rescue="succeeded"),
            noop(rescue="failed"),
            noop(rescue="ended"),
        ]
    )
    settle(agent, train, "succeeded")

    assert causes(project, rescue, report, alarm) == [("cancelled", "dependency")] * 3
    assert project.row(report)["error"]["message"] == f"not needed: neither was job {rescue}"
    assert project.state(tidy) == "ready"


def test_a_failure_far_up_reaches_the_branch_for_it(project: Project, agent: Agent):
    """A job that fails because of another one has failed: its own branch for that runs."""
    a, b, on_b, last = project.submit_many(
        [noop("a"), noop("b", a="succeeded"), noop("on_b", b="failed"), noop(b="ended", on_b="succeeded")]
    )
    settle(agent, a, "failed")
    assert causes(project, b, on_b, last) == [("failed", "dependency"), ("ready", None), ("waiting", None)]

    settle(agent, on_b, "succeeded")
    assert project.state(last) == "ready"


def test_of_two_edges_that_break_at_once_the_failure_decides(project: Project, agent: Agent):
    """A branch that could not run is not one that was not needed."""
    a, b, c = project.submit_many([noop("a"), noop("b", a="failed"), noop(a="failed", b="succeeded")])
    settle(agent, a, "succeeded")
    assert causes(project, b, c) == [("cancelled", "dependency")] * 2

    x, y, z = project.submit_many([noop("x"), noop("y"), noop(x="succeeded", y="failed")])
    first, second = sorted((job for job in agent.claim()), key=lambda job: job.job_id)
    assert (first.job_id, second.job_id) == (x, y)
    clients.cancel(project.conn, project.id, [x])
    agent.fail(first)
    agent.complete(second)
    assert causes(project, z) == [("failed", "dependency")]


def test_fan_out_and_fan_in_over_any_end(project: Project, agent: Agent):
    """A join over `ended` runs when the last branch is over, however each went."""
    *_, tidy = project.submit_many(
        [noop(f"p{n}") for n in range(3)] + [noop(p0="ended", p1="ended", p2="ended")]
    )
    first, second, third = agent.claim()
    agent.complete(first)
    agent.fail(second)
    assert (project.state(tidy), project.row(tidy)["waits_for"]) == ("waiting", 1)
    agent.complete(third)

    assert project.state(tidy) == "ready"


def test_a_cancel_runs_the_branch_for_a_failure(project: Project, agent: Agent):
    """Cancelling is a way not to succeed; the rest of the graph hears of it at once."""
    a, rescue, after = project.submit_many([noop("a"), noop(a="failed"), noop(a="succeeded")])
    clients.cancel(project.conn, project.id, [a])

    assert causes(project, rescue, after) == [("ready", None), ("failed", "dependency")]


def test_a_job_that_has_ended_already_is_judged_at_once(project: Project, agent: Agent):
    """Satisfied edges are not waited for; one that never can be is refused by its field."""
    done = project.submit()
    settle(agent, done, "succeeded")
    failed = project.submit()
    settle(agent, failed, "failed")

    assert project.state(project.submit(after=[After(str(failed), JobEnd.FAILED)])) == "ready"
    assert project.state(project.submit(after=[After(str(done), JobEnd.ENDED)])) == "ready"
    with pytest.raises(Conflict, match="to fail") as caught:
        project.submit(after=[After(str(done), JobEnd.FAILED)])
    assert caught.value.field == "jobs[0].after[0]"


@pytest.mark.parametrize(
    ("after", "inputs", "field"),
    [
        ([After("a"), After("a", JobEnd.FAILED)], {}, "after[0]"),
        ([After("a", JobEnd.ENDED)], {"x": Input(job="a", output="o")}, "after[0]"),
        ([After("nobody", JobEnd.FAILED)], {}, "after[0]"),
    ],
)
def test_a_bad_edge_is_refused_by_field(
    project: Project, after: list[Any], inputs: dict[str, Input], field: str
):
    """One job is waited for in one way; an output of it is there only if it succeeds."""
    with pytest.raises(BadRequest) as caught:
        project.submit_many([noop("a"), Submission(kind="noop", after=after, inputs=inputs)])
    assert caught.value.field == f"jobs[1].{field}"


def test_an_edge_that_is_no_edge_is_refused(project: Project):
    """The verb checks by itself: whoever calls it."""
    for edge in ('{"job": "a", "when": "never"}', "{}", "7"):
        with pytest.raises(Exception, match=r"JQ002|not never|neither a job id"):
            project.conn.execute(
                "select fleet.submit_v1(%s, %s::jsonb)",
                (project.id, f'[{{"kind": "noop", "ref": "a"}}, {{"kind": "noop", "after": [{edge}]}}]'),
            )


def test_a_branch_can_be_retried_with_what_it_waits_for_and_not_alone(project: Project, agent: Agent):
    """Alone it would wait for a failure that cannot come; together the graph begins anew."""
    a, rescue = project.submit_many([noop("a"), noop(a="failed")])
    settle(agent, a, "succeeded")
    with pytest.raises(Conflict, match="to fail"):
        clients.retry(project.conn, project.id, [rescue])

    clients.retry(project.conn, project.id, [rescue, a])
    assert [project.state(job) for job in (a, rescue)] == ["ready", "waiting"]
    settle(agent, a, "failed")
    assert project.state(rescue) == "ready"


def test_a_retry_of_the_first_alone_leaves_the_branch_that_ran(project: Project, agent: Agent):
    """An edge that was satisfied stays so: the branch ran, and does not run again by itself."""
    a, rescue, after = project.submit_many([noop("a"), noop(a="failed"), noop(a="succeeded")])
    settle(agent, a, "failed")
    settle(agent, rescue, "succeeded")
    clients.retry(project.conn, project.id, [a])
    settle(agent, a, "succeeded")

    assert [project.state(job) for job in (a, rescue, after)] == ["succeeded", "succeeded", "failed"]
    clients.retry(project.conn, project.id, [after])
    assert project.state(after) == "ready"


def test_the_views_show_what_is_waited_for(project: Project, agent: Agent):
    """Which job, which end, and whether it has come."""
    a, b, last = project.submit_many([noop("a"), noop("b"), noop(a="ended", b="failed")])
    settle(agent, a, "succeeded")

    assert project.row(last)["edges"] == [
        {"job": str(a), "when": "ended", "satisfied": True},
        {"job": str(b), "when": "failed", "satisfied": False},
    ]
    row = project.conn.execute("select after, wants from fleet.v_waiting").fetchone()
    assert row == ([b], ["failed"])


def test_a_long_chain_ends_in_time_that_grows_with_its_length(project: Project):
    """Not with its square: 3,000 jobs that wait for each other go in, and end, within a test's patience."""
    chain = [Submission(kind="noop", ref=f"j{n}", after=[f"j{n - 1}"] if n else []) for n in range(3000)]
    first, *rest = project.submit_many(chain)
    clients.cancel(project.conn, project.id, [first])

    ended = project.conn.execute("select count(*) from fleet.jobs where cause = 'dependency'").fetchone()
    assert ended == (len(rest),)
