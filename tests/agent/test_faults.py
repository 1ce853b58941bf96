"""Faults of GPUs under a real agent: what the node shows, what becomes of the job, how the device comes back.

docs/faults.md has a line for each of these tests.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from argosy.mock import gpus
from argosy.mock.gpus import MockNode
from queue_schema.shapes import Need
from tests.agent.daemons import Daemon, Fleet
from tests.support.waiting import eventually

QUICK = ("--gauge-s", "0.1", "--poll-s", "0.1", "--device-patience-s", "1")
ON_A_GPU = Need(gpus=1, vram_mib=60_000, device="gpu", ram_mib=64)


@pytest.fixture
def agent(fleet: Fleet, mock: MockNode) -> Daemon:
    """With two A100 of 80 GiB."""
    return fleet.agent(*QUICK, environment=mock.environment)


def running(fleet: Fleet, need: Need = ON_A_GPU, **params: Any) -> tuple[UUID, int]:
    """A job that runs on a GPU and has taken its memory there, and which one."""
    job = fleet.submit("selftest.allocate", {"mib": 1024, "hold_s": 600, **params}, need=need)
    eventually(lambda: fleet.one("select step from fleet.progress where job_id = %s", job) == 1024)
    return job, int(fleet.one("select devices[1] from fleet.leases where job_id = %s", job))


def shown(fleet: Fleet, idx: int) -> str | None:
    """The fault of a device, as the fleet shows it."""
    fault = fleet.one("select fault from fleet.v_devices where idx = %s", idx)
    return None if fault is None else str(fault)


def last_end(fleet: Fleet, job: UUID) -> tuple[str, str]:
    """Cause and message of the last attempt that ended."""
    row = fleet.conn.execute(
        "select cause::text, message from fleet.attempts where job_id = %s order by attempt desc limit 1",
        (job,),
    ).fetchone()
    assert row is not None
    return row


def moved(fleet: Fleet, job: UUID, off: int) -> bool:
    """Whether a job runs on another device now."""
    return fleet.one("select not %s = any(devices) from fleet.leases where job_id = %s", off, job) is True


def test_off_the_bus(fleet: Fleet, agent: Daemon, mock: MockNode):
    """XID 79: the device is out, its job ends as `infrastructure` and runs elsewhere, the retry is nobody's fault."""
    fleet.conn.execute("update fleet.retry_policies set base_s = 0 where cause = 'infrastructure'")
    job, idx = running(fleet)
    gpus.raise_xid(mock, idx, 79)

    eventually(lambda: shown(fleet, idx) == "XID 79: the GPU has fallen off the bus")
    eventually(lambda: moved(fleet, job, idx))
    # A look at the device may have come before the event.
    cause, text = last_end(fleet, job)
    assert cause == "infrastructure"
    assert text in {
        f"device {idx}: {why}" for why in ("XID 79: the GPU has fallen off the bus", "NVML: GPU is lost")
    }
    assert fleet.one("select retries_used from fleet.jobs where job_id = %s", job) == 0
    gpus.heal(mock, idx)
    eventually(lambda: shown(fleet, idx) is None)


def test_an_xid_of_an_application(fleet: Fleet, agent: Daemon, mock: MockNode):
    """XID 31: the device stays in work, and so does what runs there; the log of the agent has it."""
    job, idx = running(fleet)
    gpus.raise_xid(mock, idx, 31)
    agent.wait("device.xid", gpu=idx, xid=31, of="application")
    second = fleet.submit("noop", {}, need=Need(gpus=2, vram_mib=1024, device="gpu"))
    fleet.ends(second, "succeeded")

    assert shown(fleet, idx) is None
    assert fleet.state(job) == "running"


