"""Jobs that run inside the agent: the whole agent as a process, against a real database, and no runner for them."""

from __future__ import annotations

import signal
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from queue_schema.calls import agents, clients
from queue_schema.shapes import Need, Submission
from tests.agent.conftest import Blobs
from tests.agent.daemons import Daemon, Fleet
from tests.agent.proxy import Proxy
from tests.support.waiting import eventually

HERE = ("--in-process", "noop")


def claimed(daemon: Daemon, job: UUID) -> None:
    """Wait until the agent has taken up a job: from then on it runs, or is about to."""
    daemon.wait("job.claimed", job_id=str(job))


def test_a_job_runs_without_a_runner(fleet: Fleet):
    """Its result and history stand in the database as any job's do, and no process was started for it."""
    daemon = fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": 0.2, "values": {"answer": 42}})
    fleet.ends(job, "succeeded")

    assert fleet.one("select result from fleet.jobs where job_id = %s", job) == {"answer": 42}
    assert fleet.one("select array_agg((attempt, outcome::text)::text) from fleet.attempts") == [
        "(1,succeeded)"
    ]
    assert fleet.one("select ended_at - started_at >= interval '0.2 s' from fleet.attempts")
    assert fleet.one("select count(*) from fleet.leases") == 0
    assert not daemon.seen("runner.started")
    eventually(lambda: not list((daemon.state_dir / "spool").iterdir()))


def test_what_ends_together_is_settled_together(fleet: Fleet):
    """A claim fills the free slots, and one transaction ends what it brought: each job once."""
    submitted = [Submission("noop", {"values": {"at": at}}, need=Need(ram_mib=1)) for at in range(200)]
    jobs = [answer.job_id for answer in clients.submit(fleet.conn, fleet.project, submitted)]
    fleet.agent(*HERE, "--slots", "50", "--cpu-milli", "4000")
    fleet.ends(jobs[-1], "succeeded")
    eventually(lambda: fleet.one("select count(*) from fleet.jobs where outcome is null") == 0)

    assert fleet.one("select array_agg((result ->> 'at')::int order by job_id) from fleet.jobs") == list(
        range(200)
    )
    assert fleet.one("select count(*) from fleet.attempts where outcome = 'succeeded'") == 200
    assert fleet.one("select count(distinct ended_at) from fleet.attempts") <= 20


def test_sleepers_hold_up_nobody(fleet: Fleet):
    """A job that waits takes its slot and nothing else: another one comes and goes meanwhile."""
    daemon = fleet.agent(*HERE, "--slots", "2")
    sleeper = fleet.submit("noop", {"seconds": 600})
    claimed(daemon, sleeper)
    quick = [fleet.submit("noop", {}) for _ in range(5)]
    for job in quick:
        fleet.ends(job, "succeeded")

    assert fleet.state(sleeper) == "running"


def test_a_cancel_ends_a_sleeping_job_at_once(fleet: Fleet):
    """By notification, long before the next beat and before its time."""
    fleet.terms(lease_s=300, heartbeat_s=60)
    daemon = fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": 600})
    claimed(daemon, job)

    clients.cancel(fleet.conn, fleet.project, [job])
    fleet.ends(job, "cancelled", within_s=2.5)
    fleet.ends(fleet.submit("noop", {}), "succeeded")


def test_a_job_ends_at_its_time_limit(fleet: Fleet):
    """A sleeper is ended when its time is over, with that as the cause, and its log says so."""
    fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": 600}, timeout_s=1)
    fleet.ends(job, "failed")

    assert fleet.one("select array_agg(cause::text) from fleet.attempts") == ["timeout"]
    assert fleet.one("select extract(epoch from ended_at - started_at) between 0.9 and 3 from fleet.attempts")
    assert "not finished within its limit of 1 s" in fleet.one("select text from fleet.logs")


def test_a_mistake_in_the_parameters_is_the_users(fleet: Fleet):
    """The code of the kind judges them here too; the agent and its other jobs live on."""
    fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": "soon"})
    fleet.ends(job, "failed")

    assert fleet.one("select cause::text from fleet.jobs where job_id = %s", job) == "user_error"
    assert "params.seconds" in fleet.one("select error ->> 'message' from fleet.jobs where job_id = %s", job)
    fleet.ends(fleet.submit("noop", {}), "succeeded")


def test_a_lost_lease_is_dropped(fleet: Fleet):
    """I2: when the token is not ours any more the job is let go, and its outcome is never told."""
    daemon = fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": 600})
    claimed(daemon, job)
    fleet.conn.execute("update fleet.leases set token = gen_random_uuid() where job_id = %s", (job,))

    daemon.wait("attempt.dropped", job_id=str(job))
    assert fleet.one("select count(*) from fleet.attempts where settled_by = 'agent'") == 0


def test_heartbeats_name_what_runs_inside(fleet: Fleet):
    """A sleeper outlives many leases: it is renewed like any other."""
    fleet.terms(lease_s=1.0, heartbeat_s=0.2)
    daemon = fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": 600})
    claimed(daemon, job)
    began = fleet.one("select beat_at from fleet.session_beats")
    eventually(lambda: fleet.one("select beat_at > %s + interval '1.5 s' from fleet.session_beats", began))

    assert fleet.state(job) == "running"
    assert not daemon.seen("lease.lost")


def test_an_exclusive_job_gets_a_runner(fleet: Fleet):
    """It must be known to be dead before its lease ends, which can be said of a process alone."""
    daemon = fleet.agent(*HERE)
    fleet.ends(fleet.submit("noop", {}, exclusive=True), "succeeded")

    assert daemon.seen("runner.started")


