"""How what a submission reads grows with what it brings; counted, never timed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from queue_schema.shapes import Artifact, Input, Need, Submission
from tests.plans.plans import Ran, watch
from tests.support.verbs import Agent, Project

SHA = "ab" * 32
FEW, MANY = 40, 160
MOST = 5
"""So many times the rows may four times as much take: about four."""
ROWS, PAGES = 600, 250
"""So many may a job with a new size take, whatever it comes with; not compared, since autovacuum changes plans."""


def _stated(number: int) -> Submission:
    """A need of its own, of the same size."""
    return Submission(kind="selftest.allocate", need=Need(gpus=1, vram_mib=4000 + number))


def _sized(number: int) -> Submission:
    """A size of its own; named, so that it goes the long way."""
    return Submission(kind="selftest.allocate", params={"mib": number}, name="x")


def _names(project: Project, many: int) -> Ran:
    inputs = {f"file-{number}": Input(sha256=SHA) for number in range(many)}
    return watch(project.conn, lambda: project.submit(inputs=inputs))


def test_names_of_inputs_are_not_each_compared_with_all(conn, project: Project, agent: Agent):
    """Each is compared with the next one only."""
    project.submit()
    agent.complete(agent.claim_one(), [Artifact("model", SHA, 10, "application/octet-stream")])
    few, many = [_names(project, many).rows() for many in (FEW, MANY)]

    assert many <= MOST * few


@pytest.mark.parametrize("job", [_stated, _sized])
def test_new_sizes_are_not_each_held_against_all(conn, project: Project, job: Callable[[int], Submission]):
    """By plans that were made while there was none; also of those that come again."""
    project.submit_many([job(1), job(2)])
    jobs = [job(1000 + number) for number in range(MANY)]

    for _ in range(2):
        ran = watch(project.conn, lambda: project.submit_many(jobs))
        assert ran.rows() <= ROWS * MANY
        assert ran.buffers <= PAGES * MANY, ran.by_table()
