"""What ten thousand nodes cost the server: CPU cores and the latency of a claim, beside a hundred nodes.

Each node holds four leases of 60 s jobs, beats every 10 s, and settles and claims as jobs end (what it claimed together
ends together); the scheduler's chores run, work keeps coming, and one REPEATABLE READ snapshot is held meanwhile. The
nodes share 500 connections.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from typing import Any

import psycopg
import uvloop

from bench.findings import Findings
from bench.herd import SLOTS, Herd, Tally
from bench.queues.ours import Argosy, submit
from bench.rounds import quantile
from bench.server import Conn, Server
from bench.simulate import CHORES
from bench.sizes import Size
from bench.workers import WorkerDied
from tests.support.verbs import Project

FEW = 100
PROJECTS = 10
SPARE_S = 10.0
"""Work for so long is always ready."""
REFILL_S = 1.0
CATCH_UP_S = 3.0
"""Before the calls are counted; the CPU of these seconds is counted."""
_STOP_S = 30.0


def measure(server: Server, size: Size) -> Findings:
    """Few nodes, then many, each on a fresh database."""
    few = _fleet(server, size, min(FEW, size.nodes), size.few_nodes_s)
    many = _fleet(server, size, size.nodes, size.nodes_s)
    return Findings(
        {
            "nodes_10k_server_cores": many["server_cores"],
            "nodes_10k_claim_p99_vs_100": round(many["claim_p99_ms"] / few["claim_p99_ms"], 3),
        },
        {"connections": size.connections, "few": few, "many": many},
    )


def _fleet(server: Server, size: Size, nodes: int, measured_s: float) -> dict[str, Any]:
    url = server.make("bench_nodes", Argosy().install)
    herd = Herd(url, nodes=nodes, connections=size.connections, run_s=size.node_run_s)
    found: dict[str, Any] = {}

    async def during() -> None:
        await asyncio.sleep(size.nodes_warm_s)
        with server.connect("bench_nodes") as old:
            old.execute("begin isolation level repeatable read")
            old.execute("select count(*) from fleet.settings")
            cpu, cpu_from = server.cpu_s(), time.monotonic()
            # To read the times of five hundred backends has held up all calls: they are let catch up.
            await asyncio.sleep(CATCH_UP_S)
            herd.tally, start = Tally(), time.monotonic()
            await asyncio.sleep(measured_s)
            seconds = time.monotonic() - start
            cores = (server.cpu_s() - cpu) / (time.monotonic() - cpu_from)
            found.update(_detail(herd.tally, nodes, size.node_run_s, seconds, cores))

    # A pass over the herd would hold up every call for a third of a second, several times a minute.
    gc.disable()
    try:
        with _busy(url, nodes, size.node_run_s):
            uvloop.run(herd.run(during))
    finally:
        gc.enable()
        server.drop("bench_nodes")
    return found


@contextmanager
def _busy(url: str, nodes: int, run_s: float) -> Iterator[None]:
    """Work keeps coming and the chores are done; in a process of their own, for here they would hold up the herd.

    Raises:
        WorkerDied: They were not done to the end.
    """
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    others = spawn.Process(target=_others, args=(url, nodes, run_s, stop), daemon=True)
    others.start()
    try:
        yield
    finally:
        stop.set()
        others.join(_STOP_S)
        others.kill()
    if others.exitcode != 0:
        raise WorkerDied(f"who submits and does the chores: exit {others.exitcode}")


def _others(url: str, nodes: int, run_s: float, stop: Event) -> None:
    with ThreadPoolExecutor() as threads:
        doing = [
            threads.submit(_feed, url, nodes, run_s, stop),
            *(threads.submit(_chore, url, period_s, chore, stop) for period_s, chore in CHORES),
        ]
        for done in as_completed(doing):
            stop.set()
            done.result()


def _feed(url: str, nodes: int, run_s: float, stop: Event) -> None:
    """Submit as fast as the fleet works off, some seconds ahead of it, spread over projects; until told to stop."""
    rate = SLOTS * nodes / run_s
    ahead = SLOTS * nodes + rate * SPARE_S
    start, sent = time.monotonic(), PROJECTS * (int(ahead) // PROJECTS)
    with psycopg.connect(url, autocommit=True) as conn:
        projects = [Project(conn, f"tenant-{number}").id for number in range(PROJECTS)]
        for project in projects:
            submit(conn, project, sent // PROJECTS)
        for project in itertools.cycle(projects):
            jobs = int(ahead + rate * (time.monotonic() - start) - sent)
            submit(conn, project, jobs)
            sent += jobs
            if stop.wait(REFILL_S / PROJECTS):
                return


def _chore(url: str, period_s: float, chore: Callable[[Conn], object], stop: Event) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        while not stop.wait(period_s):
            chore(conn)


def _detail(tally: Tally, nodes: int, run_s: float, seconds: float, cores: float) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "measured_s": round(seconds, 1),
        "server_cores": round(cores, 3),
        "server_cpu_ms_per_node_and_s": round(1000 * cores / nodes, 4),
        "completed_per_s": round(tally.completed / seconds, 1),
        "completed_per_s_wanted": round(SLOTS * nodes / run_s, 1),
        "claims": len(tally.claim_s),
        "claims_empty": tally.empty,
        "claim_p50_ms": _ms(tally.claim_s, 0.5),
        "claim_p99_ms": _ms(tally.claim_s, 0.99),
        "beat_p50_ms": _ms(tally.beat_s, 0.5),
        "beat_p99_ms": _ms(tally.beat_s, 0.99),
        "sent_late_p99_ms": _ms(tally.late_s, 0.99),
        "errors": dict(tally.errors),
    }


def _ms(seconds: list[float], share: float) -> float | None:
    return round(1000 * quantile(seconds, share), 2) if seconds else None
