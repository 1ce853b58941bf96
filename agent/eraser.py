"""Drops what a project wants gone: cached files, models it fetched, and runners that may remember; then says so.

A thread of its own: to end runners takes seconds, and must not hold up a beat. The fleet asks again, with every beat,
until it has the answer; so nothing is kept on disk here.
"""

from __future__ import annotations

import threading
import time
from uuid import UUID

import structlog

from agent.files.cache import Cache
from agent.files.models import Models
from agent.line import DatabaseAway, Line
from agent.membership import Membership
from agent.warm import Warm
from queue_schema.calls import erasures
from queue_schema.calls.erasures import Dropped, Erasure
from queue_schema.errors import FleetError, SessionLost

log = structlog.get_logger(__name__)


class Eraser(threading.Thread):
    """Looks when a beat says that there is something to drop."""

    def __init__(self, line: Line, membership: Membership, cache: Cache, models: Models, warm: Warm) -> None:
        super().__init__(name="eraser", daemon=True)
        self._line = line
        self._membership = membership
        self._cache = cache
        self._models = models
        self._warm = warm
        self._told = threading.Event()
        self._stopping = False
        self._dropped: dict[UUID, tuple[float, Dropped]] = {}
        """By erasure: since when, and what went. It is told when runners at work have ended."""

    def look(self) -> None:
        """There is something to drop. Never waits."""
        self._told.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._told.set()

    def run(self) -> None:
        """Drop what is to go, until stopped."""
        while self._told.wait() and not self._stopping:
            self._told.clear()
            try:
                session = self._membership.session
                for erasure in self._line.do(lambda conn: erasures.erasures(conn, session)):  # noqa: B023  # called at once
                    self._drop(erasure)
            except DatabaseAway as exc:
                log.warning("eraser.waits", error=str(exc))
            except SessionLost:
                self._membership.mark_lost(self._membership.session)
            except FleetError as exc:
                log.error("eraser.refused", code=exc.code, error=str(exc))  # noqa: TRY400  # expected: the text says it all
            except Exception:
                log.exception("eraser.failed")

    def _drop(self, erasure: Erasure) -> None:
        project = erasure.project_id
        if erasure.erasure_id not in self._dropped:
            now = time.monotonic()
            dropped = Dropped(
                files=self._cache.erase(project, None if erasure.everything else erasure.files),
                models=self._models.erase(project) if erasure.everything else 0,
                runners=self._warm.retire(project, began_before=now),
            )
            self._dropped[erasure.erasure_id] = now, dropped
        since, dropped = self._dropped[erasure.erasure_id]
        if not self._warm.retired(project, began_before=since):
            log.info(
                "erasure.waits", erasure=str(erasure.erasure_id), why="a runner that may remember is at work"
            )
            return
        session = self._membership.session
        self._line.do(lambda conn: erasures.erased(conn, session, erasure.erasure_id, dropped))
        del self._dropped[erasure.erasure_id]
        log.info(
            "erasure.dropped", erasure=str(erasure.erasure_id), files=dropped.files, runners=dropped.runners
        )
