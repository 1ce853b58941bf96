"""Preloaded into the forkserver: nothing a runner started outlives it.

The forkserver ends when the agent does, even by SIGKILL, for then its "alive" pipe closes. The kernel then
kills the runners (PDEATHSIG); their children, and children who left the session, are killed here.
Standard library only: it runs in a process that must hold no thread.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import time
import warnings

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 20


def _parents() -> dict[int, int]:
    found = {}
    for name in os.listdir("/proc"):  # noqa: PTH208  # no imports here
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", errors="replace") as file:  # noqa: PTH123  # no imports here
                    rest = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if rest[0] not in "ZX":
                found[int(name)] = int(rest[1])
    return found


def _descendants(root: int) -> list[int]:
    parents = _parents()
    found: list[int] = []
    circle = {root}
    while circle:
        circle = {pid for pid, parent in parents.items() if parent in circle}
        found.extend(circle)
    return found


def _end_all(owner: int) -> None:
    if os.getpid() != owner:
        return
    for _ in range(_ROUNDS):
        rest = _descendants(owner)
        if not rest:
            return
        for pid in rest:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        time.sleep(0.02)


def _stand_guard() -> None:
    # Orphans become the forkserver's children instead of init's, so that they can still be found.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    warnings.filterwarnings("ignore", message="forkserver: waitpid returned unexpected pid")
    # A service manager that signals the whole control group must not take the runners from a draining agent.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    atexit.register(_end_all, os.getpid())


if os.environ.get("ARGOSY_FORKSERVER") == "1":
    _stand_guard()
