"""The machine holds; and it notices when any one guard is taken out of the SQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import QueueMachine
from tests.support.reset import Pristine

SCHEDULES = int(os.environ.get("ARGOSY_MODEL_SCHEDULES", "100"))
STEPS = 50

GUARDS = {
    "the token of a settle": ("_settle", "and l.token = i.token\n", "\n"),
    "the session of a settle": ("_settle", "and (p_session is null or l.session_id = p_session)", ""),
    "a cancel that was asked": ("_settle", "t.command = 'cancel' or ", ""),
    "bookings not yet realised": (
        "_measure",
        "x.free_mib - b.mib + coalesce(v_real[array_position(v_idx, d.idx)], 0)",
        "x.free_mib",
    ),
    "bookings against the whole device": ("_measure", "d.total_mib - b.mib)", "d.total_mib)"),
    "the headroom": ("_measure", "- d.headroom_mib as claimable", "as claimable"),
    "the order of samples": ("_measure", "v_seq <= p_booked.sample_seq", "false"),
    "the booking within one claim": (
        "_book",
        "v_room.claimable[v_at] := v_room.claimable[v_at] - p_shape.vram_mib;",
        "null;",
    ),
    "leaving waiting for ready": (
        "_enqueue",
        "delete from fleet.waiting as w where w.job_id = any(v_jobs);",
        "",
    ),
    "a lane made active": (
        "_enqueue",
        "and (not l.active or l.head_key > h.order_key)",
        "and l.active",
    ),
    "the head of a lane brought back": (
        "_enqueue",
        "and (not l.active or l.head_key > h.order_key)",
        "and not l.active",
    ),
    "the second look before a lane is idle": (
        "_retire",
        "and not exists (select from fleet.ready as r where r.lane_id = l.lane_id and r.order_key >= l.head_key)",
        "",
    ),
    "a backlog that follows its need": ("_fit_needs", "perform fleet._reshape(v_moved);", "null;"),
    "what was too little for one is too little for all": (
        "_raise",
        "greatest(n.raised_mib, v_rung.to_mib)",
        "n.raised_mib",
    ),
    "a rung that nobody is charged for": (
        "_settle",
        "when t.to_mib is not null and j.rungs < s.oom_rungs then",
        "when false then",
    ),
    "what an end gives back": ("_settle", "perform fleet._unbook(v_freed);", ""),
    "what an end gives back to a cap": ("_settle", "where d.capped\n", "where false\n"),
    "what counts in a cap": ("_count_in", "running = c.running + p_count", "running = c.running"),
    "the pause of a project": ("pause_v1", "set paused = p_paused", "set paused = l.paused"),
    "the place that is kept": ("claim_v1", "fleet._least(v_room, v_kept.rest)", "v_room"),
    "the end of what waited for a success": ("_settle", "perform fleet._resolve(v_failed);", ""),
    "the start of what waited for a success": ("_succeed", "perform fleet._resolve(v_held);", ""),
    "the token of a success": ("_succeed", "and l.token = i.token\n", "\n"),
    "the session of a success": ("_succeed", "and (p_session is null or l.session_id = p_session)", ""),
    "what a success gives back": ("_succeed", "perform fleet._unbook(v_freed);", ""),
    "counting one edge down": (
        "_resolve",
        "set waits_for = w.waits_for - c.n",
        "set waits_for = w.waits_for",
    ),
    "ends that end others in turn": (
        "_resolve",
        "select array_agg(e.job_id) into v_news from ended as e;",
        "select null::uuid[] into v_news;",
    ),
    "work that did not allow it": (
        "_preempt",
        "and l.preemptible and l.command is null",
        "and l.command is null",
    ),
    "leases that follow a restart": (
        "join_v1",
        "update fleet.leases as l set session_id = v_session, unnamed = 0 where l.session_id = v_old.session_id;",
        "",
    ),
    "leaving ready at a cancel": (
        "cancel_v1",
        "and (r.lane_id, r.order_key, r.job_id) = (j.lane_id, j.order_key, j.job_id)",
        "and false",
    ),
}


@pytest.fixture
def machine(migrated: tuple[str, Pristine]) -> Iterator[type[QueueMachine]]:
    """The machine on the test database, which is put right again after."""
    url, pristine = migrated

    class Bound(QueueMachine):
        restore = staticmethod(pristine.restore)
        connect = staticmethod(lambda: psycopg.connect(url, autocommit=True))

    yield Bound
    pristine.restore()


def how(schedules: int, *phases: Phase) -> settings:
    """Hypothesis' settings for one run."""
    return settings(
        max_examples=schedules,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        derandomize=True,
        phases=phases,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


@pytest.mark.timeout(600)
def test_one_place_one_token_and_no_overbooking_under_any_order(machine: type[QueueMachine]):
    """I1, I2, I3: 100 schedules of 50 steps here, ARGOSY_MODEL_SCHEDULES for more."""
    run_state_machine_as_test(machine, settings=how(SCHEDULES, Phase.generate, Phase.shrink))


@pytest.fixture
def without(migrated: tuple[str, Pristine]) -> Iterator[Any]:
    """Take one guard out of one function; it is put back after the test."""
    url, _ = migrated
    kept: list[str] = []

    def remove(function: str, text: str, instead: str) -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            row = conn.execute(
                "select pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace = 'fleet'::regnamespace"
                " and p.proname = %s",
                (function,),
            ).fetchone()
            assert row is not None, f"there is no function {function}"
            assert row[0].count(text) == 1, f"{function} has this guard {row[0].count(text)} times"
            kept.append(row[0])
            conn.execute(row[0].replace(text, instead))

    yield remove
    with psycopg.connect(url, autocommit=True) as conn:
        for definition in kept:
            conn.execute(definition)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("guard", GUARDS)
def test_the_machine_notices_a_missing_guard(machine: type[QueueMachine], without: Any, guard: str):
    """A test that cannot fail proves nothing: with the guard gone, some schedule breaks an invariant."""
    without(*GUARDS[guard])

    with pytest.raises((AssertionError, psycopg.Error, ExceptionGroup)):
        run_state_machine_as_test(machine, settings=how(400, Phase.generate))
