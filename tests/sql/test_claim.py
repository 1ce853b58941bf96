"""What a claim takes, where it puts it, and in which order (I3, Q2, Q6)."""

from __future__ import annotations

import pytest

from queue_schema.calls import admin, clients
from queue_schema.errors import BadRequest
from queue_schema.shapes import Need
from tests.support.verbs import HEADROOM_MIB, Agent, Project

GIB = 1024


def test_priority_goes_before_age(project: Project, agent: Agent):
    """Whatever waits, the higher class is taken first; within a class, the older."""
    low, normal, urgent, normal_2, high = (
        project.submit(priority=priority) for priority in ("low", "normal", "urgent", "normal", "high")
    )

    assert [job.job_id for job in agent.claim()] == [urgent, high, normal, normal_2, low]


def test_age_decides_across_shapes(project: Project, agent: Agent):
    """Within a class the oldest goes first, whatever it needs."""
    jobs = [project.submit("noop", need=Need(ram_mib=100 + index % 3)) for index in range(9)]

    claimed = [agent.claim_one().job_id for _ in range(9)]

    assert claimed == jobs


def test_only_what_fits_the_measured_memory_is_taken(conn, project: Project):
    """I3: it is what was measured that counts, not what was declared."""
    agent = Agent(conn, gpus=[80 * GIB])
    big = project.gpu_job(40 * GIB)
    small = project.gpu_job(10 * GIB)

    taken = agent.claim(free={0: 30 * GIB})

    assert [job.job_id for job in taken] == [small]
    assert project.state(big) == "ready"


def test_a_booking_counts_before_it_is_realised(conn, project: Project):
    """I3: what was promised to a lease is gone, although the device still shows it free."""
    agent = Agent(conn, gpus=[80 * GIB])
    for _ in range(3):
        project.gpu_job(30 * GIB)

    assert len(agent.claim()) == 2
    assert agent.claim() == []


def test_a_realised_booking_is_not_counted_twice(conn, project: Project):
    """I3: what a lease really uses is in the measured figure already."""
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(30 * GIB)
    [first] = agent.claim()
    project.gpu_job(40 * GIB)

    [second] = agent.claim(free={0: 50 * GIB}, realised={(0, first.token): 30 * GIB})

    assert second.grant.vram_mib == 40 * GIB


def test_a_lease_missing_from_the_sample_counts_as_unrealised(conn, project: Project):
    """I3: a sample that lost sight of a runner must not make room."""
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(30 * GIB)
    agent.claim()
    project.gpu_job(40 * GIB)

    assert agent.claim(free={0: 50 * GIB}) == []


def test_a_dishonest_sample_cannot_overbook(conn, project: Project):
    """I3: bookings alone never exceed a device, whatever an agent says it measured."""
    agent = Agent(conn, gpus=[80 * GIB])
    for _ in range(4):
        project.gpu_job(30 * GIB)
    taken = agent.claim()
    realised = {(0, job.token): 30 * GIB for job in taken}

    assert agent.claim(free={0: 80 * GIB}, realised=realised) == []


def test_headroom_is_never_handed_out(conn, project: Project):
    """The last few hundred MiB stay free for what nobody planned."""
    agent = Agent(conn, gpus=[8 * GIB])
    project.gpu_job(8 * GIB - HEADROOM_MIB + 1)
    exact = project.gpu_job(8 * GIB - HEADROOM_MIB)

    assert [job.job_id for job in agent.claim()] == [exact]


def test_small_jobs_go_to_the_fullest_device(conn, project: Project):
    """Best fit: the big hole stays whole for the big job behind."""
    agent = Agent(conn, gpus=[80 * GIB, 24 * GIB, 80 * GIB])
    project.gpu_job(20 * GIB)
    project.gpu_job(70 * GIB, gpus=2)

    small, big = agent.claim()

    assert small.grant.devices == [1]
    assert big.grant.devices == [0, 2]


