"""The parts, by the names `python -m bench` knows, in the order they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.findings import Findings
from bench.parts import (
    agent,
    caps,
    chaos,
    drain,
    fairness,
    flat,
    forecast,
    fuzz,
    latency,
    model,
    nodes,
    outage,
    packing,
    soak,
    starvation,
    submit,
    trace,
    verbs,
    warm,
)
from bench.server import Server
from bench.sizes import Size

PARTS: Mapping[str, Callable[[Server, Size], Findings]] = {
    "drain": drain.measure,
    "submit": submit.measure,
    "latency": latency.measure,
    "flat": flat.measure,
    "fairness": fairness.measure,
    "packing": packing.measure,
    "starvation": starvation.measure,
    "forecast": forecast.measure,
    "caps": caps.measure,
    "agent": agent.measure,
    "warm": warm.measure,
    "nodes": nodes.measure,
    "verbs": verbs.measure,
    "model": model.measure,
}

LONG: Mapping[str, Callable[[Server, Size], Findings]] = {
    "soak": soak.measure,
    "outage": outage.measure,
    "trace": trace.measure,
    "chaos": chaos.measure,
    "fuzz": fuzz.measure,
}
"""Not a speed but a long look, half an hour the longest: only when named."""
