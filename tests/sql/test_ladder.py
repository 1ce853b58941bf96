"""The ladder: out of memory goes to a bigger slot, and takes the backlog along (Q8, I8)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from queue_schema.calls import admin, agents, chores, clients, oncall, questions
from queue_schema.calls.oncall import PolicyChange
from queue_schema.errors import Conflict
from queue_schema.shapes import Claimed, Completion, Failed, Need
from queue_schema.states import Cause, SettleOutcome
from tests.support.clock import Clock
from tests.support.needs import SMALL_MIB, SMALL_TOP_MIB, booked, needs, out_of_memory, runs
from tests.support.verbs import KINDS, Agent, Project


def attempt_of(conn, job: UUID) -> tuple[str, str]:
    """Cause and message of the last attempt."""
    told = "select cause, message from fleet.v_attempts where job_id = %s order by attempt desc limit 1"
    cause, message = conn.execute(told, (job,)).fetchone()
    return cause, message


def test_running_out_of_memory_raises_the_whole_backlog_at_once(
    conn, project: Project, small: Agent, big: Agent
):
    """The job is tried again with more, unblamed; what is queued no longer goes where it would not fit."""
    need = Need(vram_mib=6000)
    first, *queued = [project.submit("selftest.allocate", need=need) for _ in range(3)]
    claimed = small.claim_one()

    assert out_of_memory(small, claimed, 5900).state == "ready"
    assert booked(conn) == 9216
    assert small.claim() == []
    assert [(job.job_id, job.grant.vram_mib) for job in big.claim()] == [(first, 9216), (queued[0], 9216)]
    row = project.row(first)
    assert (row["retries"], row["retries_used"], row["infra_retries"]) == (0, 0, 0)
    assert project.events(first) == ["submitted", "claimed", "retrying", "raised", "claimed"]
    detail = conn.execute("select detail from fleet.v_events where event = 'raised'").fetchone()[0]
    assert detail == {"memory": "vram", "from_mib": 6000, "to_mib": 9216, "peak_mib": 5900}
    assert conn.execute("select from fleet.node_health where failing <> '{}'").fetchone() is None


def test_a_raise_goes_by_what_was_asked_for(conn, project: Project, small: Agent):
    """A peak far over the booking is the measure; without one, half as much again."""
    project.gpu_job(1000)
    out_of_memory(small, small.claim_one(), 5000)
    small.complete(small.claim_one())
    Project(conn, "other").gpu_job(1000)
    out_of_memory(small, small.claim_one())

    assert [need["raised_mib"] for need in needs(conn)] == [6400, 1536]


@pytest.mark.parametrize(
    ("told", "kept"), [(3e9, 16_777_216), (10**12, 16_777_216), (1e300, 16_777_216), (999.5, 1000), (-3e9, 0)]
)
def test_no_peak_is_too_large_for_a_settle(conn, project: Project, small: Agent, told: Any, kept: int):
    """A runner may say any number: its job ends all the same, and so do those that end with it."""
    for _ in range(4):
        project.gpu_job(1000)
    first, second, third, fourth = small.claim(4)
    failed = [
        Failed(first.job_id, first.token, Cause.OUT_OF_MEMORY, "no memory", None, told),
        Failed(second.job_id, second.token, Cause.USER_ERROR, "it did not work"),
    ]
    done = [Completion(third.job_id, third.token, peak_mib=told), Completion(fourth.job_id, fourth.token)]

    answers = agents.fail(conn, small.session, failed) + agents.complete(conn, small.session, done)

    assert {answer.outcome for answer in answers} == {SettleOutcome.SETTLED}
    peaks = "select peak_mib from fleet.attempts where peak_mib is not null"
    assert conn.execute(peaks).fetchall() == [(kept,), (kept,)]


@pytest.mark.parametrize(("peak_mib", "near"), [(3199, False), (3200, True), (None, True)])
def test_out_of_memory_far_under_its_booking_is_infrastructure(
    conn, project: Project, small: Agent, big: Agent, peak_mib: int | None, *, near: bool
):
    """Others took the memory: the user is not charged, nothing is raised, and the attempt says why."""
    job = project.gpu_job(4000, retries=1)
    out_of_memory(small, small.claim_one(), peak_mib)

    cause, message = attempt_of(conn, job)
    assert cause == ("out_of_memory" if near else "infrastructure")
    assert ("had 3199 of 4000 MiB booked: others took" in message) is not near
    assert booked(conn) == (6144 if near else 4000)
    row = project.row(job)
    assert (row["retries_used"], row["infra_retries"]) == (0, 0 if near else 1)


def test_a_raise_expires(conn, clock: Clock, project: Project, small: Agent):
    """After a day the need is as learned or declared again; each attempt that runs out renews it."""
    need = Need(vram_mib=2000)
    project.submit("selftest.allocate", need=need)
    out_of_memory(small, small.claim_one(), 1900)
    clock.advance(80_000)
    chores.learn(conn)
    assert booked(conn) == 3072
    small.join()
    small.complete(small.claim_one())
    clock.advance(6_401)
    project.submit("selftest.allocate", need=need)
    assert chores.learn(conn).moved == 1

    [found] = needs(conn)
    assert (found["vram_mib"], found["raised_mib"], found["raised_until"]) == (2000, None, None)
    assert conn.execute("select raised_mib, raised_until from fleet.needs").fetchone() == (None, None)
    small.join()
    assert small.claim_one().grant.vram_mib == 2000


def test_what_was_outgrown_stays_at_what_was_learned(conn, clock: Clock, project: Project, small: Agent):
    """Successes with more memory teach what the promise should have been; it does not run out again each day."""
    need = Need(vram_mib=2000)
    project.submit("selftest.allocate", need=need)
    out_of_memory(small, small.claim_one(), 1900)
    small.complete(small.claim_one())
    runs(project, small, *[2500] * 5, kind="selftest.allocate", need=need)
    clock.advance(86_401)
    chores.learn(conn)

    assert booked(conn) == 2816


def test_at_the_top_of_the_ladder_the_user_is_charged(conn, project: Project, small: Agent):
    """The largest device the job may have is the end: then its retries, then the message says so."""
    top = SMALL_TOP_MIB
    job = project.submit("selftest.allocate", need=Need(vram_mib=6000), retries=1)
    assert out_of_memory(small, small.claim_one(), 6000).state == "ready"
    assert small.sample() is not None
    claimed = small.claim_one()
    assert claimed.grant.vram_mib == top

    assert out_of_memory(small, claimed, top).state == "ready"
    assert project.row(job)["retries_used"] == 1
    assert out_of_memory(small, small.claim_one(), top).state == "failed"
    cause, message = attempt_of(conn, job)
    assert (cause, message) == ("out_of_memory", f"no memory (no node has more for it than {top} MiB)")
    assert project.row(job)["error"]["message"] == message


def test_the_top_is_that_of_nodes_the_job_may_use(conn, project: Project, small: Agent):
    """A larger device elsewhere is no way up for a job that may not go there."""
    Agent(conn, "elsewhere", gpus=[80_000, 80_000], labels={"zone": "b"})
    here = Agent(conn, "here", gpus=[SMALL_MIB], labels={"zone": "a"})
    project.submit("selftest.allocate", need=Need(vram_mib=7000, labels={"zone": "a"}))
    project.submit("selftest.allocate", need=Need(gpus=1, vram_mib=7000, labels={"zone": "b"}))
    out_of_memory(here, here.claim_one(), 7000)

    assert [need["raised_mib"] for need in needs(conn)] == [SMALL_TOP_MIB] * 2


@pytest.mark.parametrize("gone", ["for days", "without the kind", "a moment ago"])
def test_the_top_is_that_of_nodes_that_are_there(
    conn, clock: Clock, project: Project, small: Agent, gone: str
):
    """No need is raised, and with it the whole backlog, for a machine that is gone or cannot run it."""
    kinds = ["noop"] if gone == "without the kind" else list(KINDS)
    rented = Agent(conn, "rented", gpus=[80_000], kinds=kinds)
    if gone != "without the kind":
        agents.leave(conn, rented.session)
    if gone == "for days":
        clock.advance(2 * 86_400)
        small.join()
    job = project.gpu_job(SMALL_TOP_MIB - 1000)
    settled = out_of_memory(small, small.claim_one(), SMALL_TOP_MIB - 1000)

    if gone == "a moment ago":
        assert booked(conn) > SMALL_TOP_MIB
    else:
        assert booked(conn) <= SMALL_TOP_MIB
        assert settled.state == "ready"
        assert small.claim_one().job_id == job


def test_no_change_is_taken_that_would_change_nothing(conn, project: Project, small: Agent, big: Agent):
    """What ran out of memory is not booked with less again: `why` does not propose it, and `amend` says so."""
    out_of_memory(small, _claimed(project, small, 6000), 5900)
    [running] = big.claim(1)
    assert running.grant.vram_mib == 9216
    project.gpu_job(big.total[0] - 10_000, priority="high")
    assert len(big.claim(1)) == 1
    job = project.gpu_job(6000)
    assert big.claim() == small.claim() == []

    told = questions.why(conn, project.id, job)

    assert [(cause.cause, cause.change) for cause in told.causes] == [("busy", None)]
    with pytest.raises(Conflict, match="9216 MiB are booked") as caught:
        clients.amend(conn, project.id, job, need={"vram_mib": 5000})
    assert caught.value.field == "need.vram_mib"
    clients.amend(conn, project.id, job, need={"cpu_milli": 2})


def _claimed(project: Project, agent: Agent, mib: int) -> Claimed:
    project.gpu_job(mib)
    return agent.claim_one()


def test_a_job_climbs_so_many_rungs_and_no_more(conn, project: Project):
    """Four at nobody's charge, then its own retries: none here."""
    agent = Agent(conn, "huge", gpus=[1_000_000])
    job = project.gpu_job(1000)
    for _ in range(4):
        claimed = agent.claim_one()
        assert out_of_memory(agent, claimed, claimed.grant.vram_mib).state == "ready"

    claimed = agent.claim_one()
    assert out_of_memory(agent, claimed, claimed.grant.vram_mib).state == "failed"
    clients.retry(conn, project.id, [job])
    assert out_of_memory(agent, agent.claim_one()).state == "ready", "a retry by hand is a fresh start"


