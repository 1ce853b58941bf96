"""Which session this agent is: joined once, and again when the database says that it is gone.

Every thread reads the current session here; only the keeper renews it, so that a fleet coming back after
an outage joins once per agent and not once per thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog

from agent.leases import Ending, Lease, Leases
from agent.line import Connection
from queue_schema.calls import agents
from queue_schema.shapes import HeldLease, Join, Joined, Session

log = structlog.get_logger(__name__)


class Membership:
    """The current session and what came with it."""

    def __init__(self, declared: Join, leases: Leases) -> None:
        self._declared = declared
        self._leases = leases
        self._joined: Joined | None = None
        self._session: Session | None = None
        self._lost: Session | None = None
        self._changed = threading.Condition()
        self.unknown: Callable[[list[HeldLease]], None] = lambda _: None
        """Told of leases that came with a join and that nobody here knows: hand them back."""
        self.draining = False
        """Whether the fleet asked this node to claim nothing."""

    @property
    def session(self) -> Session:
        """Who we are now. Only after the first join."""
        assert self._session is not None, "join first"
        return self._session

    @property
    def terms(self) -> Joined:
        """What the current join agreed: lease and heartbeat times."""
        assert self._joined is not None, "join first"
        return self._joined

    def join(self, conn: Connection) -> None:
        """Begin a session, and sort the leases that came along: known ones go on, others are handed back.

        A lease we hold that did not come along was taken by somebody: its runner is ended.

        Raises:
            NodeNameTaken: Another live machine has this name.
            BadRequest: What we declare is not usable.
        """
        joined = agents.join(conn, self._declared)
        with self._changed:
            held = {lease.token for lease in joined.held}
            mine = self._leases.tokens()
            self._joined = joined
            self._session = Session(joined.session_id, joined.secret)
            self._lost = None
            self.draining = joined.draining
            self._changed.notify_all()
        gone = [token for token in mine if token not in held and not self._settling(token)]
        self._leases.end(gone, Ending.LOST)
        unknown = [lease for lease in joined.held if lease.token not in mine]
        log.info(
            "session.joined",
            session=str(joined.session_id),
            kept=len(held) - len(unknown),
            unknown=len(unknown),
            lost=len(gone),
            draining=joined.draining,
        )
        if unknown:
            self.unknown(unknown)

    def declare_again(self, declared: Join) -> None:
        """This machine has changed: join anew, which keeps the leases."""
        self._declared = declared
        self.mark_lost(self.session)

    def admit(self, session: Session, leases: Sequence[Lease]) -> bool:
        """Take up claimed leases, unless the session they were claimed for has been replaced meanwhile.

        Then the join has seen the leases already, as ones that nobody knows, and they are being handed back.
        """
        with self._changed:
            if session != self._session:
                return False
            self._leases.add(*leases)
            return True

    def mark_lost(self, session: Session) -> None:
        """Say that the database does not know *session* any more; the keeper joins again."""
        with self._changed:
            if session == self._session:
                self._lost = session
                self._changed.notify_all()

    @property
    def lost(self) -> bool:
        """Whether a new join is due."""
        return self._lost is not None

    def wait_for_change(self, session: Session, timeout_s: float) -> bool:
        """Wait until somebody joined anew after *session* was lost."""
        with self._changed:
            return self._changed.wait_for(lambda: self._session != session, timeout_s)

    def _settling(self, token: object) -> bool:
        lease = next((lease for lease in self._leases.all() if lease.token == token), None)
        return lease is not None and lease.settling
