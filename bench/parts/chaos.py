"""Two hundred seeded schedules of faults, each judged by the checker. Only when named: `make bench PARTS=chaos`."""

from __future__ import annotations

import sys

from bench.chaos.schedule import play
from bench.findings import Findings
from bench.server import Server
from bench.sizes import Size
from queue_schema import migrate
from tests.support.reset import Pristine


def measure(server: Server, size: Size) -> Findings:
    """Play them one after the other.

    Raises:
        RuntimeError: A schedule violated something; the text has its seed and what it was.
    """
    url = server.make("bench_chaos", migrate.upgrade)
    pristine = Pristine(url)
    try:
        for seed in range(size.chaos_seeds):
            pristine.restore()
            found = play(url, seed)
            if found:
                raise RuntimeError(f"seed {seed}: {found}")
            sys.stderr.write(f"seed {seed}: nothing violated\n")
    finally:
        pristine.close()
        server.drop("bench_chaos")
    return Findings({}, {"schedules": size.chaos_seeds, "violations": 0})
