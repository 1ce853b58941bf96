"""Tell the database how attempts ended: once each, however long it takes (I12).

A settlement is on disk before the first try and is removed after the answer, whatever the answer was. What has
ended meanwhile goes in one call, since a commit costs the same for one as for a hundred.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from agent.backoff import Backoff
from agent.leases import Leases
from agent.line import Connection, DatabaseAway, Line
from agent.measures import Measures
from agent.membership import Membership
from agent.reporter import Reporter
from agent.spool import Settlement, Spool
from agent.tracing import SILENT, database
from queue_schema.calls import agents
from queue_schema.errors import FleetError, SessionLost
from queue_schema.shapes import Completion, Failed, Released, Session, Settled
from queue_schema.states import Cause, JobState, SettleOutcome

log = structlog.get_logger(__name__)

MOST = 500
"""Settlements in one batch, or a few more: those that ended together stay together."""


class Settler(threading.Thread):
    """Works off settlements, oldest first, all that wait in one go."""

    def __init__(
        self,
        line: Line,
        membership: Membership,
        leases: Leases,
        spool: Spool,
        reporter: Reporter,
        *,
        settled: Callable[[], None],
        measures: Measures | None = None,
    ) -> None:
        """Build it; `start` after the first join.

        Args:
            line: Shared with the reporter.
            membership: Who settles.
            leases: A settled one is removed from here.
            spool: Where settlements wait.
            reporter: Flushed first, since the database takes no news of a settled attempt.
            settled: Called after each answer.
            measures: Told how attempts ended, and how long it took to say so.
        """
        super().__init__(name="settler", daemon=True)
        self._line = line
        self._membership = membership
        self._leases = leases
        self._spool = spool
        self._reporter = reporter
        self._settled = settled
        self._measures = measures or Measures()
        self._queue: queue.SimpleQueue[Sequence[Settlement] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the thread; what is not settled stays in the spool for the next life."""
        self._stopping.set()
        self._queue.put(None)

    def settle(self, *settlements: Settlement) -> None:
        """Write *settlements* to disk, and settle them as soon as the database answers."""
        try:
            self._spool.put(*settlements)
        except OSError as exc:  # a full disk must not cost the results as well
            log.error("spool.failed", tokens=[str(s.token) for s in settlements], error=str(exc))  # noqa: TRY400  # expected: the text says it all
        for each in settlements:
            if isinstance(each, Failed):
                self._reporter.tell_lines(
                    each.job_id, each.token, "agent", [f"[ended as {each.cause}: {each.message}]"]
                )
        self._leases.settling(settlement.token for settlement in settlements)
        self._queue.put(settlements)

    def resume(self, settlements: Sequence[Settlement]) -> None:
        """Settle what the spool has from the last life."""
        self._queue.put(settlements)

    def run(self) -> None:
        """Settle until stopped."""
        while left := self._waiting():
            backoff = Backoff(0.1, 3.0)
            while left and not self._stopping.is_set():
                try:
                    self._tell(left)
                except DatabaseAway as exc:
                    self._measures.failed("settle", "away")
                    log.warning("settle.waits", settlements=len(left), error=str(exc))
                    self._stopping.wait(backoff.next_s())
                except Exception:
                    log.exception("settler.failed", tokens=[str(settlement.token) for settlement in left])
                    self._stopping.wait(backoff.next_s())

    def _waiting(self) -> list[Settlement]:
        """Wait for settlements, and take all there are up to a batch; none when it is time to stop."""
        found: list[Settlement] = []
        more = self._queue.get()
        while more is not None:
            found.extend(more)
            if len(found) >= MOST:
                break
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
        return [] if self._stopping.is_set() else found

    def _tell(self, left: list[Settlement]) -> None:
        """Try once; what is done with is taken off *left*, also when the rest fails."""
        session = self._membership.session
        try:
            self._reporter.flush([settlement.token for settlement in left])
        except SessionLost:
            return self._rejoin(session)
        except FleetError as exc:
            log.error("report.refused", code=exc.code, error=str(exc))  # noqa: TRY400  # expected: the text says it all
        for kind in _EVENT:
            batch = [settlement for settlement in left if isinstance(settlement, kind)]
            try:
                self._tell_alike(session, batch, left)
            except SessionLost:
                return self._rejoin(session)
        return None

    def _tell_alike(self, session: Session, batch: list[Settlement], left: list[Settlement]) -> None:
        """One call for settlements of one verb; one each where that is refused, to find out which one it is for."""
        if not batch:
            return
        sent_ns, sent_at = time.time_ns(), time.monotonic()
        try:
            answers = self._line.do(lambda conn: _verb(conn, session, batch))
        except SessionLost:
            raise
        except FleetError as exc:
            self._measures.failed("settle", exc.code)
            if len(batch) == 1:
                self._refused(batch[0], exc)
                left.remove(batch[0])
                return
            for settlement in batch:
                self._tell_alike(session, [settlement], left)
            return
        self._measures.settled(time.monotonic() - sent_at)
        for settlement, answer in zip(batch, answers, strict=True):
            self._say(settlement, answer, sent_ns)
        self._forget(batch)
        told = {settlement.token for settlement in batch}
        left[:] = [settlement for settlement in left if settlement.token not in told]
        if any(answer.state in (JobState.SUCCEEDED, JobState.READY) for answer in answers):
            try:
                self._line.do(agents.wake)
            except (DatabaseAway, FleetError) as exc:
                log.warning("wake.failed", error=str(exc))  # polling is the truth, waking only makes it quick

    def _say(self, settlement: Settlement, answer: Settled, sent_ns: int) -> None:
        """To the log, the metrics, and the trace."""
        lease = self._leases.get(settlement.token)
        claimed = lease.claimed if lease is not None else None
        trail = lease.trail if lease is not None else SILENT
        ids = {"job_id": str(settlement.job_id), "token": str(settlement.token), **trail.ids}
        cause = str(settlement.cause) if isinstance(settlement, Failed) else ""
        outcome = _OUTCOME[type(settlement)]
        if answer.outcome is SettleOutcome.LEASE_LOST:
            outcome = "lease_lost"
            log.warning("job.lease_lost", **ids)
        else:
            log.info(
                _EVENT[type(settlement)],
                outcome=answer.outcome,
                state=answer.state,
                **ids,
                **_facts(settlement),
            )
        self._measures.ended(claimed.kind if claimed is not None else "", outcome, cause)
        trail.note("settle", sent_ns, time.time_ns(), database(_VERB[type(settlement)]))
        state = str(answer.state) if answer.state is not None else ""
        facts = {"argosy.cause": cause, "argosy.job.state": state}
        trail.end(outcome, well=outcome in ("completed", "released"), facts=facts)

    def _rejoin(self, session: Session) -> None:
        self._membership.mark_lost(session)
        self._membership.wait_for_change(session, 1.0)

    def _refused(self, settlement: Settlement, exc: FleetError) -> None:
        """A settle that the database will never take: say so to the job's owner, or give up aloud."""
        log.error("settle.refused", token=str(settlement.token), code=exc.code, error=str(exc), fix=exc.fix)
        self._spool.remove(settlement.token)
        if isinstance(settlement, Completion):
            message = f"the result was refused: {exc}"
            self.settle(Failed(settlement.job_id, settlement.token, Cause.USER_ERROR, message))
        else:
            if (lease := self._leases.get(settlement.token)) is not None:
                lease.trail.end("refused", well=False)
            self._forget([settlement])  # unnamed from now on, so the database takes the lease back (I14)

    def _forget(self, batch: Sequence[Settlement]) -> None:
        tokens = [settlement.token for settlement in batch]
        self._spool.remove(*tokens)
        self._reporter.forget(tokens)
        self._leases.remove(*tokens)
        self._settled()


_EVENT: dict[type[Settlement], str] = {
    Completion: "job.completed",
    Failed: "job.failed",
    Released: "job.released",
}

_OUTCOME: dict[type[Settlement], str] = {Completion: "completed", Failed: "failed", Released: "released"}
_VERB: dict[type[Settlement], str] = {Completion: "complete_v1", Failed: "fail_v1", Released: "release_v1"}


def _facts(settlement: Settlement) -> dict[str, object]:
    match settlement:
        case Failed():
            return {"cause": settlement.cause, "message": settlement.message}
        case Released():
            return {"reason": settlement.reason}
        case Completion():
            return {"artifacts": len(settlement.artifacts), "peak_mib": settlement.peak_mib}


def _verb(conn: Connection, session: Session, batch: Sequence[Settlement]) -> list[Settled]:
    """The one call for settlements that are all of the first one's kind."""
    match batch[0]:
        case Completion():
            return agents.complete(conn, session, [each for each in batch if isinstance(each, Completion)])
        case Failed():
            return agents.fail(conn, session, [each for each in batch if isinstance(each, Failed)])
        case Released():
            return agents.release(conn, session, [each for each in batch if isinstance(each, Released)])
