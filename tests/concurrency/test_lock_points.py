"""Two transactions at each lock point (I6, I11, I13): who waits, who does not, and what is true after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from queue_schema.calls import agents, chores, clients
from queue_schema.errors import Conflict, NodeNameTaken
from queue_schema.shapes import Completion, Failed, Need, Report, Submission
from queue_schema.states import Cause
from tests.support.interleave import Background, held_open, impatient
from tests.support.verbs import Agent, Project, place_of, reap, reaper_at_work


def on(agent: Agent, conn: psycopg.Connection[Any]) -> Agent:
    """The same session, speaking over another connection."""
    twin = object.__new__(Agent)
    twin.__dict__ = {**agent.__dict__, "conn": conn}
    return twin


@pytest.fixture
def two_running(project: Project, agent: Agent) -> list[Any]:
    """Two jobs on one node."""
    project.submit()
    project.submit()
    return agent.claim(2)


IN_FLIGHT: dict[str, Callable[..., object]] = {
    "claim": lambda conn, agent, project, claimed: on(agent, conn).claim(1),
    "complete": lambda conn, agent, project, claimed: on(agent, conn).complete(claimed[0]),
    "fail": lambda conn, agent, project, claimed: on(agent, conn).fail(claimed[0]),
    "release": lambda conn, agent, project, claimed: on(agent, conn).release(claimed[0]),
    "cancel": lambda conn, agent, project, claimed: clients.cancel(conn, project.id, [claimed[0].job_id]),
    "submit": lambda conn, agent, project, claimed: clients.submit(
        conn, project.id, [Submission(kind="noop", after=[str(claimed[0].job_id)])]
    ),
    "drain": lambda conn, agent, project, claimed: clients.drain(conn, agent.node),
    "reap": lambda conn, agent, project, claimed: chores.reap(conn),
    "promote": lambda conn, agent, project, claimed: chores.promote(conn),
    "join of another node": lambda conn, agent, project, claimed: Agent(conn, "node-2"),
}


@pytest.mark.parametrize("verb", IN_FLIGHT)
def test_a_heartbeat_waits_for_nobody(
    database_url, clock, project: Project, agent: Agent, two_running: list[Any], verb: str
):
    """I11: whatever is in flight, also for its own node, also while it would mark leases as unnamed."""
    project.submit()
    clock.advance(11)
    with held_open(database_url) as other, impatient(database_url) as mine:
        IN_FLIGHT[verb](other, agent, project, two_running)

        beat = on(agent, mine).beat(two_running[1].token)

        assert beat.lost == []


def test_claims_of_two_nodes_do_not_wait_for_each_other(database_url, conn, project: Project, agent: Agent):
    """I13: the second takes the next job."""
    jobs = [project.submit(), project.submit()]
    other = Agent(conn, "node-2")
    with held_open(database_url) as first, impatient(database_url) as second:
        taken = [on(agent, first).claim(1)[0].job_id, on(other, second).claim(1)[0].job_id]

    assert taken == jobs


def silent_but_renewing(database_url, conn, clock, project: Project, agent: Agent) -> Any:
    """A node past its lease, whose heartbeat arrives while the reaper waits for its session."""
    project.submit()
    claimed = agent.claim_one()
    reaper_at_work(conn)
    for _ in range(7):
        clock.advance(5)
        conn.execute("update fleet.reaper set ran_at = fleet.now()")
    with held_open(database_url) as other:
        other.execute("select fleet._session(%s, %s)", (agent.session.session_id, agent.session.secret))
        reaper = Background(database_url, reap)
        reaper.wait_until_blocked(conn)
        assert agent.beat(claimed.token).lost == []
    return reaper.result()


def test_a_session_that_renews_while_the_reaper_waits_is_not_reaped(
    database_url, conn, clock, project: Project, agent: Agent
):
    """I6: the beat is read again after the wait."""
    done = silent_but_renewing(database_url, conn, clock, project, agent)

    assert (done.sessions, done.leases, done.held_back) == (0, 0, None)


def test_without_reading_again_the_reaper_takes_from_the_living(
    database_url, conn, clock, project: Project, agent: Agent
):
    """I6: the same interleaving with the guard removed, so that the test above is known to be able to fail."""
    row = conn.execute("select pg_get_functiondef('fleet.reap_v1'::regproc)").fetchone()
    guard = "and s.ended_at is null\n                       and b.beat_at < v_now - v_lease);"
    assert row[0].count(guard) == 1
    conn.execute(row[0].replace(guard, ");"))
    try:
        done = silent_but_renewing(database_url, conn, clock, project, agent)
    finally:
        conn.execute(row[0])

    assert done.leases == 1


def test_a_settle_that_came_first_is_not_reaped(database_url, conn, clock, project: Project, agent: Agent):
    """The reaper waits for the settle and finds nothing left to take."""
    job = project.submit()
    claimed = agent.claim_one()
    reaper_at_work(conn)
    clock.advance(35)
    conn.execute("update fleet.reaper set ran_at = fleet.now()")
    with held_open(database_url) as other:
        on(agent, other).complete(claimed)
        reaper = Background(database_url, reap)
        reaper.wait_until_blocked(conn)

    assert reaper.result().leases == 0
    assert project.state(job) == "succeeded"


def test_only_one_reaper_works_at_a_time(database_url):
    """Two schedulers side by side do no harm: the second does not even wait."""
    with held_open(database_url) as first, impatient(database_url) as second:
        reap(first)

        assert reap(second).held_back == "busy"


def test_a_cancel_sees_the_claim_it_waited_for(database_url, conn, project: Project, agent: Agent):
    """A job on its way from ready to running is cancelled all the same."""
    job = project.submit()
    with held_open(database_url) as other:
        [claimed] = on(agent, other).claim(1)
        cancel = Background(database_url, lambda mine: clients.cancel(mine, project.id, [job]))
        cancel.wait_until_blocked(conn)

    assert cancel.result()[0].outcome == "cancelling"
    assert [command.token for command in agent.beat(claimed.token).commands] == [claimed.token]


def test_a_cancel_sees_the_settle_it_waited_for(database_url, conn, project: Project, agent: Agent):
    """The result stands."""
    job = project.submit()
    claimed = agent.claim_one()
    with held_open(database_url) as other:
        on(agent, other).complete(claimed)
        cancel = Background(database_url, lambda mine: clients.cancel(mine, project.id, [job]))
        cancel.wait_until_blocked(conn)

    assert cancel.result()[0].outcome == "already_ended"


def test_a_submission_sees_the_failure_it_waited_for(database_url, conn, project: Project, agent: Agent):
    """Nothing is ever left waiting for a job that has failed."""
    job = project.submit()
    claimed = agent.claim_one()
    with held_open(database_url) as other:
        on(agent, other).fail(claimed)
        late = Background(
            database_url,
            lambda mine: clients.submit(mine, project.id, [Submission(kind="noop", after=[str(job)])]),
        )
        late.wait_until_blocked(conn)

    with pytest.raises(Conflict):
        late.result()


def test_a_failure_sees_the_submission_it_waited_for(database_url, conn, project: Project, agent: Agent):
    """The other way round: the new dependent ends with it."""
    job = project.submit()
    claimed = agent.claim_one()
    with held_open(database_url) as other:
        [late] = clients.submit(other, project.id, [Submission(kind="noop", after=[str(job)])])
        item = Failed(job, claimed.token, Cause.USER_ERROR, "no")
        failure = Background(database_url, lambda mine: agents.fail(mine, agent.session, [item]))
        failure.wait_until_blocked(conn)
    failure.result()

    assert project.row(late.job_id)["cause"] == "dependency"


def test_two_prerequisites_that_complete_at_once_unblock_once(
    database_url, conn, project: Project, agent: Agent
):
    """Fan-in under concurrency: counted by both, readied by the last."""
    a, b, last = project.submit_many(
        [
            Submission(kind="noop", ref="a"),
            Submission(kind="noop", ref="b"),
            Submission(kind="noop", after=["a", "b"]),
        ]
    )
    first, second = agent.claim(2)
    with held_open(database_url) as other:
        on(agent, other).complete(first)
        item = Completion(second.job_id, second.token)
        completion = Background(database_url, lambda mine: agents.complete(mine, agent.session, [item]))
        completion.wait_until_blocked(conn)
    completion.result()

    assert {first.job_id, second.job_id} == {a, b}
    assert place_of(conn, last) == ["ready"]


def test_a_job_that_was_written_while_its_settle_waited_is_written_again(
    database_url, conn, project: Project, agent: Agent
):
    """I1: the settle writes the row where it stands after the wait, not where it stood before."""
    project.submit()
    claimed = agent.claim_one()
    with held_open(database_url) as other:
        other.execute('update fleet.jobs set tags = \'{"seen": "1"}\' where job_id = %s', (claimed.job_id,))
        item = [Completion(claimed.job_id, claimed.token)]
        completion = Background(database_url, lambda mine: agents.complete(mine, agent.session, item))
        completion.wait_until_blocked(conn)
    [settled] = completion.result()

    assert settled.outcome == "settled"
    assert place_of(conn, claimed.job_id) == ["ended"]
    assert project.row(claimed.job_id)["tags"] == {"seen": "1"}


def test_a_lane_is_not_retired_while_a_job_is_on_its_way_into_it(
    database_url, project: Project, agent: Agent
):
    """The submit holds the lane; retiring skips it."""
    project.submit()
    agent.claim()
    with held_open(database_url) as other, impatient(database_url) as mine:
        clients.submit(other, project.id, [Submission(kind="noop")])
        chores.promote(mine)

    assert len(agent.claim()) == 1


def test_a_job_that_comes_while_its_lane_is_retired_makes_it_active_again(
    database_url, conn, project: Project, agent: Agent
):
    """The submit waits for the retirement, looks again, and undoes it."""
    project.submit()
    agent.claim()
    with held_open(database_url) as other:
        chores.promote(other)
        late = Background(
            database_url, lambda mine: clients.submit(mine, project.id, [Submission(kind="noop")])
        )
        late.wait_until_blocked(conn)
    late.result()

    assert len(agent.claim()) == 1


def test_of_two_machines_that_join_at_once_under_one_name_one_is_refused(database_url, conn):
    """The second waits for the first, then sees it."""
    with held_open(database_url) as other:
        Agent(other, "node", instance="one")
        second = Background(database_url, lambda mine: Agent(mine, "node", instance="two"))
        second.wait_until_blocked(conn)

    with pytest.raises(NodeNameTaken):
        second.result()


def test_a_submission_sent_twice_at_once_is_added_once(database_url, conn, project: Project):
    """The second waits for the first and gets its answer."""
    jobs = [Submission(kind="noop")]
    with held_open(database_url) as other:
        first = clients.submit(other, project.id, jobs, idempotency_key="k")
        second = Background(
            database_url, lambda mine: clients.submit(mine, project.id, jobs, idempotency_key="k")
        )
        second.wait_until_blocked(conn)

    assert [job.job_id for job in second.result()] == [job.job_id for job in first]
    assert conn.execute("select count(*) from fleet.jobs").fetchone() == (1,)


def test_a_failure_reaches_a_job_added_far_below_meanwhile(
    database_url, conn, project: Project, agent: Agent
):
    """The graph is read again under the locks: nothing is left waiting for what has failed."""
    a, b = project.submit_many([Submission(kind="noop", ref="a"), Submission(kind="noop", after=["a"])])
    claimed = agent.claim_one()
    with held_open(database_url) as other:
        [c] = clients.submit(other, project.id, [Submission(kind="noop", after=[str(b)])])
        item = Failed(a, claimed.token, Cause.USER_ERROR, "no")
        failure = Background(database_url, lambda mine: agents.fail(mine, agent.session, [item]))
        failure.wait_until_blocked(conn)
    failure.result()

    assert [project.row(job)["cause"] for job in (b, c.job_id)] == ["dependency", "dependency"]


def test_a_claim_repeated_while_the_first_is_in_flight_gets_its_answer(
    database_url, conn, project: Project, agent: Agent
):
    """The repeat waits for the first, then replays it."""
    project.submit()
    project.submit()
    request, sample = uuid4(), agent.sample()
    with held_open(database_url) as other:
        first = on(agent, other).claim(2, request_id=request, sample=sample)
        again = Background(
            database_url, lambda mine: on(agent, mine).claim(2, request_id=request, sample=sample)
        )
        again.wait_until_blocked(conn)

    assert again.result() == first
    assert len(first) == 2


def test_a_head_that_another_claim_holds_does_not_hide_the_rest(
    database_url, conn, project: Project, agent: Agent
):
    """Skipping what others take, a claim still takes all it wants."""
    head = project.submit()
    other_lane = project.submit(need=Need(ram_mib=77))
    rest = [project.submit() for _ in range(10)]
    other = Agent(conn, "node-2")
    with held_open(database_url) as mine:
        assert [job.job_id for job in on(agent, mine).claim(1)] == [head]
        taken = [job.job_id for job in other.claim(11)]

    assert sorted(taken) == sorted([other_lane, *rest])


def test_news_that_waited_for_the_settle_is_dropped(database_url, conn, project: Project, agent: Agent):
    """No progress row outlives its attempt or taints the next."""
    job = project.submit()
    claimed = agent.claim_one()
    with held_open(database_url) as other:
        on(agent, other).complete(claimed)
        news = Report(job, claimed.token, step=7)
        late = Background(database_url, lambda mine: agents.report(mine, agent.session, [news]))
        late.wait_until_blocked(conn)

    assert late.result() == [claimed.token]
    assert conn.execute("select count(*) from fleet.progress").fetchone() == (0,)


def test_a_lease_named_while_the_reaper_waits_is_not_released(
    database_url, conn, clock, project: Project, agent: Agent
):
    """I14: the beat is in time."""
    job = project.submit()
    claimed = agent.claim_one()
    reaper_at_work(conn)
    for _ in range(2):
        clock.advance(11)
        agent.beat()
    with held_open(database_url) as other:
        other.execute("select from fleet.jobs where job_id = %s for update", (job,))
        reaper = Background(database_url, reap)
        reaper.wait_until_blocked(conn)
        agent.beat(claimed.token)

    assert reaper.result().unnamed == 0
    assert project.state(job) == "running"


@pytest.mark.parametrize("chore", [chores.prune, chores.make_partitions])
def test_upkeep_gives_way_to_a_reader_of_the_history(database_url, conn, clock, chore: Callable[..., object]):
    """I13: it tries again next round instead of keeping claims out behind a long read."""
    clock.advance(200 * 86400)
    with held_open(database_url) as reader:
        reader.execute("select count(*) from fleet.v_events")
        chore(conn)

        assert conn.execute("select to_regclass('fleet.job_events_default') is not null").fetchone() == (
            True,
        )
