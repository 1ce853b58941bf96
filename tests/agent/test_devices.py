"""Devices: the host's own memory, and GPUs through the real nvidia-ml-py over a stand-in driver library."""

from __future__ import annotations

import dataclasses
from uuid import uuid4

import pynvml
import pytest

from agent import boot
from agent.devices import Group, health, nvml
from agent.devices.foreign import Foreign
from agent.devices.health import Fault, Then
from agent.devices.host import HostMemory, available_mib, physical_mib
from agent.devices.nvml import NvmlDevices
from agent.gauge import Gauge
from agent.leases import Ending, Lease, Leases
from agent.sampling import shortfall
from queue_schema.shapes import Claimed, DeviceSample, Grant, LeaseSample, Sample
from tests.support.waiting import eventually

GIB = 2**30
JOB = uuid4()
H100 = {"uuid": "GPU-a", "name": "H100", "total": 80 * GIB, "used": 0}


@pytest.fixture
def gpus(driver, tmp_path, monkeypatch):
    """Write what GPUs there are; seen at the next call."""
    state = tmp_path / "gpus"
    monkeypatch.setenv("NVIDIA_MOCK_GPUS", str(state))

    def write(*lines: tuple[str, dict[str, object]]) -> None:
        new = tmp_path / "new"
        new.write_text(
            "".join(f"{kind} " + " ".join(f"{k}={v}" for k, v in d.items()) + "\n" for kind, d in lines)
        )
        new.replace(state)

    return write


@pytest.fixture
def opened():
    """Open NVML; closed after the test, for its listener would hear of the next one's GPUs."""
    found: list[NvmlDevices] = []

    def open_nvml(*, cool_s: float = 5.0) -> NvmlDevices:
        found.append(NvmlDevices(unified_mib=0, cool_s=cool_s))
        return found[-1]

    yield open_nvml
    for source in found:
        source.close()


def test_host_memory_is_a_device_with_headroom():
    """Memory has index -1, a small headroom, and takes VRAM bookings only where there is no GPU."""
    [device] = HostMemory(budget_mib=8192, takes_vram=True).declare()

    assert (device.idx, device.kind, device.total_mib) == (-1, "ram", 8192)
    assert device.headroom_mib == 409
    assert device.takes_vram


def test_the_default_budget_leaves_a_reserve():
    """Without a setting the host keeps a tenth, and a GiB at least, for itself."""
    [device] = HostMemory(budget_mib=None, takes_vram=True).declare()

    assert device.total_mib <= physical_mib() - 1024


def test_free_memory_and_realised_leases_add_up():
    """Free is what the budget has left after exactly the leases' figures in the same sample."""
    groups = {uuid4(): Group(JOB, frozenset({1}), 300), uuid4(): Group(JOB, frozenset({2}), 200)}
    [sample] = HostMemory(budget_mib=2048, takes_vram=True).look(groups)

    assert sample.free_mib == 2048 - 500
    assert sorted(lease.mib for lease in sample.leases) == [200, 300]


def test_free_memory_is_never_more_than_the_machine_has():
    """A budget beyond the machine does not invent memory."""
    [sample] = HostMemory(budget_mib=10**9, takes_vram=True).look({})

    assert sample.free_mib <= available_mib() + 1024


def test_gpus_are_declared_with_uuid_and_headroom(gpus, opened):
    """A GPU keeps its NVML index and uuid; five per cent of it is headroom."""
    gpus(("gpu", H100), ("gpu", {**H100, "uuid": "GPU-b", "mig": -1, "total": 4 * GIB}))
    source = opened()
    first, second = source.declare()

    assert (first.idx, first.uuid, first.total_mib, first.headroom_mib) == (0, "GPU-a", 81920, 4096)
    assert (second.idx, second.headroom_mib) == (1, 512)
    assert source.facts() == {"gpu": "H100", "gpus": "2", "driver": "580.65.06"}
    assert source.visible(1) == "GPU-b"


def test_a_gpus_use_is_told_by_lease(gpus, opened):
    """What the processes of a runner hold together is its lease's; a stranger's is only missing from free."""
    gpus(("gpu", {**H100, "used": 30 * GIB, "procs": f"11:{4 * GIB},12:{6 * GIB},99:{20 * GIB}"}))
    token = uuid4()
    [sample] = opened().look(
        {token: Group(JOB, frozenset({11, 12, 13}), 0), uuid4(): Group(JOB, frozenset(), 0)}
    )

    assert sample.free_mib == 50 * 1024
    assert sample.leases == [LeaseSample(JOB, token, 10 * 1024)]


