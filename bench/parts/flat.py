"""Whether clutter slows a drain down: old jobs that do not fit, jobs of tomorrow, thousands of lanes, long histories.

Every case is drained in the same rounds as an otherwise empty queue; the ratio of the two rates is its number, 1 being
flat. Commits are asynchronous here, since waiting for the disk would hide the very cost this is about. The claims of
further jobs are explained, for the buffers (8 KiB pages) they touch: a count that no neighbour on the machine changes.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import msgspec

from bench.findings import Findings
from bench.parts.flat_cases import GPU_MIB, Case, cases
from bench.queues.ours import HUGE, Argosy, claim_all
from bench.rounds import interleaved, ratio
from bench.server import Server
from bench.sizes import Size
from queue_schema.calls import agents, chores
from queue_schema.shapes import Completion
from tests.support.verbs import Agent

WANT = 100


@dataclass(frozen=True)
class Run:
    """One round of one case."""

    rate: float
    """Jobs a second, claimed and completed."""
    buffers: float
    """Touched by the claim, for each claimed job."""
    capped: bool
    """It was stopped at the time limit."""


def measure(server: Server, size: Size) -> Findings:
    """One case after the other; 5,000 jobs a round."""
    ratios: dict[str, float] = {}
    details: dict[str, Any] = {}
    server.make("bench_flat", Argosy(durable=False).install, durable=False)
    for case in cases(size):
        empty, cluttered = _case(server, size, case)
        ratios[f"flat_{case.name}"] = ratio([run.rate for run in cluttered], [run.rate for run in empty])
        details[case.name] = {
            "clutter": case.clutter,
            "buffers_ratio": ratio([run.buffers for run in cluttered], [run.buffers for run in empty]),
            "cluttered": _detail(cluttered),
            "empty": _detail(empty),
        }
    server.drop("bench_flat")
    return Findings(ratios, {"jobs_a_round": size.flat_jobs, **details})


def _case(server: Server, size: Size, case: Case) -> list[list[Run]]:
    """The rounds of the empty queue, and those of the case."""
    both: list[Case] = [Case(), case]
    with ExitStack() as held:
        for each in both:
            server.clone(_database(each), "bench_flat", durable=False)
            held.callback(server.drop, _database(each))
        for each in both:
            with server.connect(_database(each)) as conn:
                each.prepare(conn)
            held.enter_context(each.throughout(server.url(_database(each))))
        return interleaved(both, size.rounds, lambda each: _once(server, size, each))


def _database(case: Case) -> str:
    return f"bench_{case.name}"


def _once(server: Server, size: Size, case: Case) -> Run:
    database, url = _database(case), server.url(_database(case))
    with server.connect(database) as conn:
        case.fill(conn, size.flat_jobs + WANT)
        server.settle(database)
        case.right_before(url)
        chores.rank(conn)  # as the scheduler does each second: in a claim, this is for when it is away
        agent = Agent(conn, f"node-{uuid4()}", gpus=[GPU_MIB], slots=3 * WANT, ram_mib=HUGE, cpu_milli=HUGE)
        start = time.perf_counter()
        done = claim_all(agent, url, WANT, lambda _: None, jobs=size.flat_jobs, limit_s=size.limit_s)
        seconds = time.perf_counter() - start
        buffers = _buffers(agent)
        if done < size.flat_jobs and seconds < size.limit_s:
            raise RuntimeError(f"{case.name}: the claims found {done} of {size.flat_jobs} jobs")
    return Run(done / seconds, buffers, done < size.flat_jobs)


def _buffers(agent: Agent) -> float:
    """Claim once more, and complete; how many buffers the claim touched for each job."""
    request = uuid4()
    row = agent.conn.execute(
        "explain (analyze, buffers, format json) select fleet.claim_v1(p_session => %s, p_secret => %s,"
        " p_request => %s, p_sample => %s, p_want => %s)",
        (
            agent.session.session_id,
            agent.session.secret,
            request,
            msgspec.json.encode(agent.sample()).decode(),
            WANT,
        ),
    ).fetchone()
    assert row is not None
    plan: dict[str, int] = row[0][0]["Plan"]
    claimed: list[tuple[UUID, UUID]] = agent.conn.execute(
        "select job_id, token from fleet.leases where request_id = %s", (request,)
    ).fetchall()
    agents.complete(agent.conn, agent.session, [Completion(*lease) for lease in claimed])
    return (plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]) / len(claimed)


def _detail(runs: list[Run]) -> dict[str, Any]:
    return {
        "jobs_per_s": round(statistics.median(run.rate for run in runs), 1),
        "buffers_per_claimed_job": round(statistics.median(run.buffers for run in runs), 1),
        "jobs_per_s_rounds": [round(run.rate, 1) for run in runs],
        "capped": any(run.capped for run in runs),
    }
