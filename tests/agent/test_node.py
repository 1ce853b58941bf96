"""The whole agent as a process of its own, against a real database."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psycopg
import pytest

from agent import processes
from queue_schema.calls import clients, oncall
from queue_schema.calls.oncall import Selection
from queue_schema.shapes import Need
from queue_schema.states import JobState
from tests.agent.daemons import Daemon, Fleet, pid_of, written
from tests.agent.proxy import Proxy
from tests.agent.test_runner import STUBBORN, python
from tests.support.waiting import alive, eventually


def test_a_job_runs_and_its_result_is_there(fleet: Fleet):
    """Submit, claim, run, settle: values, log lines and history stand in the database."""
    fleet.agent()
    job = fleet.submit("command", {"argv": ["sh", "-c", "echo hello; echo trouble >&2"]})
    fleet.ends(job, "succeeded")

    assert fleet.one("select result from fleet.jobs where job_id = %s", job) == {"exit_code": 0}
    lines = dict(
        fleet.conn.execute("select stream, string_agg(text, '') from fleet.logs group by stream").fetchall()
    )
    assert lines["stdout"] == "hello\n"
    assert lines["stderr"] == "trouble\n"
    assert fleet.one("select count(*) from fleet.leases") == 0


def test_a_job_that_outgrows_its_booking_is_tried_again_with_more(fleet: Fleet):
    """Out of memory raises its need; the next attempt has room, succeeds, and costs no retry."""
    fleet.agent()
    need = Need(vram_mib=64, ram_mib=16)
    job = fleet.submit("selftest.allocate", {"mib": 120}, need=need)
    fleet.ends(job, "succeeded")

    attempts = fleet.conn.execute(
        "select outcome, cause, vram_mib, peak_mib from fleet.v_attempts where job_id = %s order by attempt",
        (job,),
    ).fetchall()
    assert [row[:3] for row in attempts] == [("failed", "out_of_memory", 64), ("succeeded", None, 256)]
    assert attempts[0][3] >= 80
    assert 120 <= attempts[1][3] <= 160
    assert fleet.one("select retries_used + infra_used from fleet.jobs where job_id = %s", job) == 0


def test_a_waiting_agent_is_woken(fleet: Fleet):
    """A job submitted to an idle agent starts at once, long before the next poll."""
    daemon = fleet.agent("--poll-s", "600")
    # Asleep: it has looked twice in vain, and asked nothing since.
    eventually(lambda: fleet.one("select count(*) from fleet.idle_sessions") == 1)
    eventually(
        lambda: fleet.one(
            "select state = 'idle' and state_change < now() - interval '0.3 s' from pg_stat_activity"
            " where application_name = 'argosy-agent-claims' and datname = current_database()"
        )
    )
    job = fleet.submit("noop", {})

    fleet.ends(job, "succeeded", within_s=5)
    assert daemon.seen("session.notified", payload="work")


def test_several_jobs_run_side_by_side(fleet: Fleet):
    """As many attempts at once as there are slots, and no more."""
    daemon = fleet.agent("--slots", "3")
    jobs = [fleet.submit("noop", {"seconds": 600}) for _ in range(4)]
    daemon.wait("runner.started", times=3)

    assert sorted(fleet.state(job) for job in jobs) == ["ready", "running", "running", "running"]


def test_a_cancel_does_not_wait_for_the_next_beat(fleet: Fleet):
    """Cancelled by notification: the group is gone within its grace and two seconds, the job is cancelled."""
    fleet.terms(lease_s=300, heartbeat_s=60)
    daemon = fleet.agent()
    job = fleet.submit("command", python(STUBBORN))
    grandchild = written(daemon, "grandchild")

    clients.cancel(fleet.conn, fleet.project, [job])
    eventually(lambda: not alive(grandchild), within_s=2.5)
    fleet.ends(job, "cancelled", within_s=5)


def test_a_lost_lease_kills_the_runner(fleet: Fleet):
    """I2: when the token is not ours any more the runner dies and its outcome is never told."""
    daemon = fleet.agent()
    job = fleet.submit("noop", {"seconds": 600})
    pid = pid_of(daemon)
    fleet.conn.execute("update fleet.leases set token = gen_random_uuid() where job_id = %s", (job,))

    daemon.wait("attempt.dropped")
    assert not alive(pid)
    assert fleet.one("select count(*) from fleet.attempts where settled_by = 'agent'") == 0


def test_a_session_that_was_reaped_is_joined_anew(fleet: Fleet):
    """A reaped session ends its runners, since others own the jobs; the agent joins again and works on."""
    daemon = fleet.agent()
    lost = fleet.submit("noop", {"seconds": 600})
    pid = pid_of(daemon)
    fleet.conn.execute("update fleet.sessions set ended_at = fleet.now(), end_reason = 'reaped'")
    fleet.conn.execute("update fleet.leases set token = gen_random_uuid() where job_id = %s", (lost,))

    daemon.wait("session.joined", times=2)
    eventually(lambda: not alive(pid))
    fleet.ends(fleet.submit("noop", {}), "succeeded")


def test_what_came_back_with_a_new_session_goes_on(fleet: Fleet):
    """When the database does not know the session but nobody took its leases, the runners never notice."""
    daemon = fleet.agent()
    job = fleet.submit("noop", {"seconds": 2})
    pid_of(daemon)
    fleet.conn.execute("update fleet.sessions set secret_hash = ''")

    daemon.wait("session.joined", kept=1, unknown=0, lost=0)
    fleet.ends(job, "succeeded")
    assert fleet.one("select array_agg(attempt) from fleet.attempts") == [1]
    assert fleet.one("select array_agg(end_reason order by joined_at) from fleet.sessions") == [
        "rejoined",
        None,
    ]


def test_a_second_machine_of_the_same_name_waits(fleet: Fleet, tmp_path: Path):
    """The name belongs to the live one; when that has left, the other one gets it."""
    first = fleet.agent()
    second = Daemon(fleet.url, fleet.api_url, tmp_path / "other")
    fleet.daemons.append(second)
    second.wait("join.name_taken")
    first.end(signal.SIGTERM)

    second.wait("agent.ready")


def test_heartbeats_go_on_while_a_claim_hangs(fleet: Fleet):
    """I11: a claim that waits for a lock does not delay a single beat."""
    fleet.agent()
    with psycopg.connect(fleet.url) as other:
        other.execute("select * from fleet.bookings for update")  # what every claim that finds work waits for
        fleet.submit("noop", {})
        eventually(
            lambda: fleet.one(
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%%claim_v1%%'"
            )
        )
        beats = set()

        def beaten() -> bool:
            beats.add(fleet.one("select beat_at from fleet.session_beats"))
            return len(beats) >= 5

        eventually(beaten)


def test_a_drain_hands_back_what_does_not_finish(fleet: Fleet):
    """SIGTERM: no new claims, running work gets its time, the rest is released, and nothing stays."""
    daemon = fleet.agent()
    job = fleet.submit("noop", {"seconds": 600})
    pid = pid_of(daemon)
    family = daemon.family()

    assert daemon.end(signal.SIGTERM) == 0
    assert fleet.state(job) == "ready"
    assert fleet.one("select retries_used + infra_used from fleet.jobs where job_id = %s", job) == 0
    assert fleet.one("select end_reason from fleet.sessions") == "left"
    assert not alive(pid)
    eventually(lambda: not any(alive(each) for each in family))


def test_a_drain_lets_short_work_finish(fleet: Fleet):
    """A job that ends within the time given completes."""
    daemon = fleet.agent("--drain-s", "20")
    job = fleet.submit("noop", {"seconds": 1, "values": {"a": 1}})
    pid_of(daemon)

    assert daemon.end(signal.SIGTERM) == 0
    assert fleet.state(job) == "succeeded"


def test_a_second_signal_hurries(fleet: Fleet):
    """Two signals do not wait for the drain time."""
    daemon = fleet.agent("--drain-s", "600")
    job = fleet.submit("noop", {"seconds": 600})
    pid_of(daemon)
    daemon.process.send_signal(signal.SIGTERM)
    daemon.wait("agent.draining")

    assert daemon.end(signal.SIGINT) == 0
    assert fleet.state(job) == "ready"


def test_a_node_told_to_drain_claims_nothing(fleet: Fleet):
    """An operator's drain keeps the agent up and idle until it is lifted."""
    daemon = fleet.agent()
    clients.drain(fleet.conn, "host-a")
    daemon.wait("session.draining", draining=True)
    job = fleet.submit("noop", {})
    assert fleet.state(job) == "ready"
    clients.drain(fleet.conn, "host-a", on=False)

    fleet.ends(job, "succeeded")


