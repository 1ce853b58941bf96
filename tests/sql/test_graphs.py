"""Jobs that wait for jobs: fan-in, failure, cancel and retry along the graph (Q9, Q12; I1)."""

from __future__ import annotations

from uuid import UUID

import pytest

from queue_schema.calls import chores, clients
from queue_schema.errors import Conflict
from queue_schema.shapes import Artifact, Input, Submission
from queue_schema.states import Cause
from tests.support.verbs import Agent, Project, place_of

SHA = "ab" * 32
PNG = Artifact("picture.png", SHA, 10, "image/png")


def chain(project: Project, links: int) -> list[UUID]:
    """Jobs that wait for each other in a row."""
    return project.submit_many(
        [Submission(kind="noop", ref=f"j{n}", after=[f"j{n - 1}"] if n else []) for n in range(links)]
    )


def test_complete_itself_unblocks_what_waited(project: Project, agent: Agent):
    """Q9: a graph goes on without any scheduler."""
    a, b, c = chain(project, 3)
    assert [project.state(job) for job in (a, b, c)] == ["ready", "waiting", "waiting"]

    agent.complete(agent.claim_one())
    assert [project.state(job) for job in (a, b, c)] == ["succeeded", "ready", "waiting"]
    agent.complete(agent.claim_one())
    agent.complete(agent.claim_one())
    assert project.state(c) == "succeeded"


def test_a_job_waits_for_all_it_names(project: Project, agent: Agent):
    """Fan-in: the last of them unblocks it."""
    *parts, last = project.submit_many(
        [Submission(kind="noop", ref=f"p{n}") for n in range(3)]
        + [Submission(kind="noop", after=["p0", "p1", "p2"])]
    )
    for claimed in agent.claim():
        assert project.state(last) == "waiting"
        agent.complete(claimed)

    assert project.state(last) == "ready"
    assert project.row(last)["after"] == parts


def test_a_failure_ends_everything_downstream(project: Project, agent: Agent):
    """Q9: what waits for it, however far down, ends as failed, cause dependency."""
    a, b, c = chain(project, 3)
    agent.fail(agent.claim_one())

    assert [project.row(job)["cause"] for job in (a, b, c)] == ["user_error", "dependency", "dependency"]
    assert str(a) in project.row(b)["error"]["message"]
    assert [project.state(job) for job in (b, c)] == ["failed", "failed"]


def test_after_a_job_that_already_succeeded_nothing_is_waited_for(project: Project, agent: Agent):
    """It may be named any time later."""
    a = project.submit()
    agent.complete(agent.claim_one())

    assert project.state(project.submit(after=[str(a)])) == "ready"


def test_after_a_job_that_failed_a_submission_is_refused(conn, project: Project, agent: Agent):
    """It would wait for ever."""
    a = project.submit()
    agent.fail(agent.claim_one())

    with pytest.raises(Conflict) as caught:
        project.submit(after=[str(a)])
    assert caught.value.field == "jobs[0].after[0]"


def test_cancel_ends_a_job_wherever_it_is(conn, project: Project, agent: Agent):
    """Q12: ready, waiting and running; what waits for them ends too."""
    running = project.submit()
    claimed = agent.claim_one()
    ready, waiting = chain(project, 2)
    answers = clients.cancel(conn, project.id, [running, waiting, ready])

    assert [answer.outcome for answer in answers] == ["cancelling", "cancelled", "cancelled"]
    assert [project.state(job) for job in (running, ready, waiting)] == ["running", "cancelled", "cancelled"]
    [command] = agent.beat(claimed.token).commands
    assert (command.token, command.command) == (claimed.token, "cancel")

    agent.fail(claimed, Cause.CANCELLED)
    assert project.state(running) == "cancelled"
    assert clients.cancel(conn, project.id, [running])[0].outcome == "already_ended"


