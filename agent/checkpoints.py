"""Store the checkpoints a runner hands over, so that another attempt can go on from them."""

from __future__ import annotations

import time
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


class Checkpoints:
    """Uploads, then names, then deletes the file."""

    def __init__(self, line: Line, membership: Membership, transfer: Transfer) -> None:
        self._line = line
        self._membership = membership
        self._transfer = transfer

    def keep(self, lease: Lease, message: Checkpoint, *, within: Path) -> None:
        """Store one checkpoint; a failure is logged and the attempt goes on."""
        path = Path(message.path)
        facts = {"token": str(lease.token), "step": message.step}
        try:
            with opened(path, within) as file:
                sha256, size = self._transfer.upload(
                    file,
                    media_type="application/octet-stream",
                    job_id=lease.job_id,
                    token=lease.token,
                    wanted=lambda: lease.ending not in (Ending.CANCEL, Ending.LOST),
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
