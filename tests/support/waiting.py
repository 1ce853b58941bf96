"""Wait for what happens in other threads and processes, by looking until it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from agent import processes


def eventually(true: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Wait for a condition, and answer with what it gave."""
    until = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < until, f"not within {within_s} s"
        time.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    found = processes.look_up(pid)
    return found is not None and not found.zombie