def test_retry_runs_an_ended_job_again_and_its_graph_with_it(conn, project: Project, agent: Agent):
    """Q12: with fresh retries; alone it is refused while what it waits for has failed."""
    a, b = chain(project, 2)
    agent.fail(agent.claim_one())
    with pytest.raises(Conflict):
        clients.retry(conn, project.id, [b])

    clients.retry(conn, project.id, [b, a])
    assert [project.state(job) for job in (a, b)] == ["ready", "waiting"]
    agent.complete(agent.claim_one())
    agent.complete(agent.claim_one())
    assert [project.state(job) for job in (a, b)] == ["succeeded", "succeeded"]


def test_retrying_a_success_does_not_unblock_twice(conn, project: Project, agent: Agent):
    """A prerequisite counts once, however often it succeeds."""
    a, _, c = project.submit_many(
        [
            Submission(kind="noop", ref="a"),
            Submission(kind="noop", ref="b"),
            Submission(kind="noop", after=["a", "b"]),
        ]
    )
    agent.complete(agent.claim_one())
    clients.retry(conn, project.id, [a])
    again = next(job for job in agent.claim() if job.job_id == a)
    agent.complete(again)

    assert project.state(c) == "waiting"
    assert project.row(c)["waits_for"] == 1


def test_a_job_is_in_exactly_one_place(conn, project: Project, agent: Agent):
    """I1, along one life: waiting, ready, leased, waiting again, ended."""
    a, b = chain(project, 2)
    places = [place_of(conn, b)]
    agent.complete(agent.claim_one())
    places.append(place_of(conn, b))
    claimed = agent.claim_one()
    places.append(place_of(conn, b))
    agent.fail(claimed, Cause.INFRASTRUCTURE)
    places.append(place_of(conn, b))
    clients.cancel(conn, project.id, [b])
    places.append(place_of(conn, b))

    assert places == [["waiting"], ["ready"], ["leased"], ["waiting"], ["ended"]]
    assert place_of(conn, a) == ["ended"]


def test_each_end_is_announced_once(conn, project: Project, agent: Agent):
    """A job that had ended before its prerequisite failed again is not announced again."""
    hook = "https://example.org/hook"
    a, b = project.submit_many(
        [
            Submission(kind="noop", ref="a", webhook=hook),
            Submission(kind="noop", after=["a"], webhook=hook),
        ]
    )
    clients.cancel(conn, project.id, [a, b])
    for _ in range(2):
        clients.retry(conn, project.id, [a])
        agent.fail(agent.claim_one())

    counts = dict(conn.execute("select job_id, count(*) from fleet.webhook_deliveries group by 1").fetchall())
    assert counts == {a: 3, b: 1}


def test_a_graph_that_is_retried_whole_keeps_its_order(conn, project: Project, agent: Agent):
    """What waited for a success waits for the next one."""
    a, b = chain(project, 2)
    agent.complete(agent.claim_one())
    agent.fail(agent.claim_one())
    clients.retry(conn, project.id, [a, b])

    assert [project.state(job) for job in (a, b)] == ["ready", "waiting"]


def test_a_job_whose_prerequisite_was_pruned_is_not_left_waiting(conn, project: Project, agent: Agent):
    """It says so instead."""
    a, b = chain(project, 2)
    agent.fail(agent.claim_one())
    conn.execute("delete from fleet.jobs where job_id = %s", (a,))

    with pytest.raises(Conflict, match="pruned"):
        clients.retry(conn, project.id, [b])


def test_pruning_keeps_what_somebody_still_needs(conn, clock, project: Project, agent: Agent):
    """Old jobs go, with their outputs, but not while a job that reads them has yet to run."""
    a = project.submit()
    agent.complete(agent.claim_one(), [PNG])
    gone = project.submit()
    agent.complete(agent.claim_one())
    clock.advance(100 * 86400)
    reader = project.submit(inputs={"x": Input(job=str(a), output="picture.png")})

    assert chores.prune(conn).jobs == 1
    assert conn.execute("select job_id from fleet.jobs order by 1").fetchall() == [(a,), (reader,)]
    assert gone not in (a, reader)
