"""I9: what a claim pays for a project at its cap does not grow with the lanes it has: none is looked at in vain."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from queue_schema.calls import admin
from queue_schema.shapes import Need, Submission
from tests.plans.plans import watch
from tests.support.verbs import Agent, Project

GIB = 1024
KIND = "diffusion.generate"


def portraits(project: Project, models: int) -> None:
    """Jobs of one shape and as many lanes as models; the first of them is the oldest."""
    need = Need(vram_mib=10 * GIB, cpu_milli=1, ram_mib=0, disk_mib=0)
    for number in range(models):
        project.submit_many([Submission(KIND, params={"prompt": "x", "base_model": f"m{number}"}, need=need)])


@pytest.mark.parametrize(
    ("booked", "cap"),
    [(15 * GIB, 20 * GIB), (5 * GIB, 6 * GIB)],
    ids=["waits for its cap", "each is over all of it"],
)
def test_i9_a_claim_does_not_walk_the_lanes_of_a_project_at_its_cap(
    conn: psycopg.Connection[Any], project: Project, booked: int, cap: int
):
    agent = Agent(conn, gpus=[80 * GIB] * 2, kinds=[KIND, "noop", "selftest.allocate"])
    project.gpu_job(booked)
    agent.claim_one()
    admin.set_project(conn, "acme", max_vram_mib=cap)

    def touched(models: int) -> int:
        portraits(project, models)
        project.submit("noop")
        assert len(agent.claim()) == 1
        project.submit("noop")
        return watch(conn, agent.claim).buffers

    few = touched(20)
    many = touched(200)

    assert many <= 1.5 * few
