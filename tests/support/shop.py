"""A shop of portraits, for tests of erasure: photos in, pictures out, and what the others do for an erasure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from queue_schema.calls import clients, erasures
from queue_schema.calls.erasures import Dropped, Wanted
from queue_schema.receipts import Receipt, receipt
from queue_schema.shapes import Artifact, Claimed, Input
from tests.support.verbs import Agent, Conn, Project

PHOTO, BASE, MODEL, PICTURE = (digits * 32 for digits in ("11", "22", "33", "44"))
NOTHING = Dropped(0, 0, 0)


class Shop:
    """A project that has customers' photos in and pictures out."""

    def __init__(self, conn: Conn, project: Project, agent: Agent) -> None:
        self.conn = conn
        self.project = project
        self.agent = agent

    def upload(self, sha256: str) -> None:
        """A client does."""
        clients.put_blob(self.conn, self.project.id, sha256=sha256, size=100, media_type="image/png")

    def submit(self, *inputs: str, **fields: object) -> UUID:
        """A job that reads these."""
        named = {f"in-{at}": Input(sha256=sha256) for at, sha256 in enumerate(inputs)}
        return self.project.submit(inputs=named, **fields)

    def store(self, claimed: Claimed, sha256: str) -> None:
        """An attempt stores an output."""
        session = self.agent.session
        clients.grant(
            self.conn,
            session_id=session.session_id,
            secret=session.secret,
            job_id=claimed.job_id,
            token=claimed.token,
            sha256=sha256,
            write=True,
            size=10,
        )

    def run(self, output: str) -> UUID:
        """The next job; it makes this file."""
        claimed = self.agent.claim_one()
        self.store(claimed, output)
        self.agent.complete(claimed, [Artifact("out", output, 10, "image/png")])
        return claimed.job_id

    def erase(self, **wanted: Any) -> UUID:
        """Ask for it."""
        return erasures.erase(self.conn, self.project.id, Wanted(**wanted)).erasure_id

    def receipt(self, erasure: UUID) -> Receipt:
        """As it is now."""
        return receipt(self.conn, erasure)

    def seen(self) -> set[str]:
        """Files that the project can see."""
        return {row[0] for row in self.conn.execute("select sha256 from fleet.v_blobs")}

    def bring_on(self, erasure: UUID, until: str) -> Receipt:
        """Rounds of the scheduler."""
        for _ in range(20):
            if self.receipt(erasure).state == until:
                break
            erasures.erase_on(self.conn, limit=2)
        found = self.receipt(erasure)
        assert found.state == until
        return found

    def remove(self) -> None:
        """What the API does."""
        self.conn.execute(
            "update fleet.blobs set leaving_at = now() where leaving_at between now() and now() + interval '1 hour'"
        )
        while taken := erasures.remove_blobs(self.conn, limit=2):
            erasures.blobs_removed(self.conn, taken)

    def confirm(self) -> None:
        """What the node does."""
        for each in erasures.erasures(self.conn, self.agent.session):
            erasures.erased(self.conn, self.agent.session, each.erasure_id, NOTHING)

    def finish(self, erasure: UUID) -> Receipt:
        """All that the others do, too."""
        self.bring_on(erasure, "removing")
        self.remove()
        self.confirm()
        return self.bring_on(erasure, "done")
