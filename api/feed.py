"""Tell any number of watchers what happens to their jobs, with one poller for the whole process.

One look asks for the state, the events and the log lines of every watched job at once, so that a thousand watchers
cost three queries per interval and nothing is sent by the database (NOTIFY takes a lock at commit). Each watcher has
a cursor of its own: it may begin, fall behind, or come back anywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

import psycopg
import structlog
from psycopg_pool import ConnectionPool

from queue_schema import reads
from queue_schema.states import JobState

log = structlog.get_logger(__name__)

What = Literal["events", "logs"]
Row = TypeVar("Row", reads.Event, reads.LogChunk)
_MOST_ROWS = 2000
_MOST_WAITING = 8
"""News a slow watcher may leave lying before it is passed over until it has read some."""


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher has not seen yet, in order."""

    events: list[reads.Event] = field(default_factory=list)
    logs: list[reads.LogChunk] = field(default_factory=list)
    progress: reads.Progress | None = None
    state: JobState | None = None
    """None when the job is not there any more."""
    ended: bool = False
    """Nothing will follow."""


@dataclass(slots=True, eq=False)
class _Watcher:
    job_id: UUID
    what: What
    after: int
    progress_at: datetime | None = None
    news: asyncio.Queue[News | None] = field(default_factory=asyncio.Queue)


@dataclass(frozen=True, slots=True)
class _Look:
    pulses: dict[UUID, reads.Pulse]
    events: dict[UUID, list[reads.Event]]
    logs: dict[UUID, list[reads.LogChunk]]
    more: bool


class Feed:
    """The poller and its watchers. Lives on one event loop; the queries run in a thread."""

    def __init__(self, pool: ConnectionPool[Any], *, poll_s: float, keepalive_s: float) -> None:
        self._pool = pool
        self._poll_s = poll_s
        self._keepalive_s = keepalive_s
        self._watchers: set[_Watcher] = set()
        self._kick = asyncio.Event()
        self._closed = False

    async def watch(self, job_id: UUID, what: What, *, after: int) -> AsyncIterator[News | None]:
        """News of one job until it has ended; None now and then, to show that the stream lives."""
        if self._closed:
            return
        watcher = _Watcher(job_id, what, after)
        self._watchers.add(watcher)
        self._kick.set()
        try:
            while True:
                try:
                    news = await asyncio.wait_for(watcher.news.get(), self._keepalive_s)
                except TimeoutError:
                    yield None
                    continue
                if news is None:
                    return
                yield news
                if news.ended:
                    return
        finally:
            self._watchers.discard(watcher)

    def close(self) -> None:
        """End every stream; clients come back with their last id, to this process or another."""
        self._closed = True
        for watcher in self._watchers:
            watcher.news.put_nowait(None)
        self._kick.set()

    async def run(self) -> None:
        """Look, tell, wait; for ever."""
        away = False
        while not self._closed:
            if not self._watchers:
                await self._kick.wait()
            self._kick.clear()
            more = False
            try:
                watchers = [each for each in self._watchers if each.news.qsize() < _MOST_WAITING]
                if watchers:
                    look = await asyncio.to_thread(self._look, watchers)
                    more = look.more
                    for watcher in watchers:
                        _tell(watcher, look)
                if away:
                    log.info("feed.back")
                away = False
            except psycopg.Error as exc:
                if not away:
                    log.warning("feed.away", error=str(exc))
                away = True
            except Exception:
                # One row that cannot be read must not leave every watcher of this process in the dark for ever.
                log.exception("feed.failed")
                away = True
            await self._pause(1.0 if away else 0.02 if more else self._poll_s, wakes=not away)

    async def _pause(self, seconds: float, *, wakes: bool) -> None:
        # A new watcher is told at once, yet many that come together share one look.
        await asyncio.sleep(0.02)
        if not wakes:
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait_for(self._kick.wait(), seconds)
        except TimeoutError:
            return

    def _look(self, watchers: list[_Watcher]) -> _Look:
        events = _marks(each for each in watchers if each.what == "events")
        logs = _marks(each for each in watchers if each.what == "logs")
        with self._pool.connection() as conn:
            # States first: whoever is seen as ended has all its events and lines in the queries that follow.
            pulses = {pulse.job_id: pulse for pulse in reads.pulses(conn, list({**events, **logs}))}
            seen_events = reads.events_after(conn, events, limit=_MOST_ROWS) if events else []
            seen_logs = reads.logs_after(conn, logs, limit=_MOST_ROWS // 20) if logs else []
        more = len(seen_events) >= _MOST_ROWS or len(seen_logs) >= _MOST_ROWS // 20
        return _Look(pulses, _by_job(seen_events), _by_job(seen_logs), more)


def _by_job(rows: list[Row]) -> dict[UUID, list[Row]]:
    grouped: dict[UUID, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.job_id, []).append(row)
    return grouped


def _marks(watchers: Iterable[_Watcher]) -> dict[UUID, int]:
    marks: dict[UUID, int] = {}
    for each in watchers:
        marks[each.job_id] = min(each.after, marks.get(each.job_id, each.after))
    return marks


def _tell(watcher: _Watcher, look: _Look) -> None:
    pulse = look.pulses.get(watcher.job_id)
    events: list[reads.Event] = []
    logs: list[reads.LogChunk] = []
    progress = None
    if watcher.what == "events":
        events = [e for e in look.events.get(watcher.job_id, ()) if e.event_id > watcher.after]
        if events:
            watcher.after = events[-1].event_id
        if pulse and pulse.progress and pulse.progress.at != watcher.progress_at:
            watcher.progress_at = pulse.progress.at
            # A report of log lines alone moves the time, and is no news here.
            progress = pulse.progress if _says_something(pulse.progress) else None
    else:
        logs = [c for c in look.logs.get(watcher.job_id, ()) if c.log_id > watcher.after]
        if logs:
            watcher.after = logs[-1].log_id
    ended = not look.more and (pulse is None or pulse.state.ended)
    if events or logs or progress or ended:
        watcher.news.put_nowait(News(events, logs, progress, pulse.state if pulse else None, ended))


def _says_something(news: reads.Progress) -> bool:
    return any(value is not None for value in (news.step, news.total, news.message, news.metrics))
