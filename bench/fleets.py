"""Fleets to simulate, and a fresh database for each simulation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from bench.queues.ours import Argosy
from bench.server import Conn, Server
from bench.simulate import Job, Node, Run, simulate
from bench.trace import GIB

MIXED = (
    *(Node(f"small-{number}", (24 * GIB,)) for number in range(4)),
    *(Node(f"medium-{number}", (40 * GIB,)) for number in range(2)),
    *(Node(f"large-{number}", (80 * GIB,)) for number in range(2)),
)
"""Eight machines with one GPU each."""


def devices_mib(nodes: Sequence[Node]) -> list[int]:
    """What each device of a fleet has to hand out."""
    return [mib for node in nodes for mib in node.gpus_mib]


def on_fresh_database(
    server: Server,
    nodes: Sequence[Node],
    jobs: Sequence[Job],
    *,
    until_s: float,
    weights: dict[str, float] | None = None,
    submitted: Callable[[Conn, float], object] | None = None,
    reserve: bool = True,
) -> list[Run]:
    """Simulate on a database that nobody has used; `submitted` is called after each submission."""
    server.make("bench_simulation", Argosy(durable=False).install, durable=False)
    try:
        with server.connect("bench_simulation") as conn:
            told = None if submitted is None else partial(submitted, conn)
            return simulate(
                conn, nodes, jobs, until_s=until_s, weights=weights, submitted=told, reserve=reserve
            )
    finally:
        server.drop("bench_simulation")
