"""Who gets how much of a full fleet, in simulated time: by weight, however much each submits."""

from __future__ import annotations

from collections.abc import Sequence

from bench.findings import Findings
from bench.fleets import on_fresh_database
from bench.rounds import quantile
from bench.server import Server
from bench.simulate import Job, Node, Run
from bench.sizes import Size
from bench.trace import GIB

FLEET = tuple(Node(f"node-{number}", (24 * GIB,)) for number in range(4))
SLOTS = 8
"""Of jobs of 12 GiB."""
RUN_S = 60.0
SHORT_S = 30.0
WARM_UP_S = 600.0
"""At most, as the next: no longer than what is measured."""
BURST_EVERY_S = 600.0


def measure(server: Server, size: Size) -> Findings:
    """Two projects with more work than they get, then a trickle beside a flood."""
    equal = _share(server, size, {})
    weighted = _share(server, size, {"small": 1.0, "big": 3.0})
    alone = _trickle_wait_s(server, size, flood=False)
    flooded = _trickle_wait_s(server, size, flood=True)
    return Findings(
        {
            "fair_share_equal": round(equal, 3),
            "fair_share_1_of_4": round(weighted, 3),
            "latency_trickle_p99_vs_alone": round(flooded / alone, 3),
        },
        {
            "simulated_s": size.fair_s,
            "share_equal": {"wanted": 0.5, "got": round(equal, 4)},
            "share_weights_1_3": {"wanted": 0.25, "got": round(weighted, 4)},
            "trickle_p99_wait_s": {"alone": round(alone, 1), "flooded": round(flooded, 1)},
        },
    )


def _share(server: Server, size: Size, weights: dict[str, float]) -> float:
    """The small project's share of the memory x time; the big one submits a hundred times as many jobs, and first."""
    warm_up_s = min(WARM_UP_S, size.fair_s)
    end_s = warm_up_s + size.fair_s
    enough = int(SLOTS * end_s / RUN_S)
    small = [Job(1.0, "small", 12 * GIB, RUN_S) for _ in range(enough)]
    big = [Job(0.0, "big", 12 * GIB, RUN_S) for _ in range(enough * size.flood_factor)]
    runs = on_fresh_database(server, FLEET, [*small, *big], until_s=end_s, weights=weights)
    used = {
        name: sum(run.gpu_mib_s(warm_up_s, end_s) for run in runs if run.job.project == name)
        for name in ("small", "big")
    }
    return used["small"] / sum(used.values())


def _trickle_wait_s(server: Server, size: Size, *, flood: bool) -> float:
    """The p99 wait of a project that sends three jobs a slot every ten minutes, a seventh of what the fleet can do."""
    warm_up_s, every_s = min(WARM_UP_S, size.fair_s), min(BURST_EVERY_S, size.fair_s)
    end_s = warm_up_s + size.fair_s
    trickle = [
        Job(at_s, "trickle", 12 * GIB, SHORT_S)
        for at_s in _steps(warm_up_s, end_s - every_s, every_s)
        for _ in range(3 * SLOTS)
    ]
    jobs = list(trickle)
    if flood:
        enough = int(2 * SLOTS * end_s / SHORT_S)
        jobs += [Job(0.0, "flood", 12 * GIB, SHORT_S + number % SLOTS) for number in range(enough)]
    runs = on_fresh_database(server, FLEET, jobs, until_s=end_s)
    return quantile(_waits_s(runs, "trickle", trickle, end_s), 0.99)


def _waits_s(runs: Sequence[Run], project: str, jobs: Sequence[Job], end_s: float) -> list[float]:
    """Of all its jobs; one that never started has waited to the end."""
    waits = [run.wait_s for run in runs if run.job.project == project]
    return waits + sorted(end_s - job.at_s for job in jobs)[: len(jobs) - len(waits)]


def _steps(start_s: float, end_s: float, every_s: float) -> list[float]:
    return [start_s + number * every_s for number in range(int((end_s - start_s) // every_s) + 1)]
