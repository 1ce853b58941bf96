"""Thousands of random schedules of the queue's state machine: not a speed, but what `make bench` has the time for."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from bench.findings import Findings
from bench.server import Server
from bench.sizes import Size

_ROOT = Path(__file__).resolve().parents[2]


def measure(server: Server, size: Size) -> Findings:  # noqa: ARG001  # the tests start their own, without fsync
    """Run them.

    Raises:
        subprocess.CalledProcessError: An invariant broke; pytest has printed the shortest schedule.
    """
    schedules = str(size.schedules)
    seconds = tested("tests/model", "-k", "any_order", timeout_s=3000, ARGOSY_MODEL_SCHEDULES=schedules)
    return Findings({}, {"schedules": size.schedules, "seconds": seconds, "broken": 0})


def tested(*what: str, timeout_s: int, **environment: str) -> float:
    """Run some of the tests, at the size that the environment says; how many seconds that took.

    Raises:
        subprocess.CalledProcessError: One failed; pytest has said why.
    """
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", *what, "-q", "--timeout", str(timeout_s)],
        cwd=_ROOT,
        env={**os.environ, **environment},
        stdout=sys.stderr,
        check=True,
    )
    return round(time.monotonic() - start, 1)
