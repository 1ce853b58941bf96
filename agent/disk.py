"""End jobs that write more than they may, before the disk is full for all.

A thread of its own: a tree of a million files takes a while to count, and must hold up neither a cancel nor a beat.
"""

from __future__ import annotations

import threading
from pathlib import Path

import structlog

from agent.files.own import used_mib
from agent.leases import Ending, Leases

log = structlog.get_logger(__name__)

_EVERY_S = 1.0


class Disk(threading.Thread):
    """Counts what is in the folder of each running attempt, again and again."""

    def __init__(self, leases: Leases, *, allowance_mib: int) -> None:
        super().__init__(name="disk", daemon=True)
        self._leases = leases
        self._allowance_mib = allowance_mib
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.wait(_EVERY_S):
            for lease in self._leases.all():
                runner = lease.runner
                if runner is None or lease.claimed is None or lease.ending is not None:
                    continue
                booked = lease.claimed.grant.disk_mib
                held = used_mib(Path(runner.folder))
                if held <= booked + self._allowance_mib:
                    continue
                lease.fault = f"wrote {held} MiB, booked were {booked} MiB of scratch space (need.disk_mib)"
                if lease.end(Ending.OUT_OF_DISK):
                    log.warning(
                        "runner.filled_disk", token=str(lease.token), held_mib=held, booked_mib=booked
                    )
