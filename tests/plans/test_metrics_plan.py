"""What a scrape reads amid 100,000 ready, 30,000 waiting and 30,000 running jobs: what is hot, once, and jobs by key."""

from __future__ import annotations

import pytest

from tests.plans.plans import Node, _walk
from tests.plans.test_hot_statements import READY, ROWS, World, world

__all__ = ["world"]


@pytest.fixture
def nodes(world: World) -> list[Node]:
    """The plan of a scrape as it ran."""
    explain = "explain (analyze, buffers, timing off, format json) select metric, labels, value from fleet.v_metrics"
    [[plan]] = world.conn.execute(explain).fetchone()
    return list(_walk(plan["Plan"]))


def _read(nodes: list[Node], *tables: str) -> float:
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes
        if node.get("Relation Name", "").startswith(tables)
    )


def test_a_scrape_reads_what_is_hot_once_and_nothing_that_grows(nodes: list[Node]):
    """Ready, waiting and leases once each; of jobs those that run, by key; of the history nothing."""
    jobs = [node for node in nodes if node.get("Relation Name") == "jobs"]

    assert {node["Index Name"] for node in jobs} == {"jobs_pkey"}
    assert _read(nodes, "jobs") <= 1.1 * ROWS
    assert _read(nodes, "ready") <= 1.1 * READY
    assert _read(nodes, "waiting") <= 1.1 * ROWS
    assert _read(nodes, "leases") <= 1.1 * ROWS
    assert _read(nodes, "attempts", "job_events", "logs") == 0