def test_a_job_for_two_devices_takes_two_or_none(conn, project: Project):
    """All devices of a job are of one node and booked together."""
    agent = Agent(conn, gpus=[40 * GIB, 40 * GIB])
    project.gpu_job(30 * GIB, gpus=2)

    assert agent.claim(free={0: 40 * GIB, 1: 20 * GIB}) == []
    [taken] = agent.claim()
    assert taken.grant.devices == [0, 1]


def test_a_device_left_out_of_the_sample_takes_nothing(conn, project: Project):
    """A sick device is not measured, and so not used."""
    agent = Agent(conn, gpus=[40 * GIB])
    project.gpu_job(10 * GIB)
    sample = agent.sample()
    sick = type(sample)(sample.seq, [d for d in sample.devices if d.idx != 0], sample.disk_free_mib)

    assert agent.claim(sample=sick) == []


@pytest.mark.parametrize(
    "need",
    [
        Need(cpu_milli=2001),
        Need(ram_mib=8 * GIB),
        Need(disk_mib=1_000_001),
        Need(labels={"zone": "b"}),
        Need(gpus=1, vram_mib=1, device="gpu"),
    ],
    ids=["cpu", "ram", "disk", "label", "device"],
)
def test_every_other_need_must_fit_too(conn, project: Project, need: Need):
    """CPU, host memory, disk, labels and the kind of device are needs like memory is."""
    agent = Agent(conn, ram_mib=8 * GIB, cpu_milli=2000, labels={"zone": "a"})
    job = project.submit(need=need)
    fits = project.submit(need=Need(cpu_milli=2000, labels={"zone": "a"}))

    assert [taken.job_id for taken in agent.claim()] == [fits]
    assert project.state(job) == "ready"


def test_host_memory_serves_as_a_device_only_where_there_is_no_gpu(conn, project: Project):
    """A machine without a GPU is a real node; one with a GPU does not run models in RAM."""
    with_gpu = Agent(conn, "with", gpus=[4 * GIB])
    without = Agent(conn, "without")
    project.gpu_job(10 * GIB)

    assert with_gpu.claim() == []
    [taken] = without.claim()
    assert taken.grant.devices == [-1]


def test_memory_of_both_sorts_is_one_pool_on_a_host_without_a_gpu(conn, project: Project):
    """I3: vram_mib and ram_mib of a job in host memory come out of the same memory."""
    agent = Agent(conn, ram_mib=10 * GIB)
    for _ in range(2):
        project.submit("selftest.allocate", need=Need(vram_mib=4 * GIB, ram_mib=2 * GIB))

    assert len(agent.claim()) == 1


def test_an_admins_label_wins_over_what_the_agent_says(conn, project: Project):
    """An agent cannot choose whose jobs it gets."""
    agent = Agent(conn, labels={"zone": "a"})
    admin.label_node(conn, "node-1", labels={"zone": "b"}, pools=[])
    project.submit(need=Need(labels={"zone": "a"}))
    b = project.submit(need=Need(labels={"zone": "b"}))

    assert [job.job_id for job in agent.claim()] == [b]


def test_a_project_runs_only_in_pools_it_trusts(conn, project: Project, agent: Agent):
    """P8: data goes to my own machines if I say so."""
    conn.execute("update fleet.projects set trusted_pools = '{mine}'")
    project.submit()

    assert agent.claim() == []
    admin.label_node(conn, "node-1", labels={}, pools=["mine"])
    assert len(agent.claim()) == 1


def test_a_kind_the_agent_does_not_run_is_left(conn, project: Project):
    """An agent gets only what it can run."""
    agent = Agent(conn, kinds=["noop"])
    project.submit("command", params={"argv": ["true"]})

    assert agent.claim() == []


def test_a_paused_class_is_left_and_resumes(conn, project: Project, agent: Agent):
    """Pausing holds for lanes made later too."""
    project.submit()
    clients.pause(conn, project.id, paused=True, priority="normal")
    project.submit(need=Need(ram_mib=77))
    high = project.submit(priority="high")

    assert [job.job_id for job in agent.claim()] == [high]
    clients.pause(conn, project.id, paused=False)
    assert len(agent.claim()) == 2


