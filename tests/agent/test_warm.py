"""Runners that stay for the next job, and jobs that share one: whose they may be, what they cost, and when they end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from agent.attempt import Attempt
from agent.devices.health import Fault, Then
from agent.leases import Ending, Lease
from agent.together import sorted_out
from queue_schema.shapes import ClaimedInput, Completion, Failed, Grant, Released
from queue_schema.states import Cause
from tests.agent.conftest import Bench, Blobs
from tests.support.waiting import alive, eventually

ROOM_MIB = 2048
OTHER = UUID(int=8)


@pytest.fixture
def hoards(bench: Bench) -> Iterator[Bench]:
    """Its runners keep the memory that they were told to take."""
    entry, bench.shop.forkserver._entry = bench.shop.forkserver._entry, "tests.agent.entries:hoarding"
    yield bench
    bench.shop.forkserver._entry = entry


def on_host(ram_mib: int) -> Grant:
    return Grant(devices=[-1], vram_mib=ram_mib, ram_mib=0, cpu_milli=1000, disk_mib=0)


def done(bench: Bench, mib: int = 0, **facts: Any) -> int:
    """Have a job done; the pid of its runner."""
    values = {"mib": mib, "child": facts.pop("child", False)}
    facts.setdefault("grant", on_host(mib + 64))
    outcome = bench.outcome(bench.start("noop", {"values": values}, **facts))
    assert isinstance(outcome, Completion), outcome
    return int(outcome.values["pid"])


def at_rest(bench: Bench) -> list[int]:
    return [home.runner.pid for home in bench.shop.warm.homes()]


def test_the_next_job_goes_on_with_the_runner(hoards: Bench):
    """Of the same project, kind and model; each has its own folder, and nothing of it stays."""
    pids = {done(hoards, model="m") for _ in range(3)}

    [pid] = pids
    assert at_rest(hoards) == [pid]
    [home] = (hoards.shop.settings.state_dir / "work").iterdir()
    eventually(lambda: [path.name for path in home.iterdir()] == ["tmp"])
    assert list((home / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "facts",
    [{"project_id": OTHER}, {"model": "another"}, {"grant": Grant([], 0, 64, 1000, 0)}],
    ids=["project", "model", "devices"],
)
def test_no_runner_for_another(hoards: Bench, facts: dict[str, Any]):
    """Another project never gets it; nor does another model, nor a job on other devices."""
    first = done(hoards, model="m")

    assert done(hoards, **{"model": "m", **facts}) != first
    assert alive(first)


def test_what_rests_counts_as_free(hoards: Bench):
    """For claims it is free, and told; for the second look it is not; it is nobody's lease."""
    before = hoards.shop.sampler.look().devices[0].free_mib
    done(hoards, 500, model="m")

    claims, start = (hoards.shop.sampler.look(rest_is_free=free) for free in (True, False))

    assert abs(claims.devices[0].free_mib - before) < 50
    assert 450 < before - start.devices[0].free_mib < 600
    assert claims.devices[0].leases == []
    assert [(each.kind, each.model, each.devices) for each in claims.warm] == [("noop", "m", [-1])]


def test_who_needs_the_memory_gets_it(hoards: Bench):
    """The longest at rest ends first, and no more of them than needed."""
    first, second, third = (done(hoards, 500, model=model) for model in "abc")
    assert len({first, second, third}) == 3

    done(hoards, 10, model="d", grant=on_host(ROOM_MIB - 1100))

    assert not alive(first)
    assert alive(second)
    assert alive(third)


def test_a_job_that_takes_it_up_needs_only_the_rest(hoards: Bench):
    """What its runner holds already is a part of its booking: nobody is ended for it."""
    first = done(hoards, 500, model="a", grant=on_host(1500))
    second = done(hoards, 400, model="b", grant=on_host(500))

    assert done(hoards, 500, model="a", grant=on_host(1500)) == first
    assert alive(second)


def test_runners_at_rest_end_with_age(hoards: Bench):
    """Those that had work meanwhile stay."""
    old, young = (done(hoards, model=model) for model in "ab")
    hoards.shop.warm.homes()[0].rested_at -= hoards.shop.settings.warm_s

    hoards.shop.warm.look()

    assert not alive(old)
    assert at_rest(hoards) == [young]


def test_runners_at_rest_leave_a_device_that_takes_no_work(hoards: Bench):
    """It is sick, or its owner wants it: now."""
    on_device, elsewhere = done(hoards), done(hoards, grant=Grant([], 0, 64, 1000, 0))
    hoards.faults[-1] = Fault("its owner has it", Then.GOES_ON)

    hoards.shop.warm.look()

    assert not alive(on_device)
    assert at_rest(hoards) == [elsewhere]


