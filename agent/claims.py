"""Claim work and start it: measure, ask, begin, until somebody says stop.

Polling with jitter is the truth; a notification, or a slot that came free, only makes the next look come sooner.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from uuid import UUID, uuid4

import structlog

from agent.backoff import Backoff
from agent.leases import Lease, Leases
from agent.line import DatabaseAway, Line
from agent.measures import Measures
from agent.membership import Membership
from agent.sampling import Sampler
from agent.settings import AgentSettings
from agent.tracing import Tracing
from queue_schema.calls import agents
from queue_schema.errors import FleetError, SessionLost
from queue_schema.shapes import Claimed, Sample, Session

log = structlog.get_logger(__name__)


class Claims(threading.Thread):
    """The claim loop, on a thread and a connection of its own."""

    def __init__(
        self,
        settings: AgentSettings,
        line: Line,
        membership: Membership,
        leases: Leases,
        sampler: Sampler,
        *,
        begin: Callable[[list[Lease]], None],
        measures: Measures | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        super().__init__(name="claims", daemon=True)
        self._settings = settings
        self._line = line
        self._membership = membership
        self._leases = leases
        self._sampler = sampler
        self._begin = begin
        self._measures = measures or Measures()
        self._tracing = tracing or Tracing()
        self._look = threading.Event()
        self._sent_at = 0.0
        self._sent_ns = 0
        self._stopping = False
        self._waiting = False
        """Whether the database has heard that this session sleeps."""

    def look(self) -> None:
        """There may be work: look now, and twice, for to be told means that the database thinks us awake."""
        self._waiting = False
        self._look.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping = True
        self._look.set()

    def run(self) -> None:
        """Look, claim and start until stopped."""
        backoff = Backoff(0.2, 5.0)
        while not self._stopping:
            self._look.clear()
            wait_s = self._settings.poll_s * random.uniform(0.5, 1.5)  # noqa: S311  # spreading load
            session = self._membership.session
            try:
                if self._may_claim() and self._round(session):
                    continue
                backoff.reset()
            except SessionLost:
                self._membership.mark_lost(session)
                self._membership.wait_for_change(session, 1.0)
                continue
            except DatabaseAway as exc:
                self._measures.failed("claim", "away")
                log.warning("claim.waits", error=str(exc))
                wait_s = backoff.next_s()
            except FleetError as exc:
                self._measures.failed("claim", exc.code)
                log.error("claim.refused", code=exc.code, error=str(exc), field=exc.field, fix=exc.fix)  # noqa: TRY400  # expected: the text says it all
                wait_s = backoff.next_s()
            except Exception:
                log.exception("claims.failed")
                wait_s = backoff.next_s()
            self._look.wait(wait_s)
        self._line.close()

    def _may_claim(self) -> bool:
        if self._membership.draining or self._membership.lost:
            self._waiting = False
            return False
        return self._leases.held() < self._settings.slots

    def _round(self, session: Session) -> bool:
        """One look; says whether to look again at once."""
        claimed = self._claim(session, self._sampler.look())
        self._measures.claimed(time.monotonic() - self._sent_at, claimed)
        if claimed:
            self._take_up(session, claimed)
            self._waiting = False
            return True
        # The first empty answer told the database that we sleep; work that came just before that told nobody.
        again = not self._waiting
        self._waiting = True
        return again

    def _claim(self, session: Session, sample: Sample) -> list[Claimed]:
        """Claim under one request id until there is an answer: the same answer comes again, not a second lot."""
        request_id: UUID = uuid4()
        backoff = Backoff(0.1, 3.0)
        want = max(1, self._settings.slots - self._leases.held())  # a join may have brought leases meanwhile
        self._sent_at, self._sent_ns = time.monotonic(), time.time_ns()
        while True:
            try:
                return self._line.do(
                    lambda conn: agents.claim(
                        conn, session, request_id=request_id, sample=sample, want=want, waiting=True
                    )
                )
            except DatabaseAway as exc:
                self._measures.failed("claim", "away")
                log.warning("claim.again", request=str(request_id), error=str(exc))
                if self._stopping or session != self._membership.session:
                    raise
                self._look.wait(backoff.next_s())
                self._look.clear()

    def _take_up(self, session: Session, claimed: list[Claimed]) -> None:
        leases = [Lease(each.job_id, each.token, each, self._sent_at) for each in claimed]
        admitted = self._membership.admit(session, leases)
        for lease, each in zip(leases, claimed, strict=True):
            facts = {"job_id": str(each.job_id), "token": str(each.token), "attempt": each.attempt}
            if admitted:
                lease.trail = self._tracing.attempt(each, self._sent_ns)
                facts |= lease.trail.ids
                log.info("job.claimed", kind=each.kind, devices=each.grant.devices, **facts)
            else:
                log.warning("job.claimed_too_late", **facts)
        if admitted:
            self._begin(leases)
