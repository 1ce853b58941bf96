"""A raise and a round of learning where they meet submits, claims and each other (I3, I11, I13)."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from queue_schema.calls import admin, agents, chores, clients
from queue_schema.shapes import After, Claimed, Completion, Failed, Need, Submission
from queue_schema.states import Cause, Priority
from tests.concurrency.test_lock_points import on
from tests.support.interleave import Background, held_open, impatient
from tests.support.verbs import Agent, Project

Conn = psycopg.Connection[Any]
NEED = Need(vram_mib=2000, cpu_milli=1, ram_mib=0, disk_mib=0)
WORK = Submission(kind="diffusion.generate", need=NEED)


@pytest.fixture
def node(conn: Conn) -> Agent:
    """One GPU of 24 GiB."""
    return Agent(conn, "gpu", gpus=[24_576], kinds=["diffusion.generate", "noop"])


def out_of_memory(conn: Conn, agent: Agent, claimed: Claimed) -> None:
    """It ran out of memory at its booking."""
    item = Failed(claimed.job_id, claimed.token, Cause.OUT_OF_MEMORY, "no memory", None, 2000)
    agents.fail(conn, agent.session, [item])


def shapes(conn: Conn) -> list[tuple[int, int]]:
    """For each lane, the VRAM of its own shape and of its need's."""
    return conn.execute(
        """select s.vram_mib, t.vram_mib from fleet.lanes l
             join fleet.needs n on n.need_id = l.need_id
             join fleet.shapes s on s.shape_id = l.shape_id
             join fleet.shapes t on t.shape_id = n.shape_id
            order by l.lane_id"""
    ).fetchall()


def urgent(conn: Conn, project: Project) -> None:
    """A job of the same need in another class: another lane."""
    clients.submit(conn, project.id, [Submission(kind=WORK.kind, need=NEED, priority=Priority.HIGH)])


def test_a_lane_made_during_a_raise_has_what_was_raised(database_url, conn, project: Project, node: Agent):
    """The submit waits for the raise, and reads the need again."""
    project.submit_many([WORK])
    claimed = node.claim_one()
    with held_open(database_url) as other:
        out_of_memory(other, node, claimed)
        late = Background(database_url, lambda mine: urgent(mine, project))
        late.wait_until_blocked(conn)
    late.result()

    assert shapes(conn) == [(3072, 3072)] * 2


def test_a_raise_takes_along_the_lane_it_waited_for(database_url, conn, project: Project, node: Agent):
    """The raise waits for the submit, and looks for lanes again."""
    project.submit_many([WORK])
    claimed = node.claim_one()
    with held_open(database_url) as other:
        urgent(other, project)
        late = Background(database_url, lambda mine: out_of_memory(mine, node, claimed))
        late.wait_until_blocked(conn)
    late.result()

    assert shapes(conn) == [(3072, 3072)] * 2


def test_a_project_that_comes_during_a_raise_learns_of_it(database_url, conn, project: Project, node: Agent):
    """Its first need of a shared kind waits for those before it, and begins with what they know."""
    project.submit_many([WORK])
    claimed = node.claim_one()
    late_one = Project(conn, "late")
    with held_open(database_url) as other:
        out_of_memory(other, node, claimed)
        late = Background(database_url, lambda mine: clients.submit(mine, late_one.id, [WORK]))
        late.wait_until_blocked(conn)
    late.result()

    assert shapes(conn) == [(3072, 3072)] * 2


def test_a_raise_takes_along_the_project_it_waited_for(database_url, conn, project: Project, node: Agent):
    """The other way round: needs are looked for again after the wait."""
    project.submit_many([WORK])
    claimed = node.claim_one()
    late_one = Project(conn, "late")
    with held_open(database_url) as other:
        clients.submit(other, late_one.id, [WORK])
        late = Background(database_url, lambda mine: out_of_memory(mine, node, claimed))
        late.wait_until_blocked(conn)
    late.result()

    assert shapes(conn) == [(3072, 3072)] * 2


def test_a_round_of_learning_takes_along_the_project_it_waited_for(
    database_url, conn, project: Project, node: Agent
):
    """It learns as those do that were there before."""
    project.submit_many([WORK] * 5)
    done = [Completion(job.job_id, job.token, peak_mib=600) for job in node.claim()]
    agents.complete(conn, node.session, done)
    late_one = Project(conn, "late")
    with held_open(database_url) as other:
        clients.submit(other, late_one.id, [WORK])
        late = Background(database_url, chores.learn)
        late.wait_until_blocked(conn)
    late.result()

    assert conn.execute("select learned_mib from fleet.needs").fetchall() == [(768,), (768,)]


