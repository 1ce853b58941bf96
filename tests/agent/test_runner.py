"""Runners as real processes: what they say, how they end, and that nothing of them stays."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from agent import processes
from agent.leases import Ending
from agent.sampling import booked_mib
from queue_schema.shapes import ClaimedInput, Completion, Failed, Grant, Released
from queue_schema.states import Cause
from tests.agent.conftest import Bench, python
from tests.support.waiting import alive, eventually

STUBBORN = """
    import os, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open("grandchild", "w").write(str(os.getpid()))
        time.sleep(600)
    time.sleep(600)
"""
TIDY = """
    import os, signal, sys, time
    if os.fork() == 0:
        def tidy(*_):
            time.sleep(0.1)
            print("cleaned", flush=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, tidy)
        open("ready", "w").write(str(os.getpid()))
    while True:
        time.sleep(600)
"""
RUNAWAY = """
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            open("runaway", "w").write(str(os.getpid()))
            os.chdir("/")
            time.sleep(600)
        os._exit(0)
    time.sleep(600)
"""


def written_pid(bench: Bench, lease, name: str) -> int:
    """The pid a job wrote to a file of its work folder."""
    path = bench.shop.folder(lease) / "job" / name
    return int(eventually(lambda: path.exists() and path.read_text()))


def test_a_job_completes_with_its_values(bench: Bench):
    """What `noop` is given comes back as the completion's values."""
    lease = bench.start("noop", {"values": {"answer": 42}})

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Completion)
    assert outcome.values == {"answer": 42}
    eventually(lambda: not bench.shop.folder(lease).exists())
    bench.shop.warm.stop()
    assert list((bench.shop.settings.state_dir / "runners").iterdir()) == []
    assert list((bench.shop.settings.state_dir / "work").iterdir()) == []


def test_a_command_leaves_log_lines_by_stream(bench: Bench):
    """Stdout and stderr of a job reach the reporter as lines, apart."""
    lease = bench.start("command", {"argv": ["sh", "-c", "echo one; echo two; echo three >&2"]})
    bench.outcome(lease)

    news = bench.shop.reporter._news[lease.token]
    lines = {chunk.stream: chunk.text for chunk in news.take().logs}
    assert lines["stdout"] == "one\ntwo\n"
    assert "three\n" in lines["stderr"]


def test_cancel_ends_the_whole_group(bench: Bench):
    """A cancel ends a grandchild that ignores SIGTERM as well, within the grace and two seconds."""
    lease = bench.start("command", python(STUBBORN))
    grandchild = written_pid(bench, lease, "grandchild")
    runner = bench.running(lease)

    bench.shop.leases.end([lease.token], Ending.CANCEL)
    outcome = bench.outcome(lease, within_s=bench.shop.settings.grace_s + 2.0)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.CANCELLED
    assert not alive(grandchild)
    assert not alive(runner)


def test_who_obeys_a_cancel_may_clean_up(bench: Bench):
    """A process that takes SIGTERM has its grace, though the runner above it is gone at once."""
    # To stdout: stderr of a `command` passes through the runner, and who writes to it now dies of SIGPIPE.
    lease = bench.start("command", python(TIDY))
    program = written_pid(bench, lease, "ready")

    bench.shop.leases.end([lease.token], Ending.CANCEL)
    bench.outcome(lease)
    text = "".join(chunk.text for chunk in bench.shop.reporter._news[lease.token].take().logs)
    assert "cleaned\n" in text
    assert not alive(program)


def test_a_cancel_before_the_start_starts_nothing(bench: Bench, blobs):
    """An attempt that is cancelled while its files come ends as cancelled, without a runner."""
    inputs = [ClaimedInput("photo", blobs.add(b"photo"), 5, "upload")]
    blobs.hold.clear()
    lease = bench.start("noop", {}, inputs=inputs)
    eventually(lambda: blobs.gets)
    bench.shop.leases.end([lease.token], Ending.CANCEL)
    blobs.hold.set()

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.CANCELLED
    assert lease.runner is None


def test_a_process_that_left_the_session_is_ended_too(bench: Bench):
    """A daemon that a job forked away from its group goes when the job goes."""
    lease = bench.start("command", python(RUNAWAY))
    bench.running(lease)
    runaway = written_pid(bench, lease, "runaway")

    bench.shop.leases.end([lease.token], Ending.CANCEL)
    bench.outcome(lease)
    assert not alive(runaway)


def test_a_lost_lease_ends_the_runner_and_tells_nobody(bench: Bench):
    """After the lease is lost the runner is killed at once and its outcome is dropped."""
    lease = bench.start("noop", {"seconds": 600})
    pid = bench.running(lease)

    bench.shop.leases.end([lease.token], Ending.LOST)
    assert bench.outcome(lease, within_s=3.0) is None
    assert not alive(pid)


