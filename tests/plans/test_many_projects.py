"""I9: what a claim pays grows no faster than the projects whose turn it is, and not at all once the node is full."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import psycopg

from queue_schema.calls import admin
from tests.plans.plans import Ran, watch
from tests.support.verbs import Agent, Project

GIB = 1024
FEW, MANY = 25, 100


def crowd(conn: psycopg.Connection[Any], names: Iterator[int], many: int, **caps: int) -> None:
    """Projects, each with a job that needs half a device."""
    for number in itertools.islice(names, many):
        project = Project(conn, f"project-{number}")
        if caps:
            admin.set_project(conn, f"project-{number}", **caps)
        project.gpu_job(10 * GIB)


def test_i9_a_full_node_asks_no_more_projects(conn: psycopg.Connection[Any]):
    """However many wait behind those that got the room."""
    names = itertools.count()

    def claim(node: str, many: int) -> Ran:
        crowd(conn, names, many)
        Agent(conn, f"warms-the-plans-of-{node}", gpus=[24 * GIB]).claim()
        return watch(conn, Agent(conn, node, gpus=[24 * GIB]).claim)

    few, many = claim("a", FEW), claim("b", MANY)

    assert many.rows() <= 1.5 * few.rows()


def test_i9_projects_at_their_caps_are_each_asked_once(conn: psycopg.Connection[Any]):
    """Not compared with all that were asked before."""
    names = itertools.count()

    def claim(many: int) -> Ran:
        crowd(conn, names, many, max_running=0)
        agent = Agent(conn, gpus=[24 * GIB])
        assert agent.claim() == []
        return watch(conn, agent.claim)

    few, many = claim(FEW), claim(MANY - FEW)

    assert many.rows() <= 1.5 * MANY / FEW * few.rows()
