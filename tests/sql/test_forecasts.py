"""When jobs start and finish: forecasts by rehearsal, judged by what came (Q11)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from queue_schema import desk
from queue_schema.calls import chores, questions
from queue_schema.errors import NotFound
from queue_schema.shapes import After, Submission
from queue_schema.states import Priority
from tests.support.verbs import Agent, Project


@pytest.fixture
def one(conn) -> Agent:
    """A node that runs one job at a time."""
    return Agent(conn, "one", slots=1)


def takes(conn, seconds: float) -> None:
    """As if all needs had seen runs of this length."""
    conn.execute("update fleet.needs set recent_run_s = array_fill(%s::float8, array[10])", (seconds,))


def in_s(eta: questions.Eta, bounds: questions.Bounds | None) -> tuple[float, float]:
    """Bounds as seconds from the forecast."""
    assert eta.made_at is not None
    assert bounds is not None
    return (bounds.p50 - eta.made_at).total_seconds(), (bounds.p90 - eta.made_at).total_seconds()


def test_a_queue_is_played_through(conn, project, one, clock):
    """The third of three, 100 s each, starts after 200 s and ends after 300."""
    jobs = project.submit_many([Submission(kind="noop") for _ in range(3)])
    takes(conn, 100)

    told = [questions.eta(conn, project.id, job) for job in jobs]

    assert [round(in_s(eta, eta.start)[0]) for eta in told] == [0, 100, 200]
    assert [round(in_s(eta, eta.finish)[0]) for eta in told] == [100, 200, 300]
    assert all(in_s(eta, eta.start)[0] < in_s(eta, eta.start)[1] for eta in told)
    assert {eta.basis for eta in told} == {"simulated"}
    assert [eta.ahead for eta in told] == [0, 1, 2]


def test_the_order_is_that_of_claims(conn, project, one):
    """An urgent job that came last is forecast first; what waits for it comes after it."""
    plain = project.submit()
    urgent = project.submit(priority=Priority.HIGH)
    after = project.submit(after=[After(str(urgent))])
    takes(conn, 60)

    told = [questions.eta(conn, project.id, job) for job in (urgent, plain, after)]

    assert [round(in_s(eta, eta.start)[0]) for eta in told] == [0, 60, 120]


def test_running_work_is_forecast_by_what_is_left(conn, project, one, clock):
    """Half an hour into a run of an hour, half an hour is left."""
    job = project.submit()
    takes(conn, 3600)
    one.claim_one()
    clock.advance(1800)
    one.beat()

    told = questions.eta(conn, project.id, job)

    assert told.start is None
    assert told.started_at is not None
    assert in_s(told, told.finish)[0] == pytest.approx(1800, abs=30)


def test_what_cannot_start_is_not_promised(conn, project, one):
    """No time is told for a job too big for the fleet, nor for one whose project is paused."""
    job = project.gpu_job(80_000)

    told = questions.eta(conn, project.id, job)

    assert (told.basis, told.start, told.finish) == ("unknown", None, None)


def test_what_ends_before_it_can_start_is_not_promised(conn, project, one, clock):
    """A job's `start_by` is played, too: no time is told after it, and `fit` says never."""
    project.submit()
    [running] = one.claim(1)
    clock.advance(1)
    one.beat(running.token)
    late = desk.now(conn) + timedelta(seconds=5)
    job = project.submit(start_by=late)
    after = project.submit()

    assert questions.eta(conn, project.id, job).basis == "unknown"
    assert questions.eta(conn, project.id, after).basis == "simulated"
    [fit] = questions.fit(conn, project.id, [Submission(kind="noop", start_by=late)])
    assert fit.starts == "never"


def test_a_young_forecast_is_told_again(conn, project, one, clock):
    """Many who ask cost one rehearsal; later there is a new one."""
    job = project.submit()
    first = questions.eta(conn, project.id, job).made_at
    again = questions.eta(conn, project.id, job).made_at
    clock.advance(11)
    one.beat()

    assert first == again
    assert questions.eta(conn, project.id, job).made_at > first


def test_jobs_far_back_are_told_by_the_pace_of_their_lane(conn, project, one):
    """Farther back than the plays go, so many times the wait of those before."""
    jobs = project.submit_many([Submission(kind="noop") for _ in range(1500)])
    takes(conn, 10)

    told = questions.eta(conn, project.id, jobs[-1], max_age_s=600)

    assert (told.basis, told.ahead) == ("extrapolated", 1499)
    assert in_s(told, told.start)[0] == pytest.approx(15_000, rel=0.02)


def test_bounds_widen_by_what_was_wrong_before(conn, project, one, clock):
    """Jobs that start twice as late as was said teach the next forecast to say so (calibration)."""
    for _ in range(40):
        jobs = project.submit_many([Submission(kind="noop") for _ in range(2)])
        takes(conn, 100)
        questions.forecast(conn)
        for _ in jobs:
            claimed = one.claim_one()
            clock.advance(200)
            one.beat(claimed.token)
            one.complete(claimed)
    jobs = project.submit_many([Submission(kind="noop") for _ in range(2)])
    takes(conn, 100)

    told = questions.eta(conn, project.id, jobs[1], max_age_s=0)

    p50, p90 = in_s(told, told.start)
    assert p50 == pytest.approx(200, rel=0.1)
    assert p90 == pytest.approx(200, rel=0.1)
    share = conn.execute("select p90_held from fleet.v_calibration where what = 'start'").fetchone()
    assert share[0] > 0.5


def test_forecasts_of_ended_jobs_are_judged_and_forgotten(conn, project, one, clock):
    """Each first forecast is scored once for its start and once for its end; the table holds what is open."""
    job = project.submit()
    takes(conn, 100)
    questions.forecast(conn)
    claimed = one.claim_one()
    questions.forecast(conn)
    clock.advance(100)
    one.beat(claimed.token)
    one.complete(claimed)
    questions.forecast(conn)
    questions.forecast(conn)

    assert conn.execute("select what, held from fleet.forecast_scores order by score_id").fetchall() == [
        ("start", True),
        ("finish", True),
    ]
    assert conn.execute("select count(*) from fleet.forecasts").fetchone() == (0,)
    assert questions.eta(conn, project.id, job).ended_at is not None


def test_an_overtaken_reservation_is_played_too(conn, project, clock):
    """The plays keep places as the scheduler does: a big job is not told that it will never start."""
    agent = Agent(conn, "gpu", gpus=[24_000])
    for _ in range(30):
        project.gpu_job(8000)
    agent.claim()
    clock.advance(5)
    agent.beat()
    big = project.gpu_job(23_000)
    chores.reserve(conn)
    takes(conn, 60)

    told = questions.eta(conn, project.id, big)

    assert told.basis == "simulated"
    assert told.start is not None
    assert told.start.p50 - told.made_at < timedelta(hours=1)


def test_somebody_elses_job_is_not_told_of(conn, project, one):
    """Neither when nor why."""
    job = project.submit()
    other = Project(conn, "other")

    for ask in (questions.eta, questions.why):
        with pytest.raises(NotFound):
            ask(conn, other.id, job)