def test_one_that_died_is_not_taken(hoards: Bench):
    """The next job starts cold, and nobody is told of it."""
    first = done(hoards)
    os.kill(first, 9)
    eventually(lambda: not alive(first))

    assert done(hoards) != first
    hoards.shop.warm.look()
    assert first not in at_rest(hoards)


def test_a_runner_with_children_does_not_stay(hoards: Bench):
    """What a job started ends with the job, and the runner with it."""
    pid = done(hoards, child=True)

    eventually(lambda: not alive(pid))
    assert at_rest(hoards) == []


def test_a_runner_of_other_code_does_not_stay(hoards: Bench):
    """Whatever it says: only kinds that are ours to keep."""
    outcome = hoards.outcome(hoards.start("command", {"values": {}}))
    assert isinstance(outcome, Completion)

    eventually(lambda: not alive(outcome.values["pid"]))
    assert at_rest(hoards) == []


def test_one_that_holds_more_than_the_next_job_books_is_not_taken(hoards: Bench):
    """The job would be blamed for it: it starts cold instead."""
    large = done(hoards, 500, model="m")

    assert done(hoards, 10, model="m") != large
    assert not alive(large)


def test_no_more_at_rest_than_the_most(hoards: Bench):
    """The longest at rest goes."""
    pids = [done(hoards, model=str(at)) for at in range(hoards.shop.settings.warm_most + 1)]

    eventually(lambda: not alive(pids[0]))
    assert at_rest(hoards) == pids[1:]


def test_a_runner_that_is_being_ended_does_not_rest(hoards: Bench):
    """Whoever was told to end it, ends it: it must not be in another job's hands by then."""
    lease = hoards.start("noop", {"values": {}})
    hoards.outcome(lease)
    [home] = hoards.shop.warm.homes()
    again = Lease(uuid4(), uuid4(), hoards.claimed("noop", {}), time.monotonic())
    assert hoards.shop.warm.take([again]) is home
    again.end(Ending.CANCEL)

    assert not hoards.shop.warm.rest(home, [again])
    assert again.runner is home.runner
    home.end()


def test_lines_printed_before_it_rests_are_those_of_its_job(hoards: Bench, monkeypatch: pytest.MonkeyPatch):
    """Not one is late for its own job, or lands with the next."""
    heard: list[tuple[UUID, list[str]]] = []
    monkeypatch.setattr(
        hoards.shop.reporter, "tell_lines", lambda job, _, __, lines: heard.append((job, lines))
    )
    leases = []
    for _ in range(3):
        leases.append(hoards.start("noop", {"values": {}}))
        hoards.outcome(leases[-1])

    [pid] = at_rest(hoards)
    assert heard == [(lease.job_id, [f"job {lease.job_id} in {pid}"]) for lease in leases]


# Several jobs of one runner.


def begun(bench: Bench, *params: dict[str, Any]) -> list[Attempt]:
    """Begin jobs as one."""
    claims = [bench.claimed("noop", each) for each in params]
    return bench.begin(*(Lease(each.job_id, each.token, each, time.monotonic()) for each in claims))


def batch(bench: Bench, *params: dict[str, Any]) -> list[Lease]:
    """Begin jobs as one; their leases."""
    return [attempt.lease for attempt in begun(bench, *params)]


def test_jobs_of_a_batch_share_a_runner(bench: Bench):
    """Each hears of its own; each has its part of what the runner holds."""
    leases = batch(bench, {"values": {"of": 0}}, {"seconds": 0.6, "values": {"of": 1}}, {"values": {"of": 2}})
    eventually(lambda: len({lease.runner for lease in leases}) == 1 and leases[0].runner)
    sample = bench.shop.sampler.look()

    assert {each.token for each in sample.devices[0].leases} == {lease.token for lease in leases}
    outcomes = [bench.outcome(lease) for lease in leases]
    assert [outcome.values for outcome in outcomes if isinstance(outcome, Completion)] == [
        {"of": 0},
        {"of": 1},
        {"of": 2},
    ]


def test_one_that_is_cancelled_costs_the_others_nothing(bench: Bench):
    """It gets a moment; then its runner ends, and those that are not done are handed back without blame."""
    attempts = begun(bench, {}, {"seconds": 600}, {"seconds": 600})
    first, second, third = (attempt.lease for attempt in attempts)
    eventually(lambda: attempts[0]._last)  # its result was heard

    second.end(Ending.CANCEL)

    assert isinstance(bench.outcome(first), Completion)
    cancelled, back = bench.outcome(second), bench.outcome(third)
    assert isinstance(cancelled, Failed)
    assert cancelled.cause is Cause.CANCELLED
    assert isinstance(back, Released)
    assert back.started