def test_a_use_that_nvml_does_not_tell_counts_as_none(gpus, opened):
    """A lease whose size is not available is left out, so that the claim counts it as not realised."""
    gpus(("gpu", {**H100, "used": GIB, "procs": "11:-"}))
    [sample] = opened().look({uuid4(): Group(JOB, frozenset({11}), 0)})

    assert sample.leases == []


def test_mig_slices_are_devices(gpus, opened):
    """A GPU that is cut is not declared; its slices are, each with its own memory."""
    gpus(
        ("gpu", H100),
        ("gpu", {**H100, "uuid": "GPU-b", "mig": 1}),
        ("mig", {"uuid": "MIG-x", "name": "slice", "gpu": 1, "slice": 0, "total": 10 * GIB, "used": GIB}),
        ("mig", {"uuid": "MIG-y", "name": "slice", "gpu": 1, "slice": 3, "total": 20 * GIB, "used": 0}),
    )
    source = opened()

    assert [(each.idx, each.uuid, each.total_mib) for each in source.declare()] == [
        (0, "GPU-a", 81920),
        (200, "MIG-x", 10240),
        (203, "MIG-y", 20480),
    ]
    assert [each.free_mib for each in source.look({})] == [81920, 9216, 20480]


def test_unified_memory_is_shared_out_between_gpu_and_host(gpus, settings):
    """Where NVML has no figure the GPU gets a part of the host's memory, and the host's device the rest."""
    gpus(("gpu", {"uuid": "GPU-u", "name": "GB10", "nomem": 1}))
    host, gpu = boot.find_devices(settings)
    [ram], [unified] = host.declare(), gpu.declare()

    assert unified.total_mib == int(physical_mib() * boot.UNIFIED_SHARE)
    assert ram.total_mib + unified.total_mib <= physical_mib()
    assert not ram.takes_vram
    [sample] = gpu.look({})
    gpu.close()
    assert 0 < sample.free_mib <= unified.total_mib


def test_a_gpu_that_fell_off_has_nothing_free(gpus, opened):
    """A lost GPU does not stop the others from being measured."""
    gpus(("gpu", H100), ("gpu", {**H100, "uuid": "GPU-b"}))
    source = opened()
    gpus(("gpu", {**H100, "fail": 15}), ("gpu", {**H100, "uuid": "GPU-b"}))

    assert [each.free_mib for each in source.look({})] == [0, 81920]
    assert source.faults() == {0: Fault("NVML: GPU is lost", Then.FAILS)}


def test_a_gpu_that_is_gone_at_the_start_does_not_take_the_others_along(gpus, opened):
    """They are declared, and a fact says which is missing."""
    gpus(("gpu", {**H100, "fail": 15}), ("gpu", {**H100, "uuid": "GPU-b"}))
    source = opened()

    assert [device.idx for device in source.declare()] == [1]
    assert source.facts()["gpu_fault"] == "GPU 0: GPU is lost"
    assert [each.free_mib for each in source.look({})] == [81920]


def test_a_call_that_hangs_holds_up_only_its_gpu(gpus, opened, monkeypatch):
    """The look waits so long for one that hangs, the next look not at all; it is well when it answers."""
    monkeypatch.setattr(nvml, "_ANSWER_S", 0.2)
    gpus(("gpu", H100), ("gpu", {**H100, "uuid": "GPU-b"}))
    source = opened()
    gpus(("gpu", {**H100, "hang_ms": 60_000}), ("gpu", {**H100, "uuid": "GPU-b"}))

    assert [(each.free_mib, each.fault) for each in source.look({})] == [
        (0, "NVML: no answer"),
        (81920, None),
    ]
    assert [each.free_mib for each in source.look({})] == [0, 81920]
    assert source.faults() == {0: Fault("NVML: no answer", Then.GOES_ON)}
    gpus(("gpu", H100), ("gpu", {**H100, "uuid": "GPU-b"}))
    eventually(lambda: source.look({})[0].free_mib == 81920)
    assert source.faults() == {}


def test_an_xid_of_the_hardware_takes_a_gpu_out_until_it_needs_nothing(gpus, opened, monkeypatch):
    """XID 48 asks for a reset; once that is done and the XID is old, the GPU is back. Its slices share its fate."""
    monkeypatch.setattr(health, "REST_S", 0.0)
    cut = {**H100, "mig": 1}
    part = ("mig", {"uuid": "MIG-x", "name": "slice", "gpu": 0, "slice": 0, "total": 10 * GIB})
    gpus(("gpu", cut), part)
    source = opened()
    gpus(("gpu", {**cut, "xid": 31, "xids": 1}), part)
    gpus(("gpu", {**cut, "xid": 48, "xids": 2, "action": 1}), (part[0], {**part[1], "action": 1}))

    eventually(lambda: source.faults() == {100: Fault("XID 48: double-bit ECC error", Then.FAILS)})
    assert source.look({})[0].free_mib == 0
    gpus(("gpu", {**cut, "xid": 48, "xids": 2}), part)
    assert source.look({})[0].free_mib == 10240


