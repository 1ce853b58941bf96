"""Caps of a project and what is beside them: its other work, kept places, other projects, extremes (Q7, I10)."""

from __future__ import annotations

import pytest

from queue_schema.calls import admin, chores, clients, questions
from queue_schema.errors import BadRequest
from queue_schema.shapes import Claimed, Need
from tests.support.verbs import Agent, Project

GIB = 1024


def half_full(conn, *nodes: str) -> list[tuple[Agent, Claimed]]:
    """Nodes of 80 GiB, each with a long job of another project on half of it; and something small that waits."""
    other = Project(conn, "other")
    found = []
    for node in nodes:
        agent = Agent(conn, node, gpus=[80 * GIB])
        other.gpu_job(40 * GIB, timeout_s=86_400)
        found.append((agent, agent.claim_one()))
    other.gpu_job(39 * GIB + 512)
    return found


def a_round(conn, clock, running: list[tuple[Agent, Claimed]], seconds: int = 5) -> int:
    """The scheduler's, a while later; places kept."""
    clock.advance(seconds)
    for agent, lease in running:
        agent.beat(lease.token)
    chores.rank(conn)
    return chores.reserve(conn).kept


def test_no_place_is_kept_and_nobody_gives_way_for_what_a_cap_forbids(conn, clock, project: Project):
    """It could not have the place, and nobody else would."""
    agent = Agent(conn, gpus=[80 * GIB])
    admin.set_project(conn, "acme", max_vram_mib=20 * GIB)
    Project(conn, "other").gpu_job(60 * GIB, priority="low", preemptible=True)
    lease = agent.claim_one()
    project.gpu_job(70 * GIB, priority="urgent")
    clock.advance(5)
    agent.beat(lease.token)

    done = chores.reserve(conn)

    assert (done.kept, done.preempted) == (0, 0)


@pytest.mark.parametrize(
    ("caps", "kept"), [({"max_running": 1}, 1), ({"max_vram_mib": 150 * GIB}, 2), ({}, 3)]
)
def test_no_more_places_are_kept_than_the_caps_let_start(
    conn, clock, project: Project, caps: dict[str, int], kept: int
):
    """Four lanes of one project, each with a job that waits for a whole node."""
    if caps:
        admin.set_project(conn, "acme", **caps)
    running = half_full(conn, "a", "b", "c")
    for number in range(4):
        project.gpu_job(70 * GIB + number * 256)

    assert a_round(conn, clock, running) == kept


def test_what_a_cap_forbids_takes_no_place_from_what_it_allows(conn, clock, project: Project):
    """Only what may start is counted against the caps."""
    admin.set_project(conn, "acme", max_vram_mib=60 * GIB)
    running = half_full(conn, "a")
    project.gpu_job(70 * GIB, priority="high")
    project.gpu_job(50 * GIB)

    assert a_round(conn, clock, running) == 1


@pytest.mark.parametrize("by", ["the scheduler", "the claim"])
def test_a_place_is_given_up_when_its_project_reaches_its_cap(conn, clock, project: Project, by: str):
    """It would stand empty until something of the project ends, however long that takes."""
    admin.set_project(conn, "acme", max_running=1)
    [(agent, lease)] = running = half_full(conn, "big")
    small = Agent(conn, "small", gpus=[8 * GIB])
    project.gpu_job(78 * GIB)
    assert a_round(conn, clock, running) == 1
    project.gpu_job(2 * GIB, timeout_s=86_400)
    assert small.claim_one().project_id == project.id
    if by == "the scheduler":
        assert a_round(conn, clock, running) == 0
    agent.complete(lease)

    [claimed] = agent.claim()
    assert claimed.project_id != project.id


def test_what_ended_does_not_count_against_a_place(conn, clock, project: Project):
    """I10: what settles gave back counts before a claim takes it up. Else who runs nothing is at his cap."""
    admin.set_project(conn, "acme", max_running=1)
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(20 * GIB)
    agent.complete(agent.claim_one())
    chores.promote(conn)  # its lane is idle, so that no claim gives it a turn
    other = Project(conn, "other")
    other.gpu_job(38 * GIB)
    running = [(agent, agent.claim_one())]
    assert conn.execute("select count(*) from fleet.cap_returns").fetchone() == (1,)
    project.gpu_job(78 * GIB)
    other.gpu_job(1 * GIB)

    assert a_round(conn, clock, running) == 1


def test_what_no_node_serves_takes_no_place_from_what_some_node_does(conn, clock, project: Project):
    """I10: else a job with a label that nobody carries would stand before all its project has, and before all others."""
    running = half_full(conn, "a")
    admin.set_project(conn, "acme", max_running=1)
    nobody = Project(conn, "nobody")
    for number, owner in enumerate([project, *[nobody] * 9]):
        need = Need(
            gpus=1,
            vram_mib=60 * GIB,
            cpu_milli=1,
            ram_mib=0,
            disk_mib=0,
            labels={"zone": f"nowhere-{number}"},
        )
        owner.submit("selftest.allocate", need=need)
    clock.advance(1)
    big = project.gpu_job(70 * GIB)

    assert a_round(conn, clock, running) == 1
    assert conn.execute("select job_id from fleet.reservations").fetchall() == [(big,)]


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
    small = Agent(conn, "small", gpus=[9 * GIB] * 3)
    Agent(conn, "large", gpus=[48 * GIB])
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    project.gpu_job(8 * GIB)
    running = [(small, small.claim_one())]
    big = project.gpu_job(20 * GIB)
    younger = project.gpu_job(8 * GIB)
    a_round(conn, clock, running)
    assert small.claim() == []

    clients.cancel(conn, project.id, [big])

    assert [job.job_id for job in small.claim()] == [younger]


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

    started = [job.job_id for _ in range(20) for job in agent.claim()]

    assert started[0] == big


