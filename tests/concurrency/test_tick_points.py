"""A tick and everything it may meet (I13): another scheduler, a pause, a delete."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from queue_schema import desk
from queue_schema.calls import schedules
from queue_schema.calls.schedules import Schedule
from queue_schema.shapes import Submission
from scheduler.ticks import make_due
from tests.support.interleave import Background, held_open
from tests.support.verbs import Project

Conn = psycopg.Connection[Any]


@pytest.fixture
def due(conn: Conn, clock: Any, project: Project) -> schedules.Due:
    """A schedule whose tick has just come."""
    schedule = Schedule(name="s", cron="* * * * *", jobs=[Submission(kind="noop")])
    schedules.create(conn, project.id, schedule, next_tick=desk.now(conn) + timedelta(seconds=1))
    clock.advance(2)
    [found] = schedules.due(conn)
    return found


def make(conn: Conn, due: schedules.Due) -> str:
    """What this scheduler is told of the tick."""
    following = due.tick + timedelta(hours=1)
    return schedules.tick(conn, due.schedule_id, tick=due.tick, following=following).outcome


def count(conn: Conn) -> int:
    """How many jobs there are."""
    row = conn.execute("select count(*) from fleet.jobs").fetchone()
    assert row is not None
    return int(row[0])


def test_two_schedulers_that_see_one_tick_submit_once(database_url, conn, due: schedules.Due):
    """The second waits for the first and is told that the tick is stale."""
    with held_open(database_url) as other:
        assert make(other, due) == "submitted"
        second = Background(database_url, lambda mine: make(mine, due))
        second.wait_until_blocked(conn)

    assert second.result() == "stale"
    assert count(conn) == 1


def test_a_scheduler_that_dies_in_the_middle_of_a_tick_leaves_it_to_the_next(
    database_url, conn, due: schedules.Due
):
    """The tick and its submission are one transaction."""
    with held_open(database_url) as other:
        make(other, due)
        other.rollback()

    assert count(conn) == 0
    assert make_due(conn) == 1
    assert count(conn) == 1


def test_a_tick_that_waited_for_a_pause_is_not_made(database_url, conn, project: Project, due: schedules.Due):
    """After the answer to a pause nothing comes any more."""
    with held_open(database_url) as other:
        schedules.enable(other, project.id, "s", next_tick=None)
        tick = Background(database_url, lambda mine: make(mine, due))
        tick.wait_until_blocked(conn)

    assert tick.result() == "stale"
    assert count(conn) == 0


def test_a_delete_waits_for_the_tick_in_flight(database_url, conn, project: Project, due: schedules.Due):
    """What was submitted stays; there is no tick after it."""
    with held_open(database_url) as other:
        make(other, due)
        gone = Background(database_url, lambda mine: schedules.delete(mine, project.id, "s"))
        gone.wait_until_blocked(conn)

    assert gone.result() is True
    assert count(conn) == 1
    assert make_due(conn) == 0
