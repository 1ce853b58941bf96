"""The results as one page: README.md, explaining every ratio, with plots beside it, made anew from the two JSON files.

What has not been measured yet is left out of the plots and shown as a dash.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "argosy"  # the same numbers make the same files

from matplotlib import pyplot as plt  # noqa: E402  # after the choice of the backend
from matplotlib.axes import Axes  # noqa: E402

Details = dict[str, Any]
_OURS, _THEIRS, _LINE = "#3465a4", "#b8b8b8", "#a40000"


@dataclass(frozen=True)
class Ratio:
    """A name in latest.json."""

    name: str
    part: str
    target: str
    means: str


RATIOS = (
    Ratio("drain_1w_vs_pgqueuer", "drain", "≥ 2.0", "jobs/s of one worker process working off ready no-op jobs, over pgqueuer's"),
    Ratio("drain_2w_vs_pgqueuer", "drain", "≥ 2.0", "the same with two worker processes"),
    Ratio("drain_1w_vs_pgqueuer_sync_off", "drain", "≥ 2.0", "one worker, synchronous_commit off for both"),
    Ratio("drain_2w_vs_pgqueuer_sync_off", "drain", "≥ 2.0", "two workers, synchronous_commit off for both"),
    Ratio("submit_one_vs_pgqueuer", "submit", "≥ 1.0", "jobs/s submitted one a transaction over one connection, over pgqueuer's"),
    Ratio("submit_bulk_vs_pgqueuer", "submit", "≥ 1.5", "jobs/s submitted a thousand a call, over pgqueuer's"),
    Ratio("submit_one_vs_pgqueuer_sync_off", "submit", "≥ 1.0", "one a transaction, synchronous_commit off for both"),
    Ratio("submit_bulk_vs_pgqueuer_sync_off", "submit", "≥ 1.5", "a thousand a call, synchronous_commit off for both"),
    Ratio("latency_p50_vs_pgqueuer", "latency", "≤ 1.0", "median time from before the submission to the job's start on an idle fleet of 100 listening sessions, over one idle worker of pgqueuer"),
    Ratio("latency_p99_vs_pgqueuer", "latency", "≤ 1.0", "the same, 99th percentile"),
    Ratio("latency_p50_vs_pgqueuer_as_many", "latency", "≤ 1.0", "the same, over as many idle workers of pgqueuer as we have listening sessions"),
    Ratio("latency_p99_vs_pgqueuer_as_many", "latency", "≤ 1.0", "the same, 99th percentile"),
    Ratio("flat_unfit_1m", "flat", "≥ 0.9", "drain rate with older jobs too big for the node ahead, over that of an empty queue"),
    Ratio("flat_future_1m", "flat", "≥ 0.9", "with jobs that may not start before tomorrow"),
    Ratio("flat_lanes_4000", "flat", "≥ 0.8", "with the jobs spread over 1,000 projects x 4 shapes"),
    Ratio("flat_lanes_dry", "flat", "≥ 0.8", "the same lanes, 950 of the projects having just run dry"),
    Ratio("flat_capped_100k", "flat", "≥ 0.9", "with older jobs of a project at its cap ahead"),
    Ratio("flat_finished_1m", "flat", "≥ 0.9", "with jobs that have succeeded, their attempts and events"),
    Ratio("flat_old_snapshot", "flat", "≥ 0.9", "with a snapshot held through a tenth as many jobs that came and went"),
    Ratio("fair_share_equal", "fairness", "0.45 to 0.55", "share of a project beside one that submits a hundred times as much, equal weights"),
    Ratio("fair_share_1_of_4", "fairness", "0.20 to 0.30", "the same with weights 1:3"),
    Ratio("latency_trickle_p99_vs_alone", "fairness", "≤ 2", "p99 wait of a project that sends little, beside a flood, over alone"),
    Ratio("packing_vs_bound", "packing", "≥ 0.9", "memory x time used, over what any schedule could (bench/bound.py)"),
    Ratio("packing_vs_one_per_gpu", "packing", "≥ 1.5", "memory x time used, over one job per GPU"),
    Ratio("eta_pinball_gain", "forecast", "≥ 1.43", "pinball loss of the mean wait of each kind, over that of what was told (p50 and p90)"),
    Ratio("starvation_wait_vs_bound", "starvation", "≤ 1.0", "wait of an 80 GiB job on a full fleet, over 1.1 x the longest run time left then + 5 s"),
    Ratio("starvation_wait_vs_unreserved", "starvation", "< 1", "the same wait, over that with settings.reserve off (the time given to it if it never starts)"),
    Ratio("nodes_10k_server_cores", "nodes", "< 1", "cores the server uses for 10,000 sessions over 500 connections, four 60 s jobs each that start and end together, a heartbeat every 10 s, an old snapshot held"),
    Ratio("nodes_10k_claim_p99_vs_100", "nodes", "< 2", "p99 of a claim then, over that with 100 nodes"),
    Ratio("agent_in_process_vs_verbs", "agent", "no target", "jobs/s of the shipped agent that runs no-ops inside itself (--in-process noop), over those of the bare verbs with the same batch; both rates and that of forked no-ops are in details.json"),
    Ratio("warm_first_image_vs_bare", "warm", "> 1", "time from the claim to the end of a job of one picture (25 steps), its runner importing and loading everything, over that of one whose runner has the model"),
    Ratio("warm_first_image_vs_cold", "warm", "> 1", "the same, its runner forked with the imports loaded"),
    Ratio("warm_per_image_vs_cold", "warm", "> 1", "the same for sixteen small jobs (2 steps), one after the other"),
    Ratio("batch_16_vs_one_by_one", "warm", "> 1", "time of sixteen small jobs one by one on a runner that has the model, over that of one batch"),
    Ratio("batch_16_vs_cold", "warm", "> 1", "time of sixteen small jobs one by one, each with a runner of its own, over that of one batch"),
    Ratio("soak_agent_memory_growth", "soak", "≤ 1.1", "memory of an agent in the last quarter of the soak over that in the second, of the one that grew most"),
    Ratio("soak_scheduler_memory_growth", "soak", "≤ 1.1", "the same of the scheduler"),
    Ratio("eta_p90_coverage", "forecast", "0.9", "how often a job started before its forecast p90"),
)  # fmt: skip


def write(folder: Path) -> None:
    """README.md and its plots, from what latest.json and details.json of the folder have."""
    found = json.loads((folder / "latest.json").read_text())
    details = json.loads((folder / "details.json").read_text())
    shown = [name for name, plot in _PLOTS.items() if _plot(folder / f"{name}.svg", plot, details)]
    (folder / "README.md").write_text(_page(found, details, shown))


def _page(found: dict[str, float], details: Details, shown: Sequence[str]) -> str:
    rows = [
        f"| `{ratio.name}` | {found.get(ratio.name, '-')} | {ratio.target} | {ratio.means} |"
        for ratio in RATIOS
    ]
    parts = [
        f"| {name} | {part['size']} | {part['measured_at']} | {part['took_s']} | {part['load_1m_before']} | {part['cpus']} |"
        f" {part.get('server', {}).get('huge_pages_status', '-')} |"
        for name, part in sorted(details.items())
    ]
    plots = [f"![{name}]({name}.svg)\n" for name in shown]
    return "\n".join(
        [
            "# Results",
            "",
            "Written by `make bench` (`bench/report.py`); do not edit. The numbers are `latest.json`; rounds, raw rates,",
            "versions and settings are in `details.json`. All sides of a ratio were measured in turn, on one server; absolute",
            "rates say as much about the machine.",
            "",
            "    make bench                        # everything, full size",
            "    make bench QUICK=1                # fewer rounds, smaller clutter",
            '    make bench PARTS="drain flat"     # only these; the other numbers stay',
            "    make bench PARTS=soak             # half an hour; this, outage, trace, chaos and fuzz run only when they are named",
            "",
            "| ratio | now | should be | what it is |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
            *plots,
            "## When, and how busy the machine was",
            "",
            "The server takes huge pages where the machine has some to give (`sysctl vm.nr_hugepages=620`, as root), and so it should",
            "with hundreds of connections (docs/install.md).",
            "",
            "| part | size | measured at | took s | load before | cores | huge pages |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *parts,
            "",
        ]
    )


def _plot(path: Path, plot: Callable[[Axes, Details], bool], details: Details) -> bool:
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    shown = plot(axes, details)
    if shown:
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return shown


def _drain(axes: Axes, details: Details) -> bool:
    """Jobs a second of each queue; argosy's settings are in details.json."""
    if "drain" not in details:
        return False
    bars = [
        (f"{each['queue']}, {each['workers']}w, sync {sync}", each["jobs_per_s"])
        for sync in ("on", "off")
        for each in details["drain"].get(f"synchronous_commit_{sync}", ())
    ]
    _bars(axes, bars, "no-op jobs drained per second")
    return True


