"""Make the ticks of schedules. The cron arithmetic is done here, the deciding in one SQL function.

However many schedulers see a tick, the one that moves the schedule on submits, in the same transaction; the others
are told that it is stale.
"""

from __future__ import annotations

from typing import Any

import psycopg
import structlog

from queue_schema import cron
from queue_schema.calls import agents, schedules
from queue_schema.errors import BadRequest, FleetError

log = structlog.get_logger()
_BATCH = 100


def make_due(conn: psycopg.Connection[Any]) -> int:
    """Make every tick that is due.

    Returns:
        How many of them this scheduler made.
    """
    made = 0
    while True:
        batch = schedules.due(conn, limit=_BATCH)
        moved = sum(_tried(conn, each) for each in batch)
        made += moved
        if len(batch) < _BATCH or not moved:
            return made


def _tried(conn: psycopg.Connection[Any], due: schedules.Due) -> bool:
    try:
        return _make(conn, due)
    except psycopg.OperationalError:
        raise
    except (FleetError, psycopg.Error) as exc:
        # The others must not wait for one that cannot be made.
        log.error("schedule.failed", schedule=due.name, error=str(exc))  # noqa: TRY400  # expected: the text says it all
        return False


def _make(conn: psycopg.Connection[Any], due: schedules.Due) -> bool:
    try:
        following = cron.following(due.cron, due.timezone, due.now)
    except BadRequest as exc:
        # It was fine when the schedule was made: the time zone is gone, or the last day that fits has passed.
        log.error("schedule.paused", schedule=due.name, error=str(exc))  # noqa: TRY400  # expected: the text says it all
        following = None
    ticked = schedules.tick(conn, due.schedule_id, tick=due.tick, following=following)
    if ticked.outcome == "stale":
        return False
    log.info("schedule.ticked", schedule=due.name, tick=due.tick.isoformat(), outcome=ticked.outcome)
    if ticked.job_ids:
        agents.wake(conn)
    return True
