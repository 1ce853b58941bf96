"""Attempts that end with a measured peak, and what is known of needs after."""

from __future__ import annotations

from typing import Any

import psycopg

from queue_schema.calls import agents, chores
from queue_schema.shapes import Claimed, Completion, Failed, Settled
from queue_schema.states import Cause
from tests.support.verbs import HEADROOM_MIB, Agent, Project

SMALL_MIB, BIG_MIB = 8_192, 24_576
"""The GPU of node small, and that of node big."""
SMALL_TOP_MIB = int((SMALL_MIB - HEADROOM_MIB) * 0.98)
"""The most a job may be raised to for node small."""


def done(agent: Agent, claimed: Claimed, peak_mib: int | None) -> Settled:
    """A success, measured."""
    return agents.complete(
        agent.conn, agent.session, [Completion(claimed.job_id, claimed.token, peak_mib=peak_mib)]
    )[0]


def out_of_memory(agent: Agent, claimed: Claimed, peak_mib: int | None = None, memory: Any = None) -> Settled:
    """A failure for want of memory."""
    item = Failed(claimed.job_id, claimed.token, Cause.OUT_OF_MEMORY, "no memory", None, peak_mib, memory)
    return agents.fail(agent.conn, agent.session, [item])[0]


def runs(
    project: Project, agent: Agent, *peaks: int, kind: str = "diffusion.generate", **fields: Any
) -> None:
    """One success after the other, then what was seen of them is taken up."""
    for peak_mib in peaks:
        project.submit(kind, **fields)
        done(agent, agent.claim_one(), peak_mib)
    chores.learn(project.conn)


def needs(conn, **wanted: Any) -> list[dict[str, Any]]:
    """Rows of v_needs with these values, oldest first."""
    with conn.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        rows = cursor.execute("select * from fleet.v_needs order by need_id").fetchall()
    return [row for row in rows if wanted.items() <= row.items()]


def booked(conn, **wanted: Any) -> int:
    """VRAM the one need with these values books now."""
    [need] = needs(conn, **wanted)
    return int(need["vram_mib"])
