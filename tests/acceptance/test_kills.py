"""SIGKILL of every program at every stage of a job: it ends, once."""

from __future__ import annotations

import signal

import psycopg
import pytest

from tests.acceptance.conftest import Fleet, descendants

pytestmark = pytest.mark.timeout(180)


def kill(fleet: Fleet, victim: str) -> None:
    """SIGKILL; `runner` means whatever runs below the agent's forkserver."""
    if victim == "runner":
        leaves = [process for process in descendants(fleet.local.agents["node-1"]) if not process.children()]
        for process in leaves:
            process.kill()
    else:
        name = "agent-node-1" if victim == "agent" else victim
        fleet.child(name).signal(signal.SIGKILL)


VICTIMS = ["agent", "scheduler", "api"]


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_after_the_claim(fleet: Fleet, victim: str):
    """The claim is committed, the input has not come: the API is frozen while the agent asks for it."""
    fleet.agent("node-1")
    job = fleet.client.submit("noop", {"seconds": 0}, inputs={"x": b"some input"})
    api = fleet.child("api")
    api.signal(signal.SIGSTOP)
    fleet.until(lambda: fleet.running(job.id) or fleet.all_ended())
    kill(fleet, victim)
    api.signal(signal.SIGCONT)
    fleet.until(fleet.all_ended)

    fleet.assert_each_ended_once(1)


@pytest.mark.parametrize("victim", [*VICTIMS, "runner"])
def test_killed_in_mid_run(fleet: Fleet, victim: str):
    """The runner is at work."""
    fleet.agent("node-1")
    job = fleet.client.submit("noop", {"seconds": 3}, retries=1)
    fleet.until(lambda: job.refresh().state == "running")
    fleet.until(lambda: len(descendants(fleet.local.agents["node-1"])) >= 3)
    kill(fleet, victim)
    fleet.until(fleet.all_ended)

    fleet.assert_each_ended_once(1)


@pytest.mark.parametrize("victim", VICTIMS)
def test_killed_after_the_result_and_before_the_settle(fleet: Fleet, database_url: str, victim: str):
    """The settle waits for a lock the test holds on the job; it is in flight when the victim dies."""
    fleet.agent("node-1")
    job = fleet.client.submit("noop", {"seconds": 1})
    fleet.until(lambda: fleet.running(job.id))
    with psycopg.connect(database_url) as holder:
        holder.execute("select from fleet.jobs where job_id = %s for update", (job.id,))
        fleet.until(
            lambda: fleet.conn.execute(
                "select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%complete_v1%'"
            ).fetchone()
        )
        kill(fleet, victim)
    fleet.until(fleet.all_ended)

    fleet.assert_each_ended_once(1)


def test_a_killed_agent_leaves_no_process_behind(fleet: Fleet):
    """Its forkserver and runners die with it; the jobs run again when it is back."""
    agent = fleet.agent("node-1")
    jobs = [fleet.client.submit("noop", {"seconds": 4}) for _ in range(3)]
    fleet.until(lambda: all(fleet.running(job.id) for job in jobs))
    fleet.until(lambda: len(descendants(agent)) >= 5)
    below = descendants(agent)
    agent.signal(signal.SIGKILL)
    fleet.until(
        lambda: not any(process.is_running() and process.status() != "zombie" for process in below), 20
    )
    fleet.until(fleet.all_ended)

    fleet.assert_each_ended_once(3)
