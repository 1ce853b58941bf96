"""Leave in good order: finish what can finish, hand back the rest, say goodbye.

A first signal starts it, a second hurries it, a third ends every runner at once.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

import structlog

from agent.leases import Ending, Leases
from agent.settings import AgentSettings

log = structlog.get_logger(__name__)

_STEP_S = 0.1


class Signals:
    """SIGTERM and SIGINT, counted."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        """Set with the first."""
        self.count = 0

    def listen(self) -> None:
        """Take both signals from now on. Main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    def wait(self) -> None:
        """Wait for the first."""
        self.asked.wait()

    def _heard(self, _: int, __: FrameType | None) -> None:
        self.count += 1
        self.asked.set()


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
