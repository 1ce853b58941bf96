"""How right the forecasts are: on a replayed trace, each job asks right after its submission when it will start.

The p90 bound should hold for nine jobs in ten; and both quantiles should cost less than the mean wait of the kind,
told to everybody, by the pinball loss that makes quantiles comparable (Koenker and Bassett, 1978). That mean is taken
from the very run that is judged: no forecaster could have known it.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bench.findings import Findings
from bench.fleets import MIXED, devices_mib, on_fresh_database
from bench.server import Conn, Server
from bench.simulate import Run
from bench.sizes import Size
from bench.trace import in_bursts, portraits
from queue_schema.calls import questions

LOAD = 1.1
"""The trace's work over what the fleet could do while it comes in: a queue builds up, and is worked off after."""
_LONG = 8
"""So many times as long as the trace comes in, the simulation goes on, so that all start."""


@dataclass(frozen=True)
class Said:
    """What one job was told, and what came: seconds from its submission."""

    kind: str
    p50_s: float
    p90_s: float
    waited_s: float


def measure(server: Server, size: Size) -> Findings:
    """One replay; simulated time."""
    work = portraits(size.forecast_jobs, over_s=1.0)
    over_s = sum(job.gpu_mib_s for job in work) / sum(devices_mib(MIXED)) / LOAD
    jobs = in_bursts(work, over_s=over_s)
    told: dict[int, tuple[float, float]] = {}
    took_s: list[float] = []

    def ask(conn: Conn, _: float) -> None:
        start = time.perf_counter()
        made = questions.forecast(conn)
        took_s.append(time.perf_counter() - start)
        for number, p50_s, p90_s in conn.execute(
            """
            select (j.params ->> 'number')::integer, extract(epoch from f.first_start_p50 - f.first_at)::float8,
                   extract(epoch from f.first_start_p90 - f.first_at)::float8
              from fleet.forecasts as f join fleet.jobs as j using (job_id)
             where f.first_at = %s and f.first_start_p90 is not null
            """,
            (made.made_at,),
        ):
            told[number] = (p50_s, p90_s)

    runs = on_fresh_database(server, MIXED, jobs, until_s=_LONG * over_s, submitted=ask)
    numbers = {id(job): number for number, job in enumerate(jobs)}
    said = [
        Said(run.job.kind, *told[numbers[id(run.job)]], run.wait_s)
        for run in runs
        if numbers[id(run.job)] in told
    ]
    means = _mean_by_kind(runs)
    ours = {share: _loss(said, share) for share in (0.5, 0.9)}
    theirs = {
        share: statistics.fmean(_pinball(share, each.waited_s, means[each.kind]) for each in said)
        for share in ours
    }
    return Findings(
        {
            "eta_p90_coverage": round(statistics.fmean(each.waited_s <= each.p90_s for each in said), 3),
            "eta_pinball_gain": round(sum(theirs.values()) / sum(ours.values()), 3),
        },
        {
            "jobs": len(jobs),
            "judged": len(said),
            "started": len(runs),
            "comes_in_over_s": round(over_s),
            "p50_coverage": round(statistics.fmean(each.waited_s <= each.p50_s for each in said), 3),
            "pinball_s": {f"p{share * 100:.0f}": round(loss, 2) for share, loss in ours.items()},
            "pinball_of_mean_by_kind_s": {
                f"p{share * 100:.0f}": round(loss, 2) for share, loss in theirs.items()
            },
            "wait_s": {
                "median": round(statistics.median(each.waited_s for each in said)),
                "mean": round(statistics.fmean(each.waited_s for each in said)),
                "longest": round(max(each.waited_s for each in said)),
            },
            "forecasts": len(took_s),
            "forecast_s": {
                "median": round(statistics.median(took_s), 2),
                "longest": round(max(took_s), 2),
            },
            "told_and_waited_s": [
                [round(each.p50_s, 1), round(each.p90_s, 1), round(each.waited_s, 1)] for each in said
            ],
        },
    )


def _mean_by_kind(runs: Sequence[Run]) -> dict[str, float]:
    waits = defaultdict(list)
    for run in runs:
        waits[run.job.kind].append(run.wait_s)
    return {kind: statistics.fmean(found) for kind, found in waits.items()}


def _loss(said: Sequence[Said], share: float) -> float:
    return statistics.fmean(
        _pinball(share, each.waited_s, each.p50_s if share == 0.5 else each.p90_s) for each in said
    )


def _pinball(share: float, came: float, told: float) -> float:
    return share * (came - told) if came >= told else (1 - share) * (told - came)
