"""What the caps of a project keep for the job that its own smaller work would pass for ever (I10, ADR 15)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from queue_schema.calls import admin, chores, clients, questions
from queue_schema.shapes import Claimed, Need
from queue_schema.states import Priority
from tests.support.rounds import GIB, a_round, half_full
from tests.support.verbs import Agent, Project


def waits_for_its_cap(conn, clock, project: Project) -> tuple[Agent, Claimed, UUID, UUID]:
    """A job that only a large node has room for waits for what a small one runs, and something smaller comes after it.

    Returns:
        The small node, what it runs, the job that waits, and the one after it.
    """
    small = Agent(conn, "small", gpus=[9 * GIB] * 3)
    Agent(conn, "large", gpus=[48 * GIB])
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    project.gpu_job(8 * GIB)
    lease = small.claim_one()
    big, younger = project.gpu_job(20 * GIB), project.gpu_job(8 * GIB)
    a_round(conn, clock, [(small, lease)])
    return small, lease, big, younger


def test_the_caps_keep_a_place_for_what_lower_classes_would_pass(conn, clock, project: Project):
    """I10: what a low job gives back to the cap is too little for a large one; the next low one may not have it."""
    agent = Agent(conn, gpus=[24 * GIB] * 4)
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    for _ in range(3):
        project.gpu_job(8 * GIB, priority="low")
    running = agent.claim()
    big = project.gpu_job(23 * GIB, priority="high")
    started = []
    for _ in range(3):
        project.gpu_job(8 * GIB, priority="low")
        clock.advance(5)
        agent.beat(*[job.token for job in running])
        chores.rank(conn)
        chores.reserve(conn)
        agent.complete(running.pop(0))
        started += [job.job_id for job in agent.claim()]

    assert started == [big]


@pytest.mark.parametrize("caps", [{"max_vram_mib": 24 * GIB}, {"max_running": 3}])
def test_the_caps_keep_a_place_for_what_other_nodes_would_pass(
    conn, clock, project: Project, caps: dict[str, int]
):
    """I10: the large node waits for all of the cap, or has not room yet; the small node goes on with younger work."""
    admin.set_project(conn, "acme", **caps)
    large = Agent(conn, "large", gpus=[48 * GIB])
    small = Agent(conn, "small", gpus=[9 * GIB] * 3)
    Project(conn, "other").gpu_job(40 * GIB)
    others = large.claim_one()
    for _ in range(3):
        project.gpu_job(8 * GIB)
    running = small.claim()
    big = project.gpu_job(20 * GIB)
    for end in range(6):
        project.gpu_job(8 * GIB)
        clock.advance(5)
        large.beat(*([others.token] if end < 3 else []))
        small.beat(*[job.token for job in running])
        chores.rank(conn)
        chores.reserve(conn)
        if running:
            small.complete(running.pop(0))
        running += small.claim()
        if end == 3:
            large.complete(others)
        if large.claim():
            break

    assert project.state(big) == "running"


def test_what_is_kept_of_a_cap_goes_with_its_job(conn, clock, project: Project):
    """A job that was cancelled keeps nothing, also while the scheduler is away."""
    small, _, big, younger = waits_for_its_cap(conn, clock, project)
    assert small.claim() == []

    clients.cancel(conn, project.id, [big])

    assert [job.job_id for job in small.claim()] == [younger]


def test_what_is_kept_of_a_cap_is_not_kept_for_long_while_the_scheduler_is_away(
    conn, clock, project: Project
):
    """Whatever has become of its job, and of the nodes: a minute."""
    small, lease, _, younger = waits_for_its_cap(conn, clock, project)
    clients.drain(conn, "large")
    for _ in range(5):
        clock.advance(10)
        small.beat(lease.token)
        assert small.claim() == []
    clock.advance(15)

    assert [job.job_id for job in small.claim()] == [younger]


def test_no_part_is_kept_for_what_is_of_another_class_now(conn, clock, project: Project):
    """What it comes before then, it comes before there."""
    small, _, big, younger = waits_for_its_cap(conn, clock, project)

    clients.amend(conn, project.id, big, priority="low")

    assert [job.job_id for job in small.claim()] == [younger]


def test_a_node_keeps_no_place_for_what_stands_back_in_its_project(conn, clock, project: Project):
    """Each would wait for the other: one for the room on the node, one for the room in the cap."""
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    middle = Agent(conn, "middle", gpus=[9 * GIB])
    node = Agent(conn, "node", gpus=[25 * GIB])
    other = Project(conn, "other")
    project.gpu_job(8 * GIB)
    mine = middle.claim_one()
    other.gpu_job(16 * GIB)
    theirs = node.claim_one()
    big = project.gpu_job(20 * GIB)
    clock.advance(1)
    next_ = project.gpu_job(10 * GIB)
    for _ in range(3):
        other.gpu_job(1 * GIB)
        clock.advance(5)
        middle.beat(mine.token)
        node.beat(theirs.token)
        chores.reserve(conn)
    middle.complete(mine)
    node.complete(theirs)
    chores.reserve(conn)

    assert big in [job.job_id for job in node.claim()]
    assert project.state(next_) == "ready"


@pytest.mark.parametrize(
    "asks", [{"vram_mib": 4 * GIB, "ram_mib": 60_000}, {"vram_mib": 22 * GIB, "ram_mib": 0}]
)
def test_a_job_for_which_outsiders_leave_no_room_does_not_stop_its_project(
    conn, clock, project: Project, asks: dict[str, int]
):
    """What the system uses, or a desktop: a node is large enough by what it declares, and never by what is free."""
    admin.set_project(conn, "acme", max_running=1)
    agent = Agent(conn, gpus=[24 * GIB] * 2, ram_mib=64_000)
    project.submit("selftest.allocate", need=Need(gpus=1, cpu_milli=1, disk_mib=0, **asks))
    clock.advance(1)
    small = [project.gpu_job(2 * GIB) for _ in range(3)]
    started, running = [], []
    for _ in range(4):
        clock.advance(20)
        agent.beat(*[job.token for job in running])
        chores.reserve(conn)
        if running:
            agent.complete(running.pop())
        running = agent.claim(free={-1: 58_000, 0: 20 * GIB, 1: 20 * GIB})
        started += [job.job_id for job in running]

    assert started == small


def test_a_place_that_is_not_taken_up_does_not_stop_its_project(conn, clock, project: Project):
    """The node would be free, but its disk is full, which only its own claims know."""
    large = Agent(conn, "large", gpus=[80 * GIB])
    Project(conn, "other").gpu_job(40 * GIB)
    lease = large.claim_one()
    small = Agent(conn, "small", gpus=[9 * GIB])
    admin.set_project(conn, "acme", max_running=1)
    need = Need(gpus=1, vram_mib=60 * GIB, cpu_milli=1, ram_mib=0, disk_mib=500_000)
    big = project.submit("selftest.allocate", need=need)
    clock.advance(1)
    younger = project.gpu_job(2 * GIB)
    assert a_round(conn, clock, [(large, lease)]) == 1
    large.complete(lease)
    assert small.claim() == []
    for _ in range(15):
        clock.advance(10)
        large.beat()
        small.beat()
        chores.reserve(conn)
        sample = msgspec.structs.replace(large.sample(), disk_free_mib=100_000)
        assert big not in [job.job_id for job in large.claim(1, sample=sample)]

    small.claim()
    assert project.state(younger) == "running"


def test_what_was_just_given_back_is_not_taken_for_an_outsiders(conn, clock, project: Project):
    """Until the next sample it looks like that; the younger job whose claim brings that sample comes too early."""
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    agent = Agent(conn, gpus=[24 * GIB])
    for _ in range(3):
        project.gpu_job(7 * GIB)
    running = agent.claim()
    big = project.gpu_job(20 * GIB)
    clock.advance(6)
    full = {(0, job.token): 7 * GIB for job in running}
    assert agent.claim(free={-1: 64_000, 0: 3 * GIB}, realised=full) == []
    chores.reserve(conn)
    for job in running:
        agent.complete(job)
        project.gpu_job(7 * GIB)
        clock.advance(1)
        chores.reserve(conn)
        assert [claimed.job_id for claimed in agent.claim()] == ([big] if job is running[-1] else [])


def test_no_part_is_kept_among_equals(conn, clock, project: Project):
    """What is paused is smaller, and passes nobody."""
    admin.set_project(conn, "acme", max_running=1)
    x, y = (Agent(conn, node, gpus=[24 * GIB], labels={"node": node}) for node in "xy")

    def job(node: str, cpu_milli: int = 4, **fields: Any) -> UUID:
        need = Need(
            gpus=1, vram_mib=20 * GIB, cpu_milli=cpu_milli, ram_mib=0, disk_mib=0, labels={"node": node}
        )
        return project.submit("selftest.allocate", need=need, **fields)

    Project(conn, "other").gpu_job(20 * GIB)
    running = [(x, x.claim_one())]
    job("y", cpu_milli=2, priority="low")
    clients.pause(conn, project.id, paused=True, priority=Priority.LOW)
    job("x")
    clock.advance(1)
    younger = job("y")
    a_round(conn, clock, running)

    assert [job.job_id for job in y.claim()] == [younger]


def test_a_cap_of_vram_keeps_nothing_for_what_needs_none(conn, clock, project: Project):
    """Else a queue of such work, in a higher class, would leave the job that does need some unprotected."""
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    agent = Agent(conn, gpus=[24 * GIB] * 4)
    host = Agent(conn, "host", cpu_milli=8000, labels={"zone": "host"})
    plain = Need(gpus=0, vram_mib=0, cpu_milli=8000, ram_mib=10, disk_mib=0, labels={"zone": "host"})
    for _ in range(2):
        project.submit("selftest.allocate", need=plain, priority="high")
    on_host = host.claim_one()
    for _ in range(3):
        project.gpu_job(8 * GIB, priority="low")
    running = agent.claim()
    big = project.gpu_job(23 * GIB)
    started = []
    for _ in range(3):
        project.gpu_job(8 * GIB, priority="low")
        clock.advance(5)
        host.beat(on_host.token)
        agent.beat(*[job.token for job in running])
        chores.reserve(conn)
        agent.complete(running.pop(0))
        started += [job.job_id for job in agent.claim()]

    assert started == [big]


def test_a_cap_keeps_nothing_for_what_no_node_serves(conn, clock, project: Project):
    """It would hold up all the rest of its project for ever."""
    agent = Agent(conn, gpus=[9 * GIB] * 3)
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    project.gpu_job(8 * GIB)
    running = [(agent, agent.claim_one())]
    project.gpu_job(20 * GIB)
    younger = project.gpu_job(8 * GIB)
    a_round(conn, clock, running)

    assert [job.job_id for job in agent.claim()] == [younger]


def test_the_kept_part_of_a_cap_does_not_hide_behind_stale_lanes(conn, clock, project: Project):
    """A claim looks at sixteen lanes at a time, oldest first by what it knows of them, which may be long ago."""
    agent = Agent(conn, gpus=[80 * GIB] * 2)
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    sizes = [8 * GIB + number * 256 for number in range(20)]
    for size in sizes:
        project.gpu_job(size)
    while claimed := agent.claim():
        for job in claimed:
            agent.complete(job)
    project.gpu_job(8 * GIB)
    running = [agent.claim_one()]
    conn.execute("update fleet.lanes set head_key = 0")
    big = project.gpu_job(20 * GIB)
    for size in sizes:
        project.gpu_job(size)
    clock.advance(5)
    agent.beat(running[0].token)
    chores.reserve(conn)
    conn.execute(
        "update fleet.lanes set head_key = 0 where shape_id not in (select shape_id from fleet.lanes"
        " join fleet.jobs using (lane_id) where job_id = %s)",
        (big,),
    )
    agent.complete(running[0])

    assert agent.claim()[0].job_id == big


def test_what_is_older_than_the_kept_job_takes_nothing_younger_along(conn, clock, project: Project):
    """A claim takes a lane's jobs several at a time."""
    [(large, lease)] = running = half_full(conn, "large")
    small = Agent(conn, "small", gpus=[9 * GIB] * 5)
    admin.set_project(conn, "acme", max_running=3)
    older = project.gpu_job(8 * GIB)
    clock.advance(1)
    big = project.gpu_job(60 * GIB)
    clock.advance(1)
    younger = [project.gpu_job(8 * GIB) for _ in range(4)]
    a_round(conn, clock, running)

    assert [job.job_id for job in small.claim()] == [older, younger[0]]
    large.complete(lease)
    assert [job.job_id for job in large.claim(1)] == [big]


