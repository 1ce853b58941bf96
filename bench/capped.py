"""Claimers that all want the jobs of one capped project at once, over real connections; and whoever counts after them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Crowd:
    """What a crowd of claimers came to."""

    tries: int
    """Claims that were made."""
    claimed: int
    """Jobs they gave."""
    most_running: int
    """Of the project, in any committed state that was seen: one is looked at after each claim."""


def crowd(url: str, *, cap: int, claimers: int, tries: int) -> Crowd:
    """Let claimers claim one to three jobs, look, and complete them, until so many claims were made together.

    Args:
        url: Of a migrated database that nobody has used.
        cap: Most jobs of the project that may run.
        claimers: Sessions, each of a node and on a connection of its own.
        tries: Claims, over all of them.
    """
    with psycopg.connect(url, autocommit=True) as conn:
        project = Project(conn, NAME)
        admin.set_project(conn, NAME, max_running=cap)
        project.submit_many([noop() for _ in range(min(3 * tries, 10_000))])
        members = [wide_node(conn, f"claimer-{number}", slots=3) for number in range(claimers)]
        return asyncio.run(_all(url, project.id, members, tries))


async def _all(url: str, project: UUID, members: list[Agent], tries: int) -> Crowd:
    left = iter(range(tries))
    found = await asyncio.gather(*(_one(url, project, member, left) for member in members))
    return Crowd(tries, sum(claimed for claimed, _ in found), max(most for _, most in found))


async def _one(url: str, project: UUID, member: Agent, left: Iterator[int]) -> tuple[int, int]:
    session, claimed, most = member.session, 0, 0
    chance = random.Random(member.node)  # noqa: S311  # mixing requests
    conn = await asyncpg.connect(url)
    try:
        for _ in left:
            sample = msgspec.json.encode(member.sample()).decode()
            want = chance.randint(1, 3)
            answer = await conn.fetchval(_CLAIM, session.session_id, session.secret, uuid4(), sample, want)
            taken = msgspec.json.decode(answer, type=list[_Taken])
            most = max(most, await conn.fetchval(_RUNNING, project))
            claimed += len(taken)
            if taken:
                items = msgspec.json.encode(taken).decode()
                await conn.fetchval(_COMPLETE, session.session_id, session.secret, items)
    finally:
        conn.terminate()
    return claimed, most