def test_without_nvml_memory_takes_the_bookings(monkeypatch, settings):
    """A machine without the driver's library has no GPU, and one device."""

    def missing(**_: object) -> None:
        raise pynvml.NVMLError_LibraryNotFound

    monkeypatch.setattr(boot, "NvmlDevices", missing)
    [only] = boot.find_devices(settings)

    assert only.declare()[0].takes_vram


def test_with_a_broken_driver_memory_does_not_stand_in_for_the_gpus(gpus, settings):
    """GPUs that do not initialise are no reason to run their jobs on the host; unless somebody says there are none."""
    gpus(("driver", {"init": 18}), ("gpu", H100))
    host, absent = boot.find_devices(settings)

    assert not host.declare()[0].takes_vram
    assert (absent.declare(), absent.facts()) == (
        [],
        {"gpu_fault": "RM has detected an NVML/RM version mismatch."},
    )
    [only] = boot.find_devices(dataclasses.replace(settings, gpus="none"))
    assert only.declare()[0].takes_vram


def test_the_second_look_counts_what_neighbours_have_not_taken_yet():
    """Free memory that is spoken for by a lease which has not allocated is not room."""
    grant = Grant([0], 4096, 0, 1000, 0)
    claimed = Claimed(uuid4(), uuid4(), 1, uuid4(), "noop", {}, [], grant, 60, False)
    own = Lease(claimed.job_id, claimed.token, claimed, 0.0)
    other = uuid4()
    half = Sample(1, [DeviceSample(0, 6000, [LeaseSample(JOB, other, 2048)])], 0)

    assert shortfall(half, [own], {}) is None
    assert shortfall(half, [own], {other: grant}) == (0, 4096 - (6000 - 2048))


def test_what_a_stranger_gave_back_is_kept_back_for_a_while():
    """Foreign memory flickers: its peak of the last seconds counts."""
    foreign = Foreign(cool_s=5.0)

    assert foreign.held_back_mib(0.0, 8000, frozenset()) == 0
    assert foreign.held_back_mib(1.0, 1000, frozenset()) == 7000
    assert foreign.held_back_mib(4.9, 1000, frozenset()) == 7000
    assert foreign.held_back_mib(5.1, 1000, frozenset()) == 0


def test_what_our_own_runner_leaves_behind_is_no_strangers():
    """The memory of a runner that just ended can be claimed as soon as it is free."""
    foreign, ours = Foreign(cool_s=5.0), frozenset({uuid4()})
    foreign.held_back_mib(0.0, 0, ours)

    assert foreign.held_back_mib(0.1, 8000, frozenset()) == 0
    assert foreign.held_back_mib(0.2, 0, frozenset()) == 0
    assert foreign.held_back_mib(3.0, 500, frozenset()) == 0
    assert foreign.held_back_mib(3.1, 0, frozenset()) == 500


def test_free_gpu_memory_is_kept_back_after_a_stranger(gpus, opened):
    """The sample shows less than NVML does until the stranger's memory has cooled down."""
    gpus(("gpu", {**H100, "used": 30 * GIB}))
    source = opened(cool_s=3600)
    source.look({})
    gpus(("gpu", H100))

    assert source.look({})[0].free_mib == 50 * 1024


def test_a_job_that_outgrows_its_gpu_booking_is_ended_alone():
    """The gauge ends who holds more than booked plus the allowance, and nobody else."""
    leases = Leases()
    for _ in range(2):
        grant = Grant([0], 4096, 0, 1000, 0)
        claimed = Claimed(uuid4(), uuid4(), 1, uuid4(), "noop", {}, [], grant, 60, False)
        leases.add(Lease(claimed.job_id, claimed.token, claimed, 0.0))
    greedy, modest = leases.all()
    held = [LeaseSample(JOB, greedy.token, 4096 + 513), LeaseSample(JOB, modest.token, 4096 + 512)]
    gauge = Gauge(None, leases, None, every_s=1.0, allowance_mib=512, came_back=lambda: None)  # type: ignore[arg-type]
    gauge.judge(Sample(1, [DeviceSample(-1, 0, []), DeviceSample(0, 0, held)], 0))

    assert (greedy.ending, greedy.overuse) == (Ending.OUT_OF_MEMORY, (4609, 4096, 0))
    assert modest.ending is None
