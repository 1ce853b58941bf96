"""What follows when a device takes no work any more: its jobs end and go elsewhere, and the fleet is told.

A thread of its own, told by the gauge: to reach the database may take a while, and must not hold up a look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from uuid import UUID

import structlog

from agent.backoff import Backoff
from agent.devices.health import Fault, Then
from agent.devices.host import RAM_IDX
from agent.leases import Ending, Lease, Leases
from agent.line import DatabaseAway, Line
from agent.membership import Membership
from queue_schema.calls import agents
from queue_schema.errors import FleetError, SessionLost
from queue_schema.shapes import Sample

log = structlog.get_logger(__name__)

_MOVED_MIB = 512
"""So much more or less free on a device is worth telling, every few seconds, for people who look."""
_EVERY_S = 5.0


class Infirmary(threading.Thread):
    """Knows which devices are sick, and whom that concerns."""

    def __init__(self, line: Line, membership: Membership, leases: Leases) -> None:
        super().__init__(name="infirmary", daemon=True)
        self._line = line
        self._membership = membership
        self._leases = leases
        self._sample: Sample | None = None
        self._faults: dict[int, str] = {}
        self._told: tuple[UUID, Sample] | None = None
        self._told_at = 0.0
        self._news = threading.Event()
        self._stopping = False

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._news.set()

    def see(self, sample: Sample, faults: Mapping[int, Fault]) -> None:
        """Take in one look: end what cannot go on, and let the fleet know what is new. Never waits."""
        for lease in self._leases.all():
            if lease.claimed is None or lease.settling:
                continue
            # What needs no device is in the host's memory all the same.
            used = lease.claimed.grant.devices or [RAM_IDX]
            for idx in used:
                if idx in faults and self._end(lease, idx, faults[idx]):
                    break
        now = {idx: fault.text for idx, fault in faults.items()}
        for idx in now.keys() | self._faults.keys():
            if now.get(idx) != self._faults.get(idx):
                if idx in now:
                    log.error("device.sick", device=idx, why=now[idx])
                else:
                    log.info("device.well", device=idx, was=self._faults[idx])
        self._sample, self._faults = sample, now
        if self._is_news(sample):
            self._news.set()

    def _end(self, lease: Lease, idx: int, fault: Fault) -> bool:
        if fault.then is Then.GOES_ON:
            return False
        text = f"device {idx}: {fault.text}" if fault.then is Then.FAILS else fault.text
        if not lease.end(Ending.DEVICE if fault.then is Then.FAILS else Ending.DRAIN, text):
            return False
        log.warning("lease.device_lost", token=str(lease.token), then=fault.then.value, fault=text)
        return True

    def run(self) -> None:
        """Tell what is new until stopped."""
        backoff = Backoff(0.5, 5.0)
        while self._news.wait() and not self._stopping:
            self._news.clear()
            try:
                self._tell()
                backoff.reset()
                continue
            except DatabaseAway as exc:
                log.warning("health.waits", error=str(exc))
            except SessionLost:
                self._membership.mark_lost(self._membership.session)
            except FleetError as exc:
                log.error("health.refused", code=exc.code, error=str(exc))  # noqa: TRY400  # expected: the text says it all
            except Exception:
                log.exception("infirmary.failed")
            self._news.wait(backoff.next_s())
            self._news.set()

    def _tell(self) -> None:
        sample, session = self._sample, self._membership.session
        if sample is None:
            return
        if not self._is_news(sample):
            return
        self._line.do(lambda conn: agents.health(conn, session, sample))
        self._told, self._told_at = (session.session_id, sample), time.monotonic()

    def _is_news(self, sample: Sample) -> bool:
        if self._told is None or self._told[0] != self._membership.session.session_id:
            return True
        before = {device.idx: device for device in self._told[1].devices}
        pairs = [(before.get(device.idx), device) for device in sample.devices]
        if any(was is None or was.fault != device.fault for was, device in pairs):
            return True
        if time.monotonic() - self._told_at < _EVERY_S:
            return False
        return any(was is None or abs(was.free_mib - device.free_mib) > _MOVED_MIB for was, device in pairs)
