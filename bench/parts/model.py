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
    start = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "tests/model", "-k", "any_order", "-q", "--timeout", "3000"],
        cwd=_ROOT,
        env={**os.environ, "ARGOSY_MODEL_SCHEDULES": str(size.schedules)},
        stdout=sys.stderr,
        check=True,
    )
    return Findings(
        {}, {"schedules": size.schedules, "seconds": round(time.monotonic() - start, 1), "broken": 0}
    )