def test_a_claim_waits_for_no_raise_and_no_raise_for_a_claim(
    database_url, conn, project: Project, node: Agent
):
    """I3: what was claimed beside a raise has the booking it was placed by; the rest has the new one."""
    project.submit_many([WORK] * 3)
    claimed = node.claim_one()
    second = Agent(conn, "second", gpus=[24_576], kinds=["diffusion.generate"])
    with held_open(database_url) as other, impatient(database_url) as mine:
        out_of_memory(other, node, claimed)
        [beside] = on(second, mine).claim(1)
    assert beside.grant.vram_mib == 2000
    assert conn.execute("select mib from fleet.bookings where mib > '{0}'").fetchall() == [([2000],)]

    with held_open(database_url) as other, impatient(database_url) as mine:
        [third] = on(node, other).claim(1)
        agents.fail(
            mine,
            second.session,
            [Failed(beside.job_id, beside.token, Cause.OUT_OF_MEMORY, "no memory", None, 3600)],
        )
    assert third.grant.vram_mib == 3072
    assert [job.grant.vram_mib for job in second.claim()] == [4608, 4608]


def test_heartbeats_wait_for_no_raise(database_url, project: Project, node: Agent):
    """I11."""
    project.submit_many([WORK] * 2)
    first, second = node.claim()
    with held_open(database_url) as other, impatient(database_url) as mine:
        out_of_memory(other, node, first)
        assert on(node, mine).beat(second.token).lost == []


def test_settles_wait_for_no_round_of_learning(database_url, conn, project: Project, node: Agent):
    """I13: they only append, and a second round at the same time is none."""
    project.submit_many([WORK] * 2)
    first, second = node.claim()
    node.complete(first)
    with held_open(database_url) as other, impatient(database_url) as mine:
        assert chores.learn(other).observations == 1
        on(node, mine).complete(second)
        assert chores.learn(mine).observations == 0
        clients.submit(mine, project.id, [WORK])
    assert chores.learn(conn).observations == 1


def test_a_raise_and_a_new_lane_with_a_prerequisite_take_locks_in_one_order(
    database_url, conn, project: Project, node: Agent
):
    """I13: needs come before jobs. The submit holds the need and wants the job that the raise settles."""
    [job] = project.submit_many([WORK])
    claimed = node.claim_one()
    with held_open(database_url) as other:
        urgent(other, project)
        late = Background(database_url, lambda mine: out_of_memory(mine, node, claimed))
        late.wait_until_blocked(conn)
        other.execute("set local lock_timeout = 1")
        clients.submit(
            other, project.id, [Submission(kind="noop", after=[After(str(job))], priority=Priority.HIGH)]
        )
    late.result()

    assert shapes(conn)[:2] == [(3072, 3072)] * 2


def test_a_settle_that_came_too_late_raises_nothing(database_url, conn, project: Project, node: Agent):
    """I2: the lease was there when it looked, and gone when it had the job."""
    project.submit_many([WORK] * 2)
    first, second = node.claim()
    items = [
        Failed(first.job_id, first.token, Cause.OUT_OF_MEMORY, "no memory", None, 2000),
        Failed(second.job_id, second.token, Cause.USER_ERROR, "a bug"),
    ]
    with held_open(database_url) as other:
        on(node, other).release(first)
        late = Background(database_url, lambda mine: agents.fail(mine, node.session, items))
        late.wait_until_blocked(conn)

    assert [settled.state for settled in late.result()] == ["ready", "failed"]
    assert shapes(conn) == [(2000, 2000)]


def test_pools_and_a_raise_exclude_each_other(database_url, conn, project: Project, node: Agent):
    """Both change the shape of a need; none is lost."""
    project.submit_many([WORK])
    claimed = node.claim_one()
    with held_open(database_url) as other:
        out_of_memory(other, node, claimed)
        late = Background(database_url, lambda mine: admin.set_project(mine, "acme", trusted_pools=["a"]))
        late.wait_until_blocked(conn)
    late.result()

    row = conn.execute("select vram_mib, pools from fleet.needs n join fleet.shapes s using (shape_id)")
    assert row.fetchall() == [(3072, ["a"])]


def test_learning_keeps_a_raise_it_waited_for(database_url, conn, project: Project, node: Agent):
    """The round read the need before; it changes it as it is after."""
    project.submit_many([Submission(kind="diffusion.generate")] * 6)
    [*ran, last] = node.claim(6)
    done = [Completion(job.job_id, job.token, peak_mib=600) for job in ran]
    agents.complete(conn, node.session, done)
    with held_open(database_url) as other:
        out_of_memory(other, node, last)
        late = Background(database_url, chores.learn)
        late.wait_until_blocked(conn)
    late.result()

    assert shapes(conn) == [(2560, 2560)]
    assert conn.execute("select learned_mib from fleet.needs").fetchone() == (768,)
