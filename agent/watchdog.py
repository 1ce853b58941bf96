"""End runners: those told to end, and those over their memory, their time or their lease.

Uses only this machine's clock and process table, so it works while the database is away.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog

from agent import processes
from agent.devices.host import RAM_IDX
from agent.leases import Ending, Lease, Leases, Overuse
from agent.runners.forkserver import Forkserver
from agent.runners.runner import Runner, RunnerGone
from agent.sampling import booked_mib
from agent.settings import AgentSettings
from workloads.protocol import Stop

log = structlog.get_logger(__name__)

_TICK_S = 0.1
_FAMILY_S = 0.3
"""Between two looks at the memory of the groups."""

_OF_ONE = frozenset({Ending.LOST, Ending.CANCEL, Ending.TIMEOUT})
"""Of one job alone, whoever shares its runner."""
_AT_ONCE = frozenset({Ending.LOST, Ending.OUT_OF_MEMORY, Ending.EXCLUSIVE, Ending.DEVICE, Ending.OUT_OF_DISK})


class Watchdog(threading.Thread):
    """One thread for all runners of the node; sleeps while there is none."""

    def __init__(
        self, settings: AgentSettings, leases: Leases, forkserver: Forkserver, *, lease_s: Callable[[], float]
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._settings = settings
        self._leases = leases
        self._forkserver = forkserver
        self._lease_s = lease_s
        self._stopping = False
        self._done: dict[UUID, Ending] = {}
        """By token: the last step taken to end that attempt."""
        self._next_family = 0.0

    def stop(self) -> None:
        """End the thread."""
        with self._leases.to_watch:
            self._stopping = True
            self._leases.to_watch.notify_all()

    def run(self) -> None:
        """Watch until stopped."""
        while not self._stopping:
            working = self._leases.by_runner()
            for runner, sharing in working.items():
                for lease in sharing:
                    try:
                        self._watch(lease, runner)
                    except Exception:
                        log.exception("watchdog.failed", token=str(lease.token))  # the others still need it
            if time.monotonic() >= self._next_family:
                self._next_family = time.monotonic() + _FAMILY_S
                self._weigh(working)
            there = {lease.token for sharing in working.values() for lease in sharing}
            self._done = {token: done for token, done in self._done.items() if token in there}
            with self._leases.to_watch:
                if not self._stopping and (working or not self._leases.by_runner()):
                    self._leases.to_watch.wait(_TICK_S if working else None)

    def _watch(self, lease: Lease, runner: Runner) -> None:
        assert lease.claimed is not None
        now = time.monotonic()
        if lease.ending is None or lease.ending < Ending.EXCLUSIVE:
            unseen_s = now - lease.confirmed_at
            # A short lease has little margin: two beats must be allowed to fail.
            margin_s = min(self._settings.exclusive_margin_s, self._lease_s() / 6)
            if lease.claimed.exclusive and unseen_s > self._lease_s() - margin_s:
                if lease.end(Ending.EXCLUSIVE):
                    log.warning("lease.unconfirmed", token=str(lease.token), unseen_s=round(unseen_s, 1))
            elif now - lease.claimed_at > lease.claimed.timeout_s and lease.end(Ending.TIMEOUT):
                log.info("attempt.timeout", token=str(lease.token), timeout_s=lease.claimed.timeout_s)
        # Read in this order: from one that is being ended its runner is not taken any more, to rest or for others.
        if lease.ending is not None and lease.runner is runner:
            self._end(lease, runner, lease.ending, now - lease.ending_at)

    def _end(self, lease: Lease, runner: Runner, why: Ending, for_s: float) -> None:
        fresh = self._done.get(lease.token) != why
        self._done[lease.token] = why
        if why in _OF_ONE and any(
            other.ending not in _OF_ONE for other in self._leases.by_runner().get(runner, [])
        ):
            # The others of its batch are not to blame; they get a little time.
            if for_s > self._settings.grace_s:
                runner.kill(within_s=0.0)
        elif why in _AT_ONCE:
            runner.kill(within_s=0.0)
        elif why in (Ending.CANCEL, Ending.TIMEOUT):
            if fresh:
                log.info("runner.terminate", token=str(lease.token), pid=runner.pid, why=why.name.lower())
                runner.terminate()
            elif for_s > self._settings.grace_s:
                runner.kill(within_s=0.0)
        elif fresh:
            log.info("runner.stop", token=str(lease.token), pid=runner.pid, why=why.name.lower())
            try:
                runner.send(Stop("preempt" if why is Ending.PREEMPT else "drain"), within_s=0.2)
            except RunnerGone:
                runner.kill(within_s=0.0)
        elif for_s > self._settings.stop_s:
            runner.kill(within_s=0.0)

    def _weigh(self, working: Mapping[Runner, Sequence[Lease]]) -> None:
        for runner, sharing in working.items():
            grants = [lease.claimed.grant for lease in sharing if lease.claimed is not None]
            booked = sum(booked_mib(grant, RAM_IDX) for grant in grants)
            allowed = booked + self._settings.ram_allowance_mib
            family = runner.family_now()
            if sum(processes.resident_mib(process.pid) for process in family) <= allowed:
                continue  # resident is never less than what they add, and far cheaper to read
            inherited = self._forkserver.footprint()
            held = processes.realised_mib((process.pid for process in family), inherited)
            for lease in sharing:
                lease.peak_ram_mib = max(lease.peak_ram_mib, held // len(sharing))
            if held <= allowed:
                continue
            for lease in sharing:
                if lease.runner is runner and lease.end(Ending.OUT_OF_MEMORY):
                    lease.overuse = Overuse(held, booked, RAM_IDX)
                    token = str(lease.token)
                    log.warning("runner.outgrew", token=token, held_mib=held, allowed_mib=allowed)