def test_a_call_that_hangs(fleet: Fleet, agent: Daemon, mock: MockNode):
    """The device is out at once; its job ends when the silence lasts, and the other device goes on working."""
    job, idx = running(fleet)
    gpus.hang(mock, idx, 600)
    eventually(lambda: shown(fleet, idx) == "NVML: no answer")
    second = fleet.submit("noop", {}, need=ON_A_GPU)
    fleet.ends(second, "succeeded")
    assert fleet.one("select devices[1] from fleet.attempts where job_id = %s", second) == 1 - idx

    agent.wait("lease.device_lost")
    eventually(lambda: fleet.one("select count(*) from fleet.attempts where job_id = %s", job) == 1)
    assert last_end(fleet, job) == ("infrastructure", f"device {idx}: NVML: no answer")
    gpus.heal(mock, idx)
    eventually(lambda: shown(fleet, idx) is None)


def test_a_driver_that_does_not_initialise(fleet: Fleet, mock: MockNode):
    """The node joins without its GPUs and says why; nothing for them runs in its memory; they come back by themselves."""
    gpus.break_driver(mock, 9)
    agent = fleet.agent(*QUICK, environment=mock.environment)
    job = fleet.submit("noop", {}, need=Need(gpus=1, vram_mib=1024, ram_mib=64))
    plain = fleet.submit("noop", {}, need=Need(gpus=0, ram_mib=64))
    fleet.ends(plain, "succeeded")
    assert fleet.one("select labels ->> 'gpu_fault' from fleet.v_nodes") == "Driver Not Loaded"
    assert fleet.state(job) == "ready"

    gpus.break_driver(mock, 0)
    agent.wait("devices.came_back", gpus=2)
    fleet.ends(job, "succeeded")
    assert fleet.one("select labels ->> 'gpu_fault' from fleet.v_nodes") is None


def test_a_driver_that_stops(fleet: Fleet, agent: Daemon, mock: MockNode):
    """Every device is out; work that needs none goes on; all is well when the driver answers again."""
    gpus.break_driver(mock, 9)
    eventually(lambda: [shown(fleet, 0), shown(fleet, 1)] == ["NVML: Driver Not Loaded"] * 2)
    fleet.ends(fleet.submit("noop", {}, need=Need(gpus=0, ram_mib=64)), "succeeded")
    gpus.break_driver(mock, 0)
    eventually(lambda: [shown(fleet, 0), shown(fleet, 1)] == [None, None])


def test_foreign_memory(fleet: Fleet, agent: Daemon, mock: MockNode):
    """Somebody else takes most of both devices: nothing is claimed that does not fit beside, until it is free."""
    for idx in (0, 1):
        gpus.occupy(mock, idx, 70_000)
    eventually(
        lambda: fleet.one("select max(free_mib) from fleet.v_devices where kind = 'gpu'") == 81_920 - 70_000
    )
    job = fleet.submit("noop", {}, need=ON_A_GPU)
    small = fleet.submit("noop", {}, need=Need(gpus=1, vram_mib=2048, device="gpu", ram_mib=64))
    fleet.ends(small, "succeeded")
    assert fleet.state(job) == "ready"

    for idx in (0, 1):
        gpus.occupy(mock, idx, 0)
    fleet.ends(job, "succeeded", within_s=30)


def test_one_that_outgrows_its_booking(fleet: Fleet, agent: Daemon):
    """It ends as out of memory and is tried again with more; its neighbour on the same device goes on."""
    together = Need(gpus=1, vram_mib=8_192, device="gpu", ram_mib=64)
    neighbour, _ = running(fleet, together)
    greedy = fleet.submit("selftest.allocate", {"mib": 12_000}, need=together)
    fleet.ends(greedy, "succeeded", within_s=30)

    first, *_, last = fleet.conn.execute(
        "select cause::text, message, vram_mib from fleet.attempts where job_id = %s order by attempt",
        (greedy,),
    ).fetchall()
    assert first[0] == "out_of_memory"
    assert "of device" in first[1]
    assert last[2] > 12_000
    assert fleet.state(neighbour) == "running"
