"""How long a job that needs a whole GPU waits while small jobs, of which there is no end, keep every GPU partly busy."""

from __future__ import annotations

from bench.findings import Findings
from bench.fleets import MIXED, devices_mib, on_fresh_database
from bench.server import Server
from bench.simulate import Job
from bench.sizes import Size
from bench.trace import GIB

SMALL_GIB = 8
BIG_GIB = 80
RUN_S = 120.0
SUBMITTED_S = 300.0


def measure(server: Server, size: Size) -> Findings:
    """One simulation; all of one project, so that fair shares cannot help."""
    end_s = SUBMITTED_S + size.starve_s
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
    big = Job(SUBMITTED_S, "crowd", BIG_GIB * GIB, RUN_S)
    runs = on_fresh_database(server, MIXED, [*small, big], until_s=end_s)
    started = [run for run in runs if run.job is big]
    return Findings(
        {},
        {
            "waited_s": round(started[0].wait_s, 1) if started else None,
            "gave_up_after_s": size.starve_s,
            "longest_small_job_s": round(max(job.run_s for job in small), 1),
            "small_jobs_started": len(runs) - len(started),
        },
    )
