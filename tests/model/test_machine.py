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
    "bookings not yet realised": ("_measure", "greatest(0, b.booked - coalesce(r.mib, 0))", "0"),
    "bookings against the whole device": (
        "_measure",
        "d.total_mib - coalesce(sum(b.booked), 0))",
        "d.total_mib)",
    ),
    "the headroom": ("_measure", "::integer - d.headroom_mib as claimable", "::integer as claimable"),
    "the order of samples": ("_measure", "v_room.seq <= v_last", "false"),
    "the booking within one claim": (
        "_book",
        "v_room.claimable[v_at] := v_room.claimable[v_at] - p_vram_mib;",
        "null;",
    ),
    "leaving waiting for ready": (
        "_enqueue",
        "delete from fleet.waiting as w where w.job_id = any(p_jobs);",
        "",
    ),
    "a lane made active": (
        "_enqueue",
        "update fleet.lanes as l set active = true where l.lane_id = any(v_lanes) and not l.active;",
        "",
    ),
    "the end of what waited for a failure": ("_settle", "perform fleet._fail_dependents(v_failed);", ""),
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
