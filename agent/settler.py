"""Tell the database how attempts ended: once each, in order, however long it takes (I12).

A settlement is on disk before the first try and is removed after the answer, whatever the answer was.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import structlog

from agent.backoff import Backoff
from agent.leases import Leases
from agent.line import Connection, DatabaseAway, Line
from agent.membership import Membership
from agent.reporter import Reporter
from agent.spool import Settlement, Spool
from queue_schema.calls import agents
from queue_schema.errors import FleetError, LeaseLost, SessionLost
from queue_schema.shapes import Completion, Failed, Released, Session, Settled
from queue_schema.states import Cause, JobState

log = structlog.get_logger(__name__)


class Settler(threading.Thread):
    """Works off settlements, oldest first."""

    def __init__(
        self,
        line: Line,
        membership: Membership,
        leases: Leases,
        spool: Spool,
        reporter: Reporter,
        *,
        settled: Callable[[Settlement], None],
    ) -> None:
        """Build it; `start` after the first join.

        Args:
            line: Shared with the reporter.
            membership: Who settles.
            leases: A settled one is removed from here.
            spool: Where settlements wait.
            reporter: Flushed first, since the database takes no news of a settled attempt.
            settled: Called after each answer.
        """
        super().__init__(name="settler", daemon=True)
        self._line = line
        self._membership = membership
        self._leases = leases
        self._spool = spool
        self._reporter = reporter
        self._settled = settled
        self._queue: queue.SimpleQueue[Settlement | None] = queue.SimpleQueue()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread; what is not settled stays in the spool for the next life."""
        self._stopping.set()
        self._queue.put(None)

    def settle(self, settlement: Settlement) -> None:
        """Write *settlement* to disk and settle it as soon as the database answers."""
        try:
            self._spool.put(settlement)
        except OSError as exc:  # a full disk must not cost the result as well
            log.error("spool.failed", token=str(settlement.token), error=str(exc))  # noqa: TRY400  # expected: the text says it all
        lease = self._leases.get(settlement.token)
        if lease is not None:
            lease.settling = True
            with self._leases.changed:
                self._leases.changed.notify_all()
        self._queue.put(settlement)

    def resume(self, settlement: Settlement) -> None:
        """Settle something the spool has from the last life."""
        self._queue.put(settlement)

    def run(self) -> None:
        """Settle one after the other until stopped."""
        while (settlement := self._queue.get()) is not None:
            backoff = Backoff(0.1, 3.0)
            while not self._stopping.is_set():
                try:
                    if self._tell(settlement):
                        break
                except DatabaseAway as exc:
                    log.warning("settle.waits", token=str(settlement.token), error=str(exc))
                    self._stopping.wait(backoff.next_s())
                except Exception:
                    log.exception("settler.failed", token=str(settlement.token))
                    self._stopping.wait(backoff.next_s())

    def _tell(self, settlement: Settlement) -> bool:
        """Try once; says whether it is done with."""
        session = self._membership.session
        try:
            self._reporter.flush(settlement.token)
        except SessionLost:
            return self._rejoin(session)
        except FleetError as exc:
            log.error("report.refused", code=exc.code, error=str(exc))  # noqa: TRY400  # expected: the text says it all
        try:
            answer = self._line.do(lambda conn: _verb(conn, session, settlement))
        except SessionLost:
            return self._rejoin(session)
        except LeaseLost:
            log.warning("job.lease_lost", job_id=str(settlement.job_id), token=str(settlement.token))
            self._forget(settlement)
            return True
        except FleetError as exc:
            return self._refused(settlement, exc)
        log.info(
            _EVENT[type(settlement)],
            job_id=str(settlement.job_id),
            token=str(settlement.token),
            outcome=answer.outcome,
            state=answer.state,
            **_facts(settlement),
        )
        self._forget(settlement)
        if isinstance(settlement, Completion) or answer.state is JobState.READY:
            try:
                self._line.do(agents.wake)
            except (DatabaseAway, FleetError) as exc:
                log.warning("wake.failed", error=str(exc))  # polling is the truth, waking only makes it quick
        return True

    def _rejoin(self, session: Session) -> bool:
        self._membership.mark_lost(session)
        self._membership.wait_for_change(session, 1.0)
        return False

    def _refused(self, settlement: Settlement, exc: FleetError) -> bool:
        """A settle that the database will never take: say so to the job's owner, or give up aloud."""
        log.error("settle.refused", token=str(settlement.token), code=exc.code, error=str(exc), fix=exc.fix)
        self._spool.remove(settlement.token)
        if isinstance(settlement, Completion):
            message = f"the result was refused: {exc}"
            self.settle(Failed(settlement.job_id, settlement.token, Cause.USER_ERROR, message))
        else:
            self._forget(settlement)  # unnamed from now on, so the database takes the lease back (I14)
        return True

    def _forget(self, settlement: Settlement) -> None:
        self._spool.remove(settlement.token)
        self._reporter.forget(settlement.token)
        self._leases.remove(settlement.token)
        self._settled(settlement)


_EVENT: dict[type[Settlement], str] = {
    Completion: "job.completed",
    Failed: "job.failed",
    Released: "job.released",
}


def _facts(settlement: Settlement) -> dict[str, object]:
    match settlement:
        case Failed():
            return {"cause": settlement.cause, "message": settlement.message}
        case Released():
            return {"reason": settlement.reason}
        case Completion():
            return {"artifacts": len(settlement.artifacts), "peak_mib": settlement.peak_mib}


def _verb(conn: Connection, session: Session, settlement: Settlement) -> Settled:
    match settlement:
        case Completion():
            return agents.only(agents.complete(conn, session, [settlement]))
        case Failed():
            return agents.only(agents.fail(conn, session, [settlement]))
        case Released():
            return agents.only(agents.release(conn, session, [settlement]))
