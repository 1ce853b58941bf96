"""Work that comes by the clock: one submission per tick, missed ticks, and what must not stop the next (Q9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_schema import desk
from queue_schema.calls import admin, clients, schedules
from queue_schema.calls.schedules import Schedule
from queue_schema.errors import BadRequest, Conflict, NotFound
from queue_schema.shapes import Submission
from queue_schema.states import Scope
from scheduler.ticks import make_due
from tests.support.clock import Clock
from tests.support.verbs import Agent, Project

NOOP = Submission(kind="noop")


@pytest.fixture
def clock(conn: Any) -> Clock:
    """Half a minute past a whole hour, so that no tick comes by itself."""
    clock = Clock(conn)
    past_s = desk.now(conn).timestamp() % 3600
    clock.advance(3630 - past_s)
    return clock


def make(project: Project, name: str = "hourly", *jobs: Submission, **fields: Any) -> Schedule:
    """A schedule, every hour unless said, whose first tick is a whole hour away at most."""
    schedule = Schedule(name=name, **{"cron": "0 * * * *", "jobs": list(jobs) or [NOOP], **fields})
    first = desk.now(project.conn).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    schedules.create(project.conn, project.id, schedule, next_tick=first, key_id=project.key.key_id)
    return schedule


def shown(project: Project, name: str = "hourly") -> desk.Schedule:
    """As the API sees it."""
    return desk.schedule(project.conn, project.id, name)


def jobs(project: Project) -> list[dict[str, str]]:
    """The tags of all jobs, oldest first."""
    return [row[0] for row in project.conn.execute("select tags from fleet.v_jobs order by job_id")]


def test_a_tick_submits_once(conn, clock: Clock, project: Project):
    """Its jobs say which schedule and which tick they are of; then the next tick is an hour later."""
    make(project, "hourly", Submission(kind="noop", tags={"team": "a"}))
    assert make_due(conn) == 0
    clock.advance(3600)
    tick = shown(project).next_tick
    assert tick is not None
    assert (make_due(conn), make_due(conn)) == (1, 0)

    assert jobs(project) == [{"team": "a", "schedule": "hourly", "tick": f"{tick:%Y-%m-%dT%H:%M:%SZ}"}]
    after = shown(project)
    assert (after.last_tick, after.next_tick) == (tick, tick + timedelta(hours=1))
    assert after.last_outcome == "submitted"
    assert [project.state(job) for job in after.last_job_ids] == ["ready"]


def test_a_small_graph_is_submitted_whole(conn, clock: Clock, project: Project, agent: Agent):
    """Refs point within the tick's own jobs, anew each time."""
    make(project, "hourly", Submission(kind="noop", ref="a"), Submission(kind="noop", after=["a"]))
    for _ in range(2):
        clock.advance(3600)
        make_due(conn)
        first, second = shown(project).last_job_ids
        assert project.row(second)["after"] == [first]
        agent.complete(agent.claim_one())
        agent.complete(agent.claim_one())


@pytest.mark.parametrize(("missed", "submitted"), [("run_once", 1), ("skip", 0)])
def test_after_an_absence_missed_ticks_are_made_up_for_once_or_not_at_all(
    conn, clock: Clock, project: Project, missed: str, submitted: int
):
    """Five hours away: one submission for all or none, and both go on with the next future tick."""
    make(project, missed=missed)
    clock.advance(5 * 3600 + 600)
    assert make_due(conn) == 1
    assert len(jobs(project)) == submitted
    assert shown(project).last_outcome == ("submitted" if submitted else "skipped")

    next_tick = shown(project).next_tick
    assert next_tick is not None
    assert timedelta(0) < next_tick - desk.now(conn) <= timedelta(hours=1)
    clock.advance((next_tick - desk.now(conn)).total_seconds() + 1)
    make_due(conn)
    assert len(jobs(project)) == submitted + 1


def test_a_tick_that_is_a_little_late_was_not_missed(conn, clock: Clock, project: Project):
    """Up to settings.missed_after_s."""
    make(project, missed="skip")
    clock.advance(3600 - 30 + 20)
    make_due(conn)

    assert len(jobs(project)) == 1


def test_a_tick_is_made_by_whoever_moves_it_on(conn, clock: Clock, project: Project):
    """The compare-and-set: the same tick again is stale and submits nothing, and so is one that was changed."""
    make(project)
    clock.advance(3600)
    [due] = schedules.due(conn)
    following = due.tick + timedelta(hours=1)
    first = schedules.tick(conn, due.schedule_id, tick=due.tick, following=following)
    again = schedules.tick(conn, due.schedule_id, tick=due.tick, following=following)

    assert (first.outcome, again.outcome) == ("submitted", "stale")
    assert len(jobs(project)) == 1
    with pytest.raises(BadRequest):
        schedules.tick(conn, due.schedule_id, tick=following, following=following + timedelta(hours=1))
    with pytest.raises(BadRequest):
        schedules.tick(conn, due.schedule_id, tick=due.tick, following=due.tick)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_schedule_ends_with_its_key(conn, clock: Clock, project: Project, end: str):
    """A stolen key must not work on through what it left behind; a schedule of another key does."""
    key = admin.create_key(conn, "acme", name="web", scopes=[Scope.SUBMIT], for_s=1800)
    make(project, "other")
    first = desk.now(conn).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hourly = Schedule("hourly", "0 * * * *", [NOOP])
    schedules.create(conn, project.id, hourly, next_tick=first, key_id=key.key_id)
    if end == "revoked":
        conn.execute("update fleet.api_keys set expires_at = null")
        admin.revoke_key(conn, key.key[:19])
    clock.advance(3600)

    assert make_due(conn) == 2

    refused = shown(project)
    assert refused.last_outcome == "refused"
    assert refused.last_error is not None
    assert refused.last_error.field == "key"
    assert [tags["schedule"] for tags in jobs(project)] == ["other"]


