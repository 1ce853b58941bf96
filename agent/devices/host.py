"""The memory of the host, as a device: always there, index -1."""

from __future__ import annotations

import platform
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from agent.devices import Groups, headroom_mib
from agent.devices.health import Fault
from queue_schema.shapes import DeviceDeclared, DeviceSample, LeaseSample

RAM_IDX = -1
_CGROUP = Path("/sys/fs/cgroup")
_LEAST_HEADROOM_MIB = 256
_LEAST_RESERVE_MIB = 1024
_RESERVE = 0.10


class HostMemory:
    """Host memory up to a budget.

    Free is what the budget has left after the runners' real use, or what the machine has left, whichever is
    less: the budget keeps jobs from the host's own needs, the machine tells of strangers.
    """

    def __init__(self, *, budget_mib: int | None, takes_vram: bool, idx: int = RAM_IDX) -> None:
        self._takes_vram = takes_vram
        self._total_mib = budget_mib or _default_budget_mib()
        self._idx = idx

    def declare(self) -> list[DeviceDeclared]:
        """One device, always."""
        return [
            DeviceDeclared(
                idx=self._idx,
                uuid=f"ram-{platform.node() or 'host'}",
                kind="ram",
                name="host memory",
                total_mib=self._total_mib,
                headroom_mib=headroom_mib(self._total_mib, _LEAST_HEADROOM_MIB),
                takes_vram=self._takes_vram,
            )
        ]

    def facts(self) -> dict[str, str]:
        """What the operating system says of itself."""
        return {"os": platform.system().lower(), "arch": platform.machine(), "kernel": platform.release()}

    def look(self, groups: Groups) -> list[DeviceSample]:
        """Measure the machine; every lease with a runner has a figure."""
        realised = sum(group.ram_mib for group in groups.values())
        return [
            DeviceSample(
                idx=self._idx,
                free_mib=max(0, min(self._total_mib - realised, available_mib())),
                leases=[
                    LeaseSample(job_id=group.job_id, token=token, mib=group.ram_mib)
                    for token, group in groups.items()
                ],
            )
        ]

    def faults(self) -> dict[int, Fault]:
        """Memory that fails takes the machine with it."""
        return {}

    def busy(self) -> dict[int, float]:
        """Nobody knows."""
        return {}

    def visible(self, idx: int) -> str | None:  # noqa: ARG002  # the interface asks; memory is never CUDA's
        """Memory is never CUDA's."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def physical_mib() -> int:
    """Memory of the machine, or of the container the agent is in."""
    whole = int(psutil.virtual_memory().total) >> 20
    limit = _cgroup_number("memory.max")
    return whole if limit is None else min(whole, limit >> 20)


def available_mib() -> int:
    """What could be allocated now without pushing anybody out."""
    available = int(psutil.virtual_memory().available) >> 20
    limit, current = _cgroup_number("memory.max"), _cgroup_number("memory.current")
    if limit is None or current is None:
        return available
    return min(available, max(0, limit - current + _cgroup_cache()) >> 20)


def _default_budget_mib() -> int:
    whole = physical_mib()
    return max(1, whole - max(_LEAST_RESERVE_MIB, int(whole * _RESERVE)))


def _cgroup_number(name: str) -> int | None:
    try:
        text = (_CGROUP / name).read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _cgroup_cache() -> int:
    """Bytes of page cache that the container's limit counts but the kernel would drop."""
    try:
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("inactive_file "))
