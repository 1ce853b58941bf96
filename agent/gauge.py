"""End jobs that hold more GPU memory than they booked, before a neighbour runs into them.

A thread of its own: a sick GPU can make NVML hang, and that must hold up neither a cancel nor a heartbeat.
Host memory is the watchdog's.
"""

from __future__ import annotations

import threading

import structlog

from agent.devices.host import RAM_IDX
from agent.leases import Ending, Leases
from agent.sampling import Sampler, booked_mib
from queue_schema.shapes import Sample

log = structlog.get_logger(__name__)


class Gauge(threading.Thread):
    """Looks every `every_s` while a job runs on a GPU."""

    def __init__(self, sampler: Sampler, leases: Leases, *, every_s: float, allowance_mib: int) -> None:
        super().__init__(name="gauge", daemon=True)
        self._sampler = sampler
        self._leases = leases
        self._every_s = every_s
        self._allowance_mib = allowance_mib
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.wait(self._every_s):
            try:
                if self._on_gpus():
                    self.judge(self._sampler.look())
            except Exception:
                log.exception("gauge.failed")

    def judge(self, sample: Sample) -> None:
        """End who holds more than its booking and the allowance, by what one look shows."""
        for device in sample.devices:
            if device.idx == RAM_IDX:
                continue
            for held in device.leases:
                lease = self._leases.get(held.token)
                if lease is None or lease.claimed is None:
                    continue
                booked = booked_mib(lease.claimed.grant, device.idx)
                if held.mib <= booked + self._allowance_mib or lease.ending is not None:
                    continue
                lease.overuse = (held.mib, booked)
                self._leases.end([held.token], Ending.OUT_OF_MEMORY)
                log.warning(
                    "runner.outgrew",
                    token=str(held.token),
                    device=device.idx,
                    held_mib=held.mib,
                    booked_mib=booked,
                )

    def _on_gpus(self) -> bool:
        return any(
            lease.runner is not None
            and lease.claimed is not None
            and set(lease.claimed.grant.devices) - {RAM_IDX}
            for lease in self._leases.all()
        )
