"""Branches of a graph under concurrency (I13): an edge added while its answer is on the way is answered all the same."""

from __future__ import annotations

import pytest

from queue_schema.calls import agents, clients
from queue_schema.errors import Conflict
from queue_schema.shapes import After, Completion, Submission
from queue_schema.states import JobEnd
from tests.concurrency.test_lock_points import on
from tests.support.interleave import Background, held_open
from tests.support.verbs import Agent, Project, place_of


def test_a_branch_submitted_while_the_success_is_in_flight_is_refused(
    database_url, conn, project: Project, agent: Agent
):
    """It waits for the settle, then sees that the failure cannot come."""
    job = project.submit()
    claimed = agent.claim_one()
    branch = Submission(kind="noop", after=[After(str(job), JobEnd.FAILED)])
    with held_open(database_url) as other:
        on(agent, other).complete(claimed)
        late = Background(database_url, lambda mine: clients.submit(mine, project.id, [branch]))
        late.wait_until_blocked(conn)

    with pytest.raises(Conflict, match="to fail"):
        late.result()


def test_a_success_ends_the_branch_that_was_submitted_meanwhile(
    database_url, conn, project: Project, agent: Agent
):
    """The other way round: the settle waits for the submission and finds that nobody needs it."""
    job = project.submit()
    claimed = agent.claim_one()
    branch = Submission(kind="noop", after=[After(str(job), JobEnd.FAILED)])
    done = Completion(job, claimed.token)
    with held_open(database_url) as other:
        [late] = clients.submit(other, project.id, [branch])
        completion = Background(database_url, lambda mine: agents.complete(mine, agent.session, [done]))
        completion.wait_until_blocked(conn)
    completion.result()

    row = project.row(late.job_id)
    assert (row["state"], row["cause"]) == ("cancelled", "dependency")


def test_a_branch_that_is_not_needed_takes_what_was_added_below_it_meanwhile(
    database_url, conn, project: Project, agent: Agent
):
    """The graph is read again under the locks, below the branch, too."""
    a, branch = project.submit_many(
        [Submission(kind="noop", ref="a"), Submission(kind="noop", after=[After("a", JobEnd.FAILED)])]
    )
    done = Completion(a, agent.claim_one().token)
    with held_open(database_url) as other:
        below, tidy = clients.submit(
            other,
            project.id,
            [
                Submission(kind="noop", after=[str(branch)]),
                Submission(kind="noop", after=[After(str(branch), JobEnd.ENDED)]),
            ],
        )
        completion = Background(database_url, lambda mine: agents.complete(mine, agent.session, [done]))
        completion.wait_until_blocked(conn)
    completion.result()

    assert project.row(below.job_id)["cause"] == "dependency"
    assert place_of(conn, tidy.job_id) == ["ready"]


def test_two_ends_of_one_join_at_once_ready_it_once(database_url, conn, project: Project, agent: Agent):
    """One branch fails while the other succeeds: both are counted, the last of them readies."""
    *_, tidy = project.submit_many(
        [
            Submission(kind="noop", ref="a"),
            Submission(kind="noop", ref="b"),
            Submission(kind="noop", after=[After("a", JobEnd.ENDED), After("b", JobEnd.FAILED)]),
        ]
    )
    first, second = sorted(agent.claim(2), key=lambda claimed: claimed.job_id)
    with held_open(database_url) as other:
        on(agent, other).complete(first)
        failure = Background(database_url, lambda mine: on(agent, mine).fail(second))
        failure.wait_until_blocked(conn)
    failure.result()

    assert place_of(conn, tidy) == ["ready"]
