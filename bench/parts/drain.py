"""How fast ready jobs are worked off by one and by two worker processes, beside the peers in the same rounds."""

from __future__ import annotations

import dataclasses
import statistics
from functools import partial
from typing import Any

from bench.findings import Findings
from bench.queues.base import PER_CALL, Queue
from bench.queues.ours import Argosy
from bench.queues.pgqueuer import Pgqueuer
from bench.queues.procrastinate import Procrastinate
from bench.rounds import interleaved, ratio
from bench.server import Server
from bench.sizes import Size
from bench.workers import Drained, drain


@dataclasses.dataclass(frozen=True)
class Side:
    """One queue with so many jobs to drain."""

    queue: Queue
    jobs: int
    workers: tuple[int, ...]

    @property
    def template(self) -> str:
        """The database its rounds are copies of."""
        return f"bench_full_{self.queue.name}"


def measure(server: Server, size: Size) -> Findings:
    """Both with synchronous commits, the default, and without."""
    ratios: dict[str, float] = {}
    details: dict[str, Any] = {}
    for durable in size.durable:
        sync = "on" if durable else "off"
        main = [
            Side(Argosy(durable=durable), size.drain_jobs, size.workers),
            Side(Pgqueuer(), size.drain_jobs, size.workers),
        ]
        rare = [
            Side(Procrastinate(), size.slow_drain_jobs, size.workers),
            # 64 nodes with four slots each, as a fleet has them, rather than two that take all they can get.
            Side(
                Argosy(name="argosy_64x4", claimers=32, want=4, durable=durable),
                size.drain_jobs,
                workers=(max(size.workers),),
            ),
        ]
        rates = _rounds(server, main, size.rounds, durable=durable)
        rates |= _rounds(server, rare, size.rare_rounds, durable=durable)
        for workers in size.workers:
            both = [[run.rate for run in rates[side.queue.name, workers]] for side in main]
            suffix = "" if durable else "_sync_off"
            ratios[f"drain_{workers}w_vs_pgqueuer{suffix}"] = ratio(both[0], both[1])
        details[f"synchronous_commit_{sync}"] = [
            _detail(side, workers, rates[side.queue.name, workers])
            for side in (*main, *rare)
            for workers in side.workers
        ]
    return Findings(ratios, details)


def _rounds(
    server: Server, sides: list[Side], rounds: int, *, durable: bool
) -> dict[tuple[str, int], list[Drained]]:
    """By queue and number of workers, one drain a round."""
    for side in sides:
        server.make(side.template, partial(_fill, side), durable=durable)
    try:
        cases = [(side, workers) for side in sides for workers in side.workers]
        found = interleaved(cases, rounds, lambda case: _once(server, *case, durable=durable))
    finally:
        for side in sides:
            server.drop(side.template)
    return {(side.queue.name, workers): runs for (side, workers), runs in zip(cases, found, strict=True)}


def _fill(side: Side, url: str) -> None:
    side.queue.install(url)
    with side.queue.submitting(url) as submit:
        submit(side.jobs, PER_CALL)


def _once(server: Server, side: Side, workers: int, *, durable: bool) -> Drained:
    server.clone("bench_drain", side.template, durable=durable)
    return drain(server, side.queue, "bench_drain", jobs=side.jobs, workers=workers)


def _detail(side: Side, workers: int, runs: list[Drained]) -> dict[str, Any]:
    return {
        "queue": side.queue.name,
        "settings": side.queue.settings,
        "workers": workers,
        "jobs": side.jobs,
        "jobs_per_s": round(statistics.median(run.rate for run in runs), 1),
        "server_cpu_ms_per_job": round(statistics.median(run.server_cpu_ms for run in runs), 3),
        "rounds": [round(run.rate, 1) for run in runs],
        "capped": any(run.capped for run in runs),
    }
