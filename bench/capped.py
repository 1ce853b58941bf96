"""Claimers that all want the jobs of one capped project at once, over real connections; and whoever counts after them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
import msgspec
import psycopg

from bench.queues.ours import noop, wide_node
from queue_schema.calls import admin
from tests.support.verbs import Agent, Project

NAME = "capped"
_CLAIM = (
    "select fleet.claim_v1(p_session => $1, p_secret => $2, p_request => $3, p_sample => $4::jsonb,"
    " p_want => $5)::text"
)
_COMPLETE = "select fleet.complete_v1(p_session => $1, p_secret => $2, p_items => $3::jsonb)::text"
_RUNNING = "select count(*) from fleet.leases where project_id = $1"


class _Taken(msgspec.Struct, frozen=True):
    job_id: UUID
    token: UUID


@dataclass
class Crowd:
    """What a crowd of claimers came to."""

    tries: int = 0
    """Claims that were made."""
    claimed: int = 0
    """Jobs they gave."""
    most_running: int = 0
    """Of the project, in any committed state that was seen: one is looked at after each claim."""


def crowd(url: str, *, cap: int, claimers: int, tries: int) -> Crowd:
    """Let claimers claim one to three jobs, look, and complete them, until so many claims were made together.

    And until they gave ten times the cap: who finds the row of the caps locked gets nothing, and most do.

    Args:
        url: Of a migrated database that nobody has used.
        cap: Most jobs of the project that may run.
        claimers: Sessions, each of a node and on a connection of its own.
        tries: Claims, over all of them.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        project = Project(conn, NAME)
        admin.set_project(conn, NAME, max_running=cap)
        project.submit_many([noop() for _ in range(min(3 * max(tries, 10 * cap), 10_000))])
        members = [wide_node(conn, f"claimer-{number}", slots=3) for number in range(claimers)]
        found = Crowd()
        asyncio.run(
            _all(url, project.id, members, lambda: found.tries < tries or found.claimed < 10 * cap, found)
        )
        return found


async def _all(
    url: str, project: UUID, members: list[Agent], goes_on: Callable[[], bool], found: Crowd
) -> None:
    await asyncio.gather(*(_one(url, project, member, goes_on, found) for member in members))


async def _one(url: str, project: UUID, member: Agent, goes_on: Callable[[], bool], found: Crowd) -> None:
    session = member.session
    chance = random.Random(member.node)  # noqa: S311  # mixing requests
    conn = await asyncpg.connect(url)
    try:
        while goes_on():
            found.tries += 1
            sample = msgspec.json.encode(member.sample()).decode()
            want = chance.randint(1, 3)
            answer = await conn.fetchval(_CLAIM, session.session_id, session.secret, uuid4(), sample, want)
            taken = msgspec.json.decode(answer, type=list[_Taken])
            found.most_running = max(found.most_running, await conn.fetchval(_RUNNING, project))
            found.claimed += len(taken)
            if taken:
                items = msgspec.json.encode(taken).decode()
                await conn.fetchval(_COMPLETE, session.session_id, session.secret, items)
    finally:
        conn.terminate()
