"""Terse callers of the real verbs: a project that submits, and agents that are sessions without processes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg

from queue_schema.calls import admin, agents, chores, clients
from queue_schema.shapes import (
    Artifact,
    Beat,
    Claimed,
    Completion,
    DeviceDeclared,
    DeviceSample,
    Failed,
    Join,
    LeaseSample,
    Need,
    Reaped,
    Released,
    Sample,
    Session,
    Settled,
    Submission,
)
from queue_schema.states import Cause, Scope

Conn = psycopg.Connection[Any]
HEADROOM_MIB = 512
KINDS = ["noop", "command", "selftest.allocate"]


class Project:
    """A tenant."""

    def __init__(self, conn: Conn, name: str = "acme") -> None:
        self.conn = conn
        self.key = admin.create_key(conn, name, name="tests", scopes=list(Scope))
        self.id = self.key.project_id

    def submit(self, kind: str = "noop", **fields: Any) -> UUID:
        """One job; its id."""
        return self.submit_many([Submission(kind=kind, **fields)])[0]

    def submit_many(self, jobs: Sequence[Submission]) -> list[UUID]:
        """Several at once; their ids."""
        return [job.job_id for job in clients.submit(self.conn, self.id, jobs)]

    def gpu_job(self, vram_mib: int, *, gpus: int = 1, **fields: Any) -> UUID:
        """A job that needs devices and next to nothing else."""
        need = Need(gpus=gpus, vram_mib=vram_mib, cpu_milli=1, ram_mib=0, disk_mib=0)
        return self.submit("selftest.allocate", need=need, **fields)

    def state(self, job: UUID) -> str:
        """Where a job is."""
        row = self.conn.execute("select fleet.state_of(%s)", (job,)).fetchone()
        assert row is not None
        return str(row[0])

    def row(self, job: UUID) -> dict[str, Any]:
        """The job as the API sees it."""
        with self.conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            found = cursor.execute("select * from fleet.v_jobs where job_id = %s", (job,)).fetchone()
        assert found is not None
        return found

    def events(self, job: UUID) -> list[str]:
        """What happened to it, in order."""
        return [
            row[0]
            for row in self.conn.execute(
                "select event from fleet.v_events where job_id = %s order by event_id", (job,)
            )
        ]


class Agent:
    """A session of a node; claims with samples that a test decides."""

    def __init__(
        self,
        conn: Conn,
        node: str = "node-1",
        *,
        gpus: Sequence[int] = (),
        ram_mib: int = 64_000,
        slots: int = 64,
        instance: str | None = None,
        kinds: Sequence[str] = tuple(KINDS),
        cpu_milli: int = 64_000,
        labels: dict[str, str] | None = None,
    ) -> None:
        self.conn = conn
        self.node = node
        self._jobs: dict[UUID, UUID] = {}
        self.total = {-1: ram_mib, **dict(enumerate(gpus))}
        self.declared = Join(
            node=node,
            instance=instance or f"instance of {node}",
            boot="1@0",
            version="test",
            kinds=list(kinds),
            devices=[
                DeviceDeclared(
                    idx=idx,
                    uuid=f"{node}/{idx}",
                    kind="ram" if idx == -1 else "gpu",
                    name="test device",
                    total_mib=total,
                    headroom_mib=HEADROOM_MIB,
                    takes_vram=idx != -1 or not gpus,
                )
                for idx, total in self.total.items()
            ],
            cpu_milli=cpu_milli,
            disk_mib=1_000_000,
            slots=slots,
            labels=labels or {},
        )
        self.join()

    def join(self) -> list[UUID]:
        """Begin a session; the tokens that came along from the last one."""
        joined = agents.join(self.conn, self.declared)
        self.session = Session(joined.session_id, joined.secret)
        self._sequence = itertools.count(1)
        return [lease.token for lease in joined.held]

    def sample(
        self, free: dict[int, int] | None = None, realised: dict[tuple[int, UUID], int] | None = None
    ) -> Sample:
        """What the node measures: everything free unless said."""
        devices = [
            DeviceSample(
                idx,
                total if free is None else free.get(idx, total),
                [
                    LeaseSample(self._jobs[token], token, mib)
                    for (at, token), mib in (realised or {}).items()
                    if at == idx
                ],
            )
            for idx, total in self.total.items()
        ]
        return Sample(next(self._sequence), devices, 1_000_000)

    def claim(
        self,
        want: int = 64,
        *,
        free: dict[int, int] | None = None,
        realised: dict[tuple[int, UUID], int] | None = None,
        request_id: UUID | None = None,
        sample: Sample | None = None,
        waiting: bool = False,
    ) -> list[Claimed]:
        """Claim with a fresh sample."""
        claimed = agents.claim(
            self.conn,
            self.session,
            request_id=request_id or uuid4(),
            sample=sample or self.sample(free, realised),
            want=want,
            waiting=waiting,
        )
        self._jobs.update({job.token: job.job_id for job in claimed})
        return claimed

    def claim_one(self) -> Claimed:
        """Claim exactly one."""
        [claimed] = self.claim(1)
        return claimed

    def beat(self, *tokens: UUID) -> Beat:
        """Heartbeat naming these tokens."""
        return agents.heartbeat(self.conn, self.session, tokens=list(tokens))

    def complete(self, claimed: Claimed, artifacts: Sequence[Artifact] = (), **values: Any) -> Settled:
        """End as succeeded."""
        item = Completion(claimed.job_id, claimed.token, artifacts=list(artifacts), values=values)
        return agents.complete(self.conn, self.session, [item])[0]

    def fail(
        self, claimed: Claimed, cause: Cause = Cause.USER_ERROR, message: str = "it did not work"
    ) -> Settled:
        """End as failed."""
        return agents.fail(self.conn, self.session, [Failed(claimed.job_id, claimed.token, cause, message)])[
            0
        ]

    def release(self, claimed: Claimed, reason: str = "test") -> Settled:
        """Hand back."""
        return agents.release(self.conn, self.session, [Released(claimed.job_id, claimed.token, reason)])[0]


def reap(conn: Conn) -> Reaped:
    """One round of the reaper."""
    return chores.reap(conn)


def reaper_at_work(conn: Conn) -> None:
    """Make the reaper one that has been running for long: no grace."""
    chores.reap(conn)
    conn.execute("update fleet.reaper set grace_until = null")


def place_of(conn: Conn, job: UUID) -> list[str]:
    """Every place a job is in, for I1: exactly one is right."""
    row = conn.execute(
        """
        select array_remove(array[
          (select 'ready'   from fleet.ready   where job_id = j.job_id),
          (select 'waiting' from fleet.waiting where job_id = j.job_id),
          (select 'leased'  from fleet.leases  where job_id = j.job_id),
          (select 'ended'   where j.outcome is not null)], null)
        from fleet.jobs as j where j.job_id = %s
        """,
        (job,),
    ).fetchone()
    assert row is not None
    return list(row[0])
