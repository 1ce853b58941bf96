"""How much of a fleet any schedule at all could use, whatever it knew beforehand.

The bound is the value of a linear program, a relaxation of scheduling. A job becomes a fluid of memory times time, of
which at most `vram x min(run, time from its submission to the end)` can flow; it may flow in parallel, be cut and be
moved at will, but only through devices large enough for the job, and a device of M MiB lets `M x horizon` through. Every
real schedule is such a flow (a running job is on one large enough device, and what is on a device at a moment does not
exceed its memory), so none uses more.

Which devices are large enough is nested: whatever fits a small one fits a large one. So the program is solved exactly by
filling the devices from the largest size to the smallest with the jobs that fit no smaller one, what is left over of a
size going to the jobs of the next. No solver is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.simulate import Job


def usable_mib_s(devices_mib: Sequence[int], jobs: Iterable[Job], horizon_s: float) -> float:
    """The most memory x time, in MiB x s, that jobs can use of these devices from 0 to `horizon_s`.

    Args:
        devices_mib: What each device has to hand out.
        jobs: All that are ever submitted; each wants one device.
        horizon_s: The end, in seconds.
    """
    capacity = Counter(devices_mib)
    sizes = sorted(capacity)
    supply = dict.fromkeys(sizes, 0.0)
    for job in jobs:
        fitting = next((size for size in sizes if size >= job.vram_mib), None)
        if fitting is not None:
            supply[fitting] += job.vram_mib * max(0.0, min(job.run_s, horizon_s - job.at_s))
    used = left = 0.0
    for size in reversed(sizes):
        left += size * capacity[size] * horizon_s
        flows = min(left, supply[size])
        used += flows
        left -= flows
    return used
