"""How fast jobs come in: one a transaction, and a thousand a call, beside the peers in the same rounds.

A machine that is busy with something else for a second halves a rate. So the sides of a round take turns of a twentieth
of a second, over connections that both stay open, and the median of its turns is a side's rate of the round.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import Any

from bench.findings import Findings
from bench.queues.base import PER_CALL, Queue
from bench.queues.ours import Argosy
from bench.queues.pgqueuer import Pgqueuer
from bench.queues.procrastinate import Procrastinate
from bench.rounds import in_turn, ratio
from bench.server import Server
from bench.sizes import Size

WARM_UP = 2
"""Turns before the clock runs: connections live for days, and the first calls of one read catalogs and make plans, for
some 30 ms with us and with pgqueuer."""
TURN = {"one": (100, 1), "bulk": (PER_CALL, PER_CALL)}
"""Jobs, and how many of them a call."""


def measure(server: Server, size: Size) -> Findings:
    """Both with synchronous commits, the default, and without."""
    ratios: dict[str, float] = {}
    details: dict[str, Any] = {}
    for durable in size.durable:
        queues: list[Queue] = [Argosy(durable=durable), Pgqueuer()]
        rates = _rounds(server, queues, size, size.rounds, durable=durable)
        suffix = "" if durable else "_sync_off"
        for way, [ours, theirs] in rates.items():
            ratios[f"submit_{way}_vs_pgqueuer{suffix}"] = ratio(ours, theirs)
        slow = Procrastinate()
        for way, [found] in _rounds(server, [slow], size, size.rare_rounds, durable=durable).items():
            rates[way].append(found)
        details[f"synchronous_commit_{'on' if durable else 'off'}"] = [
            {
                "queue": queue.name,
                "way": way,
                "jobs_per_s": round(statistics.median(found), 1),
                "rounds": [round(rate, 1) for rate in found],
            }
            for way, all_found in rates.items()
            for queue, found in zip((*queues, slow), all_found, strict=True)
        ]
    return Findings(ratios, details)


def _rounds(
    server: Server, queues: list[Queue], size: Size, rounds: int, *, durable: bool
) -> dict[str, list[list[float]]]:
    """By way of submitting, for each queue the rate of every round."""
    for queue in queues:
        server.make(_template(queue), queue.install, durable=durable)
    try:
        found = [_round(server, queues, size, durable=durable) for _ in range(rounds)]
    finally:
        for queue in queues:
            server.drop(_template(queue))
    return {way: [[run[way][at] for run in found] for at in range(len(queues))] for way in TURN}


def _round(server: Server, queues: list[Queue], size: Size, *, durable: bool) -> dict[str, list[float]]:
    """By way of submitting, the rate of each queue, each in a database of its own that was empty before."""
    rates: dict[str, list[float]] = {}
    with ExitStack() as stack:
        submits = []
        for queue in queues:
            url = server.clone(f"bench_submit_{queue.name}", _template(queue), durable=durable)
            stack.callback(server.drop, f"bench_submit_{queue.name}")
            submits.append(stack.enter_context(queue.submitting(url)))
        for way, (jobs, a_call) in TURN.items():
            took_s: list[list[float]] = [[] for _ in queues]
            for _, at in in_turn(range(len(queues)), WARM_UP + size.submit_turns):
                start = time.perf_counter()
                submits[at](jobs, a_call)
                took_s[at].append(time.perf_counter() - start)
            rates[way] = [jobs / statistics.median(turns[WARM_UP:]) for turns in took_s]
    return rates


def _template(queue: Queue) -> str:
    return f"bench_empty_{queue.name}"
