"""Wait for something of a fleet, and do for it meanwhile what `argosy up` does."""

from __future__ import annotations

import time
from collections.abc import Callable

from argosy.local.fleet import LocalFleet


def until(local: LocalFleet, true: Callable[[], bool], within_s: float) -> None:
    """Look until it is so; what dies is started again meanwhile."""
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, f"not within {within_s} s"
        local.watch()
        time.sleep(0.1)
