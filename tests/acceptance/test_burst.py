"""Bursts over REST: what broke the system this one replaces at 10 to 15 tasks."""

from __future__ import annotations

import signal

import pytest

from argosy.spec import JobSpec
from tests.acceptance.conftest import Fleet

pytestmark = pytest.mark.timeout(400)


def test_100_pictures_asked_for_at_once_all_come_from_one_node_that_holds_four(fleet: Fleet):
    """Each is a job of its own with a real model, loaded a few times and not a hundred; never more than four run."""
    fleet.agent("node-1", slots=4, preload="workloads.diffusion.generate")
    jobs = [
        fleet.client.submit(
            "diffusion.generate",
            {"prompt": "a portrait of a person on a beach background", "seed": seed, "steps": 2},
            need={"vram_mib": 700, "cpu_milli": 100},
        )
        for seed in range(100)
    ]
    most = 0

    def looked() -> bool:
        nonlocal most
        row = fleet.conn.execute("select count(*) from fleet.leases").fetchone()
        assert row is not None
        most = max(most, row[0])
        return fleet.all_ended()

    fleet.until(looked, 350)

    fleet.assert_each_ended_once(100)
    assert most == 4
    log = (fleet.local.home / "logs" / "agent-node-1.log").read_text()
    assert log.count('"runner.started"') <= 4
    assert {name for job in jobs for name in job.outputs} == {"000.png"}
    assert len({job.outputs["000.png"].sha256 for job in jobs}) == 100


def test_1000_jobs_in_one_burst_with_the_agent_killed_in_the_middle(fleet: Fleet):
    """All end once; the agent comes back by itself."""
    agent = fleet.agent("node-1", slots=16)
    fleet.client.submit_many([JobSpec(kind="noop") for _ in range(1000)])
    fleet.until(
        lambda: (
            fleet.conn.execute("select count(*) from fleet.jobs where outcome is not null").fetchone()[0]
            > 300
        )
    )
    agent.signal(signal.SIGKILL)
    fleet.until(fleet.all_ended, 240)

    fleet.assert_each_ended_once(1000)
