"""The devices of this node: what there is, how much is free, and how much of each lease is real.

`host` is the machine's memory, `nvml` its GPUs. A new make of device is one more `DeviceSource`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from uuid import UUID

import msgspec

from agent.devices.health import Fault
from queue_schema.shapes import DeviceDeclared, DeviceSample


class Group(msgspec.Struct, frozen=True):
    """The processes of one running attempt, at one moment."""

    job_id: UUID
    pids: frozenset[int]
    ram_mib: int
    """Host memory they add together."""
    of: int = 1
    """So many attempts share these processes: each has its part of what they hold."""


Groups = Mapping[UUID, Group]
"""By lease token."""


class DeviceSource(Protocol):
    """Some devices of this host, of one make."""

    def declare(self) -> list[DeviceDeclared]:
        """What is there. Called once, before the join."""
        ...

    def facts(self) -> dict[str, str]:
        """Labels for the node: make, model, driver."""
        ...

    def look(self, groups: Groups) -> list[DeviceSample]:
        """Measure now. A lease whose use cannot be told is left out, and so counts as not realised."""
        ...

    def faults(self) -> Mapping[int, Fault]:
        """Devices that take no work now, and why; as of the last look."""
        ...

    def busy(self) -> Mapping[int, float]:
        """How busy devices were at the last look, 0 to 1; asked once, each look finds out from then on."""
        ...

    def visible(self, idx: int) -> str | None:
        """How CUDA_VISIBLE_DEVICES names the device; None if it is not for CUDA, or not of this source."""
        ...

    def close(self) -> None:
        """Give back what the source holds."""
        ...


def headroom_mib(total_mib: int, least_mib: int) -> int:
    """What is never handed out of a device: *least_mib* or five per cent, whichever is more, but under half."""
    return min(total_mib // 2, max(least_mib, total_mib * 5 // 100))
