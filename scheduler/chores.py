"""The periodic tasks. Each is idempotent, bounded, and carries no procrastinate lock.

A lock would be kept by a scheduler that is killed while it runs a chore; the SQL functions make sure by themselves
that two at once do no harm.
"""

from __future__ import annotations

from typing import Any

import procrastinate
import structlog
from procrastinate.jobs import Status
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from queue_schema.calls import agents, chores, erasures, questions
from queue_schema.calls.connection import AsyncConnection, keepalive
from queue_schema.migrate import CHORES_SCHEMA
from scheduler.settings import SchedulerSettings
from scheduler.ticks import make_due

log = structlog.get_logger()

# croniter's sixth field: seconds.
EVERY_SECOND = "* * * * * *"
EVERY_2_S = "* * * * * */2"
EVERY_5_S = "* * * * * */5"
EVERY_MINUTE = "* * * * * 30"
HOURLY = "7 * * * * 0"
BATCH = 1000
SILENCE_S = 10.0
"""How long the database's host may be silent before we connect anew."""
LOOK_S = 2.0
"""How long a look at a connection may take, before it is used: a pool may have several to look at."""


async def _check(conn: AsyncConnection) -> None:
    """Before procrastinate's own statements, which are short. Its LISTEN may be silent for ever: it polls, too."""
    conn.patience_s = LOOK_S
    await AsyncConnectionPool.check_connection(conn)
    conn.patience_s = SILENCE_S


def _pool(**settings: Any) -> AsyncConnectionPool[Any]:
    """As procrastinate would make it, with connections and a look of ours."""
    return AsyncConnectionPool(**{**settings, "connection_class": AsyncConnection, "check": _check})


def build(settings: SchedulerSettings, pool: ConnectionPool[Any]) -> procrastinate.App:
    """The procrastinate application with every chore registered.

    Args:
        settings: How this scheduler behaves.
        pool: Autocommit connections for the chores themselves.
    """
    app = procrastinate.App(
        connector=procrastinate.PsycopgConnector(
            conninfo=settings.database_url,
            pool_factory=_pool,
            kwargs={"options": f"-c search_path={CHORES_SCHEMA},pg_catalog", **keepalive(SILENCE_S)},
        )
    )

    @app.periodic(cron=EVERY_5_S)
    @app.task(name="reap", pass_context=False)
    def reap(timestamp: int) -> None:
        with pool.connection() as conn:
            done = chores.reap(conn)
            if done.held_back == "alarm":
                log.error("reap.alarm", why="too much of the fleet fell silent at once; see fleet.v_reaper")
            if done.leases or done.overdue or done.unnamed:
                log.warning(
                    "reap.took",
                    sessions=done.sessions,
                    leases=done.leases,
                    overdue=done.overdue,
                    unnamed=done.unnamed,
                )
                agents.wake(conn)

    @app.periodic(cron=EVERY_SECOND)
    @app.task(name="promote")
    def promote(timestamp: int) -> None:
        with pool.connection() as conn:
            while True:
                done = chores.promote(conn, limit=BATCH)
                if done.ready:
                    log.info("promote.ready", jobs=done.ready)
                    agents.wake(conn)
                if max(done.ready, done.expired) < BATCH:
                    return

    @app.periodic(cron=EVERY_SECOND)
    @app.task(name="rank")
    def rank(timestamp: int) -> None:
        with pool.connection() as conn:
            chores.rank(conn)

    @app.periodic(cron=EVERY_SECOND)
    @app.task(name="reserve")
    def reserve(timestamp: int) -> None:
        with pool.connection() as conn:
            done = chores.reserve(conn)
        if done.preempted:
            log.info("reserve.preempted", attempts=done.preempted)

    @app.periodic(cron=EVERY_5_S)
    @app.task(name="learn", pass_context=False)
    def learn(timestamp: int) -> None:
        with pool.connection() as conn:
            while True:
                done = chores.learn(conn, limit=BATCH)
                if done.moved:
                    log.info("learn.moved", needs=done.moved)
                    agents.wake(conn)  # what needs less may fit a node that sleeps
                if done.observations < BATCH:
                    return

    @app.periodic(cron=EVERY_MINUTE)
    @app.task(name="forecast")
    def forecast(timestamp: int) -> None:
        with pool.connection() as conn:
            done = questions.forecast(conn, max_age_s=30.0)
        log.debug("forecast.done", jobs=done.jobs, fresh=done.fresh)

    @app.periodic(cron=EVERY_SECOND)
    @app.task(name="schedules")
    def schedules(timestamp: int) -> None:
        with pool.connection() as conn:
            make_due(conn)

    @app.periodic(cron=EVERY_2_S)
    @app.task(name="erase")
    def erase(timestamp: int) -> None:
        with pool.connection() as conn:
            done = erasures.erase_on(conn, limit=BATCH)
        if done.done:
            log.info("erase.done", erasures=done.done, open=done.open)

    @app.periodic(cron=HOURLY)
    @app.task(name="upkeep")
    def upkeep(timestamp: int) -> None:
        with pool.connection() as conn:
            made = chores.make_partitions(conn)
            pruned = chores.prune(conn, keep_days=settings.keep_days)
        log.info(
            "upkeep.done",
            partitions_made=made,
            partitions_dropped=pruned.partitions,
            jobs=pruned.jobs,
            files=pruned.files,
        )

    @app.periodic(cron=HOURLY)
    @app.task(name="forget_stalled")
    async def forget_stalled(timestamp: int) -> None:
        # Chores whose scheduler was killed stand as `doing` for ever; the next tick did their work.
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=600):
            await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)

    return app
