"""A fleet in simulated time, on the real SQL functions: only the clock, the nodes' memory and the jobs' work are made up.

Events are submissions, ends of jobs, the scheduler's chores, heartbeats, and looks for work; between two of them nothing
happens, so an hour passes in seconds. A node looks when one of its jobs ends, when `wake` notifies it, and every
`POLL_S`, as an agent does. Everything goes over one connection, and what a run gives depends on its jobs alone, but for
ties that the database breaks by random ids.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import psycopg

from bench.server import Conn
from queue_schema.calls import admin, agents, chores, clients
from queue_schema.shapes import Claimed, Completion, Need, Submission
from queue_schema.states import Priority
from tests.support.verbs import HEADROOM_MIB, Agent, Project

POLL_S = 5.0
BEAT_S = 600.0
_LEASE_S = 3600.0
_RAM_MIB = 1_000_000
_PER_CALL = 1000
KINDS = ("selftest.allocate", "diffusion.generate", "diffusion.train_lora")

CHORES: tuple[tuple[float, Callable[[Conn], object]], ...] = (
    (1.0, chores.promote),
    (1.0, chores.rank),
    (1.0, chores.reserve),
    (5.0, chores.learn),
    (5.0, chores.reap),
)
"""What the scheduler does, and every how many seconds."""


@dataclass(frozen=True)
class Node:
    """A machine whose GPUs have exactly so much to hand out."""

    name: str
    gpus_mib: tuple[int, ...]
    slots: int = 64


@dataclass(frozen=True)
class Job:
    """One job of a trace; its work is to hold memory for a time."""

    at_s: float
    """Of its submission, from the start of the simulation."""
    project: str
    vram_mib: int
    run_s: float
    gpus: int = 1
    kind: str = "selftest.allocate"
    priority: Priority = Priority.NORMAL

    @property
    def gpu_mib_s(self) -> float:
        """What it takes of the fleet: memory times time."""
        return float(self.gpus * self.vram_mib * self.run_s)


@dataclass(frozen=True)
class Run:
    """What became of a job."""

    job: Job
    started_s: float
    """Since the start of the simulation."""
    node: str
    devices: tuple[int, ...]

    @property
    def ends_s(self) -> float:
        """When it ends, or would have, had the simulation gone on."""
        return self.started_s + self.job.run_s

    @property
    def wait_s(self) -> float:
        """From its submission to its start."""
        return self.started_s - self.job.at_s

    def gpu_mib_s(self, since_s: float, until_s: float) -> float:
        """Memory times the part of its time that lies between the two."""
        return (
            self.job.gpus
            * self.job.vram_mib
            * max(0.0, min(self.ends_s, until_s) - max(self.started_s, since_s))
        )


def simulate(
    conn: Conn,
    nodes: Sequence[Node],
    jobs: Sequence[Job],
    *,
    until_s: float,
    weights: dict[str, float] | None = None,
    submitted: Callable[[float], object] | None = None,
    reserve: bool = True,
) -> list[Run]:
    """Play a trace on a fleet, from its first submission to `until_s`.

    Args:
        conn: To a migrated database that nobody has used.
        nodes: All join at the start and stay.
        jobs: In any order.
        until_s: The end, in simulated seconds.
        weights: Of projects, where it is not 1.
        submitted: Called right after each submission, with the time in simulated seconds.
        reserve: Whether places are kept for jobs that no node has room for.

    Returns:
        The jobs that were started, in the order of their starts.
    """
    return _Simulation(conn, nodes, jobs, weights or {}, submitted, reserve=reserve).play(until_s)


class _Simulation:
    def __init__(
        self,
        conn: Conn,
        nodes: Sequence[Node],
        jobs: Sequence[Job],
        weights: dict[str, float],
        submitted: Callable[[float], object] | None,
        *,
        reserve: bool,
    ) -> None:
        self._conn = conn
        self._submitted = submitted
        self._clock = _Clock(conn)
        admin.configure(conn, lease_s=_LEASE_S, heartbeat_s=BEAT_S, reserve=reserve)
        self._jobs = sorted(jobs, key=lambda job: job.at_s)
        self._projects = {name: Project(conn, name).id for name in sorted({job.project for job in jobs})}
        for name, weight in weights.items():
            admin.set_project(conn, name, weight=weight)
        self._nodes = [_Node(conn, node) for node in nodes]
        self._by_channel = {node.channel: node for node in self._nodes}
        self._woken: set[_Node] = set()
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._sequence = itertools.count()
        self._runs: list[Run] = []
        self._ended = 0
        conn.add_notify_handler(self._notified)

    def play(self, until_s: float) -> list[Run]:
        """Until all jobs have ended, or until then: then stop in the middle of everything."""
        arrivals: dict[float, list[int]] = {}
        for number, job in enumerate(self._jobs):
            arrivals.setdefault(job.at_s, []).append(number)
        for at_s, numbers in arrivals.items():
            self._at(at_s, partial(self._submit, numbers))
        for period_s, chore in CHORES:
            self._every(period_s, partial(chore, self._conn))
        for node in self._nodes:
            self._every(BEAT_S, node.beat)
            self._every(POLL_S, partial(self._woken.add, node))
        self._woken.update(self._nodes)
        while self._events and self._events[0][0] <= until_s and self._ended < len(self._jobs):
            now_s = self._events[0][0]
            self._clock.set(now_s)
            while self._events and self._events[0][0] == now_s:
                heapq.heappop(self._events)[2]()
            self._look(now_s)
        return self._runs

    def _at(self, at_s: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._events, (at_s, next(self._sequence), do))

    def _every(self, period_s: float, do: Callable[[], object]) -> None:
        def again() -> None:
            do()
            self._at(self._clock.now_s + period_s, again)

        self._at(period_s, again)

    def _submit(self, numbers: Iterable[int]) -> None:
        """Jobs of one moment, each project's in calls of a thousand at most."""
        by_project: dict[str, list[Submission]] = {}
        for number in numbers:
            job = self._jobs[number]
            need = Need(
                gpus=job.gpus, vram_mib=job.vram_mib, cpu_milli=0, ram_mib=0, disk_mib=0, device="gpu"
            )
            submission = Submission(
                kind=job.kind, need=need, params={"number": number}, priority=job.priority
            )
            by_project.setdefault(job.project, []).append(submission)
        for project, submissions in by_project.items():
            for done in range(0, len(submissions), _PER_CALL):
                clients.submit(self._conn, self._projects[project], submissions[done : done + _PER_CALL])
        if self._submitted is not None:
            self._submitted(self._clock.now_s)
        agents.wake(self._conn)

    def _notified(self, notify: psycopg.Notify) -> None:
        node = self._by_channel.get(notify.channel)
        if node is not None:
            self._woken.add(node)

    def _look(self, now_s: float) -> None:
        """Let every node look that has a reason to, until none finds anything."""
        while self._woken:
            woken = sorted(self._woken, key=lambda node: node.name)
            self._woken.clear()
            for node in woken:
                for claimed in node.claim():
                    self._start(node, claimed, now_s)
                    self._woken.add(node)

    def _start(self, node: _Node, claimed: Claimed, now_s: float) -> None:
        job = self._jobs[claimed.params["number"]]
        run = Run(job, now_s, node.name, tuple(claimed.grant.devices))
        self._runs.append(run)

        def end() -> None:
            self._ended += 1
            node.complete(claimed)
            self._woken.add(node)

        self._at(run.ends_s, end)


