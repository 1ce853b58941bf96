"""Thousands of bad requests of each kind that `tests/api/test_fuzz.py` makes: no 5xx is answered, no traceback logged.

Runs only when it is named: `make bench PARTS=fuzz`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.findings import Findings
from bench.parts.model import tested
from bench.server import Server
from bench.sizes import Size


def measure(server: Server, size: Size) -> Findings:  # noqa: ARG001  # the tests start their own
    """Send them.

    Raises:
        subprocess.CalledProcessError: One was answered with a 5xx, or logged a traceback; pytest has said which.
        RuntimeError: Fewer were sent than that; something makes the fuzzers skip.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "counts")
        seconds = tested(
            "tests/api/test_fuzz.py",
            timeout_s=3000,
            ARGOSY_FUZZ_EXAMPLES=str(size.fuzz_examples),
            ARGOSY_FUZZ_COUNTS=str(path),
        )
        told = [json.loads(line) for line in path.read_text().splitlines()]
    classes: Counter[str] = Counter()
    by_test: dict[str, dict[str, int]] = {}
    for each in told:
        by_test[each["test"]] = dict(sorted(each["answers"].items()))
        for status, count in each["answers"].items():
            classes[f"{status[0]}xx"] += count
    if classes.total() < size.fuzz_examples:
        raise RuntimeError(f"{classes.total()} requests were sent, {size.fuzz_examples} were wanted")
    sys.stderr.write(f"{classes.total()} answers: {dict(sorted(classes.items()))}; no traceback\n")
    return Findings(
        {},
        {
            "requests": classes.total(),
            "by_class": {"5xx": 0, **dict(sorted(classes.items()))},
            "tracebacks": 0,
            "seconds": seconds,
            "by_test": by_test,
        },
    )
