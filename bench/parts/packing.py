"""How much of a mixed fleet's memory x time is used by a trace that has more work than fits.

Compared with the most that any schedule could use (`bench.bound`, an upper bound, so that 1 cannot be passed), and with
the same fleet and queue where a GPU runs one job at a time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from bench.bound import usable_mib_s
from bench.findings import Findings
from bench.fleets import MIXED, devices_mib, on_fresh_database
from bench.server import Server
from bench.simulate import Run
from bench.sizes import Size
from bench.trace import GIB, portraits

LOAD = 1.3
"""The trace's work over what the fleet could do until the end: there is always something left that could run."""


def measure(server: Server, size: Size) -> Findings:
    """One simulation each way; simulated time, so one round is enough."""
    devices = devices_mib(MIXED)
    work = sum(job.gpu_mib_s for job in portraits(size.trace_jobs, over_s=1.0))
    horizon_s = work / sum(devices) / LOAD
    jobs = portraits(
        size.trace_jobs, over_s=horizon_s
    )  # the same jobs: only when they come depends on the horizon

    shared = on_fresh_database(server, MIXED, jobs, until_s=horizon_s)
    alone = on_fresh_database(server, [replace(node, slots=1) for node in MIXED], jobs, until_s=horizon_s)
    used = sum(run.gpu_mib_s(0.0, horizon_s) for run in shared)
    used_alone = sum(run.gpu_mib_s(0.0, horizon_s) for run in alone)
    usable = usable_mib_s(devices, jobs, horizon_s)
    return Findings(
        {
            "packing_vs_bound": round(used / usable, 3),
            "packing_vs_one_per_gpu": round(used / used_alone, 3),
        },
        {
            "jobs": len(jobs),
            "simulated_s": round(horizon_s),
            "devices_gib": sorted(mib // GIB for mib in devices),
            "used_gib_s": round(used / GIB),
            "usable_gib_s": round(usable / GIB),
            "fleet_gib_s": round(sum(devices) * horizon_s / GIB),
            "one_per_gpu_gib_s": round(used_alone / GIB),
            "started": _by_size(shared),
            "started_one_per_gpu": _by_size(alone),
        },
    )


def _by_size(runs: list[Run]) -> dict[str, int]:
    """How many started, by the smallest GPU they fit on."""
    counts = Counter(next(gib for gib in (24, 40, 80) if run.job.vram_mib <= gib * GIB) for run in runs)
    return {f"{gib}_gib": counts[gib] for gib in (24, 40, 80)}
