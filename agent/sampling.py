"""One look at the whole node: all devices, and how much of each lease is real, at one moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from uuid import UUID

import msgspec
import psutil  # type: ignore[import-untyped]

from agent import processes
from agent.devices import DeviceSource, Group
from agent.devices.absent import AbsentGpus
from agent.devices.health import Fault
from agent.devices.host import RAM_IDX
from agent.leases import Lease, Leases
from agent.runners.forkserver import Forkserver
from agent.runners.home import Home
from agent.runners.runner import Runner
from agent.warm import Warm
from queue_schema.shapes import DeviceDeclared, DeviceSample, Grant, Sample

NOBODY = UUID(int=0)
"""Whose job a runner at rest does."""
Reason = Callable[[Sequence[int]], Mapping[int, Fault]]
"""Asked which of some devices take no work now, and why, whatever their driver says."""


class Sampler:
    """Measures when asked; looks are numbered, and no two overlap."""

    def __init__(
        self,
        sources: Sequence[DeviceSource],
        leases: Leases,
        forkserver: Forkserver,
        warm: Warm,
        *,
        disk: Path,
        reasons: Sequence[Reason] = (),
    ) -> None:
        self._sources = list(sources)
        self._leases = leases
        self._forkserver = forkserver
        self._warm = warm
        self._disk = disk
        self._reasons = list(reasons)
        self._kept: dict[int, Fault] = {}
        self._seq = 0
        self._lock = threading.Lock()
        self.measured: tuple[float | None, Sequence[DeviceSample]] = (None, [])
        """What the last look saw, runners at rest and all, and when, on the monotonic clock; None: never."""

    def declare(self) -> list[DeviceDeclared]:
        """Every device of every source."""
        return [device for source in self._sources for device in source.declare()]

    def facts(self) -> dict[str, str]:
        """What the sources know of this host, as labels."""
        return {key: value for source in self._sources for key, value in source.facts().items()}

    @property
    def has_gpus(self) -> bool:
        """Whether there is more than the host's memory."""
        return any(device.kind == "gpu" for device in self.declare())

    def add_reason(self, reason: Reason) -> None:
        """Ask it, too, before every look."""
        self._reasons.append(reason)

    def kept(self) -> dict[int, Fault]:
        """Devices that take no work now though they are well: their owner keeps them, or the disk is full."""
        devices = [device.idx for device in self.declare()]
        found: dict[int, Fault] = {}
        for reason in self._reasons:
            found = {**reason(devices), **found}
        return found

    def faults(self) -> dict[int, Fault]:
        """Devices that take no work as of the last look: sick ones, and those that were kept."""
        sick = {idx: fault for source in self._sources for idx, fault in source.faults().items()}
        return self._kept | sick

    def find_again(self) -> bool:
        """Put GPUs whose driver came back in the place of the absent ones; says whether there were any."""
        for at, source in enumerate(self._sources):
            if not isinstance(source, AbsentGpus) or (found := source.came_back()) is None:
                continue
            with self._lock:
                self._sources[at] = found
            return True
        return False

    def visible(self, devices: Sequence[int]) -> str:
        """CUDA_VISIBLE_DEVICES for these devices; empty hides every GPU."""
        names = [source.visible(idx) for idx in devices for source in self._sources]
        return ",".join(name for name in names if name is not None)

    def look(self, *, rest_is_free: bool = True) -> Sample:
        """Measure everything now.

        Args:
            rest_is_free: What runners at rest hold counts as free, for they can be ended.
        """
        with self._lock:
            self._seq += 1
            with self._leases.changed:
                working, resting = self._leases.by_runner(), self._warm.homes()
                warm = self._warm.models()
            groups = self._groups(working, resting)
            kept = self._kept = self.kept()
            at_rest = {home.runner.token for home in resting}
            measured = [device for source in self._sources for device in source.look(groups)]
            self.measured = time.monotonic(), measured
            devices = [
                DeviceSample(device.idx, 0, fault=why.text)
                if (why := kept.get(device.idx)) and device.fault is None
                else _without(device, at_rest, free=rest_is_free)
                for device in measured
            ]
            return Sample(
                seq=self._seq,
                devices=devices,
                disk_free_mib=psutil.disk_usage(str(self._disk)).free >> 20,
                warm=warm,
            )

    def busy(self) -> dict[int, float]:
        """How busy devices were at the last look, where their driver says; each look asks from the first call on."""
        return {idx: share for source in self._sources for idx, share in source.busy().items()}

    def close(self) -> None:
        """Give back what the sources hold."""
        for source in self._sources:
            source.close()

    def _groups(
        self, working: Mapping[Runner, Sequence[Lease]], resting: Sequence[Home]
    ) -> dict[UUID, Group]:
        """By lease, and by runner for those at rest."""
        if not working and not resting:
            return {}
        inherited = self._forkserver.footprint()

        def group(runner: Runner, job_id: UUID, of: int) -> Group:
            pids = frozenset(process.pid for process in runner.family_now())
            return Group(job_id, pids, -(-processes.realised_mib(pids, inherited) // of), of)

        groups = {}
        for runner, sharing in working.items():
            found = group(runner, sharing[0].job_id, len(sharing))
            for lease in sharing:
                lease.peak_ram_mib = max(lease.peak_ram_mib, found.ram_mib)
                groups[lease.token] = msgspec.structs.replace(found, job_id=lease.job_id)
        for home in resting:
            groups[home.runner.token] = group(home.runner, NOBODY, 1)
        return groups


def _without(device: DeviceSample, at_rest: AbstractSet[UUID], *, free: bool) -> DeviceSample:
    """What was measured on a device, without the runners at rest."""
    theirs_mib = sum(each.mib for each in device.leases if each.token in at_rest)
    return msgspec.structs.replace(
        device,
        free_mib=device.free_mib + (theirs_mib if free and device.fault is None else 0),
        leases=[each for each in device.leases if each.token not in at_rest],
    )


def booked_mib(grant: Grant, idx: int) -> int:
    """What a grant books on one device; host memory carries `ram_mib` too."""
    on_device = grant.vram_mib if idx in grant.devices else 0
    return on_device + (grant.ram_mib if idx == RAM_IDX else 0)


def shortfall(sample: Sample, own: Sequence[Lease], others: Mapping[UUID, Grant]) -> tuple[int, int] | None:
    """The first device that has no room for *own* any more, and how many MiB it lacks; None when all have.

    The claim's formula without its headroom: the headroom is there to absorb what changed since the claim,
    and a look that asked for it again would hand the same job back over a few MiB of noise. What a runner that takes
    them up has already is theirs.
    """
    grants = {lease.token: lease.claimed.grant for lease in own if lease.claimed is not None}
    for device in sample.devices:
        if not any(booked_mib(grant, device.idx) for grant in grants.values()):
            continue
        spoken_for = sum(
            max(0, booked_mib(grant, device.idx) - realised(device, token))
            for token, grant in {**others, **grants}.items()
        )
        lacking = spoken_for - device.free_mib
        if lacking > 0:
            return device.idx, lacking
    return None


def squeeze(device: DeviceSample, leases: Sequence[Lease]) -> None:
    """Note on each lease of a device how much of what is booked there is in strangers' hands.

    What is booked and not realised must be free. Where the driver hides the sizes of some, nobody can say.
    """
    there = [
        (lease, booked_mib(lease.claimed.grant, device.idx))
        for lease in leases
        if device.idx != RAM_IDX and lease.claimed is not None and device.idx in lease.claimed.grant.devices
    ]
    if device.blind or device.fault is not None:
        return
    unrealised = sum(max(0, booked - realised(device, lease.token)) for lease, booked in there)
    for lease, _ in there:
        lease.squeezed_mib = max(0, unrealised - device.free_mib)


def realised(device: DeviceSample, token: UUID) -> int:
    """MiB of one lease really in use on a device; what is not in the sample is not realised."""
    return sum(lease.mib for lease in device.leases if lease.token == token)
