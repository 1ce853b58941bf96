"""Rounds of the scheduler over nodes that are half full, for tests of places that are kept."""

from __future__ import annotations

from queue_schema.calls import chores
from queue_schema.shapes import Claimed
from tests.support.verbs import Agent, Project

GIB = 1024


def half_full(conn, *nodes: str) -> list[tuple[Agent, Claimed]]:
    """Nodes of 80 GiB, each with a long job of another project on half of it; and something small that waits."""
    other = Project(conn, "other")
    found = []
    for node in nodes:
        agent = Agent(conn, node, gpus=[80 * GIB])
        other.gpu_job(40 * GIB, timeout_s=86_400)
        found.append((agent, agent.claim_one()))
    other.gpu_job(39 * GIB + 512)
    return found


def a_round(conn, clock, running: list[tuple[Agent, Claimed]], seconds: int = 5) -> int:
    """The scheduler's, a while later; places kept."""
    clock.advance(seconds)
    for agent, lease in running:
        agent.beat(lease.token)
    chores.rank(conn)
    return chores.reserve(conn).kept
