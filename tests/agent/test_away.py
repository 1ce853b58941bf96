"""What an agent talks to is away: the database, the file store, or only an answer."""

from __future__ import annotations

import signal

from queue_schema.calls import clients
from tests.agent.conftest import Blobs
from tests.agent.daemons import Fleet, pid_of
from tests.agent.proxy import Proxy
from tests.support.waiting import alive, eventually


def test_a_result_outlives_the_database_and_the_agent(fleet: Fleet, proxy: Proxy):
    """I12: finished while the database was away, then killed: the next life settles it, once."""
    daemon = fleet.agent(url=proxy.url)
    job = fleet.submit("noop", {"seconds": 1, "values": {"answer": 42}})
    pid_of(daemon)
    proxy.cut()
    [spooled] = eventually(lambda: list((daemon.state_dir / "spool").glob("*.json")))
    daemon.end(signal.SIGKILL)
    proxy.heal()
    assert fleet.state(job) == "running"
    fleet.agent(url=proxy.url)

    fleet.ends(job, "succeeded")
    assert fleet.one("select result from fleet.jobs where job_id = %s", job) == {"answer": 42}
    assert fleet.one("select array_agg(outcome) from fleet.attempts") == ["succeeded"]
    eventually(lambda: not spooled.exists())


def test_work_goes_on_while_the_database_is_away(fleet: Fleet, proxy: Proxy):
    """I4: an outage shorter or longer than a lease does not end a runner; its result is told afterwards."""
    daemon = fleet.agent(url=proxy.url)
    job = fleet.submit("noop", {"seconds": 2})
    pid = pid_of(daemon)
    proxy.cut()
    daemon.wait("database.away")
    assert alive(pid)
    daemon.wait("settle.waits")
    proxy.heal()

    fleet.ends(job, "succeeded")
    assert fleet.one("select attempt from fleet.attempts") == 1


def test_work_goes_on_while_the_files_are_away(fleet: Fleet, blobs: Blobs):
    """What runs finishes and keeps its outputs, what needs a file waits for it; neither attempt is lost."""
    daemon = fleet.agent()
    face = fleet.uploaded(blobs.add(b"hello"))
    told = {"argv": ["sh", "-c", "echo done > outputs/done"]}
    running = fleet.submit("command", {"argv": ["sh", "-c", "sleep 1; " + told["argv"][2]]})
    pid_of(daemon)
    blobs.fail_next = 1_000_000
    waiting = fleet.submit("command", told, inputs={"face.png": face})
    daemon.wait("file.again", times=4)
    eventually(lambda: not daemon.seen("runner.started", times=2) and blobs.puts and blobs.gets)
    assert (fleet.state(running), fleet.state(waiting)) == ("running", "running")
    blobs.fail_next = 0

    for job in (running, waiting):
        fleet.ends(job, "succeeded")
    assert (
        fleet.conn.execute("select attempt, outcome from fleet.attempts").fetchall() == [(1, "succeeded")] * 2
    )
    assert b"done\n" in blobs.files.values()


def test_a_claim_whose_answer_was_lost_is_answered_again(fleet: Fleet, proxy: Proxy):
    """The repeated request gets the same lease, so that the job runs once."""
    daemon = fleet.agent(url=proxy.url)
    eventually(lambda: fleet.one("select count(*) from fleet.idle_sessions") == 1)
    clients.drain(fleet.conn, "host-a")
    daemon.wait("session.draining", draining=True)
    job = fleet.submit("noop", {})
    proxy.lose_answer_to(b"claim_v1")
    clients.drain(fleet.conn, "host-a", on=False)

    assert proxy.lost.wait(10)
    fleet.ends(job, "succeeded")
    assert fleet.one("select array_agg(attempt) from fleet.attempts") == [1]
    assert daemon.seen("claim.again")


def test_a_settle_whose_answer_was_lost_is_not_settled_twice(fleet: Fleet, proxy: Proxy):
    """I12: said again, it is answered as known; the result is taken off the disk."""
    daemon = fleet.agent(url=proxy.url)
    proxy.lose_answer_to(b"complete_v1")
    job = fleet.submit("noop", {"values": {"answer": 42}})
    assert proxy.lost.wait(10)
    eventually(lambda: not list((daemon.state_dir / "spool").glob("*.json")))

    fleet.ends(job, "succeeded")
    assert daemon.seen("settle.waits")
    assert fleet.one("select count(*) from fleet.v_events where event = 'succeeded'") == 1
    assert fleet.one("select array_agg(outcome) from fleet.attempts") == ["succeeded"]
