"""Caps of a project and what is beside them: its other work, kept places, other projects, extremes (Q7, I10)."""

from __future__ import annotations

import pytest

from queue_schema.calls import admin, chores
from queue_schema.errors import BadRequest
from queue_schema.shapes import Need
from tests.support.rounds import GIB, a_round, half_full
from tests.support.verbs import Agent, Project


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


def test_a_project_at_its_cap_takes_no_place_from_the_next(conn, clock, project: Project):
    """However many of its lanes wait before that, since it has had nothing yet."""
    last = Project(conn, "last")
    agent = Agent(conn, "c", gpus=[80 * GIB])
    last.gpu_job(40 * GIB, timeout_s=86_400)
    running = [(agent, agent.claim_one()), *half_full(conn, "a", "b")]
    admin.set_project(conn, "acme", max_running=1)
    for number in range(20):
        project.gpu_job(50 * GIB + number * 256)
    big = last.gpu_job(79 * GIB)

    assert a_round(conn, clock, running) == 2
    kept = conn.execute("select job_id from fleet.reservations").fetchall()
    assert (big,) in kept


def test_what_no_node_serves_takes_no_place_from_what_some_node_does(conn, clock, project: Project):
    """I10: else a job with a label that nobody carries would stand before all its project has, and before all others."""
    running = half_full(conn, "a")
    admin.set_project(conn, "acme", max_running=1)
    nobody = Project(conn, "nobody")
    for number, owner in enumerate([project, *[nobody] * 20]):
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