def test_the_one_that_outgrows_its_booking_is_ended_alone(bench: Bench):
    """A group beyond its booking ends as out_of_memory with its peak; its neighbour goes on."""
    neighbour = bench.start("noop", {"seconds": 600})
    bench.running(neighbour)
    # The runner's own limit counts one process; three of them, each within it, are together beyond.
    each = "import time; a = bytearray(40 << 20); a[::4096] = b'1' * (40 << 8); time.sleep(600)"
    shell = f'for i in 1 2 3 4 5; do {sys.executable} -c "{each}" & done; wait'
    greedy = bench.start("command", {"argv": ["sh", "-c", shell]})

    outcome = bench.outcome(greedy)
    assert isinstance(outcome, Failed), outcome
    assert outcome.cause is Cause.OUT_OF_MEMORY
    assert outcome.peak_mib is not None
    assert outcome.peak_mib > 64 + 64
    assert neighbour.runner is not None
    assert alive(neighbour.runner.pid)


def test_memory_beyond_the_limit_inside_the_runner(bench: Bench):
    """A runner that cannot allocate says out_of_memory itself, with what it had."""
    lease = bench.start("selftest.allocate", {"mib": 256})

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.OUT_OF_MEMORY


def test_the_time_limit_ends_an_attempt(bench: Bench):
    """An attempt that outlives its limit ends as timeout."""
    lease = bench.start("command", python(STUBBORN), timeout_s=1)
    grandchild = written_pid(bench, lease, "grandchild")

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.TIMEOUT
    assert not alive(grandchild)


def test_an_exclusive_job_dies_by_our_own_clock(bench: Bench):
    """Unconfirmed for longer than the lease less its margin, an exclusive job is killed; another is not."""
    free = bench.start("noop", {"seconds": 600})
    bench.running(free)
    exclusive = bench.start("noop", {"seconds": 600}, exclusive=True)
    pid = bench.running(exclusive)
    free.confirmed_at -= 3600
    exclusive.confirmed_at -= 26

    outcome = bench.outcome(exclusive)
    assert isinstance(outcome, Released)
    assert not alive(pid)
    assert free.ending is None


def test_a_stop_gives_the_work_back(bench: Bench):
    """A preempted job that obeys is released, not failed."""
    lease = bench.start("noop", {"seconds": 600})
    bench.running(lease)

    bench.shop.leases.end([lease.token], Ending.PREEMPT)
    outcome = bench.outcome(lease)
    assert isinstance(outcome, Released)
    assert outcome.reason == "preempted"
    assert outcome.started is True


def test_a_runner_killed_from_outside_is_infrastructure(bench: Bench):
    """Signal 9 that neither we nor the kernel's memory killer sent is not the job's fault."""
    lease = bench.start("noop", {"seconds": 600})
    os.kill(bench.running(lease), signal.SIGKILL)

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Failed)
    assert outcome.cause is Cause.INFRASTRUCTURE


def test_no_room_any_more_hands_the_job_back(bench: Bench):
    """The second look releases a job whose memory somebody took since the claim."""
    grant = Grant(devices=[-1], vram_mib=4096, ram_mib=0, cpu_milli=1000, disk_mib=0)
    lease = bench.start("noop", {}, grant=grant)

    outcome = bench.outcome(lease)
    assert isinstance(outcome, Released)
    assert "full" in outcome.reason
    assert outcome.started is False


def test_a_runner_sees_no_secret(bench: Bench, monkeypatch):
    """The forkserver's environment has neither the database URL nor anything else that is not on the list."""
    pid = bench.shop.forkserver.pid
    assert pid is not None
    lease = bench.start("noop", {"seconds": 600})
    runner = bench.running(lease)

    for each in (pid, runner):
        text = Path(f"/proc/{each}/environ").read_text() + Path(f"/proc/{each}/cmdline").read_text()
        assert "postgresql://" not in text


def test_a_job_is_measured_while_it_holds_memory(bench: Bench):
    """The sample shows what a job really holds, and the free memory of the same look is less by as much."""
    before = bench.shop.sampler.look()
    grant = Grant(devices=[-1], vram_mib=300, ram_mib=0, cpu_milli=1000, disk_mib=0)
    bench.start("selftest.allocate", {"mib": 200, "hold_s": 600}, grant=grant)

    def holding():
        sample = bench.shop.sampler.look()
        [device] = sample.devices
        return sample if device.leases and device.leases[0].mib >= 200 else None

    sample = eventually(holding)
    [device] = sample.devices
    assert sample.seq > before.seq
    assert 200 <= device.leases[0].mib <= 260
    assert device.free_mib == 2048 - device.leases[0].mib
    assert booked_mib(grant, -1) == 300


@pytest.mark.parametrize("round_", range(3))
def test_short_jobs_side_by_side_all_complete(bench: Bench, round_: int):
    """Many runners starting and ending at once do not take each other's exit status."""
    leases = [bench.start("noop", {"values": {"n": n}}) for n in range(6)]

    outcomes = [bench.outcome(lease) for lease in leases]
    assert [o.values["n"] for o in outcomes if isinstance(o, Completion)] == list(range(6))


def test_a_recycled_pid_is_not_taken_for_the_runner():
    """A process with the right number and another start is a stranger."""
    own = processes.look_up(os.getpid())
    assert own is not None

    seen = {own.pid: own}
    assert processes.members(own.pid, own.started, seen) == [own]
    assert processes.members(own.pid, own.started - 1, seen) == []
