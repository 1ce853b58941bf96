"""Store the checkpoints a runner hands over, so that another attempt can go on from them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from agent.backoff import Backoff
from agent.files.own import NotOwn, opened, remove
from agent.files.transfer import Transfer, TransferError
from agent.leases import Ending, Lease
from agent.line import DatabaseAway, Line
from agent.membership import Membership
from queue_schema.calls import agents
from queue_schema.errors import FleetError, LeaseLost, SessionLost
from workloads.protocol import Checkpoint

log = structlog.get_logger(__name__)

PATIENCE_S = 30.0
"""For naming it to the database. A checkpoint that is not named costs time, never the job."""


class Newest:
    """The checkpoints of one attempt on their way to the store. One waits at most, the newest.

    While the store is away, more of them would fill the disk, and each would then be in the way of what counts.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._message: Checkpoint | None = None
        self._within = Path()
        self._ended = False

    def put(self, message: Checkpoint, *, within: Path) -> None:
        """One more; whatever waits goes."""
        with self._changed:
            self._drop()
            self._message, self._within = message, within
            self._changed.notify()

    def drop(self) -> None:
        """Nobody needs one any more."""
        with self._changed:
            self._drop()

    def end(self) -> None:
        """There will be no more."""
        with self._changed:
            self._ended = True
            self._changed.notify()

    def take(self) -> Checkpoint | None:
        """Wait for the next; None: there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._message is not None or self._ended)
            message, self._message = self._message, None
            return message

    def _drop(self) -> None:
        if self._message is not None:
            remove(Path(self._message.path), self._within)
            self._message = None


class Checkpoints:
    """Uploads, then names, then deletes the file."""

    def __init__(self, line: Line, membership: Membership, transfer: Transfer) -> None:
        self._line = line
        self._membership = membership
        self._transfer = transfer

    def keep(
        self,
        lease: Lease,
        message: Checkpoint,
        *,
        within: Path,
        needed: Callable[[], bool] = lambda: True,
    ) -> None:
        """Store one checkpoint while it is *needed*; a failure is logged and the attempt goes on."""
        path = Path(message.path)
        facts = {"token": str(lease.token), "step": message.step}
        try:
            with opened(path, within) as file:
                sha256, size = self._transfer.upload(
                    file,
                    media_type="application/octet-stream",
                    job_id=lease.job_id,
                    token=lease.token,
                    wanted=lambda: (
                        lease.ending not in (Ending.CANCEL, Ending.LOST, Ending.TIMEOUT) and needed()
                    ),
                )
            self._name(lease, sha256, size, message.step)
            log.info("checkpoint.kept", size=size, **facts)
        except NotOwn as exc:
            log.warning("checkpoint.not_a_file", error=str(exc), **facts)
        except LeaseLost:
            lease.end(Ending.LOST)
        except (TransferError, DatabaseAway, FleetError, OSError) as exc:
            log.warning("checkpoint.failed", error=f"{type(exc).__name__}: {exc}", **facts)
        finally:
            remove(path, within)

    def _name(self, lease: Lease, sha256: str, size: int, step: int) -> None:
        until = time.monotonic() + PATIENCE_S
        backoff = Backoff()
        while True:
            session = self._membership.session
            try:
                self._line.do(
                    lambda conn, session=session: agents.checkpoint(  # type: ignore[misc]
                        conn,
                        session,
                        job_id=lease.job_id,
                        token=lease.token,
                        sha256=sha256,
                        size=size,
                        step=step,
                    )
                )
            except SessionLost:
                self._membership.mark_lost(session)
                if time.monotonic() > until:
                    raise
                self._membership.wait_for_change(session, 1.0)
            except DatabaseAway:
                if time.monotonic() > until or lease.ending is Ending.LOST:
                    raise
                time.sleep(backoff.next_s())
            else:
                return
