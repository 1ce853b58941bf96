"""How fast the verbs are by themselves, over one connection and without overlap: raw rates, no peers, no ratios."""

from __future__ import annotations

import statistics
import time

from bench.findings import Findings
from bench.queues.base import PER_CALL
from bench.queues.ours import Argosy, claim, settle, wide_node
from bench.server import Server
from bench.sizes import Size

BATCH = 100


def measure(server: Server, size: Size) -> Findings:
    """Jobs a second, medians of rounds, synchronous commits."""
    queue = Argosy()
    url = server.make("bench_verbs", queue.install)
    found: dict[str, list[float]] = {"submit_one": [], "submit_many": [], "claim_100": [], "complete_100": []}
    for number in range(size.rounds):
        with queue.submitting(url) as submit:
            for verb, jobs, a_call in (
                ("submit_one", size.each_jobs, 1),
                ("submit_many", size.bulk_jobs, PER_CALL),
            ):
                start = time.perf_counter()
                submit(jobs, a_call)
                found[verb].append(jobs / (time.perf_counter() - start))
        server.settle("bench_verbs")
        for verb, rate in _claim_and_complete(server, f"node-{number}").items():
            found[verb].append(rate)
    return Findings(
        {}, {f"{verb}_jobs_per_s": round(statistics.median(rates), 1) for verb, rates in found.items()}
    )


def _claim_and_complete(server: Server, node: str) -> dict[str, float]:
    """Drain the queue in batches; each verb's own rate."""
    jobs, claim_s, complete_s = 0, 0.0, 0.0
    with server.connect("bench_verbs") as conn:
        agent = wide_node(conn, node, slots=BATCH)
        while True:
            start = time.perf_counter()
            claimed = claim(agent, BATCH)
            between = time.perf_counter()
            if not claimed:
                return {"claim_100": jobs / claim_s, "complete_100": jobs / complete_s}
            settle(conn, agent.session, claimed)
            claim_s += between - start
            complete_s += time.perf_counter() - between
            jobs += len(claimed)
