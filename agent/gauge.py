"""Look at the GPUs every second: end jobs that hold more memory than they booked, and find what is sick.

A thread of its own: a sick GPU can make NVML slow, and that must hold up neither a cancel nor a heartbeat.
Host memory is the watchdog's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from agent.devices.host import RAM_IDX
from agent.health import Infirmary
from agent.leases import Ending, Leases, Overuse
from agent.sampling import Sampler, booked_mib, squeeze
from queue_schema.shapes import Sample

log = structlog.get_logger(__name__)


class Gauge(threading.Thread):
    """Looks every `every_s` where there are GPUs, or should be, or the owner has a wish."""

    def __init__(
        self,
        sampler: Sampler,
        leases: Leases,
        infirmary: Infirmary,
        *,
        every_s: float,
        allowance_mib: int,
        came_back: Callable[[], None],
    ) -> None:
        """Build it.

        Args:
            sampler: Looks.
            leases: Whose holders are ended.
            infirmary: Told of every look.
            every_s: Between two looks.
            allowance_mib: What a job may hold beyond its booking.
            came_back: Called when GPUs can be used that could not be before.
        """
        super().__init__(name="gauge", daemon=True)
        self._sampler = sampler
        self._leases = leases
        self._infirmary = infirmary
        self._came_back = came_back
        self._every_s = every_s
        self._allowance_mib = allowance_mib
        self._kept = False
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.wait(self._every_s):
            try:
                if self._sampler.find_again():
                    self._came_back()
                kept = bool(self._sampler.kept())
                if self._sampler.has_gpus or kept or self._kept:
                    sample = self._sampler.look()
                    self.judge(sample)
                    self._infirmary.see(sample, self._sampler.faults())
                self._kept = kept
            except Exception:
                log.exception("gauge.failed")

    def judge(self, sample: Sample) -> None:
        """End who holds more than its booking and the allowance, by what one look shows."""
        for device in sample.devices:
            if device.idx == RAM_IDX:
                continue
            squeeze(device, self._leases.all())
            for held in device.leases:
                lease = self._leases.get(held.token)
                if lease is None or lease.claimed is None:
                    continue
                booked = booked_mib(lease.claimed.grant, device.idx)
                if held.mib <= booked + self._allowance_mib or lease.ending is not None:
                    continue
                lease.overuse = Overuse(held.mib, booked, device.idx)
                self._leases.end([held.token], Ending.OUT_OF_MEMORY)
                log.warning(
                    "runner.outgrew",
                    token=str(held.token),
                    device=device.idx,
                    held_mib=held.mib,
                    booked_mib=booked,
                )
