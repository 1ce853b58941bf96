"""A node cut off without a word: its late answer is refused, and what must not run twice is dead before it runs again.

Each agent lives in a network namespace of its own. A cut takes its link down, so that no packet says that it is gone;
a cut one way sends the packets to an address on the wire that nobody has.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from queue_schema.calls import chores
from queue_schema.shapes import Need
from tests.agent.conftest import Blobs
from tests.agent.daemons import Daemon, Fleet
from tests.agent.proxy import Proxy
from tests.support.verbs import reaper_at_work
from tests.support.waiting import alive, eventually

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2 for network namespaces"),
]
_NUMBERS = itertools.count()
"""Never one twice: a link is still there for a moment when its namespace is gone."""
_NOBODY = ("lladdr", "02:00:00:00:00:99", "nud", "permanent")
SMALL = Need(gpus=0, ram_mib=64, cpu_milli=100)


class Net:
    """Hosts in namespaces, each with a link to here."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def add(self) -> tuple[tuple[str, ...], str, str]:
        """One more host: what to put before a command to run it there, its link, and its subnet (we are .1)."""
        number = next(_NUMBERS)
        name, link = f"argosy-{os.getpid()}-{number}", f"av{os.getpid() % 100_000}-{number}"
        subnet = f"198.{18 + os.getpid() % 2}.{os.getpid() // 2 % 25 * 10 + number % 10}"  # set aside for benchmarks
        _ip("netns", "add", name)
        self.names.append(name)
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("addr", "add", f"{subnet}.1/24", "dev", link)
        _ip("link", "set", link, "up")
        for words in (
            ("addr", "add", f"{subnet}.2/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", name, *words)
        return ("ip", "netns", "exec", name, sys.executable), link, subnet

    def close(self) -> None:
        """Take all down."""
        for name in self.names:
            _ip("netns", "del", name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Host:
    """One agent on a host of its own."""

    def __init__(self, net: Net, url: str, blobs: Blobs, fleet: Fleet, name: str) -> None:
        self.name = name
        python, self._link, self._subnet = net.add()
        self._space = net.names[-1]
        self._proxy = Proxy(url, host=f"{self._subnet}.1")
        self.agent = Daemon(self._proxy.url, blobs.url, fleet.folder / name, "--node", name, python=python)
        fleet.daemons.append(self.agent)
        self.agent.wait("agent.ready")

    def cut(self) -> None:
        """No packet passes any more."""
        _ip("link", "set", self._link, "down")

    def silence(self) -> None:
        """What it says reaches nobody; it would hear an answer."""
        _ip("-n", self._space, "neigh", "replace", f"{self._subnet}.1", "dev", "eth0", *_NOBODY)

    def deafen(self) -> None:
        """What it says is heard, and no answer comes."""
        _ip("neigh", "replace", f"{self._subnet}.2", "dev", self._link, *_NOBODY)

    def heal(self) -> None:
        """They do again, both ways."""
        _ip("link", "set", self._link, "up")
        for where, number, link in (((), 2, self._link), (("-n", self._space), 1, "eth0")):
            _ip(*where, "neigh", "flush", "to", f"{self._subnet}.{number}", "dev", link, "nud", "all")

    def close(self) -> None:
        """End the way to the database."""
        self._proxy.close()


@pytest.fixture
def net() -> Iterator[Net]:
    found = Net()
    try:
        probe = found.add()
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"no network namespaces here: {exc.stderr.decode().strip()}")
    assert probe
    yield found
    found.close()


@pytest.fixture
def hosts(net: Net, database_url: str, blobs: Blobs, fleet: Fleet) -> Iterator[list[Host]]:
    """Two agents, with leases of six seconds."""
    found = [Host(net, database_url, blobs, fleet, name) for name in ("left", "right")]
    reaper_at_work(fleet.conn)
    yield found
    fleet.close()
    for host in found:
        host.close()


def where(fleet: Fleet, job: UUID) -> str | None:
    """The node that runs a job."""
    name = fleet.one(
        "select n.node from fleet.leases as l join fleet.nodes as n using (node_id) where l.job_id = %s", job
    )
    return None if name is None else str(name)


def moved(fleet: Fleet, job: UUID, off: str) -> bool:
    """Whether a job runs on another node, with the reaper at work meanwhile."""
    chores.reap(fleet.conn)
    chores.promote(fleet.conn)
    return where(fleet, job) not in (None, off)


def moment(event: dict[str, Any]) -> datetime:
    """When it was logged."""
    return datetime.fromisoformat(event["timestamp"])


def split(fleet: Fleet, hosts: list[Host], job: UUID) -> tuple[Host, Host]:
    """The host that runs a job, and the other."""
    name = eventually(lambda: where(fleet, job))
    left, right = hosts
    return (left, right) if name == "left" else (right, left)


def test_the_late_answer_of_a_node_that_was_cut_off_is_refused(fleet: Fleet, hosts: list[Host]):
    """It finishes unheard, its lease is taken, the job succeeds elsewhere; what it says later changes nothing (I2)."""
    fleet.conn.execute("update fleet.retry_policies set base_s = 0 where cause = 'lost'")
    job = fleet.submit("noop", {"seconds": 9}, need=SMALL)
    cut, other = split(fleet, hosts, job)
    cut.agent.wait("runner.started")
    cut.cut()
    eventually(lambda: moved(fleet, job, cut.name), 30)
    cut.agent.wait("runner.rests", 30)
    fleet.ends(job, "succeeded", within_s=30)
    before = fleet.conn.execute(
        "select attempts, ended_at, result from fleet.jobs where job_id = %s", (job,)
    ).fetchall()
    cut.heal()

    eventually(lambda: cut.agent.seen("job.lease_lost") or cut.agent.seen("lease.lost"), 30)
    other.agent.wait("job.completed")
    history = fleet.conn.execute(
        "select outcome, cause::text, settled_by from fleet.attempts where job_id = %s order by attempt",
        (job,),
    ).fetchall()
    assert history == [("failed", "lost", "reaper"), ("succeeded", None, "agent")]
    after = fleet.conn.execute(
        "select attempts, ended_at, result from fleet.jobs where job_id = %s", (job,)
    ).fetchall()
    assert after == before


def test_an_exclusive_job_is_dead_before_another_node_starts_it(fleet: Fleet, hosts: list[Host]):
    """By the agent's own clock, for nobody can tell it (I4)."""
    fleet.conn.execute("update fleet.retry_policies set base_s = 0 where cause = 'lost'")
    job = fleet.submit("noop", {"seconds": 600}, need=SMALL, exclusive=True)
    cut, other = split(fleet, hosts, job)
    pid = cut.agent.wait("runner.started")["pid"]
    cut.silence()
    eventually(lambda: moved(fleet, job, cut.name), 30)
    started = other.agent.wait("runner.started", 15)

    assert not alive(pid)
    assert moment(cut.agent.wait("runner.ended")) < moment(started)
    cut.heal()


def test_a_node_that_hears_nothing_settles_once(fleet: Fleet, hosts: list[Host]):
    """It is heard, and no answer comes: it goes on, keeps its result, and tells it when it hears again (I12)."""
    job = fleet.submit("noop", {"seconds": 2, "values": {"answer": 42}}, need=SMALL)
    deaf, _ = split(fleet, hosts, job)
    deaf.agent.wait("runner.started")
    deaf.deafen()
    eventually(lambda: list((deaf.agent.state_dir / "spool").glob("*.json")))
    deaf.agent.wait("database.away", 30)

    deaf.heal()
    eventually(lambda: not list((deaf.agent.state_dir / "spool").glob("*.json")), 30)
    fleet.ends(job, "succeeded")
    assert fleet.conn.execute("select outcome, settled_by from fleet.attempts").fetchall() == [
        ("succeeded", "agent")
    ]
    assert fleet.one("select count(*) from fleet.v_events where event = 'succeeded'") == 1
    assert fleet.one("select result from fleet.jobs") == {"answer": 42}
