"""How fast the shipped agent (`python -m agent`) works off no-op jobs: a runner process each, and inside the agent.

Forked, it is the rate of processes on this machine. Inside (`--in-process noop`) it is that of everything else: claim
with a measured sample, lease, spool, settle, beside heartbeats. The bare verbs with the same batch, in the same rounds,
say how much of that is the queue.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from bench.findings import Findings
from bench.queues.base import PER_CALL
from bench.queues.ours import Argosy, project_id
from bench.rounds import interleaved, ratio
from bench.server import Conn, Server
from bench.sizes import Size
from bench.workers import drain
from queue_schema.calls import clients
from queue_schema.shapes import Need, Submission

FORKED_SLOTS = 8
INSIDE_SLOTS = 128
"""So many jobs in a claim and in a settle; of the bare verbs, too."""
_RAM_MIB = 1024
"""For each forked job; those inside the agent take none of their own."""
_LOOK_S = 0.05
_PATIENCE_S = 300.0
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class _Run:
    jobs_per_s: float
    attempt_p50_ms: float
    agent_cpu_ms: float
    """Of the agent itself, its start included, for each job."""


def measure(server: Server, size: Size) -> Findings:
    """One agent in its normal loop, synchronous commits; medians of the rounds, one round of the slow side."""
    server.make("bench_few", partial(_fill, size.agent_jobs))
    server.make("bench_many", partial(_fill, size.in_process_jobs))
    try:
        forked = _agent(server, "bench_few", size.agent_jobs, FORKED_SLOTS)
        sides: list[Callable[[], Any]] = [
            partial(_agent, server, "bench_many", size.in_process_jobs, INSIDE_SLOTS, "--in-process", "noop"),
            partial(_verbs, server, "bench_many", size.in_process_jobs),
        ]
        inside, rates = interleaved(sides, size.rare_rounds, lambda side: side())
    finally:
        server.drop("bench_few")
        server.drop("bench_many")
    found = {
        "forked": {"jobs": size.agent_jobs, "slots": FORKED_SLOTS, **_medians([forked])},
        "in_process": {"jobs": size.in_process_jobs, "slots": INSIDE_SLOTS, **_medians(inside)},
        "verbs": {
            "jobs": size.in_process_jobs,
            "jobs_per_s": round(statistics.median(rates), 1),
            "rounds": [round(rate, 1) for rate in rates],
        },
    }
    print(json.dumps(found), flush=True)
    return Findings({"agent_in_process_vs_verbs": ratio([run.jobs_per_s for run in inside], rates)}, found)


def _medians(runs: list[_Run]) -> dict[str, Any]:
    return {
        "jobs_per_s": round(statistics.median(run.jobs_per_s for run in runs), 1),
        "attempt_p50_ms": round(statistics.median(run.attempt_p50_ms for run in runs), 1),
        "agent_cpu_ms_per_job": round(statistics.median(run.agent_cpu_ms for run in runs), 3),
        "rounds": [round(run.jobs_per_s, 1) for run in runs],
    }


def _agent(server: Server, template: str, jobs: int, slots: int, *more: str) -> _Run:
    url = server.clone("bench_agent", template)
    with server.connect("bench_agent") as conn, tempfile.TemporaryDirectory(prefix="argosy-bench-") as folder:
        with _running(url, Path(folder), slots, *more) as agent:
            _wait(conn, agent)
            cpu_s = _cpu_s(agent.pid)
        rate, p50_ms = _rates(conn, jobs)
    server.drop("bench_agent")
    return _Run(rate, p50_ms, 1000 * cpu_s / jobs)


def _verbs(server: Server, template: str, jobs: int) -> float:
    server.clone("bench_agent", template)
    found = drain(server, Argosy(want=INSIDE_SLOTS), "bench_agent", jobs=jobs, workers=1)
    server.drop("bench_agent")
    return found.rate


def _fill(jobs: int, url: str) -> None:
    """No-ops that need next to nothing, so that the slots alone say how many run at once."""
    noop = Submission(kind="noop", need=Need(ram_mib=1, cpu_milli=1))
    Argosy().install(url)
    with psycopg.connect(url, autocommit=True) as conn:
        for done in range(0, jobs, PER_CALL):
            clients.submit(conn, project_id(conn), [noop] * min(PER_CALL, jobs - done))


@contextmanager
def _running(url: str, folder: Path, slots: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    arguments = {
        "--node": "bench",
        "--api-url": "http://127.0.0.1:9",  # no file goes anywhere
        "--state-dir": str(folder),
        "--slots": str(slots),
        "--kinds": "noop",
        "--preload": "workloads.runner,workloads.trivial",
        "--log-level": "error",
        "--ram-mib": str(FORKED_SLOTS * _RAM_MIB),
    }
    agent = subprocess.Popen(
        [sys.executable, "-m", "agent", *(word for pair in arguments.items() for word in pair), *more],
        cwd=_ROOT,
        env={**os.environ, "ARGOSY_AGENT_DATABASE_URL": url},
        stdout=sys.stderr,
    )
    try:
        yield agent
    finally:
        agent.terminate()
        agent.wait()


def _wait(conn: Conn, agent: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while True:
        row = conn.execute(Argosy.busy_sql).fetchone()
        if row is not None and not row[0]:
            return
        if agent.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the agent did not finish: exit {agent.returncode}")
        time.sleep(_LOOK_S)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def _rates(conn: Conn, jobs: int) -> tuple[float, float]:
    """Jobs a second from the first claim to the last settle, and the median ms between the two of one job."""
    row = conn.execute(
        "select count(*), extract(epoch from max(ended_at) - min(started_at)),"
        " percentile_cont(0.5) within group (order by extract(epoch from ended_at - started_at))"
        " from fleet.attempts where outcome = 'succeeded'"
    ).fetchone()
    assert row is not None
    assert row[0] == jobs, f"{row[0]} of {jobs} jobs succeeded"
    return jobs / float(row[1]), 1000 * float(row[2])
