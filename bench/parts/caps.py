"""Whether a cap holds while fifty claimers press against it: not a speed, but a count of tries in which it did."""

from __future__ import annotations

import time

from bench.capped import crowd
from bench.findings import Findings
from bench.queues.ours import Argosy
from bench.server import Server
from bench.sizes import Size

CAP = 7
CLAIMERS = 50


def measure(server: Server, size: Size) -> Findings:
    """A project that may run seven jobs.

    Raises:
        AssertionError: More of them ran at once, or never as many: then nobody pressed.
    """
    url = server.make("bench_caps", Argosy(durable=False).install, durable=False)
    start = time.monotonic()
    found = crowd(url, cap=CAP, claimers=min(CLAIMERS, size.cap_tries), tries=size.cap_tries)
    seconds = time.monotonic() - start
    server.drop("bench_caps")
    assert found.most_running <= CAP, f"{found.most_running} jobs ran, {CAP} may"
    return Findings(
        {},
        {
            "cap": CAP,
            "claimers": CLAIMERS,
            "tries": found.tries,
            "claimed": found.claimed,
            "most_running": found.most_running,
            "above_the_cap": 0,
            "tries_per_s": round(found.tries / seconds, 1),
        },
    )
