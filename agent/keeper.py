"""Keep the session and its leases alive, whatever else the agent is doing (I11).

A thread and a connection of its own; it listens on that connection too, so that a cancel or new work does
not wait for the next beat. It ends nobody itself: it says what is to end, and `watchdog` does it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait

import structlog
from psycopg import sql

from agent.backoff import Backoff
from agent.leases import Ending, Leases
from agent.line import Connection, DatabaseAway, Line
from agent.measures import Measures
from agent.membership import Membership
from queue_schema.calls import agents
from queue_schema.errors import FleetError, SessionLost
from queue_schema.shapes import Beat
from queue_schema.states import Command

log = structlog.get_logger(__name__)

_ENDINGS = {Command.CANCEL: Ending.CANCEL, Command.PREEMPT: Ending.PREEMPT}


class Keeper(threading.Thread):
    """Beats every `heartbeat_s` of the current terms, and at once when told to."""

    def __init__(
        self,
        line: Line,
        membership: Membership,
        leases: Leases,
        *,
        look: Callable[[], None],
        erase: Callable[[], None] = lambda: None,
        measures: Measures | None = None,
    ) -> None:
        """Build it; `start` after the first join.

        Args:
            line: Used by this thread alone.
            membership: Renewed here when the session is lost.
            leases: Named in every beat.
            look: Called when there may be work.
            erase: Called when there is something to drop.
            measures: Told how long beats take.
        """
        super().__init__(name="keeper", daemon=True)
        self._measures = measures or Measures()
        self._line = line
        self._membership = membership
        self._leases = leases
        self._look = look
        self._erase = erase
        self._stopping = False
        self._beat_now = False
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_r, False)
        os.set_blocking(self._wake_w, False)
        self._listening: tuple[Connection, str] | None = None
        self._away_since: float | None = None
        self._asking = False
        self._moved_at = time.monotonic()
        self.beats = 0
        """Beats answered; grows for ever."""

    def stop(self) -> None:
        """End the thread after the beat it is at."""
        self._stopping = True
        self._wake()

    def beat_now(self) -> None:
        """Do not wait for the next beat."""
        self._beat_now = True
        self._wake()

    def moves(self, *, within_s: float | None) -> bool:
        """Whether this thread does its work: it came round in that time, or waits for the database's answer.

        A database that is frozen may take for ever, and to start anew would end every job without need.
        """
        if within_s is None or self._asking:
            return self.is_alive()
        return self.is_alive() and time.monotonic() - self._moved_at < within_s

    def run(self) -> None:
        """Beat, listen, and join again when the session is gone, until stopped."""
        backoff = Backoff(most_s=3.0)
        while not self._stopping:
            try:
                self._wait(self._beat(backoff))
            except Exception:
                log.exception("keeper.failed")  # a keeper that dies loses every job of the node
                self._line.close()
                time.sleep(backoff.next_s())  # to wait as ever may be what failed
        self._line.close()

    def _beat(self, backoff: Backoff) -> float:
        """Once round; answers how long to wait for the next."""
        self._beat_now = False
        self._moved_at = began = time.monotonic()
        try:
            self._line.do(self._round)
            self._reached()
            backoff.reset()
            return max(0.05, self._membership.terms.heartbeat_s - (time.monotonic() - began))
        except SessionLost:
            log.warning("session.lost", session=str(self._membership.session.session_id))
            self._membership.mark_lost(self._membership.session)
            return 0.0
        except DatabaseAway as exc:
            self._measures.failed("heartbeat", "away")
            self._missed(str(exc))
        except FleetError as exc:
            self._measures.failed("heartbeat", exc.code)
            log.error("keeper.refused", code=exc.code, error=str(exc), fix=exc.fix)  # noqa: TRY400  # expected: the text says it all
        return backoff.next_s()

    def _round(self, conn: Connection) -> None:
        if self._membership.lost:
            with self._patient():
                self._membership.join(conn)
            self._look()
        # A connection whose other end forgot about us costs a third of the lease, not the lease.
        self._line.answer_s = conn.patience_s = max(2.0, self._membership.terms.lease_s / 3)
        session = self._membership.session
        with self._patient():
            self._listen(conn, agents.channel_of(session))
        sent_at = time.monotonic()
        named = self._leases.all()
        with self._patient():
            beat = agents.heartbeat(conn, session, tokens=[lease.token for lease in named])
        self._measures.beat(time.monotonic() - sent_at)
        lost = set(beat.lost)
        for lease in named:
            if lease.token not in lost:
                lease.confirmed_at = sent_at
        self.beats += 1
        self._obey(beat)

    @contextmanager
    def _patient(self) -> Iterator[None]:
        self._asking = True
        try:
            yield
        finally:
            self._asking = False

    def _listen(self, conn: Connection, channel: str) -> None:
        if self._listening is None or self._listening != (conn, channel):
            conn.execute("unlisten *")
            conn.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
            self._listening = (conn, channel)

    def _obey(self, beat: Beat) -> None:
        # While a settle is on its way a beat may well miss the lease: the settle's answer decides then.
        gone = [token for token in beat.lost if (held := self._leases.get(token)) and not held.settling]
        for lease in self._leases.end(gone, Ending.LOST):
            log.warning("lease.lost", token=str(lease.token), job_id=str(lease.job_id))
        for command in beat.commands:
            if self._leases.end([command.token], _ENDINGS[command.command]):
                log.info("lease.command", token=str(command.token), command=command.command)
        if beat.draining != self._membership.draining:
            log.info("session.draining", draining=beat.draining)
            self._membership.draining = beat.draining
            self._look()
        if beat.erasing:
            self._erase()

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not (self._stopping or self._beat_now or self._membership.lost):
            self._moved_at = time.monotonic()
            left_s = until - self._moved_at
            handle = self._line.fileno()
            handles = [self._wake_r] if handle is None else [self._wake_r, handle]
            if left_s <= 0:
                return
            ready = wait(handles, min(left_s, 1.0))
            if self._wake_r in ready:
                with suppress(BlockingIOError):
                    os.read(self._wake_r, 4096)
            if handle is not None and handle in ready:
                try:
                    self._line.do(self._hear)
                except DatabaseAway as exc:
                    self._missed(str(exc))
                    return

    def _hear(self, conn: Connection) -> None:
        for note in conn.notifies(timeout=0):
            log.debug("session.notified", payload=note.payload)
            if note.payload == "work":
                self._look()
            else:
                self._beat_now = True

    def _wake(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake_w, b".")

    def _missed(self, error: str) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("database.away", error=error)

    def _reached(self) -> None:
        if self._away_since is not None:
            log.warning("database.back", away_s=round(time.monotonic() - self._away_since, 1))
            self._away_since = None
