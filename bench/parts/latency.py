"""From right before a submission to the start of the job, on an idle fleet of 100 listening sessions."""

from __future__ import annotations

from typing import Any

from bench.findings import Findings
from bench.queues.base import Queue
from bench.queues.ours import Argosy
from bench.queues.pgqueuer import Pgqueuer
from bench.rounds import interleaved, quantile, ratio
from bench.server import Server
from bench.sizes import Size
from bench.workers import WorkerDied, serving

EVERY_S = 0.05
WARM_UP = 10
_PATIENCE_S = 15.0


def measure(server: Server, size: Size) -> Findings:
    """Ours with all listeners, beside one idle worker of pgqueuer and as many as we have; ours with one listener, too."""
    many = Pgqueuer(name=f"pgqueuer_{size.listeners}_workers", workers=size.listeners)
    queues: list[Queue] = [Argosy(listeners=size.listeners), Pgqueuer(), many]
    runs = interleaved(queues, size.rounds, lambda queue: _once(server, queue, size))
    alone = Argosy(name="argosy_1_listener", listeners=1)
    queues.append(alone)
    runs.append([_once(server, alone, size) for _ in range(size.rare_rounds)])

    ratios = {}
    details: list[dict[str, Any]] = [{"queue": queue.name} for queue in queues]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        found = [[1000 * quantile(run, share) for run in of_queue] for of_queue in runs]
        ratios[f"latency_{name}_vs_pgqueuer"] = ratio(found[0], found[1])
        ratios[f"latency_{name}_vs_pgqueuer_as_many"] = ratio(found[0], found[2])
        for detail, rounds in zip(details, found, strict=True):
            detail[f"{name}_ms"] = round(quantile(rounds, 0.5), 3)
            detail[f"{name}_ms_rounds"] = [round(value, 3) for value in rounds]
    return Findings(
        ratios, {"jobs_a_round": size.latency_jobs, "listeners": size.listeners, "queues": details}
    )


def _once(server: Server, queue: Queue, size: Size) -> list[float]:
    """The latency of each job, in seconds."""
    url = server.make("bench_latency", queue.install)
    jobs = WARM_UP + size.latency_jobs
    with serving(queue, url) as pipe:
        queue.trickle(url, jobs, EVERY_S)
        found: list[float] = []
        for _ in range(jobs):
            if not pipe.poll(_PATIENCE_S):
                raise WorkerDied(f"{queue.name}: {len(found)} of {jobs} jobs were started")
            found.append(float(pipe.recv()))
    return found[WARM_UP:]
