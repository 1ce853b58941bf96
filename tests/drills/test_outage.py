"""PostgreSQL away in mid-work: on twenty nodes no attempt is lost, none is settled twice.

`ARGOSY_OUTAGE_S=300 pytest --timeout 600 tests/drills/test_outage.py` is five minutes of it; `ARGOSY_OUTAGE_NODES=1`
has all of it on one node. `make bench PARTS=outage` does both.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from argosy import Client, JobSpec
from argosy.demo import workflow
from argosy.local.fleet import LocalFleet, LocalFleetSettings
from tests.drills.watching import until
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(int(float(os.environ.get("ARGOSY_OUTAGE_S", "30"))) + 270)
AWAY_S = float(os.environ.get("ARGOSY_OUTAGE_S", "30"))
NODES = int(os.environ.get("ARGOSY_OUTAGE_NODES", "20"))
SHORT = 19


@pytest.fixture
def local() -> Iterator[LocalFleet]:
    """With a server of its own, which can be stopped; short, since a UNIX socket lies below."""
    folder = Path(f"/tmp/argosy-outage-{os.getpid()}")
    found = LocalFleet(LocalFleetSettings(home=folder, port=free_port(), lease_s=6.0), print)
    found.start()
    yield found
    found.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_a_database_that_is_away_costs_nothing(local: LocalFleet, tmp_path: Path):
    """Nineteen short jobs, which end before, amid and after the outage, and a training, on a node each."""
    server = local._embedded
    assert server is not None
    workflow.draw_photos(5, tmp_path)
    photos = {path.name: path for path in sorted(tmp_path.glob("photo-*.png"))}
    for number in range(NODES):
        slots = (SHORT + 1) // NODES
        local.add_agent(
            f"node-{number}", slots=slots, ram_mib=6000, cpu_milli=1000 * slots, preload="workloads.runner"
        )
    with Client(local.url, local.api_key) as client:
        short = [
            JobSpec(
                kind="noop",
                params={"seconds": 20 + AWAY_S * number / SHORT},
                need={"ram_mib": 64, "cpu_milli": 500},
            )
            for number in range(SHORT)
        ]
        client.submit_many(short)
        with psycopg.connect(server.url("argosy"), autocommit=True) as conn:
            # Begun, not running: on a slow machine the first ends before the last has its place.
            begun = "select 1 from fleet.leases union all select 1 from fleet.attempts"
            until(local, lambda: len(conn.execute(begun).fetchall()) >= SHORT - 3, 90)
        train = client.submit(
            "diffusion.train_lora",
            {"captions": dict.fromkeys(photos, "a portrait of a sks person"), "steps": 60, "prior_batch": 0},
            inputs=photos,
        )
        until(local, lambda: (news := train.refresh().progress) is not None and (news.step or 0) > 0, 120)

        server.stop()
        end = time.monotonic() + AWAY_S
        until(local, lambda: time.monotonic() > end, AWAY_S + 5)
        server.start()

        with psycopg.connect(server.url("argosy"), autocommit=True) as conn:
            until(
                local,
                lambda: (
                    conn.execute("select from fleet.jobs where outcome is null limit 1").fetchone() is None
                ),
                120,
            )
            ends = conn.execute(
                """
                select j.outcome::text, j.attempts,
                       (select count(*) from fleet.attempts as a where a.job_id = j.job_id),
                       (select count(*) from fleet.v_events as e where e.job_id = j.job_id and e.event = 'succeeded')
                  from fleet.jobs as j
                """
            ).fetchall()
    assert ends == [("succeeded", 1, 1, 1)] * (SHORT + 1)