def test_when_all_are_cancelled_nobody_is_waited_for(bench: Bench):
    """At once, as a job alone."""
    leases = batch(bench, {"seconds": 600}, {"seconds": 600})
    eventually(lambda: all(lease.runner for lease in leases))
    began = time.monotonic()

    bench.shop.leases.end([lease.token for lease in leases], Ending.CANCEL)

    assert [type(bench.outcome(lease)) for lease in leases] == [Failed, Failed]
    assert time.monotonic() - began < bench.shop.settings.grace_s


def test_one_that_is_to_end_by_then_is_left_out(bench: Bench):
    """It was cancelled while it waited for its start; the others begin without it."""
    with bench.shop.starting:
        attempts = begun(bench, {}, {"values": {"of": 1}})
        eventually(lambda: all(attempt._work for attempt in attempts))
        attempts[0].lease.end(Ending.CANCEL)

    cancelled, other = (bench.outcome(attempt.lease) for attempt in attempts)
    assert isinstance(cancelled, Failed)
    assert cancelled.cause is Cause.CANCELLED
    assert isinstance(other, Completion)
    assert other.values == {"of": 1}


def test_different_endings_of_a_batch_come_to_an_end(bench: Bench):
    """A runner that hears nothing is killed after the grace, whatever each of its jobs is ended for."""
    first, second = leases = batch(bench, {"seconds": 600}, {"seconds": 600})
    runner = eventually(lambda: first.runner is second.runner and first.runner)
    os.kill(runner.pid, signal.SIGSTOP)

    first.end(Ending.TIMEOUT)
    second.end(Ending.CANCEL)

    assert isinstance(bench.outcome(second, within_s=5), Failed)
    assert [bench.outcome(lease) is not None for lease in leases] == [True, True]


def test_a_lost_one_does_not_end_the_others(bench: Bench):
    """I2: nothing of it is told; the rest goes on."""
    first, second = leases = batch(bench, {"seconds": 0.4}, {"seconds": 0.4})
    eventually(lambda: all(lease.runner for lease in leases))

    first.end(Ending.LOST)

    assert bench.outcome(first) is None
    assert isinstance(bench.outcome(second), Completion)


def test_a_runner_that_dies_blames_none_of_its_batch(bench: Bench):
    """Nobody can say which job it was: all are handed back, and come again one by one."""
    leases = batch(bench, {"seconds": 600}, {}, {})
    runner = eventually(lambda: leases[0].runner)
    os.kill(runner.pid, 11)

    assert [type(bench.outcome(lease)) for lease in leases] == [Released] * 3


def test_a_batch_that_is_late_with_its_files_blames_none(bench: Bench, blobs: Blobs):
    """A store that hangs, and jobs that had each other to wait for: they come again one by one."""
    bench.shop.transfer._client.timeout = 0.5
    blobs.hold.clear()
    argv = {"argv": ["sh", "-c", "echo hello > outputs/a.txt"]}
    claims = [bench.claimed("command", argv, timeout_s=2) for _ in range(2)]
    leases = [Lease(each.job_id, each.token, each, time.monotonic()) for each in claims]
    bench.begin(*leases)
    eventually(lambda: blobs.puts)

    assert [type(bench.outcome(lease)) for lease in leases] == [Released] * 2


def test_one_that_cannot_begin_leaves_the_others_to_it(bench: Bench):
    """Its input is not there: it fails, and nobody waits for it."""
    claimed = [bench.claimed("noop", {"values": {"of": at}}) for at in range(3)]
    missing = ClaimedInput("x", None, None, "output y of job z")
    claimed[1] = msgspec.structs.replace(claimed[1], inputs=[missing])
    leases = [Lease(each.job_id, each.token, each, time.monotonic()) for each in claimed]
    bench.begin(*leases)

    outcomes = [bench.outcome(lease) for lease in leases]
    assert [type(outcome) for outcome in outcomes] == [Completion, Failed, Completion]


def test_who_may_be_together(bench: Bench):
    """First attempts of one project, kind, model and device, in the order of the claim, so many at most."""
    facts: list[dict[str, Any]] = [
        {},
        {},
        {"project_id": OTHER},
        {"attempt": 2},
        {"exclusive": True},
        {"preemptible": True},
        {"model": "m"},
        {"grant": on_host(512)},
        {"grant": Grant([], 0, 64, 1000, 0)},
        {},
    ]
    claims = [bench.claimed("noop", {}, **each) for each in facts]
    leases = [Lease(each.job_id, each.token, each, 0.0) for each in claims]

    def places(most: int) -> list[list[int]]:
        return [[leases.index(lease) for lease in some] for some in sorted_out(leases, ["noop"], most)]

    assert places(16) == [[0, 1, 7, 9], [2], [3], [4], [5], [6], [8]]
    assert places(2) == [[0, 1], [7, 9], [2], [3], [4], [5], [6], [8]]
    assert all(len(some) == 1 for some in sorted_out(leases, [], 16))
