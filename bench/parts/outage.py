"""Five minutes without PostgreSQL, in mid-training, on twenty nodes: the test of it, for longer than a test may take.

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
    seconds = tested("tests/acceptance/test_outage.py", timeout_s=900, ARGOSY_OUTAGE_S=str(size.outage_s))
    return Findings(
        {}, {"away_s": size.outage_s, "nodes": 20, "seconds": seconds, "lost": 0, "settled_twice": 0}
    )
