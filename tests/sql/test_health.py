"""Sick devices, and nodes that fail: shown, without work and without places, until they are well."""

from __future__ import annotations

import pytest

from queue_schema.calls import agents, chores, questions
from queue_schema.errors import SessionLost
from queue_schema.shapes import DeviceSample, Sample
from tests.support.verbs import Agent, Project

GIB = 1024
LOST = "XID 79: the GPU has fallen off the bus"


def tell(agent: Agent, seq: int, **faults: str) -> Sample:
    """Say what is wrong with devices, by `d0="..."`; all else is well and free."""
    devices = [
        DeviceSample(idx, 0 if (fault := faults.get(f"d{idx}")) else total, fault=fault)
        for idx, total in agent.total.items()
    ]
    sample = Sample(seq, devices, 1_000_000)
    agents.health(agent.conn, agent.session, sample)
    return sample


def fault(conn, idx: int):
    """What the fleet shows of a device."""
    return conn.execute("select fault, fault_since from fleet.v_devices where idx = %s", (idx,)).fetchone()


def test_a_sick_device_is_shown_with_the_time_since(conn, clock, project: Project):
    """The first report counts, until one says that it is well."""
    agent = Agent(conn, gpus=[80 * GIB, 80 * GIB])
    tell(agent, 1, d1=LOST)
    _, since = fault(conn, 1)
    clock.advance(60)
    tell(agent, 2, d1=LOST)

    assert fault(conn, 1) == (LOST, since)
    assert fault(conn, 0) == (None, None)
    tell(agent, 3)
    assert fault(conn, 1) == (None, None)


def test_a_sick_device_takes_no_claim(conn, project: Project):
    """Work goes to the well one; what only the sick one could hold waits until it is well."""
    agent = Agent(conn, gpus=[24 * GIB, 80 * GIB])
    big, small = project.gpu_job(60 * GIB), project.gpu_job(8 * GIB)
    agent.sample()
    sick = tell(agent, 1, d1=LOST)
    [claimed] = agent.claim(sample=Sample(2, sick.devices, 1_000_000))
    assert (claimed.job_id, claimed.grant.devices) == (small, [0])

    well = tell(agent, 3)
    [claimed] = agent.claim(sample=Sample(4, well.devices, 1_000_000))
    assert (claimed.job_id, claimed.grant.devices) == (big, [1])


@pytest.mark.parametrize(("faults", "kept"), [({}, 1), ({"d0": LOST}, 0)])
def test_a_sick_device_keeps_no_place(conn, clock, project: Project, faults: dict[str, str], kept: int):
    """Nobody knows when it will be well; a place is kept where it can be used."""
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(40 * GIB, timeout_s=100)
    [lease] = agent.claim(1)
    project.gpu_job(78 * GIB)
    clock.advance(5)
    agent.beat(lease.token)
    tell(agent, 9, **faults)

    assert chores.reserve(conn).kept == kept


def test_a_node_that_fails_takes_no_second_job_and_is_no_place_for_one(conn, clock, project: Project):
    """It has a free device, and one slot (I8): the place is on the node that will be free sooner."""
    failing, other = (Agent(conn, node, gpus=[80 * GIB] * 2) for node in ("failing", "other"))
    running = []
    for agent, seconds in ((failing, 86_400), (other, 100), (other, 100)):
        project.gpu_job(40 * GIB, timeout_s=seconds)
        running.append((agent, agent.claim_one()))
    conn.execute(
        "insert into fleet.node_health (node_id, failing) select node_id, array(select gen_random_uuid() from"
        " generate_series(1, 3)) from fleet.nodes where node = 'failing'"
        " on conflict (node_id) do update set failing = excluded.failing"
    )
    big = project.gpu_job(78 * GIB)
    project.gpu_job(77 * GIB)
    clock.advance(5)
    for agent in (failing, other):
        agent.beat(*[lease.token for each, lease in running if each is agent])
    chores.reserve(conn)

    assert conn.execute(
        "select n.node from fleet.reservations as r join fleet.nodes as n using (node_id) where r.job_id = %s",
        (big,),
    ).fetchall() == [("other",)]


def test_why_names_the_sick_device(conn, project: Project):
    """Who asks why a job waits reads what is broken."""
    agent = Agent(conn, node="gpu-7", gpus=[80 * GIB])
    job = project.gpu_job(60 * GIB)
    tell(agent, 1, d0=LOST)
    [cause] = questions.why(conn, project.id, job).causes

    assert cause.cause == "busy"
    assert f"device 0 of gpu-7 is out of work ({LOST})" in cause.message


def test_only_the_session_itself_says_so(conn, project: Project):
    """A session that is over says nothing any more."""
    agent = Agent(conn, gpus=[80 * GIB])
    agents.leave(conn, agent.session)

    with pytest.raises(SessionLost):
        tell(agent, 1, d0=LOST)
