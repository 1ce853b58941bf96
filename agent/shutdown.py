"""Leave in good order: finish what can finish, hand back the rest, say goodbye.

A first signal starts it, a second hurries it, a third ends every runner at once.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import wait
from types import FrameType

import structlog

from agent.leases import Ending, Leases
from agent.settings import AgentSettings

log = structlog.get_logger(__name__)

_STEP_S = 0.1


class Signals:
    """SIGTERM and SIGINT, counted.

    The handler writes to a pipe and takes no lock: a `threading.Event` set from a handler can wait for ever for
    the lock that the interrupted code holds.
    """

    def __init__(self) -> None:
        self.count = 0
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)

    def listen(self) -> None:
        """Take both signals from now on. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    @property
    def asked(self) -> bool:
        """Whether one came."""
        return self.count > 0

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the first, or so long at most; says whether it came. Main thread only."""
        until = None if seconds is None else time.monotonic() + seconds
        while not self.asked:
            left_s = 1.0 if until is None else min(1.0, until - time.monotonic())
            if left_s <= 0:
                break
            # Never longer than a second: the kernel may wake another thread with the signal.
            wait([self._read], left_s)
        return self.asked

    def _heard(self, _: int, __: FrameType | None) -> None:
        self.count += 1
        with suppress(BlockingIOError):
            os.write(self._write, b".")


def drain(settings: AgentSettings, leases: Leases, signals: Signals) -> bool:
    """End every attempt, gently first; claims must have stopped.

    Returns:
        Whether every outcome is written down.
    """
    log.info("agent.draining", running=leases.busy(), drain_s=settings.drain_s)
    if _wait(leases, settings.drain_s, signals, patience=1):
        return True
    leases.end(leases.tokens(), Ending.DRAIN)  # the watchdog sends Stop, and ends after stop_s who did not
    if _wait(leases, settings.stop_s + settings.grace_s, signals, patience=2):
        return True
    for lease in leases.all():
        if lease.runner is not None:
            lease.runner.kill()
    return _wait(leases, settings.grace_s + 2.0, signals, patience=99)


def _wait(leases: Leases, seconds: float, signals: Signals, *, patience: int) -> bool:
    """Wait for all outcomes, unless more than *patience* signals came."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and signals.count <= patience:
        if leases.wait_until_empty(_STEP_S, settled=False):
            return True
    return leases.busy() == 0