def test_a_policy_that_ends_out_of_memory_ends_the_climb(conn, project: Project, small: Agent):
    """Not retried: for whoever wants no second try at all; the need is raised for the others."""
    oncall.policy(conn, "out_of_memory", PolicyChange(retried=False))
    project.gpu_job(1000)

    assert out_of_memory(small, small.claim_one(), 1000).state == "failed"
    assert booked(conn) == 1536


def test_a_cancelled_job_does_not_climb(conn, project: Project, small: Agent):
    """It was to end, and it has."""
    job = project.gpu_job(1000)
    claimed = small.claim_one()
    clients.cancel(conn, project.id, [job])

    assert out_of_memory(small, claimed, 1000).state == "cancelled"


def test_a_stale_token_raises_nothing(conn, project: Project, small: Agent):
    """I2: what another attempt says of its memory is not of this one."""
    project.gpu_job(1000)
    claimed = small.claim_one()
    small.release(claimed)
    out_of_memory(small, claimed, 1000)

    assert booked(conn) == 1000


def test_host_memory_has_a_ladder_of_its_own(conn, project: Project, small: Agent):
    """A job with a GPU whose host memory ran out gets more of that; one without a GPU has no other."""
    project.submit("selftest.allocate", need=Need(vram_mib=1000, ram_mib=600))
    out_of_memory(small, small.claim_one(), 900, "ram")
    project.submit("command")
    small.claim_one()
    out_of_memory(small, small.claim_one(), 500)

    chores.learn(conn)
    assert [need["peak_mib"] for need in needs(conn)] == [None, 500], "host memory says nothing of VRAM"
    found = [(need["memory"], need["vram_mib"], need["ram_mib"], need["raised_mib"]) for need in needs(conn)]
    assert found == [("vram", 1000, 1280, None), ("ram", 0, 768, 768)]


def test_on_host_memory_the_booking_is_all_of_it(conn, project: Project, agent: Agent):
    """Without a GPU, VRAM and host memory are one: a peak is measured against both."""
    need = Need(vram_mib=1000, ram_mib=600)
    far, near = (project.submit("selftest.allocate", need=need) for _ in range(2))
    out_of_memory(agent, agent.claim_one(), 1279)
    out_of_memory(agent, agent.claim_one(), 1500)

    assert attempt_of(conn, far)[0] == "infrastructure"
    assert attempt_of(conn, near)[0] == "out_of_memory"
    assert booked(conn) == 1536


def test_settings_of_the_ladder_are_settings(conn, project: Project, small: Agent):
    """When near is near, how many rungs, and how long a raise lasts."""
    admin.configure(conn, oom_near=0.5, oom_rungs=0, raise_s=60)
    project.gpu_job(1000)

    assert out_of_memory(small, small.claim_one(), 500).state == "failed"
    assert booked(conn) == 1536
    conn.execute("update fleet.needs set raised_until = raised_until - interval '61 s'")
    assert chores.learn(conn).moved == 1
