"""How long a job that needs a whole GPU waits while small jobs, of which there is no end, keep every GPU partly busy.

Once with reservations, where it must start as soon as what ran at its submission on one GPU has ended, and once without,
where it must not: else the crowd would be none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.findings import Findings
from bench.fleets import MIXED, devices_mib, on_fresh_database
from bench.server import Server
from bench.simulate import Job, Run
from bench.sizes import Size
from bench.trace import GIB

SMALL_GIB = 8
BIG_GIB = 80
RUN_S = 120.0
SUBMITTED_S = 300.0
"""At most; no later than the time it is given."""
SLACK_S = 5.0
"""Until a reservation is made, and until its node looks."""


def measure(server: Server, size: Size) -> Findings:
    """Two simulations; all of one project, so that fair shares cannot help."""
    at_s = min(SUBMITTED_S, size.starve_s)
    end_s = at_s + size.starve_s
    slots = sum(mib // (SMALL_GIB * GIB) for mib in devices_mib(MIXED))
    enough = int(1.5 * slots * end_s / RUN_S)
    # Different lengths: else all small jobs of a GPU would end together and make room by themselves.
    small = [
        Job(
            end_s * number / enough / 1.5,
            "crowd",
            SMALL_GIB * GIB,
            RUN_S * (0.75 + 0.5 * (number * 0.618 % 1.0)),
        )
        for number in range(enough)
    ]
    big = Job(at_s, "crowd", BIG_GIB * GIB, RUN_S)
    kept, free = (
        _detail(on_fresh_database(server, MIXED, [*small, big], until_s=end_s, reserve=reserve), big)
        for reserve in (True, False)
    )
    wait_s = size.starve_s if kept["waited_s"] is None else kept["waited_s"]
    without_s = size.starve_s if free["waited_s"] is None else free["waited_s"]
    return Findings(
        {
            "starvation_wait_vs_bound": round(wait_s / kept["bound_s"], 3),
            "starvation_wait_vs_unreserved": round(wait_s / without_s, 3),
        },
        {"gave_up_after_s": size.starve_s, "reserve_on": kept, "reserve_off": free},
    )


def _detail(runs: Sequence[Run], big: Job) -> dict[str, Any]:
    """When it started, and by when it should have: the longest of what then ran on a GPU it fits, and a tenth more."""
    started = [run for run in runs if run.job is big]
    large = {node.name for node in MIXED if max(node.gpus_mib) >= big.vram_mib}
    remaining_s = [
        run.ends_s - big.at_s for run in runs if run.node in large and run.started_s <= big.at_s < run.ends_s
    ]
    return {
        "waited_s": round(started[0].wait_s, 1) if started else None,
        "longest_remaining_s": round(max(remaining_s), 1),
        "bound_s": round(1.1 * max(remaining_s) + SLACK_S, 1),
        "small_jobs_started": len(runs) - len(started),
    }
