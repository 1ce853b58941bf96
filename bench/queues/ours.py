"""Argosy, by its own typed calls: claimers as the agent has them, without runners."""

from __future__ import annotations

import gc
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, LiteralString
from uuid import UUID, uuid4

import psycopg

from bench.progress import Progress
from bench.queues.base import PER_CALL, Queue, Submit, paces, payload
from bench.server import Conn
from queue_schema import migrate
from queue_schema.calls import admin, agents, clients
from queue_schema.shapes import Claimed, Completion, Session, Submission
from tests.support.verbs import Agent, Project

PROJECT = "bench"
HUGE = 100_000_000
"""More MiB, or thousandths of a core, than any job of the bench will want."""


def noop(sent_at: float = 0.0) -> Submission:
    """A job that does nothing, with the payload all queues carry."""
    return Submission(kind="noop", params=payload(sent_at))


def submit(conn: Conn, project_id: UUID, jobs: int, a_call: int = PER_CALL) -> None:
    """No-op jobs, so many a call."""
    for done in range(0, jobs, a_call):
        clients.submit(conn, project_id, [noop() for _ in range(min(a_call, jobs - done))])


def wide_node(conn: Conn, node: str, *, slots: int) -> Agent:
    """A node that only its slots limit; its memory is host memory."""
    return Agent(conn, node, slots=slots, ram_mib=HUGE, cpu_milli=HUGE)


@dataclass(frozen=True)
class Argosy(Queue):
    """Our queue: claims on one connection while the last batch is settled on another, as the agent does."""

    claimers: int = 1
    """Sessions in each worker process, a thread each."""
    want: int = 1000
    """Jobs in one claim, and in the settle that ends them; found by trying 300 to 2,000, as with pgqueuer."""
    listeners: int = 100
    """Idle sessions while latency is measured."""
    durable: bool = True
    """False: the fleet is told that it may lose its last moments (`settings.durable`), as it must be where
    synchronous_commit is off and shall stay so."""
    name: str = "argosy"

    package: ClassVar[str] = "argosy"
    busy_sql: ClassVar[LiteralString] = (
        "select exists (select from fleet.ready) or exists (select from fleet.leases)"
    )

    @property
    def settings(self) -> str:
        """How its workers are set, in words."""
        return (
            f"psycopg, {self.claimers} claimers a process, {self.want} a claim and a settle, settles overlap claims, "
            "heap frozen"
        )

    def install(self, url: str) -> None:
        """Migrate; make one project."""
        migrate.upgrade(url)
        with psycopg.connect(url, autocommit=True) as conn:
            Project(conn, PROJECT)
            if not self.durable:
                admin.configure(conn, durable=False)

    @contextmanager
    def submitting(self, url: str) -> Iterator[Submit]:
        """The verb is the same for one job and for many."""
        with psycopg.connect(url, autocommit=True) as conn:
            yield partial(submit, conn, project_id(conn))

    def drain(self, url: str, worker: int, progress: Progress) -> None:
        """Each claimer, in a thread of its own, until it finds nothing; all have joined before the first claims."""
        gc.collect()
        gc.freeze()  # as agent.node does
        with ExitStack() as stack:
            joined = []
            for number in range(self.claimers):
                conn = stack.enter_context(psycopg.connect(url, autocommit=True))
                joined.append(wide_node(conn, f"worker-{worker}-{number}", slots=3 * self.want))
            with ThreadPoolExecutor(self.claimers) as threads:
                for _ in threads.map(
                    lambda agent: claim_all(agent, url, self.want, progress.started), joined
                ):
                    pass

    def serve(self, url: str, ready: Callable[[], None], started: Callable[[float], None]) -> None:
        """All sessions asleep in one process: a selector over their connections wakes the one that was notified."""
        with selectors.DefaultSelector() as selector:
            for number in range(self.listeners):
                conn = psycopg.connect(url, autocommit=True)
                sleeper = _Sleeper(wide_node(conn, f"listener-{number}", slots=8), started)
                sleeper.look()
                selector.register(conn.fileno(), selectors.EVENT_READ, sleeper)
            ready()
            while True:
                for key, _ in selector.select():
                    key.data.wake()

    def trickle(self, url: str, jobs: int, every_s: float) -> None:
        """Submit, then wake who did not hear of it, as the API does."""
        with psycopg.connect(url, autocommit=True) as conn:
            project = project_id(conn)
            for pause_s in paces(jobs, every_s):
                time.sleep(pause_s)
                clients.submit(conn, project, [noop(time.monotonic())])
                agents.wake(conn)


class _Sleeper:
    """One idle session: claims when it is told to, and goes back to sleep once two looks in a row found nothing."""

    def __init__(self, agent: Agent, started: Callable[[float], None]) -> None:
        self._agent = agent
        self._started = started
        self._told = False
        agent.conn.add_notify_handler(self._hear)
        agent.conn.execute(f"listen {agents.channel_of(agent.session)}".encode())

    def _hear(self, _: psycopg.Notify) -> None:
        """While a call of ours was under way: the selector will not see it."""
        self._told = True

    def wake(self) -> None:
        """Something came over the connection; look if it was for us."""
        pgconn = self._agent.conn.pgconn
        pgconn.consume_input()
        told = False
        while pgconn.notifies() is not None:
            told = True
        if told:
            self.look()

    def look(self) -> None:
        """Claim and complete until there is nothing; the answer before last told the database that this one sleeps."""
        empty = 0
        while empty < 2:
            self._told = False
            claimed = self._agent.claim(8, waiting=True)
            for job in claimed:
                self._started(job.params["sent_at"])
            if claimed:
                settle(self._agent.conn, self._agent.session, claimed)
            empty = 0 if claimed or self._told else empty + 1


def claim_all(
    agent: Agent,
    url: str,
    want: int,
    started: Callable[[int], None],
    *,
    jobs: int | None = None,
    limit_s: float | None = None,
) -> int:
    """Claim and complete until a claim finds nothing; the number of jobs done.

    The next batch is claimed while the last one is settled, each on a connection of its own.

    Args:
        agent: Who claims, on its own connection.
        url: For the connection that settles.
        want: Most jobs of one claim.
        started: Told the size of each batch.
        jobs: Stop after this many.
        limit_s: Stop after this long.
    """
    done = 0
    end = None if limit_s is None else time.monotonic() + limit_s
    settling: Future[None] | None = None
    with psycopg.connect(url, autocommit=True) as settles, ThreadPoolExecutor(1) as settler:
        while (jobs is None or done < jobs) and (end is None or time.monotonic() < end):
            claimed = claim(agent, want)
            if not claimed:
                break
            started(len(claimed))
            if settling is not None:
                settling.result()
            settling = settler.submit(settle, settles, agent.session, claimed)
            done += len(claimed)
        if settling is not None:
            settling.result()
    return done


def claim(agent: Agent, want: int) -> list[Claimed]:
    """One claim with a fresh sample and a fresh request."""
    return agents.claim(agent.conn, agent.session, request_id=uuid4(), sample=agent.sample(), want=want)


def settle(conn: Conn, session: Session, claimed: Sequence[Claimed]) -> None:
    """Complete a batch."""
    agents.complete(conn, session, [Completion(job.job_id, job.token) for job in claimed])


def project_id(conn: Conn) -> UUID:
    """Of the project that `install` made."""
    row = conn.execute("select project_id from fleet.projects where name = %s", (PROJECT,)).fetchone()
    assert row is not None
    found: UUID = row[0]
    return found