def test_a_requeued_job_goes_on_from_its_checkpoint(fleet: Fleet):
    """Requeued by somebody on call: its runner saves a checkpoint and stops, and the next attempt goes on from it."""
    daemon = fleet.agent("--entry", "tests.agent.entries:checkpointing")
    job = fleet.submit("noop", {})
    eventually(lambda: fleet.one("select (step, metrics ->> 'loss') = (5, '0.5') from fleet.progress"))
    requeued = oncall.bulk(fleet.conn, "requeue", fleet.project, Selection(states=[JobState.RUNNING]))
    assert requeued.changed == 1

    fleet.ends(job, "succeeded")
    assert fleet.one("select result from fleet.jobs") == {"resumed_at": 5, "text": "so far"}
    assert daemon.seen("checkpoint.kept", step=5)
    assert fleet.one("select retries_used + infra_used from fleet.jobs") == 0


def test_a_runner_that_speaks_nonsense_is_infrastructure(fleet: Fleet):
    """A broken runner is not the fault of the job's owner."""
    fleet.agent("--entry", "tests.agent.entries:babbling")
    fleet.submit("noop", {})

    cause = eventually(lambda: fleet.one("select cause::text from fleet.attempts"))
    assert cause == "infrastructure"


def test_an_exclusive_job_dies_before_its_lease_ends(fleet: Fleet, proxy: Proxy):
    """I4: with the database away an exclusive job is gone before anybody else may get it; another one lives."""
    fleet.terms(lease_s=3.0, heartbeat_s=0.5)
    daemon = fleet.agent(url=proxy.url)
    fleet.submit("noop", {"seconds": 600}, exclusive=True)
    exclusive = pid_of(daemon)
    fleet.submit("noop", {"seconds": 600})
    other = int(daemon.wait("runner.started", times=2)["pid"])
    proxy.cut()
    cut_at = time.monotonic()
    eventually(lambda: not alive(exclusive), within_s=5)

    assert time.monotonic() - cut_at < 3.0
    assert alive(other)


