"""Warm against cold, on a whole fleet of this machine: real pictures, one runner for each job or one that stays.

Nodes that differ in their settings only; jobs go to the one or the other by a label. Times are those of attempts
as the database has them, from the claim to the settle, files stored.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from argosy import Client, JobSpec
from argosy.local.fleet import LocalFleet, LocalFleetSettings
from bench.findings import Findings
from bench.rounds import interleaved, ratio
from bench.server import Conn, Server
from bench.sizes import Size

BATCH = 16
_PRELOAD = "workloads.runner,workloads.diffusion.generate"
_NODES: dict[str, dict[str, Any]] = {
    "bare": {"slots": 1, "warm_most": 0, "preload": "workloads.runner"},
    "cold": {"slots": 1, "warm_most": 0},
    "warm": {"slots": 1},
    "batch": {"slots": BATCH},
    "burst": {"slots": BATCH, "batch_most": 1},
}
"""Bare: each runner imports what it needs; cold: forked with the imports. Burst: as many at once as a batch, each in a
runner of its own, which stays."""
_SMALL = 2
"""Steps of a job that is as small as a translation: a few hundredths of a second of work."""
_PATIENCE_S = 300.0


def measure(server: Server, size: Size) -> Findings:
    """In turn: one picture, and sixteen small jobs submitted at once."""
    url = server.make("bench_warm", lambda _: None)
    with tempfile.TemporaryDirectory(prefix="argosy-bench-") as folder:
        fleet = LocalFleet(LocalFleetSettings(home=Path(folder), database_url=url, port=0), lambda _: None)
        fleet.start()
        try:
            for node, options in _NODES.items():
                settings = {"ram_mib": 12_000, "preload": _PRELOAD, "label": f"side={node}", **options}
                fleet.add_agent(node, **settings)
            with Client(fleet.url, fleet.api_key) as client, server.connect("bench_warm") as conn:
                runs = _Runs(client, conn)
                for node in _NODES:  # the imports of its forkserver, and the model of those that keep it
                    runs.take(node, BATCH if node in ("batch", "burst") else 1, _SMALL)
                one = partial(runs.take, jobs=1, steps=None)
                small = partial(runs.take, jobs=BATCH, steps=_SMALL)
                bare_one, cold_one, warm_one = interleaved(["bare", "cold", "warm"], size.warm_rounds, one)
                sides = ["cold", "warm", "batch", "burst"]
                cold, warm, batch, burst = interleaved(sides, size.warm_rounds, small)
        finally:
            fleet.stop()
    server.drop("bench_warm")
    found = {
        "first_image_s": {"bare": _median(bare_one), "cold": _median(cold_one), "warm": _median(warm_one)},
        f"{BATCH}_small_jobs_s": {
            "cold": _median(cold),
            "warm_one_by_one": _median(warm),
            "one_batch": _median(batch),
            "warm_side_by_side": _median(burst),
        },
        "steps": {"first_image": 25, "small": _SMALL},
        "rounds": size.warm_rounds,
    }
    print(json.dumps(found), flush=True)
    return Findings(
        {
            "warm_first_image_vs_bare": ratio(bare_one, warm_one),
            "warm_first_image_vs_cold": ratio(cold_one, warm_one),
            "warm_per_image_vs_cold": ratio(cold, warm),
            "batch_16_vs_one_by_one": ratio(warm, batch),
            "batch_16_vs_cold": ratio(cold, batch),
        },
        found,
    )


class _Runs:
    def __init__(self, client: Client, conn: Conn) -> None:
        self._client = client
        self._conn = conn
        self._seed = 0

    def take(self, node: str, jobs: int, steps: int | None) -> float:
        """Seconds from the first claim to the last settle of jobs of one picture each, submitted at once."""
        specs = []
        for _ in range(jobs):
            self._seed += 1
            params: dict[str, Any] = {
                "prompt": "a portrait of a person on a beach background",
                "seed": self._seed,
            }
            if steps is not None:
                params["steps"] = steps
            need = {"vram_mib": 700, "cpu_milli": 100, "labels": {"side": node}}
            specs.append(JobSpec(kind="diffusion.generate", params=params, need=need))
        ids = [job.id for job in self._client.submit_many(specs)]
        return self._ended(ids)

    def _ended(self, ids: Sequence[str]) -> float:
        end = time.monotonic() + _PATIENCE_S
        while True:
            row = self._conn.execute(
                "select count(*) filter (where outcome = 'succeeded'), count(*) filter (where outcome <> 'succeeded'),"
                " extract(epoch from max(ended_at) - min(started_at)) from fleet.attempts where job_id = any(%s::uuid[])",
                (ids,),
            ).fetchone()
            assert row is not None
            if row[1] or time.monotonic() > end:
                raise RuntimeError(f"{row[1]} attempts of {len(ids)} jobs failed, {row[0]} succeeded")
            if row[0] == len(ids):
                return float(row[2])
            time.sleep(0.05)


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 4)
