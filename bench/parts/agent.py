"""How fast the shipped agent (`python -m agent`) works off no-op jobs, beside the bare verbs that `drain` measures.

The agent has no way to run a job inside itself: a no-op is a runner process too, forked for it and ended after it. So
this is the rate of runners on this machine; what the queue adds to it is the difference to `drain`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.findings import Findings
from bench.queues.ours import Argosy, project_id
from bench.server import Conn, Server
from bench.sizes import Size
from queue_schema.calls import clients
from queue_schema.shapes import Submission

SLOTS = 8
_LOOK_S = 0.1
_PATIENCE_S = 120.0
_ROOT = Path(__file__).resolve().parents[2]


def measure(server: Server, size: Size) -> Findings:
    """One agent with eight slots, in its normal loop, synchronous commits."""
    url = server.make("bench_agent", Argosy().install)
    with server.connect("bench_agent") as conn:
        clients.submit(conn, project_id(conn), [Submission(kind="noop")] * size.agent_jobs)
        with tempfile.TemporaryDirectory(prefix="argosy-bench-agent-") as folder:
            agent = _start(url, Path(folder))
            try:
                _wait(conn, agent)
            finally:
                agent.terminate()
                agent.wait()
        found = _rates(conn)
    server.drop("bench_agent")
    return Findings({}, {"jobs": size.agent_jobs, "slots": SLOTS, **found})


def _start(url: str, folder: Path) -> subprocess.Popen[bytes]:
    arguments = {
        "--node": "bench",
        "--api-url": "http://127.0.0.1:9",  # no file goes anywhere
        "--state-dir": str(folder),
        "--slots": str(SLOTS),
        "--kinds": "noop",
        "--preload": "workloads.runner,workloads.trivial",
        "--log-level": "error",
        "--ram-mib": str(SLOTS * 1024),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "agent", *(word for pair in arguments.items() for word in pair)],
        cwd=_ROOT,
        env={**os.environ, "ARGOSY_AGENT_DATABASE_URL": url},
        stdout=sys.stderr,
    )


def _wait(conn: Conn, agent: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        row = conn.execute(Argosy.busy_sql).fetchone()
        if row is not None and not row[0]:
            return
        if agent.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the agent did not finish: exit {agent.returncode}")
        time.sleep(_LOOK_S)


def _rates(conn: Conn) -> dict[str, Any]:
    row = conn.execute(
        "select count(*) / extract(epoch from max(ended_at) - min(started_at)),"
        " percentile_cont(0.5) within group (order by extract(epoch from ended_at - started_at))"
        " from fleet.attempts where outcome = 'succeeded'"
    ).fetchone()
    assert row is not None
    return {"jobs_per_s": round(float(row[0]), 1), "attempt_p50_ms": round(1000 * float(row[1]), 1)}
