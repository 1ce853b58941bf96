"""Who gets how much of the fleet: shares by weight, caps, the minimum of class low, ceilings of keys (Q6, Q7)."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

import pytest

from queue_schema.calls import admin, chores, clients
from queue_schema.errors import BadRequest, NotFound
from queue_schema.shapes import Need, Submission
from queue_schema.states import Priority
from tests.support.verbs import Agent, Project

GIB = 1024


def work_through(agent: Agent, clock, projects: list[Project], *, rounds: int, seconds: int = 60) -> Counter:
    """One job at a time for `seconds` each, with a ranking in between; whose they were."""
    served: Counter = Counter()
    names = {project.id: name for name, project in zip("abcd", projects, strict=False)}
    for _ in range(rounds):
        job = agent.claim_one()
        served[names[job.project_id]] += 1
        clock.advance(seconds)
        agent.complete(job)
        chores.rank(agent.conn)
    return served


def test_equal_weights_share_equally_whatever_the_queues_hold(conn, clock):
    """Q7: a hundred times more submitted is not a larger share."""
    flood, trickle = Project(conn, "flood"), Project(conn, "trickle")
    agent = Agent(conn, gpus=[80 * GIB])
    for _ in range(100):
        flood.gpu_job(70 * GIB)
    for _ in range(20):
        trickle.gpu_job(70 * GIB)

    served = work_through(agent, clock, [flood, trickle], rounds=20)

    assert served == {"a": 10, "b": 10}


def test_a_weight_of_three_is_three_times_the_share(conn, clock):
    """Q7."""
    heavy, light = Project(conn, "heavy"), Project(conn, "light")
    admin.set_project(conn, "heavy", weight=3)
    agent = Agent(conn, gpus=[80 * GIB])
    for project in (heavy, light):
        for _ in range(40):
            project.gpu_job(70 * GIB)

    served = work_through(agent, clock, [heavy, light], rounds=40)

    assert abs(served["a"] - 30) <= 1


def test_what_was_charged_is_trued_up_by_what_was_used(conn, clock):
    """A project whose jobs are over at once is not charged for the minute they might have taken."""
    quick, slow = Project(conn, "quick"), Project(conn, "slow")
    agent = Agent(conn, gpus=[80 * GIB])
    quick.gpu_job(70 * GIB)
    slow.gpu_job(70 * GIB)
    for seconds in (1, 600):
        job = agent.claim_one()
        if job.project_id == quick.id:
            clock.advance(1)
        else:
            clock.advance(600)
        agent.complete(job)
        chores.rank(conn)
        assert seconds
    used = dict(conn.execute("select project_id, usage from fleet.shares").fetchall())

    assert used[slow.id] == pytest.approx(600 * used[quick.id], rel=0.2)


def test_old_use_counts_half_after_its_half_life(conn, clock):
    """Who had much long ago is not punished for ever."""
    admin.configure(conn, fair_half_life_s=600)
    early, late = Project(conn, "early"), Project(conn, "late")
    agent = Agent(conn, gpus=[80 * GIB])
    for _ in range(4):
        early.gpu_job(70 * GIB)
    work_through(agent, clock, [early], rounds=4)
    clock.advance(3600)
    agent.beat()
    for _ in range(4):
        early.gpu_job(70 * GIB)
        late.gpu_job(70 * GIB)
    chores.rank(conn)

    served = work_through(agent, clock, [early, late], rounds=4)

    assert served["a"] >= 1, "after six half-lives little is left of the early use"


def test_a_project_that_has_been_idle_for_months_stops_nobody(conn, clock, project: Project, agent: Agent):
    """What it once used is divided with each rescaling, every fourteen days, until it is nothing: not below that."""
    idle = Project(conn, "idle")
    idle.submit()
    running = agent.claim_one()
    clock.advance(600)
    agent.complete(running)
    for _ in range(80):
        clock.advance(86_400)
        chores.rank(conn)
    agent.join()
    job = project.submit()

    assert conn.execute("select usage from fleet.shares where project_id = %s", (idle.id,)).fetchone() == (
        0.0,
    )
    assert agent.claim_one().job_id == job


@pytest.mark.parametrize("days", [29, 44, 4000])
def test_a_fleet_that_was_off_for_weeks_goes_on(conn, clock, project: Project, agent: Agent, days: int):
    """Old use is nothing by then, and no number is beyond what can be: all claims would fail for ever."""
    other = Project(conn, "other")
    for each in (other, project):
        each.submit()
    running = agent.claim_one()
    clock.advance(600)
    agent.complete(running)
    chores.rank(conn)
    clock.advance(days * 86_400)
    agent.join()

    chores.rank(conn)
    old, scale = conn.execute(
        "select sum(s.usage), (select r.scale from fleet.rankings as r order by r.era desc limit 1)"
        " from fleet.shares as s"
    ).fetchone()
    jobs = {each.submit() for each in (project, other, project, other)}
    clock.advance(20)

    assert old / scale < 1e-6
    assert {job.job_id for job in agent.claim()} > jobs
    chores.rank(conn)


@pytest.mark.parametrize("run_s", [None, 0.0])
def test_what_needs_nothing_is_claimed_like_the_rest(conn, run_s: float | None):
    """Its slot is charged as next to nothing: a turn is counted in what a job costs."""
    heavy, other = Project(conn, "a"), Project(conn, "b")
    agent = Agent(conn, gpus=[80 * GIB])
    jobs = {heavy.gpu_job(40 * GIB), heavy.submit(need=Need(gpus=0, cpu_milli=0, ram_mib=0)), other.submit()}
    conn.execute("update fleet.needs set run_s = %s where kind = 'noop'", (run_s,))
    conn.execute("update fleet.lanes set rank = 1 where project_id = %s", (other.id,))

    assert {job.job_id for job in agent.claim()} == jobs


def test_a_claim_for_many_gives_each_project_its_turn(conn):
    """One claim of several big jobs is shared out as several claims of one would be."""
    one, two = Project(conn, "one"), Project(conn, "two")
    agent = Agent(conn, gpus=[80 * GIB] * 4)
    for project in (one, two):
        for _ in range(4):
            project.gpu_job(70 * GIB)

    claimed = agent.claim(4)

    assert Counter(job.project_id for job in claimed) == {one.id: 2, two.id: 2}


def test_small_jobs_are_not_cut_up_between_projects(conn):
    """A turn is worth a quantum of GPU-time, so that cheap jobs come in runs."""
    one, two = Project(conn, "one"), Project(conn, "two")
    agent = Agent(conn)
    for project in (one, two):
        project.submit_many([Submission(kind="noop")] * 10)

    claimed = agent.claim(10)

    assert len({job.project_id for job in claimed}) == 1


def test_class_low_keeps_its_minimum_share(conn, clock, project: Project):
    """Q6: an endless stream of normal work does not stop low altogether."""
    admin.configure(conn, low_share=0.1)
    agent = Agent(conn, gpus=[80 * GIB])
    for _ in range(60):
        project.gpu_job(70 * GIB)
    low = {project.gpu_job(70 * GIB, priority="low") for _ in range(20)}

    served = 0
    for _ in range(50):
        job = agent.claim_one()
        served += job.job_id in low
        clock.advance(60)
        agent.complete(job)
        chores.rank(conn)

    assert 3 <= served <= 7


def test_a_cap_on_running_jobs_holds_and_frees(conn, project: Project, agent: Agent):
    """Q7: never more than the cap; an end makes room for another."""
    admin.set_project(conn, "acme", max_running=3)
    project.submit_many([Submission(kind="noop")] * 10)

    first = agent.claim()
    assert len(first) == 3
    assert agent.claim() == []
    agent.complete(first[0])
    assert len(agent.claim()) == 1


def test_a_cap_on_booked_vram_holds(conn, project: Project):
    """Q7: counted over all devices."""
    admin.set_project(conn, "acme", max_vram_mib=50 * GIB)
    agent = Agent(conn, gpus=[80 * GIB] * 2)
    for _ in range(4):
        project.gpu_job(20 * GIB)

    assert len(agent.claim()) == 2


def test_a_cap_leaves_the_rest_to_others(conn, project: Project, agent: Agent):
    """A project at its cap stands in nobody's way."""
    other = Project(conn, "other")
    admin.set_project(conn, "acme", max_running=1)
    project.submit_many([Submission(kind="noop")] * 10)
    theirs = other.submit_many([Submission(kind="noop")] * 3)

    assert {job.job_id for job in agent.claim()} >= set(theirs)