def test_a_job_with_files_gets_a_runner(fleet: Fleet, blobs: Blobs):
    """Its input is fetched and put into a folder of its own, as for any job."""
    daemon = fleet.agent(*HERE)
    sha256 = blobs.add(b"hello")
    fleet.ends(fleet.submit("noop", {}, inputs={"a": fleet.uploaded(sha256)}), "succeeded")

    assert daemon.seen("runner.started")
    assert blobs.gets == [sha256]


@pytest.mark.parametrize("kind", ["command", "selftest.allocate", "diffusion.generate", "no.such"])
def test_a_kind_that_is_not_safe_inside_is_refused(fleet: Fleet, kind: str):
    """User code, whatever takes memory, and the unknown: the agent does not start, and says which setting and why."""
    daemon = fleet.agent("--in-process", f"noop,{kind}", ready=False)

    assert daemon.process.wait(15) == 2
    error = daemon.wait("agent.unusable")["error"]
    assert f"in_process: kind '{kind}' needs a runner process" in error
    assert f"Leave '{kind}' out of in_process" in error


def test_a_drain_hands_back_what_does_not_finish(fleet: Fleet):
    """SIGTERM: a sleeper is released without blame, and the session has left."""
    daemon = fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": 600})
    claimed(daemon, job)

    assert daemon.end(signal.SIGTERM) == 0
    assert fleet.state(job) == "ready"
    assert fleet.one("select retries_used + infra_used from fleet.jobs where job_id = %s", job) == 0
    assert fleet.one("select array_agg(outcome) from fleet.attempts") == ["released"]
    assert fleet.one("select end_reason from fleet.sessions") == "left"


def test_a_drain_lets_short_work_finish(fleet: Fleet):
    """A job that ends within the time given completes."""
    daemon = fleet.agent(*HERE, "--drain-s", "20")
    job = fleet.submit("noop", {"seconds": 1, "values": {"a": 1}})
    claimed(daemon, job)

    assert daemon.end(signal.SIGTERM) == 0
    assert fleet.state(job) == "succeeded"


def test_a_killed_agent_loses_no_job(fleet: Fleet):
    """SIGKILL amid a stream of jobs: the next life runs what is left, and none has two results."""
    submitted = [Submission("noop", {"seconds": at % 5 / 10}, need=Need(ram_mib=1)) for at in range(120)]
    jobs = clients.submit(fleet.conn, fleet.project, submitted)
    daemon = fleet.agent(*HERE, "--slots", "20")
    eventually(lambda: fleet.one("select count(*) from fleet.attempts") > 20)
    daemon.end(signal.SIGKILL)
    left = fleet.one("select count(*) from fleet.jobs where outcome is null")
    assert left > 0

    fleet.agent(*HERE, "--slots", "20")
    for job in jobs:
        fleet.ends(job.job_id, "succeeded")
    assert fleet.one("select count(*) from fleet.attempts where outcome = 'succeeded'") == len(jobs)
    assert fleet.one("select sum(retries_used + infra_used) from fleet.jobs") == 0


def test_results_outlive_the_database_and_the_agent(fleet: Fleet, proxy: Proxy):
    """I12: a batch that ended while the database was away, then a SIGKILL: the next life settles it, once."""
    daemon = fleet.agent(*HERE, url=proxy.url)
    submitted = [Submission("noop", {"seconds": 1, "values": {"at": at}}) for at in range(4)]
    jobs = [answer.job_id for answer in clients.submit(fleet.conn, fleet.project, submitted)]
    agents.wake(fleet.conn)
    for job in jobs:
        claimed(daemon, job)
    proxy.cut()
    daemon.wait("settle.waits")
    eventually(lambda: sum(path.read_bytes().count(b"\n") for path in spooled(daemon)) == len(jobs))
    daemon.end(signal.SIGKILL)
    proxy.heal()
    assert {fleet.state(job) for job in jobs} == {"running"}
    second = fleet.agent(*HERE, url=proxy.url)

    for job in jobs:
        fleet.ends(job, "succeeded")
    assert fleet.one("select array_agg((result ->> 'at')::int order by job_id) from fleet.jobs") == list(
        range(4)
    )
    assert fleet.one("select array_agg(distinct attempt) from fleet.attempts") == [1]
    eventually(lambda: not spooled(second))


def spooled(daemon: Daemon) -> list[Path]:
    """What the database has not confirmed."""
    return list((daemon.state_dir / "spool").glob("*.json"))


def test_a_claim_that_hangs_holds_up_nothing_inside(fleet: Fleet):
    """A job inside ends at its time while a claim waits for a lock: it has a thread of its own."""
    daemon = fleet.agent(*HERE)
    job = fleet.submit("noop", {"seconds": 1})
    claimed(daemon, job)
    with psycopg.connect(fleet.url) as other:
        other.execute("select * from fleet.bookings for update")  # settles wait for it, too
        fleet.submit("noop", {})
        eventually(lambda: spooled(daemon))

        assert fleet.state(job) == "running"
    fleet.ends(job, "succeeded")


def test_the_agent_stays_small(fleet: Fleet):
    """A hundred jobs inside, and it has imported no torch nor what serves the other kinds."""
    daemon = fleet.agent(*HERE)
    for _ in range(3):
        fleet.ends(fleet.submit("noop", {}), "succeeded")

    maps = Path(f"/proc/{daemon.process.pid}/maps").read_text()
    assert "torch" not in maps
    assert "PIL" not in maps
