"""How much is measured: everything (`FULL`), a quick look (`QUICK`), or just that it runs (`TINY`, for tests)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """Numbers of rounds, rows and seconds."""

    rounds: int
    rare_rounds: int
    """Of sides that are there for comparison only."""
    durable: tuple[bool, ...]
    """With synchronous commits, without, or both."""
    workers: tuple[int, ...]
    """Worker processes of a drain."""
    drain_jobs: int
    slow_drain_jobs: int
    """For a peer too slow for `drain_jobs`."""
    each_jobs: int
    """Submitted one a transaction."""
    bulk_jobs: int
    submit_turns: int
    """Of each side in a round."""
    latency_jobs: int
    listeners: int
    clutter_jobs: int
    """That stand around the jobs that are drained."""
    projects: int
    """With four lanes each."""
    flat_jobs: int
    """Drained amid the clutter."""
    limit_s: float
    """A drain amid clutter ends by then; its rate is that of what it did."""
    trace_jobs: int
    fair_s: float
    """Simulated seconds that shares are measured over."""
    flood_factor: int
    """How many times as many jobs the big project submits."""
    starve_s: float
    """Simulated seconds after which a waiting job has starved."""
    nodes: int
    connections: int
    """That all nodes share."""
    nodes_s: float
    few_nodes_s: float
    """How long a hundred nodes, for comparison, are measured."""
    node_run_s: float
    """How long a job of theirs runs."""
    nodes_warm_s: float
    """From the last join to the measurement: all claim and settle once, and every connection gets its plans."""
    forecast_jobs: int
    cap_tries: int
    """Claims against a cap."""
    agent_jobs: int
    """That the shipped agent runs, a process each."""
    in_process_jobs: int
    """That it runs inside itself."""
    schedules: int
    """Of the state machine."""
    warm_rounds: int
    soak_s: float
    soak_nodes: int
    soak_jobs: int
    soak_real: float
    """The share of jobs that draw a picture."""
    outage_s: float
    chaos_seeds: int
    trace_claims: int
    fuzz_examples: int
    """Bad requests of each kind."""


FULL = Size(
    rounds=7,
    rare_rounds=1,
    durable=(True, False),
    workers=(1, 2),
    drain_jobs=60_000,
    slow_drain_jobs=2_000,
    each_jobs=2_000,
    bulk_jobs=10_000,
    submit_turns=20,
    latency_jobs=100,
    listeners=100,
    clutter_jobs=1_000_000,
    projects=1000,
    flat_jobs=5000,
    limit_s=20.0,
    trace_jobs=1000,
    fair_s=1800.0,
    flood_factor=100,
    starve_s=1800.0,
    nodes=10_000,
    connections=500,
    nodes_s=600.0,
    few_nodes_s=120.0,
    node_run_s=60.0,
    nodes_warm_s=65.0,
    forecast_jobs=1000,
    cap_tries=10_000,
    agent_jobs=500,
    in_process_jobs=20_000,
    schedules=500,
    warm_rounds=7,
    soak_s=1800.0,
    soak_nodes=50,
    soak_jobs=20_000,
    soak_real=0.02,
    outage_s=300.0,
    chaos_seeds=200,
    trace_claims=10_000,
    fuzz_examples=5_000,
)
QUICK = Size(
    rounds=3,
    rare_rounds=1,
    durable=(True,),
    workers=(1, 2),
    drain_jobs=10_000,
    slow_drain_jobs=500,
    each_jobs=1_000,
    bulk_jobs=10_000,
    submit_turns=20,
    latency_jobs=40,
    listeners=100,
    clutter_jobs=200_000,
    projects=1000,
    flat_jobs=5000,
    limit_s=10.0,
    trace_jobs=150,
    fair_s=600.0,
    flood_factor=100,
    starve_s=600.0,
    nodes=10_000,
    connections=500,
    nodes_s=20.0,
    few_nodes_s=10.0,
    node_run_s=60.0,
    nodes_warm_s=40.0,
    forecast_jobs=100,
    cap_tries=10_000,
    agent_jobs=200,
    in_process_jobs=10_000,
    schedules=20,
    warm_rounds=1,
    soak_s=180.0,
    soak_nodes=12,
    soak_jobs=1_500,
    soak_real=0.02,
    outage_s=60.0,
    chaos_seeds=20,
    trace_claims=2_000,
    fuzz_examples=1_000,
)
TINY = Size(
    rounds=1,
    rare_rounds=1,
    durable=(False,),
    workers=(1,),
    drain_jobs=120,
    slow_drain_jobs=20,
    each_jobs=5,
    bulk_jobs=50,
    submit_turns=1,
    latency_jobs=5,
    listeners=3,
    clutter_jobs=100,
    projects=5,
    flat_jobs=40,
    limit_s=5.0,
    trace_jobs=12,
    fair_s=60.0,
    flood_factor=2,
    starve_s=40.0,
    nodes=6,
    connections=3,
    nodes_s=1.0,
    few_nodes_s=1.0,
    node_run_s=0.5,
    nodes_warm_s=0.5,
    forecast_jobs=12,
    cap_tries=40,
    agent_jobs=4,
    in_process_jobs=40,
    schedules=1,
    warm_rounds=1,
    soak_s=12.0,
    soak_nodes=2,
    soak_jobs=40,
    soak_real=0.0,
    outage_s=5.0,
    chaos_seeds=2,
    trace_claims=50,
    fuzz_examples=50,
)
