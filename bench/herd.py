"""Thousands of nodes in one process, over a few hundred real connections: beats, claims and settles, without any work.

The calls are those of `queue_schema.calls.agents`, but over asyncpg, whose share of the machine is a quarter of
psycopg's: what is measured here is the server. A connection serves its sessions one call at a time, in the order in
which they fall due.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID, uuid4

import asyncpg
import msgspec

from bench.queues.ours import HUGE
from queue_schema.shapes import Beat, DeviceDeclared, DeviceSample, Join, Joined, Sample, Session

SLOTS = 4
BEAT_S = 10.0
T = TypeVar("T")
_JOIN_S = 0.007
"""Between two joins, over all connections."""
_VARIES = (0.9, 1.1)
"""How long a job runs, of what is said: with jobs of exactly one length any burst of claims comes back as one of ends,
and of claims again, for ever."""
_JOIN = "select fleet.join_v1(p_declared => $1::jsonb)::text"
_BEAT = "select fleet.heartbeat_v1(p_session => $1, p_secret => $2, p_tokens => $3)::text"
_CLAIM = (
    "select fleet.claim_v1(p_session => $1, p_secret => $2, p_request => $3, p_sample => $4::jsonb, p_want => $5,"
    " p_waiting => true)::text"
)
_COMPLETE = "select fleet.complete_v1(p_session => $1, p_secret => $2, p_items => $3::jsonb)::text"


class _Taken(msgspec.Struct, frozen=True):
    """The part of `Claimed` that a node without work needs."""

    job_id: UUID
    token: UUID


@dataclass
class Tally:
    """What happened since the last reset."""

    claim_s: list[float] = field(default_factory=list)
    """How long each claim took, as its caller saw it."""
    beat_s: list[float] = field(default_factory=list)
    """How long each heartbeat took."""
    late_s: list[float] = field(default_factory=list)
    """How much later than it was due each call was sent: the client's, or its connection's, share of any delay."""
    completed: int = 0
    empty: int = 0
    """Claims that found nothing."""
    errors: Counter[str] = field(default_factory=Counter)


@dataclass
class _Member:
    """One session."""

    session: Session
    sequence: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    held: set[_Taken] = field(default_factory=set)


class Herd:
    """Nodes that all do the same.

    Args:
        url: Of the database.
        nodes: How many.
        connections: Over how many connections; each serves as many nodes as the others, or one more.
        run_s: How long a job runs.
    """

    def __init__(self, url: str, *, nodes: int, connections: int, run_s: float) -> None:
        self._url = url
        self._nodes = nodes
        self._connections = min(nodes, connections)
        self.run_s = run_s
        self.join_s = _JOIN_S * nodes
        self.spread_s = min(BEAT_S, run_s)
        """Of the first claims."""
        self.tally = Tally()
        self._joined = 0
        self._all_joined = asyncio.Event()

    async def run(self, during: Callable[[], Awaitable[None]]) -> None:
        """Join, fill up, go on until `during` returns. It begins when all have joined."""
        members = [asyncio.create_task(self._serve(number)) for number in range(self._connections)]
        middle = asyncio.create_task(self._after_joins(during))
        try:
            done, _ = await asyncio.wait([*members, middle], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (*members, middle):
                task.cancel()
            await asyncio.gather(*members, middle, return_exceptions=True)

    async def _after_joins(self, during: Callable[[], Awaitable[None]]) -> None:
        await self._all_joined.wait()
        await during()

    async def _serve(self, number: int) -> None:
        """All nodes of one connection, for ever."""
        conn = await asyncpg.connect(self._url)
        try:
            await _Line(self, conn).serve(range(number, self._nodes, self._connections))
        finally:
            conn.terminate()

    def joined(self) -> None:
        """One more node is there."""
        self._joined += 1
        if self._joined == self._nodes:
            self._all_joined.set()


class _Line:
    """A connection and the agenda of its nodes."""

    def __init__(self, herd: Herd, conn: asyncpg.Connection) -> None:
        self._herd = herd
        self._conn = conn
        self._sequence = itertools.count()
        self._agenda: list[tuple[float, int, Callable[[], Awaitable[None]]]] = []
        self._chance = random.Random()  # noqa: S311  # spreading load

    async def serve(self, nodes: range) -> None:
        for number in nodes:
            self._soon(self._chance.uniform(0, self._herd.join_s), partial(self._join, number))
        while True:
            due, _, call = heapq.heappop(self._agenda)
            pause_s = due - time.monotonic()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
            self._herd.tally.late_s.append(max(0.0, -pause_s))
            try:
                await call()
            except asyncpg.PostgresError as exc:
                self._herd.tally.errors[exc.sqlstate or type(exc).__name__] += 1

    def _soon(self, after_s: float, call: Callable[[], Awaitable[None]]) -> None:
        heapq.heappush(self._agenda, (time.monotonic() + after_s, next(self._sequence), call))

    async def _join(self, number: int) -> None:
        host = DeviceDeclared(-1, f"host-{number}", "ram", "host", HUGE, 0, takes_vram=True)
        declared = Join(
            node=f"node-{number}",
            instance=f"instance-{number}",
            boot="1@0",
            version="bench",
            kinds=["noop"],
            devices=[host],
            cpu_milli=HUGE,
            disk_mib=HUGE,
            slots=SLOTS,
        )
        joined = await self._ask(_JOIN, Joined, _json(declared))
        member = _Member(Session(joined.session_id, joined.secret))
        self._soon(self._chance.uniform(0, BEAT_S), partial(self._beat, member))
        self._soon(self._chance.uniform(0, self._herd.spread_s), partial(self._claim, member, first=True))
        self._herd.joined()

    async def _beat(self, member: _Member) -> None:
        self._soon(BEAT_S, partial(self._beat, member))
        start = time.perf_counter()
        tokens = [taken.token for taken in member.held]
        await self._ask(_BEAT, Beat, member.session.session_id, member.session.secret, tokens)
        self._herd.tally.beat_s.append(time.perf_counter() - start)

    async def _claim(self, member: _Member, *, first: bool = False) -> None:
        """As much as there are free slots; a node's first jobs end at any time, so that the nodes do not go in step."""
        sample = Sample(next(member.sequence), [DeviceSample(-1, HUGE)], HUGE)
        want = SLOTS - len(member.held)
        session = member.session
        start = time.perf_counter()
        taken = await self._ask(
            _CLAIM, list[_Taken], session.session_id, session.secret, uuid4(), _json(sample), want
        )
        self._herd.tally.claim_s.append(time.perf_counter() - start)
        if taken:
            member.held.update(taken)
            run_s = self._herd.run_s * (self._chance.random() if first else self._chance.uniform(*_VARIES))
            self._soon(run_s, partial(self._complete, member, taken))
        else:
            self._herd.tally.empty += 1
            self._soon(self._chance.uniform(0.5, 1.5), partial(self._claim, member, first=first))

    async def _complete(self, member: _Member, ended: list[_Taken]) -> None:
        """What was claimed together ends together, and is settled so."""
        items = [{"job_id": taken.job_id, "token": taken.token} for taken in ended]
        member.held.difference_update(ended)
        await self._ask(_COMPLETE, list, member.session.session_id, member.session.secret, _json(items))
        self._herd.tally.completed += len(ended)
        await self._claim(member)

    async def _ask(self, statement: str, returns: type[T], *arguments: object) -> T:
        return msgspec.json.decode(await self._conn.fetchval(statement, *arguments), type=returns)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