def test_a_killed_agent_leaves_nothing(fleet: Fleet):
    """SIGKILL to the agent ends the runner and a grandchild that ignores SIGTERM, without a next life."""
    daemon = fleet.agent()
    fleet.submit("command", python(STUBBORN))
    grandchild = written(daemon, "grandchild")
    family = daemon.family()
    assert grandchild in family

    daemon.end(signal.SIGKILL)
    eventually(lambda: not any(alive(pid) for pid in family))


def test_the_next_life_kills_what_the_last_one_left(fleet: Fleet):
    """When agent and forkserver die at once, the next boot ends the survivors before it joins, and releases."""
    daemon = fleet.agent()
    job = fleet.submit("command", python(STUBBORN))
    grandchild = written(daemon, "grandchild")
    family = daemon.family()
    forkserver = daemon.forkserver()
    os.kill(forkserver, signal.SIGSTOP)
    daemon.process.kill()
    daemon.process.wait()
    os.kill(forkserver, signal.SIGKILL)
    eventually(lambda: not alive(forkserver))
    assert alive(grandchild)

    second = fleet.agent()
    assert second.seen("runner.leftovers_ended")
    names = [event["event"] for event in second.events]
    assert names.index("runner.leftovers_ended") < names.index("session.joined")
    eventually(lambda: not any(alive(pid) for pid in family))
    second.wait("job.released", job_id=str(job))


def test_no_secret_reaches_the_forkserver(fleet: Fleet):
    """Neither its environment nor its arguments, nor a runner's, hold the database URL or a stranger's secret."""
    daemon = fleet.agent("--label", "zone=hidden-argument")
    fleet.submit("noop", {"seconds": 600})
    pids = [daemon.forkserver(), pid_of(daemon)]

    for pid in pids:
        shown = Path(f"/proc/{pid}/environ").read_text() + Path(f"/proc/{pid}/cmdline").read_text()
        assert "postgres" not in shown
        assert "hunter2" not in shown
        assert "hidden-argument" not in shown


def test_the_agent_stays_small(fleet: Fleet):
    """After a job the daemon itself holds less than 80 MiB, and has imported no torch."""
    daemon = fleet.agent()
    fleet.ends(fleet.submit("noop", {}), "succeeded")

    assert processes.resident_mib(daemon.process.pid) < 80
    assert "torch" not in Path(f"/proc/{daemon.process.pid}/maps").read_text()


def test_a_second_agent_on_the_same_folder_is_refused(fleet: Fleet):
    """Two agents cannot share a state folder."""
    fleet.agent()
    second = fleet.agent(ready=False)

    assert second.process.wait(15) == 2


@pytest.mark.parametrize("poison", [["--node", "not a name!"], ["--slots", "0"]])
def test_unusable_settings_end_the_agent_at_once(fleet: Fleet, poison: list[str]):
    """What must be changed first is said, and the exit code is 2."""
    daemon = fleet.agent(*poison, ready=False)

    assert daemon.process.wait(15) == 2
