"""No job that fits a live node is starved by smaller ones (I10); urgent work may take a place (Q6, Q12)."""

from __future__ import annotations

import itertools

import psycopg
import pytest

from queue_schema.calls import admin, chores, clients
from queue_schema.shapes import Claimed, Need
from tests.support.verbs import Agent, Project, place_of

GIB = 1024
EIGHT = 7 * GIB
"""Eleven of them fill a device of 80 GiB."""


def learned(conn, seconds: float) -> None:
    """As if five runs of this length had been seen."""
    conn.execute(
        "update fleet.needs set run_s = %s where shape_id in (select shape_id from fleet.shapes where vram_mib = %s)",
        (seconds, EIGHT),
    )


def stream(project: Project, agent: Agent, clock, *, seconds: int, until: int) -> int | None:
    """Small jobs that never end coming, each `seconds` long, started one after the other; when the big one starts.

    Returns:
        Seconds from its submission to its start; None when it had not started by `until`.
    """
    running: list[tuple[int, Claimed]] = []
    now = 0

    def work() -> Claimed | None:
        while True:
            project.gpu_job(EIGHT)
            claimed = agent.claim(1)
            if not claimed:
                return None
            if claimed[0].grant.vram_mib > EIGHT:
                return claimed[0]
            running.append((now + seconds, claimed[0]))

    def step() -> Claimed | None:
        nonlocal now
        now += 1
        clock.advance(1)
        agent.beat(*[job.token for _, job in running])
        for done in [each for each in running if each[0] <= now]:
            running.remove(done)
            agent.complete(done[1])
        chores.rank(agent.conn)
        chores.reserve(agent.conn)
        return work()

    # A full device on which something ends every few seconds: it is never empty by itself.
    for place in range(11):
        project.gpu_job(EIGHT)
        running.append((seconds * (place + 1) // 11, agent.claim_one()))
    project.gpu_job(78 * GIB)
    while now < until:
        if step() is not None:
            return now
    return None


def test_a_big_job_is_not_starved_by_an_endless_stream_of_small_ones(conn, clock, project: Project):
    """I10: it starts when what runs has ended; the device is kept for it from the second it was found wanting."""
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(EIGHT)
    learned(conn, 60)

    waited = stream(project, agent, clock, seconds=60, until=300)

    assert waited is not None
    assert waited <= 1.1 * 60 + 5


def test_without_reservations_it_is(conn, clock, project: Project):
    """The test above can fail."""
    admin.configure(conn, reserve=False)
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(EIGHT)
    learned(conn, 60)

    assert stream(project, agent, clock, seconds=60, until=300) is None


def kept_for(
    conn,
    project: Project,
    agent: Agent,
    clock,
    *,
    running_s: int,
    priority: str = "normal",
    size: int = 78 * GIB,
):
    """A device half full for `running_s` more seconds, and kept for a job that needs all of it."""
    holder = project.gpu_job(40 * GIB, timeout_s=running_s)
    [lease] = agent.claim(1)
    assert lease.job_id == holder
    big = project.gpu_job(size, priority=priority)
    if priority == "low":
        project.gpu_job(77 * GIB, priority=priority)  # something smaller, and nothing of another class
        chores.promote(conn)
    clock.advance(5)
    agent.beat(lease.token)
    assert chores.reserve(conn).kept == 1
    return lease, big


def test_a_claim_does_not_wait_for_the_round_that_keeps_places(
    conn, clock, database_url: str, project: Project
):
    """Which may take long; the job starts, and the next round finds its place without a job."""
    agent = Agent(conn, gpus=[80 * GIB])
    lease, big = kept_for(conn, project, agent, clock, running_s=100)
    agent.complete(lease)
    conn.execute("set lock_timeout = '2s'")
    with psycopg.connect(database_url) as a_round:
        a_round.execute("select from fleet.reservations for update")
        assert [job.job_id for job in agent.claim(4)] == [big]

    assert chores.reserve(conn).kept == 0


def test_what_ends_in_time_may_use_a_kept_place(conn, clock, project: Project):
    """Backfill: shorter than the wait is welcome, longer is not, unknown counts as long."""
    agent = Agent(conn, gpus=[80 * GIB])
    kept_for(conn, project, agent, clock, running_s=100)
    unknown = project.gpu_job(10 * GIB)
    short = project.gpu_job(EIGHT)
    learned(conn, 50)

    assert [job.job_id for job in agent.claim(4)] == [short]
    conn.execute("update fleet.needs set run_s = 500")
    project.gpu_job(EIGHT)
    assert agent.claim(4) == []
    assert project.state(unknown) == "ready"


def test_what_fits_beside_the_kept_place_may_stay_long(conn, clock, project: Project):
    """Only what the big job needs is kept."""
    agent = Agent(conn, gpus=[80 * GIB, 24 * GIB])
    kept_for(conn, project, agent, clock, running_s=100)
    beside = project.gpu_job(20 * GIB)

    [job] = agent.claim(4)

    assert (job.job_id, job.grant.devices) == (beside, [1])


def test_urgent_work_does_not_wait_behind_a_place_of_another_class(conn, clock, project: Project):
    """Q6: it starts on what is free, and before the other if both would fit; the place is late then."""
    agent = Agent(conn, gpus=[80 * GIB])
    lease, big = kept_for(conn, project, agent, clock, running_s=100, priority="low")
    first = project.gpu_job(10 * GIB, priority="urgent")
    [started] = agent.claim(4)
    assert started.job_id == first

    agent.complete(lease)
    agent.complete(started)
    second = project.gpu_job(10 * GIB, priority="urgent")
    conn.execute("update fleet.rankings set low_first = false")
    [started] = agent.claim(4)
    assert started.job_id == second
    agent.complete(started)
    assert [job.job_id for job in agent.claim(4)] == [big]


def test_urgent_work_that_finds_no_room_does_not_hold_up_a_kept_place(conn, clock, project: Project):
    """It goes first only if it goes: there is memory for it, but not on the device that it asks for."""
    agent = Agent(conn, gpus=[80 * GIB])
    lease, big = kept_for(conn, project, agent, clock, running_s=100)
    need = Need(gpus=1, vram_mib=10 * GIB, cpu_milli=1, ram_mib=0, disk_mib=0, device="ram")
    urgent = project.submit("selftest.allocate", need=need, priority="urgent")
    agent.complete(lease)

    assert [job.job_id for job in agent.claim(4)] == [big]
    assert project.state(urgent) == "ready"


def test_it_does_not_when_class_low_is_owed_a_job_before_it(conn, clock, project: Project):
    """Low's one job comes before urgent work, and what is neither does not slip in between."""
    agent = Agent(conn, gpus=[80 * GIB])
    lease, big = kept_for(conn, project, agent, clock, running_s=100)
    agent.complete(lease)
    low = project.submit(priority="low")
    urgent = project.gpu_job(10 * GIB, priority="urgent")
    conn.execute("update fleet.rankings set low_first = true")

    assert [job.job_id for job in agent.claim(4)] == [low, urgent]
    assert project.state(big) == "ready"


def test_class_low_is_owed_its_place(conn, clock, project: Project):
    """Its minimum share holds against urgent work too, once there is room."""
    agent = Agent(conn, gpus=[80 * GIB])
    lease, big = kept_for(conn, project, agent, clock, running_s=100, priority="low")
    agent.complete(lease)
    project.gpu_job(10 * GIB, priority="urgent")
    conn.execute("update fleet.rankings set low_first = true")

    assert [job.job_id for job in agent.claim(4)] == [big]


def test_urgent_work_gets_a_place_on_a_node_that_keeps_one_for_another_class(conn, clock, project: Project):
    """Of the two it is the one that counts."""
    agent = Agent(conn, gpus=[80 * GIB])
    lease, _ = kept_for(conn, project, agent, clock, running_s=100, size=45 * GIB)
    urgent = project.gpu_job(70 * GIB, priority="urgent")
    beside = project.gpu_job(20 * GIB)  # it would be beside the first, and in the way of the second
    clock.advance(5)
    agent.beat(lease.token)
    assert chores.reserve(conn).kept == 2

    assert agent.claim(4) == []
    agent.complete(lease)
    assert [job.job_id for job in agent.claim(4)] == [urgent]
    assert project.state(beside) == "ready"


@pytest.mark.parametrize("change", ["pools", "labels", "kinds"])
@pytest.mark.parametrize("by", ["the scheduler", "the claim"])
def test_a_place_is_given_up_when_its_node_may_not_serve_it(
    conn, clock, project: Project, change: str, by: str
):
    """Who takes the node out of what a job trusts, or asks for, means it: also for a job that has a place there."""
    agent = Agent(conn, gpus=[80 * GIB])
    lease, big = kept_for(conn, project, agent, clock, running_s=100)
    small = Project(conn, "other").submit()
    if change == "pools":
        admin.set_project(conn, "acme", trusted_pools=["mine"])
    elif change == "labels":
        clients.amend(conn, project.id, big, need={"labels": {"zone": "eu"}})
    else:
        conn.execute("update fleet.sessions set kinds = '{noop}'")
    if by == "the scheduler":
        assert chores.reserve(conn).kept == 0
    agent.complete(lease)

    assert [job.job_id for job in agent.claim(4)] == [small]
    assert project.state(big) == "ready"


def test_a_place_is_given_up_with_its_job(conn, clock, project: Project):
    """Cancelled, or gone from ready."""
    agent = Agent(conn, gpus=[80 * GIB])
    _, big = kept_for(conn, project, agent, clock, running_s=100)
    clients.cancel(conn, project.id, [big])
    small = project.gpu_job(10 * GIB)

    assert chores.reserve(conn).kept == 0
    assert [job.job_id for job in agent.claim()] == [small]


def test_what_fits_nowhere_gets_no_place(conn, clock, project: Project):
    """It would keep a device empty for nothing."""
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(200 * GIB)
    clock.advance(10)
    agent.beat()

    assert chores.reserve(conn).kept == 0


@pytest.mark.parametrize(("other", "kept"), [(39 * GIB, 0), (20 * GIB, 1)])
def test_only_what_something_smaller_could_pass_gets_a_place(
    conn, clock, project: Project, other: int, kept: int
):
    """Among equals the order of claims is enough, and a place would set age against the shares."""
    agent = Agent(conn, gpus=[80 * GIB])
    for _ in range(3):
        project.gpu_job(39 * GIB)
    running = agent.claim(2)
    Project(conn, "other").gpu_job(other)
    clock.advance(5)
    agent.beat(*[job.token for job in running])

    assert chores.reserve(conn).kept == kept


@pytest.mark.parametrize("preemptible", [True, False])
def test_urgent_work_asks_preemptible_work_to_give_way(conn, clock, project: Project, *, preemptible: bool):
    """Q12: low work that allows it is asked to save its state, and as little of it as will do; nothing else is."""
    agent = Agent(conn, gpus=[80 * GIB])
    low = [project.gpu_job(20 * GIB, priority="low", preemptible=preemptible) for _ in range(2)]
    normal = project.gpu_job(20 * GIB)
    running = {job.job_id: job for job in agent.claim()}
    assert set(running) == {*low, normal}
    urgent = project.gpu_job(35 * GIB, priority="urgent")
    clock.advance(5)
    agent.beat(*[job.token for job in running.values()])

    done = chores.reserve(conn)
    commands = agent.beat(*[job.token for job in running.values()]).commands

    if not preemptible:
        assert (done.preempted, commands) == (0, [])
        return
    assert done.preempted == 1
    [asked] = [running[job] for job in low if running[job].token == commands[0].token]
    assert commands[0].command == "preempt"
    assert chores.reserve(conn).preempted == 0, "asked once is enough"
    agent.release(asked, "preempted")
    assert place_of(conn, asked.job_id) == ["ready"]
    assert [job.job_id for job in agent.claim()] == [urgent]
    assert project.row(asked.job_id)["retries_used"] == 0


def test_nobody_gives_way_on_a_device_that_is_out_of_work(conn, clock, project: Project):
    """The urgent job could not start there: it waits for the node where it can."""
    well, sick = (Agent(conn, node, gpus=[40 * GIB, 40 * GIB]) for node in ("well", "sick"))
    project.gpu_job(39 * GIB, gpus=2)
    running = {well: well.claim()}
    for _ in range(2):
        project.gpu_job(39 * GIB, priority="low", preemptible=True)
    running[sick] = sick.claim()
    assert [len(jobs) for jobs in running.values()] == [1, 2]
    conn.execute("update fleet.devices set fault = 'fell off the bus' where idx = 0 and uuid like 'sick/%'")
    project.gpu_job(39 * GIB, priority="urgent", gpus=2)
    clock.advance(5)
    for agent, jobs in running.items():
        agent.beat(*[job.token for job in jobs])

    done = chores.reserve(conn)

    assert (done.kept, done.preempted) == (1, 0)


def test_many_nodes_keep_many_places(conn, clock, project: Project):
    """One place a node; the node that is free first goes first."""
    agents = [Agent(conn, f"node-{at}", gpus=[80 * GIB]) for at in range(3)]
    for agent, seconds in zip(agents, itertools.count(100, 100), strict=False):
        project.gpu_job(40 * GIB, timeout_s=seconds)
        agent.claim_one()
    for _ in range(4):
        project.gpu_job(78 * GIB)
    clock.advance(5)
    for agent in agents:
        agent.beat(
            *[
                row[0]
                for row in conn.execute(
                    "select token from fleet.leases where session_id = %s", (agent.session.session_id,)
                )
            ]
        )

    chores.reserve(conn)

    assert conn.execute("select count(distinct node_id) from fleet.reservations").fetchone() == (1,)


def test_a_place_does_not_move_for_memory_given_back_since_the_last_sample(conn, clock, project: Project):
    """What a job gave back looks like an outsider's until the next sample; the other node must not get the place."""
    for name in ("node-1", "node-2"):
        agent = Agent(conn, name, gpus=[80 * GIB])
        project.gpu_job(40 * GIB)
        held = agent.claim_one()
        clock.advance(10)
        if name == "node-1":
            first, running = agent, held
    big = project.gpu_job(78 * GIB)
    clock.advance(3)
    chores.reserve(conn)
    free = {-1: first.total[-1], 0: 40 * GIB}
    first.claim(1, free=free, realised={(0, running.token): 40 * GIB})
    place = "select n.node from fleet.reservations r join fleet.nodes n using (node_id) where r.job_id = %s"
    before = conn.execute(place, (big,)).fetchone()

    first.complete(running)
    chores.reserve(conn)

    assert before == ("node-1",)
    assert conn.execute(place, (big,)).fetchone() == before