def _flat(axes: Axes, details: Details) -> bool:
    """Rates amid clutter over those of an empty queue; buffers of a claim likewise."""
    cases = {
        name: case
        for name, case in details.get("flat", {}).items()
        if isinstance(case, dict) and "clutter" in case
    }
    for at, (name, case) in enumerate(reversed(cases.items())):
        rate = case["cluttered"]["jobs_per_s"] / case["empty"]["jobs_per_s"]
        axes.barh(at, rate, color=_OURS)
        axes.text(
            rate,
            at,
            f" {rate:.2f}  (buffers of a claim x {case['buffers_ratio']:.2f})",
            va="center",
            fontsize=8,
        )
        axes.text(0.01, at, name, va="center", fontsize=8, color="white")
    axes.axvline(0.9, color=_LINE, linewidth=1, linestyle="--")
    axes.set(yticks=[], xlim=(0, 1.8), title="drain rate amid clutter, over that of an empty queue")
    return bool(cases)


def _latency(axes: Axes, details: Details) -> bool:
    if "latency" not in details:
        return False
    queues = details["latency"]["queues"]
    _bars(
        axes,
        [(f"{queue['queue']}, {name}", queue[f"{name}_ms"]) for queue in queues for name in ("p50", "p99")],
        "ms from submission to start, idle fleet",
    )
    return True


def _bars(axes: Axes, bars: Sequence[tuple[str, float]], title: str) -> None:
    names, values = zip(*reversed(bars), strict=True)
    colors = [_OURS if name.startswith("argosy") else _THEIRS for name in names]
    axes.barh(range(len(names)), values, color=colors)
    for at, value in enumerate(values):
        axes.text(value, at, f" {value:,.4g}" if value < 100 else f" {value:,.0f}", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(title=title, xlim=(0, 1.15 * max(values)))


_PLOTS: dict[str, Callable[[Axes, Details], bool]] = {"drain": _drain, "flat": _flat, "latency": _latency}
