"""The scheduler as a process: webhooks, retries after a pause, two side by side, killed, and the database away."""

from __future__ import annotations

from functools import partial
from typing import Any

import psycopg
import pytest
from standardwebhooks import Webhook

from queue_schema import desk
from queue_schema.calls import schedules
from queue_schema.calls.schedules import Schedule
from queue_schema.shapes import Submission
from queue_schema.states import Cause
from scheduler.settings import SchedulerSettings
from tests.agent.proxy import Proxy
from tests.scheduler.conftest import Receiver
from tests.support.verbs import Agent, Project
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(120)


until = partial(eventually, within_s=40.0)


def settled_job(project: Project, agent: Agent, receiver: Receiver) -> Any:
    """A job that has ended and has a webhook."""
    job = project.submit(webhook=receiver.url, tags={"order": "7"})
    agent.complete(agent.claim_one())
    return job


def test_a_webhook_is_signed_and_tried_again_until_it_is_taken(
    conn, project: Project, agent: Agent, receiver: Receiver, start
):
    """Q15: the receiver can check who sent it, and a refusal is not the end; each try has the same id."""
    receiver.answers = [500]
    job = settled_job(project, agent, receiver)
    start()
    until(lambda: len(receiver.got) == 1)
    conn.execute("update fleet.webhook_deliveries set due_at = now() where tries = 1")
    until(lambda: len(receiver.got) == 2)
    until(lambda: conn.execute("select state from fleet.webhook_deliveries").fetchone() == ("delivered",))

    secret = conn.execute("select webhook_secret from fleet.projects").fetchone()[0]
    for headers, body in receiver.got:
        said = Webhook(secret).verify(body.decode(), headers)
        assert said["type"] == "job.succeeded"
        assert said["data"]["job_id"] == str(job)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1


def test_a_webhook_cannot_be_pointed_inside(conn, project: Project, agent: Agent, receiver: Receiver, start):
    """Not at this machine nor at the metadata of a cloud, by name or by number, unless the network was named."""
    inside = [
        receiver.url,
        receiver.url.replace("127.0.0.1", "localhost"),
        "http://169.254.169.254/latest/meta-data",
    ]
    for url in inside:
        project.submit(webhook=url)
        agent.complete(agent.claim_one())
    start({})
    refused = (
        "select count(*) from fleet.webhook_deliveries where detail ~ 'is not an address of the internet'"
    )
    until(lambda: conn.execute(refused).fetchone() == (len(inside),))
    assert receiver.got == []


def test_a_redirect_is_not_followed(conn, project: Project, agent: Agent, receiver: Receiver, start):
    """Else an address of the internet could lead inside."""
    receiver.answers = [307]
    settled_job(project, agent, receiver)
    start()
    said = "select detail from fleet.webhook_deliveries"
    until(lambda: conn.execute(said).fetchone()[0] == "HTTP 307")
    assert len(receiver.got) == 1


def test_a_receiver_that_is_not_there_is_recorded(
    conn, project: Project, agent: Agent, receiver: Receiver, start
):
    """What went wrong stands in the table, for people."""
    job = project.submit(webhook="http://127.0.0.1:9/nobody")
    agent.complete(agent.claim_one())
    start()
    until(
        lambda: (
            "ConnectError"
            in (
                conn.execute(
                    "select detail from fleet.webhook_deliveries where job_id = %s", (job,)
                ).fetchone()[0]
                or ""
            )
        )
    )


def test_two_schedulers_deliver_once_and_promote_once(
    conn, project: Project, agent: Agent, receiver: Receiver, start
):
    """Side by side they do no harm."""
    start()
    start()
    jobs = [project.submit() for _ in range(10)]
    for claimed in agent.claim():
        agent.fail(claimed, Cause.INFRASTRUCTURE)
    for _ in range(5):
        settled_job(project, Agent(conn, "node-2"), receiver)
    until(lambda: all(project.state(job) == "ready" for job in jobs))
    until(
        lambda: (
            conn.execute(
                "select count(*) from fleet.webhook_deliveries where state = 'delivered'"
            ).fetchone()[0]
            == 5
        )
    )

    assert len(receiver.got) == 5
    assert [project.events(job).count("ready") for job in jobs] == [1] * 10


def test_two_schedulers_make_a_tick_once(conn, project: Project, start):
    """Q9: the schedule moves on, and one of them submits."""
    schedule = Schedule(name="s", cron="0 0 1 1 *", jobs=[Submission(kind="noop")])
    schedules.create(conn, project.id, schedule, next_tick=desk.now(conn))
    start()
    start()
    until(lambda: conn.execute("select last_outcome from fleet.v_schedules").fetchone() == ("submitted",))

    assert conn.execute("select count(*) from fleet.v_jobs").fetchone() == (1,)
    assert conn.execute("select next_tick > now() from fleet.v_schedules").fetchone() == (True,)


def test_a_killed_scheduler_leaves_nothing_that_stops_the_next(
    conn, project: Project, agent: Agent, receiver: Receiver, start
):
    """Its chores carry no lock: whatever it was doing, another one does the next round."""
    first = start()
    until(lambda: conn.execute("select ran_at from fleet.v_reaper").fetchone() != (None,))
    first.kill()
    first.wait()
    project.submit()
    agent.fail(agent.claim_one(), Cause.INFRASTRUCTURE)
    start()

    until(lambda: conn.execute("select count(*) from fleet.v_queue").fetchone() == (1,))


def test_it_waits_for_a_database_that_goes_away(
    conn, project: Project, agent: Agent, receiver: Receiver, start
):
    """Q14: its connections are cut, it comes back by itself, and stops cleanly when asked."""
    process = start()
    until(lambda: conn.execute("select ran_at from fleet.v_reaper").fetchone() != (None,))
    conn.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    settled_job(project, agent, receiver)
    until(lambda: len(receiver.got) == 1)

    assert process.poll() is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ARGOSY_SCHEDULER_KEEP_DAYS", "soon"),
        ("ARGOSY_SCHEDULER_WEBHOOK_TIMEOUT_S", "0"),
        ("ARGOSY_DATABASE_URL", ""),
    ],
)
def test_a_bad_setting_is_named(variable: str, value: str):
    """The text says which and what was wrong."""
    environ = {"ARGOSY_DATABASE_URL": "postgresql://x", variable: value}

    with pytest.raises(ValueError, match=variable):
        SchedulerSettings.from_environment(environ)


def test_connections_are_named_by_nobody_else(database_url: str):
    """The scheduler runs as its own role: it may call its verbs and use procrastinate's tables, no more."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("set role fleet_scheduler")
        conn.execute("select fleet.reap_v1(1)")
        conn.execute("select count(*) from chores.procrastinate_jobs")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("select fleet.submit_v1(gen_random_uuid(), '[]')")


def test_a_scheduler_gives_up_forgotten_connections(conn, database_url: str, start):
    """Their other end acknowledges all and passes nothing on: the chores go on over new ones."""
    proxy = Proxy(database_url)
    scheduler = start({"ARGOSY_DATABASE_URL": proxy.url})

    def reaped() -> Any:
        return conn.execute("select ran_at from fleet.v_reaper").fetchone()[0]

    until(reaped)
    proxy.forget()
    before = conn.execute("select clock_timestamp()").fetchone()[0]
    until(lambda: reaped() > before, within_s=60)
    scheduler.terminate()
    scheduler.wait(30)
    proxy.close()