def test_what_runs_already_counts_when_a_cap_is_set(conn, project: Project, agent: Agent):
    """And its end is counted too."""
    project.submit_many([Submission(kind="noop")] * 10)
    running = agent.claim(4)
    limits = admin.set_project(conn, "acme", max_running=4)

    assert (limits.running, agent.claim()) == (4, [])
    agent.complete(running[0])
    assert len(agent.claim()) == 1
    admin.set_project(conn, "acme", max_running=None)
    assert len(agent.claim(2)) == 2
    admin.set_project(conn, "acme", max_running=7)
    assert len(agent.claim()) == 1, "what started while there was no cap counts too"


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"weight": 0}, "weight"), ({"max_running": -1}, "max_running"), ({"colour": 1}, "colour")],
)
def test_limits_that_cannot_be_are_refused(conn, project: Project, fields: dict[str, float], field: str):
    """The field is named."""
    with pytest.raises(BadRequest) as refused:
        admin.set_project(conn, "acme", **fields)

    assert refused.value.field == field
    with pytest.raises(NotFound):
        admin.set_project(conn, "nobody", weight=1)


def test_a_backlog_follows_its_project_to_other_pools(conn, project: Project):
    """P8: what is queued when trust is withdrawn does not run on the old nodes."""
    agent = Agent(conn)
    project.submit()
    admin.set_project(conn, "acme", trusted_pools=["mine"])

    assert agent.claim() == []
    admin.label_node(conn, agent.node, labels={}, pools=["mine"])
    assert len(agent.claim()) == 1