class _Node:
    """A session and what it runs; each job really uses all the memory that is booked for it, at once."""

    def __init__(self, conn: Conn, node: Node) -> None:
        self.name = node.name
        self._slots = node.slots
        self._agent = Agent(
            conn,
            node.name,
            gpus=[mib + HEADROOM_MIB for mib in node.gpus_mib],
            slots=node.slots,
            ram_mib=_RAM_MIB,
            kinds=KINDS,
        )
        self._held: dict[Any, Claimed] = {}
        self.channel = agents.channel_of(self._agent.session)
        conn.execute(f"listen {self.channel}".encode())

    def claim(self) -> list[Claimed]:
        """As many as there are free slots, by a sample of the truth."""
        want = self._slots - len(self._held)
        if want == 0:
            return []
        free = dict(self._agent.total)
        realised = {}
        for lease in self._held.values():
            for idx in lease.grant.devices:
                free[idx] -= lease.grant.vram_mib
                realised[idx, lease.token] = lease.grant.vram_mib
        claimed = self._agent.claim(want, free=free, realised=realised, waiting=True)
        self._held |= {each.token: each for each in claimed}
        return claimed

    def complete(self, claimed: Claimed) -> None:
        """The job is done."""
        del self._held[claimed.token]
        item = Completion(claimed.job_id, claimed.token, peak_mib=claimed.grant.vram_mib)
        agents.only(agents.complete(self._agent.conn, self._agent.session, [item]))

    def beat(self) -> None:
        """Keep the session and its leases."""
        lost = self._agent.beat(*self._held).lost
        assert not lost, f"{self.name} lost {lost}"


class _Clock:
    """`fleet.now()` of this connection (I4): a setting of the session, since all of a simulation goes over one."""

    def __init__(self, conn: Conn) -> None:
        self._conn = conn
        self._start = datetime.now(tz=UTC)
        self.now_s = 0.0
        self.set(0.0)
        conn.execute(
            """
            create or replace function fleet.now() returns timestamptz language sql volatile
              set search_path = pg_catalog, pg_temp
              as $$ select current_setting('simulation.now')::timestamptz $$
            """
        )

    def set(self, now_s: float) -> None:
        """Go to this second of the simulation."""
        self.now_s = now_s
        now = self._start + timedelta(seconds=now_s)
        self._conn.execute("select set_config('simulation.now', %s, false)", (now.isoformat(),))