def test_a_claim_that_gives_nothing_locks_no_lanes(conn, clock, database_url: str, project: Project):
    """Those who submit to a project that stands still would wait for one claim after the other."""
    agent = Agent(conn, gpus=[80 * GIB])
    admin.set_project(conn, "acme", max_running=1)
    project.gpu_job(8 * GIB)
    running = [(agent, agent.claim_one())]
    for number in range(20):
        project.gpu_job(20 * GIB - number * 256)
    a_round(conn, clock, running)
    assert agent.claim() == []
    lanes = "select count(*) from (select from fleet.lanes for key share skip locked) as l"

    with psycopg.connect(database_url) as client, conn.transaction():
        assert agent.claim() == []
        assert client.execute(lanes).fetchone() == (21,)


def test_what_is_kept_is_counted_once_beside_other_places(conn, clock, project: Project):
    """By the cap and by the round: else the second of two that may run has no place."""
    running = half_full(conn, "a", "b")
    admin.set_project(conn, "acme", max_running=2)
    project.gpu_job(70 * GIB)
    project.gpu_job(2 * GIB)
    assert a_round(conn, clock, running) == 1
    project.gpu_job(60 * GIB)

    assert a_round(conn, clock, running) == 2


def test_why_says_that_a_cap_keeps_a_place_for_an_older_job(conn, clock, project: Project):
    """And how much more would do."""
    small, _, big, younger = waits_for_its_cap(conn, clock, project)

    told = questions.why(conn, project.id, younger)

    assert [cause.cause for cause in told.causes] == ["quota"]
    assert f"keeps a place for its job {big}" in told.causes[0].message
    assert told.proved
    assert told.causes[0].change is not None
    admin.set_project(conn, "acme", **told.causes[0].change["fields"])
    assert [job.job_id for job in small.claim()] == [younger]
