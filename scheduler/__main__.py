"""`python -m scheduler`: the composition root of the scheduler."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from typing import Any

import procrastinate
import psycopg
import structlog
from procrastinate.exceptions import ConnectorException
from psycopg_pool import ConnectionPool

from queue_schema.calls.connection import Connection, keepalive
from queue_schema.knobs import variables
from queue_schema.signals import with_trace
from scheduler.chores import LOOK_S, SILENCE_S, build
from scheduler.settings import SchedulerSettings
from scheduler.webhooks import Deliveries, client_for

log = structlog.get_logger()
_RETRY_S = 1.0
_CHORES = 4
"""At a time."""
_CHORE_S = 20.0
"""How long the database may work on a chore without a word. One that takes longer ends there all the same, and the next
tick finds it done."""


def main() -> int:
    """Run chores until SIGTERM or SIGINT; a database that is away is waited for."""
    parser = argparse.ArgumentParser(
        prog="python -m scheduler",
        description="Run the chores of an Argosy fleet.",
        epilog=variables(SchedulerSettings, "ARGOSY_SCHEDULER_"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--database-url",
        help="as a member of fleet_scheduler (or ARGOSY_SCHEDULER_DATABASE_URL, or ARGOSY_DATABASE_URL)",
    )
    arguments = parser.parse_args()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            with_trace,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    try:
        settings = SchedulerSettings.from_environment(os.environ, arguments.database_url)
    except ValueError as exc:
        parser.error(str(exc))
    with ConnectionPool(
        settings.database_url,
        connection_class=Connection,
        min_size=1,
        max_size=_CHORES + 1,  # and one for webhooks
        kwargs={"autocommit": True, **keepalive(SILENCE_S)},
        check=_check,
        # The pool doubles its pauses while a try to connect fails; whoever asks after it gave up makes it begin anew.
        reconnect_timeout=SILENCE_S,
        open=False,
    ) as pool:
        asyncio.run(_run(settings, pool))
    return 0


def _check(conn: Connection) -> None:
    """Before each chore: one that died with the database, or that its other end forgot, is replaced."""
    conn.patience_s, conn.cancels = LOOK_S, False
    ConnectionPool.check_connection(conn)
    conn.patience_s = _CHORE_S


async def _run(settings: SchedulerSettings, pool: ConnectionPool[Any]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    log.info("scheduler.started")
    async with client_for(settings.webhook_networks) as client, asyncio.TaskGroup() as both:
        both.create_task(Deliveries(pool, client, timeout_s=settings.webhook_timeout_s).run(stop))
        both.create_task(_do_chores(settings, pool, stop))
    log.info("scheduler.stopped")


async def _do_chores(settings: SchedulerSettings, pool: ConnectionPool[Any], stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await _work(build(settings, pool), stop)
        except (ConnectorException, psycopg.OperationalError) as exc:
            log.warning("scheduler.database_away", error=str(exc).strip(), retry_s=_RETRY_S)
            try:
                await asyncio.wait_for(stop.wait(), _RETRY_S)
            except TimeoutError:
                continue


async def _work(app: procrastinate.App, stop: asyncio.Event) -> None:
    """One life of a procrastinate worker: until asked to stop, or until it cannot go on."""
    async with app.open_async():
        worker = asyncio.create_task(
            app.run_worker_async(
                concurrency=_CHORES,
                fetch_job_polling_interval=1.0,
                delete_jobs="always",
                install_signal_handlers=False,
                shutdown_graceful_timeout=5,
            )
        )
        asked = asyncio.create_task(stop.wait())
        await asyncio.wait({worker, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not worker.done():
            worker.cancel()
        try:
            await worker
        except asyncio.CancelledError:
            if not stop.is_set():
                raise


if __name__ == "__main__":
    sys.exit(main())
