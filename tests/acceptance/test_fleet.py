"""Several agents, many jobs: machines come and go, and every job ends once (Q3, Q4, Q5, Q12)."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from argosy import JobSpec
from tests.acceptance.conftest import Fleet, descendants

pytestmark = pytest.mark.timeout(300)


def nodes_of(fleet: Fleet) -> dict[str, int]:
    """How many attempts succeeded on each node."""
    rows = fleet.conn.execute(
        "select node, count(*) from fleet.v_attempts where outcome = 'succeeded' group by node"
    )
    return dict(rows.fetchall())


def test_two_agents_and_200_jobs(fleet: Fleet):
    """None lost, none settled twice, both at work."""
    fleet.agent("node-1")
    fleet.agent("node-2")
    fleet.client.submit_many([JobSpec(kind="noop") for _ in range(200)])
    fleet.until(fleet.all_ended, 150)

    fleet.assert_each_ended_once(200)
    assert set(nodes_of(fleet)) == {"node-1", "node-2"}


def test_a_node_that_joins_takes_work_and_one_that_drains_leaves_none_behind(fleet: Fleet):
    """Q4: no restart, nobody else is told."""
    fleet.agent("node-1", slots=2)
    fleet.client.submit_many([JobSpec(kind="noop", params={"seconds": 0.5}) for _ in range(40)])
    fleet.until(lambda: nodes_of(fleet).get("node-1", 0) >= 2)
    fleet.agent("node-2", slots=2)
    fleet.until(lambda: nodes_of(fleet).get("node-2", 0) >= 2)
    fleet.client.drain("node-1")
    fleet.until(lambda: [node.running for node in fleet.client.nodes() if node.node == "node-1"] == [0])
    done = nodes_of(fleet)["node-1"]
    fleet.until(fleet.all_ended)

    assert nodes_of(fleet)["node-1"] == done
    fleet.assert_each_ended_once(40)


def test_an_agent_that_is_told_to_stop_hands_back_what_it_cannot_finish(fleet: Fleet):
    """SIGTERM: the job is ready again at once, without blame, and the agent has left."""
    agent = fleet.agent("node-1", drain_s=1.0, stop_s=1.0)
    job = fleet.client.submit("noop", {"seconds": 600})
    fleet.until(lambda: fleet.running(job.id))
    fleet.local.forget_agent("node-1")
    agent.signal(signal.SIGTERM)
    assert agent.process is not None
    assert agent.process.wait(30) == 0

    info = job.refresh()
    assert (info.state, info.retries_used, info.infra_retries) == ("ready", 0, 0)
    assert [node.state for node in fleet.client.nodes()] == ["gone"]


def test_a_job_bigger_than_every_node_stays_and_harms_nobody(fleet: Fleet):
    """It waits in ready; everything else runs past it."""
    fleet.agent("node-1")
    giant = fleet.client.submit("noop", need={"ram_mib": 8_000_000}, priority="high")
    small = [fleet.client.submit("noop") for _ in range(5)]
    fleet.until(lambda: all(job.refresh().state == "succeeded" for job in small))

    assert giant.refresh().state == "ready"


def test_a_job_that_exceeds_its_booking_ends_alone(fleet: Fleet):
    """Its attempt ends as out_of_memory; its neighbours on the same node live, and it succeeds on a bigger slot."""
    fleet.agent("node-1")
    neighbours = [fleet.client.submit("noop", {"seconds": 4}) for _ in range(2)]
    fleet.until(lambda: all(fleet.running(job.id) for job in neighbours))
    greedy = fleet.client.submit("selftest.allocate", {"mib": 900, "hold_s": 1}, need={"vram_mib": 300})
    modest = fleet.client.submit("selftest.allocate", {"mib": 100, "hold_s": 0.2}, need={"vram_mib": 300})
    fleet.until(fleet.all_ended)

    attempts = greedy.attempts()
    assert [attempt.cause for attempt in attempts[:-1]] == ["out_of_memory"] * (len(attempts) - 1)
    assert len(attempts) > 1
    assert (greedy.refresh().state, greedy.info.retries_used) == ("succeeded", 0)
    assert [job.refresh().state for job in [*neighbours, modest]] == ["succeeded"] * 3


def test_cancelling_a_running_job_ends_its_whole_process_group(fleet: Fleet):
    """Within two seconds and the grace, also what it started and what ignores SIGTERM."""
    grace_s = 1.0
    agent = fleet.agent("node-1", grace_s=grace_s)
    script = "trap '' TERM; sleep 600 & sleep 600 & wait; sleep 600"
    job = fleet.client.submit("command", {"argv": ["sh", "-c", script]})
    fleet.until(lambda: sum(process.name() == "sleep" for process in descendants(agent)) >= 2)
    group = [process for process in descendants(agent) if process.name() in ("sleep", "sh")]
    start = time.monotonic()
    job.cancel()
    _, alive = psutil.wait_procs(group, timeout=2.0 + grace_s)
    took_s = time.monotonic() - start

    assert alive == []
    assert took_s <= 2.0 + grace_s
    fleet.until(lambda: job.refresh().state == "cancelled")


def test_a_cancelled_program_may_clean_up(fleet: Fleet):
    """It hears SIGTERM, writes to stderr, and is given its grace."""
    fleet.agent("node-1", grace_s=10.0)
    script = "trap 'sleep 0.5; echo cleaned >&2; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    job = fleet.client.submit("command", {"argv": ["sh", "-c", script]})
    fleet.until(lambda: any("up" in chunk.text for chunk in job.logs()))
    job.cancel()
    fleet.until(lambda: job.refresh().state == "cancelled")

    assert any(chunk.text == "cleaned\n" for chunk in job.logs())
