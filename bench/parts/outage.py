"""Five minutes without PostgreSQL, in mid-training, on one node and on twenty: its test, for longer than a test may take.

Runs only when it is named: `make bench PARTS=outage`.
"""

from __future__ import annotations

from bench.findings import Findings
from bench.parts.model import tested
from bench.server import Server
from bench.sizes import Size


def measure(server: Server, size: Size) -> Findings:  # noqa: ARG001  # the test stops its own
    """Run it.

    Raises:
        subprocess.CalledProcessError: An attempt was lost, or settled twice; pytest has said which.
    """
    seconds = {
        nodes: tested(
            "tests/drills/test_outage.py",
            timeout_s=900,
            ARGOSY_OUTAGE_S=str(size.outage_s),
            ARGOSY_OUTAGE_NODES=str(nodes),
        )
        for nodes in (1, 20)
    }
    return Findings({}, {"away_s": size.outage_s, "seconds_by_nodes": seconds, "lost": 0, "settled_twice": 0})
