"""Lines that are slow, and lines that look alive and carry nothing: the lease is kept, the job ends once."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import UUID

import httpx
import psycopg
import pytest

from agent.line import DatabaseAway, Line
from queue_schema.calls import chores
from tests.agent.daemons import Fleet, pid_of
from tests.agent.proxy import Proxy
from tests.api.serving import serving
from tests.support.verbs import reaper_at_work
from tests.support.waiting import eventually

LEASE_S = 6.0
ANSWER_S = 3.0


def settled_once(fleet: Fleet) -> None:
    """By its agent, at its first attempt."""
    assert fleet.conn.execute("select attempt, outcome, settled_by from fleet.attempts").fetchall() == [
        (1, "succeeded", "agent")
    ]
    assert fleet.one("select count(*) from fleet.v_events where event = 'succeeded'") == 1


def renewed(fleet: Fleet) -> bool:
    """Whether the reaper, looking now, finds the session within its lease."""
    return bool(
        fleet.one(
            "select bool_and(beat_at > fleet.now() - make_interval(secs => %s)) from fleet.session_beats",
            LEASE_S,
        )
    )


def keeps_its_lease_to_the_end(fleet: Fleet, job: UUID) -> None:
    """With the reaper at work; and then the job has succeeded, by its first attempt."""
    reaper_at_work(fleet.conn)
    until = time.monotonic() + 3 * LEASE_S
    while fleet.state(job) != "succeeded":
        assert time.monotonic() < until, fleet.state(job)
        chores.reap(fleet.conn)
        eventually(lambda: renewed(fleet), 0.5)
    settled_once(fleet)


def test_a_slow_line_keeps_its_lease(fleet: Fleet, proxy: Proxy):
    """Each answer comes 200 to 500 ms late, and 20 kB/s is all there is: slower, and otherwise as on any line."""
    fleet.terms(lease_s=LEASE_S, heartbeat_s=1.0)
    proxy.slow(latency_s=(0.2, 0.5), bytes_per_s=20_000)
    daemon = fleet.agent(url=proxy.url)
    job = fleet.submit("noop", {"seconds": LEASE_S * 1.5})
    pid_of(daemon)

    keeps_its_lease_to_the_end(fleet, job)
    assert not daemon.seen("database.away")


def test_a_forgotten_connection_is_noticed_within_the_lease(fleet: Fleet, proxy: Proxy):
    """Its other end acknowledges all and passes nothing on: the keeper gives it up and renews over a new one."""
    fleet.terms(lease_s=LEASE_S, heartbeat_s=0.5)
    daemon = fleet.agent("--answer-s", str(ANSWER_S), url=proxy.url)
    job = fleet.submit("noop", {"seconds": LEASE_S * 1.5})
    pid_of(daemon)
    proxy.forget()

    # The settler's connection is forgotten as well, and nobody misses it before there is a result.
    keeps_its_lease_to_the_end(fleet, job)
    assert "no answer within" in daemon.wait("database.away")["error"]
    assert fleet.one("select count(*) from fleet.sessions") == 1
    # And so was the one for claims.
    fleet.ends(fleet.submit("noop", {}), "succeeded")


def test_a_line_that_swallows_everything_longer_than_a_lease(fleet: Fleet, proxy: Proxy):
    """New connections are taken and carry nothing either; when it is over, what nobody took is renewed and told once."""
    fleet.terms(lease_s=2.0, heartbeat_s=0.5)
    daemon = fleet.agent("--answer-s", str(ANSWER_S), url=proxy.url)
    job = fleet.submit("noop", {"seconds": 2})
    pid_of(daemon)
    proxy.swallow()
    daemon.wait("database.away")
    eventually(lambda: list((daemon.state_dir / "spool").glob("*.json")))
    eventually(
        lambda: (
            not fleet.one("select bool_or(beat_at > fleet.now() - interval '2 s') from fleet.session_beats")
        )
    )
    proxy.heal()

    fleet.ends(job, "succeeded")
    settled_once(fleet)


@pytest.mark.parametrize("bytes_per_s", [100_000, None])
def test_an_answer_that_takes_long_is_waited_for_while_bytes_come(
    database_url: str, proxy: Proxy, bytes_per_s: int | None
):
    """Patience is for silence: a long answer over a slow line is no reason to give up."""
    line = Line(proxy.url, "patient", answer_s=1.0)
    line.do(lambda conn: conn.execute("select 1"))
    if bytes_per_s is not None:
        proxy.slow(bytes_per_s=bytes_per_s)
        found = line.do(lambda conn: conn.execute("select repeat('x', 250000)").fetchone())
        assert found == ("x" * 250_000,)
    else:
        with pytest.raises(DatabaseAway, match="no answer within 1 s"):
            line.do(lambda conn: conn.execute("select pg_sleep(30)"))
        assert line.do(lambda conn: conn.execute("select 2").fetchone()) == (2,)
    line.close()


def test_the_api_gives_up_forgotten_connections(
    database_url: str, conn: psycopg.Connection[object], proxy: Proxy, tmp_path: Path
):
    """All it has are forgotten: requests are told to come again, and soon after they are served over new ones."""
    with serving(proxy.url, conn, tmp_path, pool_timeout_s=1.0, statement_timeout_s=1.0) as api:
        client = api.client()
        assert client.post("/v1/jobs", json={"kind": "noop"}).status_code == 201
        proxy.forget()

        def post() -> httpx.Response:
            return client.post("/v1/jobs", json={"kind": "noop"}, timeout=10)

        answers = [post()]
        while answers[-1].status_code != 201:
            assert answers[-1].status_code == 503, answers[-1].text
            assert answers[-1].headers["retry-after"]
            assert len(answers) < 5
            answers.append(post())
