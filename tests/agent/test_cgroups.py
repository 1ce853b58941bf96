"""Who is in the cgroup of a runner ends with it, however well he hides."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agent import processes
from agent.runners.cgroups import Cgroup, Cgroups
from queue_schema.shapes import Need
from tests.agent.daemons import Fleet, pid_of
from tests.support.waiting import eventually

FLEE = """
import os, signal, sys
read, write = os.pipe()  # closed by exec
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.chdir("/")
        os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
    os._exit(0)
os.close(write)
os.read(read, 1)
if sys.argv[2:] == ["kill"]:
    runner = os.getppid()
    forkserver = int(open(f"/proc/{runner}/stat").read().rpartition(")")[2].split()[1])
    os.kill(forkserver, signal.SIGKILL)
    os.kill(runner, signal.SIGKILL)
signal.pause()
"""
needs_cgroups = pytest.mark.skipif(
    os.geteuid() != 0 or " - cgroup2 " not in Path("/proc/self/mountinfo").read_text(),
    reason="needs a cgroup v2, and root to write to it",
)
SMALL = Need(gpus=0, ram_mib=64, cpu_milli=100)


def sleeper(seconds: str) -> int | None:
    """The process that fled."""
    for pid in processes.table():
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes() == f"sleep\0{seconds}\0".encode():
                return pid
        except OSError:
            continue
    return None


def flees(fleet: Fleet, seconds: str, *more: str) -> Callable[[], int | None]:
    """Submit a job that starts a process in a session of its own, without its environment, its folder or a parent."""
    fleet.submit("command", {"argv": [sys.executable, "-c", FLEE, seconds, *more]}, need=SMALL)
    return lambda: sleeper(seconds)


@needs_cgroups
def test_what_fled_from_a_runner_that_it_killed_is_found(fleet: Fleet):
    """No session, no mark, no folder and no parent tell whose it is; where it is does."""
    fleet.conn.execute(
        "update fleet.retry_policies set (base_s, max_s) = (3600, 3600) where cause = 'infrastructure'"
    )
    daemon = fleet.agent()
    assert "cgroup" in fleet.one("select labels ->> 'isolation' from fleet.v_nodes").split(",")
    flees(fleet, "86421", "kill")
    daemon.wait("runner.ended")
    assert daemon.wait("job.failed")["cause"] == "infrastructure"
    assert sleeper("86421") is None
    assert not daemon.seen("cgroup.stays")


@needs_cgroups
def test_what_fled_is_found_by_the_next_life_of_the_agent(fleet: Fleet):
    """The record of a runner says where it was."""
    first = fleet.agent()
    fled = flees(fleet, "86422")
    runner = pid_of(first)
    eventually(fled)
    first.process.send_signal(signal.SIGSTOP)
    for pid in (first.forkserver(), runner):
        os.kill(pid, signal.SIGKILL)
    first.end()
    assert fled() is not None

    fleet.agent()
    assert fled() is None


@needs_cgroups
def test_nothing_of_a_cgroup_stays(fleet: Fleet):
    """It goes with its runner; what a life that left no record made is swept up when it is old and empty."""
    base = Cgroups.find()
    old = base.make(f"{os.getpid()}-old").path
    young = base.make(f"{os.getpid()}-young").path
    try:
        os.utime(old, (time.time() - 3600,) * 2)
        daemon = fleet.agent()
        fleet.ends(fleet.submit("command", {"argv": ["true"]}, need=SMALL), "succeeded")
        eventually(lambda: daemon.seen("runner.ended"))
        token = daemon.wait("job.completed")["token"]
        assert (old.exists(), young.exists(), (old.parent / f"argosy-{token}").exists()) == (
            False,
            True,
            False,
        )
    finally:
        Cgroup(young).remove()


def test_limits_are_set_where_the_kernel_has_them(tmp_path: Path):
    """Memory beyond which the kernel kills the whole group, and processes; no file is made up where it has none."""
    cgroup = Cgroup(tmp_path)
    cgroup.limit(memory_mib=1000, processes=50)
    assert list(tmp_path.iterdir()) == []
    for name in ("memory.max", "memory.oom.group", "pids.max"):
        (tmp_path / name).write_text("max")
    cgroup.limit(memory_mib=1000, processes=50)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "memory.max": str(1256 * 2**20),
        "memory.oom.group": "1",
        "pids.max": "50",
    }
