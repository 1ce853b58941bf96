"""The leases this agent holds, from the claim's answer until the settle's.

Plain facts under one lock; nothing here talks to the database or to a process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from agent.runners.runner import Runner
from agent.tracing import SILENT
from queue_schema.shapes import Claimed


class Ending(IntEnum):
    """Why the agent ends an attempt; a graver reason replaces a lighter one."""

    DRAIN = 1
    """Asked to stop, and handed back."""
    PREEMPT = 2
    EXCLUSIVE = 3
    """Its lease may run out unseen, and it must never run twice."""
    TIMEOUT = 4
    OUT_OF_MEMORY = 5
    OUT_OF_DISK = 6
    DEVICE = 7
    """A device it runs on failed."""
    CANCEL = 8
    LOST = 9
    """Somebody else may run the job now: nothing of this attempt may be told."""


class Overuse(NamedTuple):
    """A job held more than it had booked."""

    held_mib: int
    booked_mib: int
    device: int
    """-1: host memory."""


class Lease:
    """One lease and what this agent does about it."""

    def __init__(self, job_id: UUID, token: UUID, claimed: Claimed | None, confirmed_at: float) -> None:
        self.job_id = job_id
        self.token = token
        self.claimed = claimed
        """None for a lease of the last life, of which only the result is left."""
        self.claimed_at = time.monotonic()
        self.confirmed_at = confirmed_at
        """When the last renewal that succeeded was *sent*: the database counts from later than that."""
        self.runner: Runner | None = None
        self.folder: Path | None = None
        """Where its files are, once it has a runner."""
        self.settling = False
        """The outcome is written down; only the settle's answer matters now."""
        self.peak_ram_mib = 0
        self.overuse: Overuse | None = None
        """Where it outgrew its booking."""
        self.fault: str | None = None
        """What became of its device, or of its disk, if it is ended for that."""
        self.trail = SILENT
        """Its trace."""
        self.squeezed_mib = 0
        """So much of what is booked on its device was in strangers' hands at the last look."""
        self._ending: Ending | None = None
        self._ending_at = 0.0
        self.when_ended: Callable[[], None] | None = None
        """Called with every `end` that is news, by whoever asked for it: must not wait."""
        self._lock = threading.Lock()

    @property
    def ending(self) -> Ending | None:
        """Why it is being ended, if it is."""
        return self._ending

    @property
    def ending_at(self) -> float:
        """Since when, on the monotonic clock."""
        return self._ending_at

    def end(self, why: Ending, fault: str | None = None) -> bool:
        """Ask for the end.

        Args:
            why: A graver reason replaces a lighter one.
            fault: What became of its device, or of its disk, if that is why.

        Returns:
            Whether that is news.
        """
        with self._lock:
            if self._ending is not None and self._ending >= why:
                return False
            self._ending, self._ending_at, self.fault = why, time.monotonic(), fault
        if self.when_ended is not None:
            self.when_ended()
        return True

    def detach(self) -> bool:
        """Let its runner go on without it, unless the attempt is being ended: then its runner is, too."""
        with self._lock:
            if self._ending is None:
                self.runner = None
            return self._ending is None


class Leases:
    """Every lease held, by token.

    `changed` is notified whenever one comes, goes, or has its outcome written down; `to_watch` whenever there is a
    runner more to watch, or one to end. Two, for the watchdog should not be woken by every job that comes and goes.
    """

    def __init__(self) -> None:
        self._held: dict[UUID, Lease] = {}
        self.lost = 0
        """How many were ended because somebody else may have them; grows for ever."""
        lock = threading.RLock()
        self.changed = threading.Condition(lock)
        self.to_watch = threading.Condition(lock)

    def add(self, *leases: Lease) -> None:
        """From now on every heartbeat names them."""
        with self.changed:
            self._held.update((lease.token, lease) for lease in leases)
            self.changed.notify_all()

    def remove(self, *tokens: UUID) -> None:
        """Settled, or lost."""
        with self.changed:
            for token in tokens:
                self._held.pop(token, None)
            self.changed.notify_all()

    def settling(self, tokens: Iterable[UUID]) -> None:
        """The outcomes of these are written down."""
        with self.changed:
            for token in tokens:
                if (lease := self._held.get(token)) is not None:
                    lease.settling = True
            self.changed.notify_all()

    def watch(self, lease: Lease, runner: Runner) -> None:
        """This lease has a runner from now on."""
        with self.to_watch:
            lease.runner = runner
            self.to_watch.notify_all()

    def by_runner(self) -> dict[Runner, list[Lease]]:
        """Those that have a runner, by it, all at one moment: each its one, or as many as are in its batch."""
        found: dict[Runner, list[Lease]] = {}
        with self.changed:
            for lease in self._held.values():
                if lease.runner is not None:
                    found.setdefault(lease.runner, []).append(lease)
        return found

    def get(self, token: UUID) -> Lease | None:
        """One lease, if it is still held."""
        return self._held.get(token)

    def all(self) -> list[Lease]:
        """A copy, to go through without the lock."""
        with self.changed:
            return list(self._held.values())

    def tokens(self) -> list[UUID]:
        """What a heartbeat names."""
        with self.changed:
            return list(self._held)

    def held(self) -> int:
        """How many slots are taken, as the database counts them: until the settle's answer."""
        with self.changed:
            return len(self._held)

    def busy(self) -> int:
        """How many attempts have no outcome yet."""
        with self.changed:
            return sum(not lease.settling for lease in self._held.values())

    def end(self, tokens: Iterable[UUID], why: Ending) -> list[Lease]:
        """Ask for the end of some leases.

        Returns:
            Those for whom it was news.
        """
        with self.to_watch:
            news = [
                lease for token in tokens if (lease := self._held.get(token)) is not None and lease.end(why)
            ]
            self.lost += len(news) if why is Ending.LOST else 0
            self.to_watch.notify_all()
        return news

    def wait_until_empty(self, timeout_s: float, *, settled: bool = True) -> bool:
        """Wait for every lease to be settled, or, with *settled* false, to have its outcome written down."""

        def empty() -> bool:
            return not self._held if settled else not any(not lease.settling for lease in self._held.values())

        with self.changed:
            return self.changed.wait_for(empty, timeout_s)
