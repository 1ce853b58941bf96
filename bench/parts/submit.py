"""How fast jobs come in: one a transaction, and a thousand a call, beside the peers in the same rounds."""

from __future__ import annotations

import statistics
from typing import Any

from bench.findings import Findings
from bench.queues.base import Queue
from bench.queues.ours import Argosy
from bench.queues.pgqueuer import Pgqueuer
from bench.queues.procrastinate import Procrastinate
from bench.rounds import interleaved, ratio
from bench.server import Server
from bench.sizes import Size


def measure(server: Server, size: Size) -> Findings:
    """Both with synchronous commits, the default, and without."""
    ratios: dict[str, float] = {}
    details: dict[str, Any] = {}
    for durable in size.durable:
        queues: list[Queue] = [Argosy(durable=durable), Pgqueuer()]
        rates = _rounds(server, queues, size, size.rounds, durable=durable)
        suffix = "" if durable else "_sync_off"
        for way, [ours, theirs] in rates.items():
            ratios[f"submit_{way}_vs_pgqueuer{suffix}"] = ratio(ours, theirs)
        slow = Procrastinate()
        for way, [found] in _rounds(server, [slow], size, size.rare_rounds, durable=durable).items():
            rates[way].append(found)
        details[f"synchronous_commit_{'on' if durable else 'off'}"] = [
            {
                "queue": queue.name,
                "way": way,
                "jobs_per_s": round(statistics.median(found), 1),
                "rounds": [round(rate, 1) for rate in found],
            }
            for way, all_found in rates.items()
            for queue, found in zip((*queues, slow), all_found, strict=True)
        ]
    return Findings(ratios, details)


def _rounds(
    server: Server, queues: list[Queue], size: Size, rounds: int, *, durable: bool
) -> dict[str, list[list[float]]]:
    """By way of submitting, for each queue the rate of every round."""
    for queue in queues:
        server.make(f"bench_empty_{queue.name}", queue.install, durable=durable)
    try:
        found = interleaved(queues, rounds, lambda queue: _once(server, queue, size, durable=durable))
    finally:
        for queue in queues:
            server.drop(f"bench_empty_{queue.name}")
    return {way: [[run[at] for run in runs] for runs in found] for at, way in enumerate(("one", "bulk"))}


def _once(server: Server, queue: Queue, size: Size, *, durable: bool) -> tuple[float, float]:
    url = server.clone("bench_submit", f"bench_empty_{queue.name}", durable=durable)
    return queue.submit_each(url, size.each_jobs), queue.submit_bulk(url, size.bulk_jobs)