def test_a_project_trusts_somebody(conn, project: Project):
    """No pools at all would read as all of them."""
    admin.set_project(conn, "acme", trusted_pools=["mine"])

    with pytest.raises(BadRequest) as refused:
        admin.set_project(conn, "acme", trusted_pools=[])

    assert refused.value.field == "trusted_pools"
    assert conn.execute("select trusted_pools from fleet.projects").fetchone() == (["mine"],)


def test_a_key_that_is_not_there_may_nothing(conn, project: Project):
    """Whatever class a job states, or none."""
    for job in (Submission(kind="noop"), Submission(kind="noop", priority=Priority.LOW)):
        with pytest.raises(BadRequest):
            clients.submit(conn, project.id, [job], key_id=uuid4())


def test_a_key_has_a_ceiling(conn):
    """Q6: urgent is for those an admin trusts with it."""
    key = admin.create_key(conn, "acme", name="web", scopes=["submit"], ceiling=Priority.NORMAL)

    with pytest.raises(BadRequest) as refused:
        clients.submit(
            conn,
            key.project_id,
            [Submission(kind="noop"), Submission(kind="noop", priority=Priority.HIGH)],
            key_id=key.key_id,
        )

    assert refused.value.field == "jobs[1].priority"
    assert len(clients.submit(conn, key.project_id, [Submission(kind="noop")], key_id=key.key_id)) == 1


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("params", [{}, {"size": 1}])
def test_a_ceiling_holds_for_jobs_that_state_no_class(conn, jobs: int, params: dict[str, int]):
    """They are of class normal. With params and no more they go the short way, once others have made their lane."""
    plain = [Submission(kind="noop", params=params)] * jobs
    key = admin.create_key(conn, "acme", name="batch", scopes=["submit"], ceiling=Priority.LOW)
    for _ in range(2):
        clients.submit(conn, key.project_id, plain)

    with pytest.raises(BadRequest) as refused:
        clients.submit(conn, key.project_id, plain, key_id=key.key_id)

    assert refused.value.field == "jobs[0].priority"
    assert conn.execute("select count(*) from fleet.jobs").fetchone() == (2 * jobs,)
