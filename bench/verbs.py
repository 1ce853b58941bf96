"""How fast the verbs are over one connection: submit one, submit many, and claim + complete in batches of 100.

`python -m bench.verbs` prints one JSON object. Rates are per second, medians of interleaved rounds on an embedded
server with fsync on; compare ratios within one run only.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import psycopg

from argosy.embedded import EmbeddedServer
from queue_schema import migrate
from queue_schema.calls import agents, clients
from queue_schema.shapes import Completion, Submission
from tests.support.verbs import Agent, Conn, Project

ROUNDS = 5
BATCH = 100


def submit_one(project: Project, jobs: int) -> float:
    """Jobs per second, one transaction each."""
    start = time.perf_counter()
    for _ in range(jobs):
        clients.submit(project.conn, project.id, [Submission(kind="noop")])
    return jobs / (time.perf_counter() - start)


def submit_many(project: Project, jobs: int) -> float:
    """Jobs per second, a thousand a transaction."""
    start = time.perf_counter()
    for _ in range(jobs // 1000):
        clients.submit(project.conn, project.id, [Submission(kind="noop")] * 1000)
    return jobs / (time.perf_counter() - start)


def drain(agent: Agent) -> float:
    """Jobs per second claimed and completed in batches, with leases, fencing, booking and history."""
    done, start = 0, time.perf_counter()
    while True:
        claimed = agents.claim(
            agent.conn, agent.session, request_id=uuid4(), sample=agent.sample(), want=BATCH
        )
        if not claimed:
            return done / (time.perf_counter() - start)
        agents.complete(agent.conn, agent.session, [Completion(job.job_id, job.token) for job in claimed])
        done += len(claimed)


def measure(conn: Conn, jobs: int) -> dict[str, float]:
    """Interleaved rounds; medians."""
    project = Project(conn)
    agent = Agent(conn, slots=BATCH, ram_mib=1_000_000, cpu_milli=10_000_000)
    found: dict[str, list[float]] = {"submit_one": [], "submit_many": [], "drain_batch_100": []}
    for _ in range(ROUNDS):
        found["submit_one"].append(submit_one(project, jobs // 10))
        found["submit_many"].append(submit_many(project, jobs))
        conn.execute("vacuum (analyze) fleet.ready, fleet.leases, fleet.jobs")
        found["drain_batch_100"].append(drain(agent))
    return {name: round(statistics.median(rates), 1) for name, rates in found.items()}


def main() -> None:
    """One server, synchronous_commit on and off."""
    jobs = 2000 if "--quick" in sys.argv else 5000
    with tempfile.TemporaryDirectory(prefix="argosy-bench-") as folder:
        server = EmbeddedServer(Path(folder) / "pg")
        server.start()
        try:
            server.ensure_database("bench")
            migrate.upgrade(server.url("bench"))
            with psycopg.connect(server.url("bench"), autocommit=True) as conn:
                result = measure(conn, jobs)
        finally:
            server.stop()
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
