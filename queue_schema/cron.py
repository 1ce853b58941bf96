"""When a cron expression comes next, in a time zone whose clocks change.

Five fields (minute, hour, day of month, month, day of week) or a name like `@daily`, as croniter reads them; all times
that come out are UTC. When clocks go forward, a time they skip comes at the end of the gap. When they go back, a fixed
time of the repeated hour comes once, the first time; `*` in minutes or hours means every one that passes, both times.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from croniter import CroniterError, croniter

from queue_schema.errors import BadRequest

_NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_STRANGE = re.compile(r"(^|[\s,])[HR]([\s,(/]|$)", re.IGNORECASE)
"""Fields that croniter makes up by chance or by hash."""
_MOST_CHARACTERS = 200
_FIX = "Write five fields, for example `0 3 * * mon-fri` (minute, hour, day, month, day of week), or @daily."


def following(cron: str, timezone: str, after: datetime) -> datetime:
    """The first tick later than *after*.

    Raises:
        BadRequest: The expression or the zone is not usable, or no such time ever comes; the field says which.
    """
    zone = _zone(timezone)
    minute, hour, *_ = fields = _fields(cron)
    every = minute.startswith("*") or hour.startswith("*")
    try:
        ticks = croniter(" ".join(fields), after.astimezone(zone))
        while True:
            tick: datetime = ticks.get_next(datetime)
            again = tick.utcoffset() != tick.replace(fold=0).utcoffset()
            if (every or not again) and tick > after:
                return tick.astimezone(UTC)
    except (CroniterError, OverflowError, ValueError) as exc:
        raise BadRequest(f"{cron!r} never comes: {exc}", field="cron", fix=_FIX) from exc


def _fields(cron: str) -> list[str]:
    fields = _NAMES.get(cron.strip(), cron).split()
    text = " ".join(fields)
    if len(fields) != 5 or len(cron) > _MOST_CHARACTERS or _STRANGE.search(text):
        raise BadRequest(f"{cron[:_MOST_CHARACTERS]!r} is no cron expression", field="cron", fix=_FIX)
    return fields


def _zone(timezone: str) -> ZoneInfo:
    if timezone not in _zones():
        raise BadRequest(
            f"there is no time zone {timezone[:64]!r}",
            field="timezone",
            fix="Write a name like Europe/Berlin, or UTC.",
        )
    return ZoneInfo(timezone)


@lru_cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
