"""Ten thousand claims while an outside process takes and frees VRAM at random: the test of it, made long.

Runs only when it is named: `make bench PARTS=trace`.
"""

from __future__ import annotations

from bench.findings import Findings
from bench.parts.model import tested
from bench.server import Server
from bench.sizes import Size


def measure(server: Server, size: Size) -> Findings:  # noqa: ARG001  # the test has its own
    """Run it.

    Raises:
        subprocess.CalledProcessError: A start did not fit the last reading, or the wrong one was blamed.
    """
    seconds = tested("tests/agent/test_trace.py", timeout_s=900, ARGOSY_TRACE_CLAIMS=str(size.trace_claims))
    return Findings({}, {"claims": size.trace_claims, "seconds": seconds, "bad_starts": 0, "wrong_blames": 0})