def test_a_draining_node_takes_nothing(conn, project: Project, agent: Agent):
    """Drain works from the next claim on, and the heartbeat tells the agent."""
    project.submit()
    clients.drain(conn, "node-1")

    assert agent.claim() == []
    assert agent.beat().draining
    clients.drain(conn, "node-1", on=False)
    assert len(agent.claim()) == 1


def test_slots_bound_what_one_node_runs(conn, project: Project):
    """A node never holds more than its slots, however much it wants."""
    agent = Agent(conn, slots=3)
    for _ in range(5):
        project.submit()

    assert len(agent.claim(64)) == 3
    assert agent.claim(64) == []


def test_a_node_that_fails_job_after_job_gets_one_at_a_time(conn, project: Project, agent: Agent):
    """I8: after three different failures in a row, one job at a time until one succeeds."""
    for _ in range(6):
        project.submit()
    for claimed in agent.claim(3):
        agent.fail(claimed)

    [only] = agent.claim(3)
    assert agent.claim(3) == []
    agent.complete(only)
    assert len(agent.claim(3)) == 2


def test_an_older_sample_is_refused(project: Project, agent: Agent):
    """I3: a claim that was delayed on the way must not book memory that has been given since."""
    delayed = agent.sample()
    project.submit()
    project.submit()
    assert len(agent.claim(1)) == 1

    with pytest.raises(BadRequest, match="not newer") as refused:
        agent.claim(1, sample=delayed)
    assert refused.value.field == "sample.seq"


def test_a_job_too_big_for_every_node_harms_nobody(project: Project, agent: Agent):
    """It stays ready, and what comes after it runs."""
    giant = project.gpu_job(4000 * GIB, priority="urgent")
    small = project.submit()

    assert [job.job_id for job in agent.claim()] == [small]
    assert project.state(giant) == "ready"


def test_a_stale_result_does_not_clear_a_failing_node(conn, project: Project, agent: Agent):
    """I8: only what really succeeded there counts."""
    elsewhere = Agent(conn, "node-2")
    done = project.submit()
    old = elsewhere.claim_one()
    elsewhere.complete(old)
    for _ in range(6):
        project.submit()
    for claimed in agent.claim(3):
        agent.fail(claimed)
    assert agent.complete(old).outcome in ("lease_lost", "already_settled")

    assert project.state(done) == "succeeded"
    assert len(agent.claim(3)) == 1


@pytest.mark.parametrize("broken", ["twice", "no free memory", "no disk"])
def test_a_malformed_sample_is_refused(conn, agent: Agent, project: Project, broken: str):
    """I3: what was not measured is not free."""
    project.submit()
    device = {"idx": -1, "free_mib": 1000, "leases": []}
    sample = {
        "twice": {"seq": 1, "devices": [device, device], "disk_free_mib": 1},
        "no free memory": {"seq": 1, "devices": [{"idx": -1, "leases": []}], "disk_free_mib": 1},
        "no disk": {"seq": 1, "devices": [device]},
    }[broken]

    with pytest.raises(BadRequest):
        agent.claim(sample=sample)  # type: ignore[arg-type]


def test_an_idle_node_tells_what_is_free_on_it(conn, clock):
    """Now and then, so that people and questions know it; an idle poll in between writes nothing."""
    agent = Agent(conn, "gpu", gpus=[24_000])

    def told() -> int | None:
        row = conn.execute("select free_mib from fleet.v_devices where idx = 0").fetchone()
        assert row is not None
        return row[0]

    assert told() is None
    agent.claim(free={0: 20_000})
    assert told() == 20_000
    agent.claim(free={0: 10_000})
    assert told() == 20_000
    clock.advance(31)
    agent.claim(free={0: 10_000})
    assert told() == 10_000
