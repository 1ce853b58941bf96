"""Runners at rest: each has a model loaded, and waits for the next job of its project, kind and model.

Their memory counts as free, for it can be had at once: who needs it ends one, the longest at rest first. They also go
with age, and where their device takes no work.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

import structlog

from agent.devices.health import Fault
from agent.devices.host import RAM_IDX
from agent.leases import Lease, Leases
from agent.runners.home import Home
from queue_schema.shapes import WarmModel

log = structlog.get_logger(__name__)

_EVERY_S = 1.0


class Warm(threading.Thread):
    """All runners at rest; a thread that ends those that are of no more use."""

    def __init__(
        self, leases: Leases, *, most: int, rest_s: float, faults: Callable[[], Mapping[int, Fault]]
    ) -> None:
        """Build it.

        Args:
            leases: Whose lock this shares: a runner is seen at work or at rest, never as neither.
            most: At rest at once; 0: none.
            rest_s: After so long without work a runner ends.
            faults: Devices that take no work.
        """
        super().__init__(name="warm", daemon=True)
        self._leases = leases
        self._most = most
        self._rest_s = rest_s
        self._faults = faults
        self._resting: list[Home] = []
        self._leaving: list[Home] = []
        """Being ended: what they hold is still theirs."""
        self._resumed: list[Home] = []
        """At work, and not for the first time: what an earlier job left in their memory may be there still."""
        self._retired: dict[UUID, float] = {}
        """By project: what began before that moment, on the monotonic clock, does not rest again."""
        self._stopping = threading.Event()

    def homes(self) -> list[Home]:
        """Those whose memory nobody works in; ask with the lock of the leases."""
        return [*self._resting, *self._leaving]

    def models(self) -> list[WarmModel]:
        """What is warm here, for a claim."""
        with self._leases.changed:
            return [WarmModel(each.project_id, each.kind, each.model, each.devices) for each in self._resting]

    def take(self, leases: Sequence[Lease]) -> Home | None:
        """Put these to work on a runner that suits them, the last that went to rest; None: there is none."""
        with self._leases.changed:
            for home in reversed(self._resting):
                if home.runner.alive() and all(
                    lease.claimed is not None and home.suits(lease.claimed) for lease in leases
                ):
                    self._resting.remove(home)
                    self._resumed.append(home)
                    for lease in leases:
                        self._leases.watch(lease, home.runner)
                    return home
        return None

    def rest(self, home: Home, leases: Sequence[Lease]) -> bool:
        """Their work is done, or did not begin: the runner goes to rest, unless one of them is being ended."""
        with self._leases.changed:
            if self._stopping.is_set() or self._most == 0 or self._is_retired(home):
                return False
            for lease in leases:
                if not lease.detach():
                    return False
            home.rested_at = time.monotonic()
            self.left(home)
            self._resting.append(home)
            surplus = self._resting[: -self._most]
            for each in surplus:
                self._let_go(each)
        for each in surplus:
            self._end(each, "too many")
        return True

    def left(self, home: Home) -> None:
        """It has ended, or rests: it is not at work any more."""
        with self._leases.changed:
            if home in self._resumed:
                self._resumed.remove(home)

    def retire(self, project: UUID, *, began_before: float) -> int:
        """End those of a project that rest and began before then; those at work end when their work does.

        Returns:
            How many rested.
        """
        with self._leases.changed:
            self._retired[project] = max(began_before, self._retired.get(project, 0.0))
            found = [each for each in self._resting if self._is_retired(each)]
            for each in found:
                self._let_go(each)
        for each in found:
            self._end(each, "what it holds is to be erased")
        return len(found)

    def retired(self, project: UUID, *, began_before: float) -> bool:
        """Whether all of these that may remember have ended; one at its first work has seen nothing else."""
        with self._leases.changed:
            return not any(
                each.project_id == project and each.began_at < began_before
                for each in (*self._resumed, *self._leaving)
            )

    def _is_retired(self, home: Home) -> bool:
        return home.began_at < self._retired.get(home.project_id, 0.0)

    def evict(self, idx: int) -> bool:
        """End the one longest at rest of those on a device, of all for the host's memory; says whether there was one."""
        with self._leases.changed:
            found = next((each for each in self._resting if idx in each.devices or idx == RAM_IDX), None)
            if found is None:
                return False
            self._let_go(found)
        self._end(found, "its memory is needed")
        return True

    def run(self) -> None:
        """Look until stopped."""
        while not self._stopping.wait(_EVERY_S):
            try:
                self.look()
            except Exception:
                log.exception("warm.failed")

    def look(self) -> None:
        """End what is too old, what died, and what is on a device that takes no work."""
        faults = self._faults()
        old = time.monotonic() - self._rest_s
        with self._leases.changed:
            found = [(each, why) for each in self._resting if (why := _useless(each, old, faults))]
            for each, _ in found:
                self._let_go(each)
        for each, why in found:
            self._end(each, why)

    def stop(self) -> None:
        """No runner goes to rest any more, and those at rest end."""
        self._stopping.set()
        with self._leases.changed:
            found = list(self._resting)
            for each in found:
                self._let_go(each)
        for each in found:
            self._end(each, "the agent leaves")

    def _let_go(self, home: Home) -> None:
        self._resting.remove(home)
        self._leaving.append(home)

    def _end(self, home: Home, why: str) -> None:
        rested_s = round(time.monotonic() - home.rested_at, 1)
        log.info("runner.evicted", pid=home.runner.pid, model=home.model, why=why, rested_s=rested_s)
        try:
            home.end()
        finally:
            with self._leases.changed:
                self._leaving.remove(home)


def _useless(home: Home, old: float, faults: Mapping[int, Fault]) -> str | None:
    if home.rested_at < old:
        return "age"
    if not home.runner.alive():
        return "it died"
    fault = next((faults[idx] for idx in home.devices if idx in faults), None)
    return fault.text if fault else None