def test_what_is_older_than_the_kept_job_takes_nothing_younger_along(conn, clock, project: Project):
    """A claim takes a lane's jobs several at a time."""
    small = Agent(conn, "small", gpus=[9 * GIB] * 5)
    large = Agent(conn, "large", gpus=[48 * GIB])
    admin.set_project(conn, "acme", max_running=3)
    older = project.gpu_job(8 * GIB)
    clock.advance(1)
    big = project.gpu_job(20 * GIB)
    clock.advance(1)
    younger = [project.gpu_job(8 * GIB) for _ in range(4)]
    clock.advance(5)
    chores.reserve(conn)

    assert [job.job_id for job in small.claim()] == [older, younger[0]]
    assert [job.job_id for job in large.claim()] == [big]


def test_why_says_that_a_cap_keeps_a_place_for_an_older_job(conn, clock, project: Project):
    """And how much more would do."""
    small = Agent(conn, "small", gpus=[9 * GIB] * 3)
    Agent(conn, "large", gpus=[48 * GIB])
    admin.set_project(conn, "acme", max_vram_mib=24 * GIB)
    project.gpu_job(8 * GIB)
    running = [(small, small.claim_one())]
    big = project.gpu_job(20 * GIB)
    younger = project.gpu_job(8 * GIB)
    a_round(conn, clock, running)

    told = questions.why(conn, project.id, younger)

    assert [cause.cause for cause in told.causes] == ["quota"]
    assert f"keeps a place for its job {big}" in told.causes[0].message
    assert told.proved
    assert told.causes[0].change is not None
    admin.set_project(conn, "acme", **told.causes[0].change["fields"])
    assert [job.job_id for job in small.claim()] == [younger]


def test_a_job_over_the_whole_cap_holds_up_nobody(conn, project: Project):
    """It was taken, since a cap may grow; until then younger work of its project goes on."""
    agent = Agent(conn, gpus=[80 * GIB])
    admin.set_project(conn, "acme", max_vram_mib=20 * GIB)
    project.gpu_job(30 * GIB)
    younger = {project.gpu_job(2 * GIB), project.submit()}

    assert {job.job_id for job in agent.claim()} == younger


def test_a_job_within_the_cap_keeps_its_turn(conn, project: Project):
    """Younger ones that want of the same cap do not starve it; those that do not want of it go on."""
    agent = Agent(conn, gpus=[80 * GIB])
    admin.set_project(conn, "acme", max_vram_mib=20 * GIB)
    project.gpu_job(12 * GIB)
    first = agent.claim_one()
    older = project.gpu_job(15 * GIB)
    younger = project.gpu_job(2 * GIB)
    plain = project.submit()

    assert [job.job_id for job in agent.claim()] == [plain]
    agent.complete(first)
    assert [job.job_id for job in agent.claim()] == [older, younger]


def test_it_keeps_its_turn_when_its_project_has_another(conn, project: Project):
    """A turn ends with what it costs; in the next one of the same claim the job still comes first."""
    agent = Agent(conn, gpus=[80 * GIB])
    admin.configure(conn, fair_quantum=0)
    admin.set_project(conn, "acme", max_vram_mib=20 * GIB)
    project.gpu_job(12 * GIB)
    agent.claim_one()
    other = Project(conn, "other")
    project.gpu_job(15 * GIB)
    project.gpu_job(2 * GIB)
    plain = {owner.submit() for owner in (project, project, project, other, other, other)}

    assert {job.job_id for job in agent.claim()} == plain


def test_a_cap_may_be_as_large_as_one_likes(conn, project: Project):
    """Somebody's "no limit" is a number, too."""
    agent = Agent(conn, gpus=[80 * GIB])
    admin.set_project(conn, "acme", max_vram_mib=10**15)
    jobs = {project.gpu_job(256), Project(conn, "other").submit()}

    assert {job.job_id for job in agent.claim()} == jobs


@pytest.mark.parametrize(
    ("field", "value"),
    [("weight", 1e-306), ("weight", 1e300), ("max_running", 2**31), ("max_vram_mib", 10**30)],
)
def test_limits_beyond_all_sense_are_refused_by_name(conn, project: Project, field: str, value: float):
    """Each of them would stop a ranking, or every claim, with an error of arithmetic."""
    with pytest.raises(BadRequest) as caught:
        admin.set_project(conn, "acme", **{field: value})
    assert caught.value.field == field