def test_a_rotated_key_hands_its_schedules_on(conn, clock: Clock, project: Project):
    """Else they would stop when the old one ends."""
    make(project)
    [mine] = [one.prefix for one in admin.list_keys(conn, "acme")]
    admin.rotate_key(conn, mine, overlap_s=60)
    clock.advance(3600)

    make_due(conn)

    assert shown(project).last_outcome == "submitted"


def test_a_submission_that_is_refused_does_not_stop_the_next_tick(
    conn, clock: Clock, project: Project, agent: Agent
):
    """It waits for a job that has failed meanwhile: the schedule says so and goes on."""
    first = project.submit()
    make(project, "hourly", Submission(kind="noop", after=[str(first)]))
    agent.fail(agent.claim_one())
    clock.advance(3600)
    assert make_due(conn) == 1
    refused = shown(project)
    assert refused.last_outcome == "refused"
    assert refused.last_error is not None
    assert refused.last_error.field == "jobs[0].after[0]"
    assert str(first) in refused.last_error.message

    clients.retry(conn, project.id, [first])
    clock.advance(3600)
    make_due(conn)
    assert (shown(project).last_outcome, shown(project).last_error) == ("submitted", None)


def test_a_paused_schedule_ticks_no_more_and_makes_up_for_nothing(conn, clock: Clock, project: Project):
    """What passed while it was paused was not wanted, whatever `missed` says."""
    make(project, missed="run_once")
    assert schedules.enable(conn, project.id, "hourly", next_tick=None) is True
    assert schedules.enable(conn, project.id, "hourly", next_tick=None) is False
    assert shown(project).next_tick is None
    clock.advance(3 * 3600)
    assert make_due(conn) == 0

    following = desk.now(conn) + timedelta(minutes=30)
    assert schedules.enable(conn, project.id, "hourly", next_tick=following) is True
    assert make_due(conn) == 0
    clock.advance(1800)
    assert make_due(conn) == 1


def test_a_schedule_without_a_next_tick_pauses_itself(conn, clock: Clock, project: Project):
    """A time zone that is gone must not be asked for each second; the tick that was due is made."""
    make(project)
    conn.execute("update fleet.schedules set timezone = 'Atlantis/Capital'")
    clock.advance(3600)
    make_due(conn)

    after = shown(project)
    assert (after.enabled, after.last_outcome) == (False, "submitted")
    assert after.last_error is not None
    assert after.last_error.field == "cron"


def test_a_schedule_may_be_made_again_but_not_made_another(conn, clock: Clock, project: Project):
    """The same one again changes nothing; another one under the name is refused."""
    schedule = make(project)
    first = desk.now(conn) + timedelta(hours=9)
    assert schedules.create(conn, project.id, schedule, next_tick=first).created is False
    assert shown(project).next_tick != first
    with pytest.raises(Conflict):
        make(project, "hourly", Submission(kind="noop", name="other"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "no spaces"}, "name"),
        ({"jobs": []}, "jobs"),
        ({"jobs": [NOOP] * 101}, "jobs"),
        ({"jobs": [Submission(kind="nothing")]}, "jobs[0].kind"),
        ({"jobs": [NOOP, Submission(kind="noop", after=["nobody"])]}, "jobs[1].after[0]"),
        ({"jobs": [Submission(kind="noop", run_at=datetime.now(UTC))]}, "jobs[0].run_at"),
        ({"jobs": [Submission(kind="noop", start_by=datetime.now(UTC))]}, "jobs[0].start_by"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_schedule_is_refused_by_field_and_leaves_nothing(
    conn, project: Project, fields: dict[str, Any], field: str
):
    """Its submission is tried out when it is made, and undone."""
    schedule = Schedule(**{"name": "s", "cron": "* * * * *", "jobs": [NOOP], **fields})
    with pytest.raises((BadRequest, NotFound)) as caught:
        schedules.create(conn, project.id, schedule, next_tick=datetime.now(UTC))

    assert caught.value.field == field
    for table in ("schedules", "jobs", "lanes"):
        assert conn.execute(f"select count(*) from fleet.{table}").fetchone() == (0,)


def test_schedules_belong_to_their_project(conn, clock: Clock, project: Project):
    """Another project sees, pauses and deletes none of them."""
    make(project)
    other = Project(conn, "other")

    assert desk.schedules(conn, other.id) == []
    with pytest.raises(NotFound):
        schedules.enable(conn, other.id, "hourly", next_tick=None)
    assert schedules.delete(conn, other.id, "hourly") is False
    assert schedules.delete(conn, project.id, "hourly") is True
    clock.advance(7200)
    assert make_due(conn) == 0


def test_one_that_cannot_be_made_does_not_hold_up_the_others(conn, clock: Clock, project: Project):
    """A scheduler that meets an error goes on to the next."""
    make(project, "broken")
    make(project, "sound")
    conn.execute(
        'update fleet.schedules set jobs = \'[{"kind": 7, "timeout_s": "x"}]\' where name = \'broken\''
    )
    clock.advance(3600)
    make_due(conn)

    assert shown(project, "sound").last_outcome == "submitted"
    assert shown(project, "broken").last_outcome == "refused"
