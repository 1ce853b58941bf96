"""How what a submission reads grows with what it brings; counted, never timed."""

from __future__ import annotations

from queue_schema.shapes import Artifact, Input
from tests.plans.plans import Ran, watch
from tests.support.verbs import Agent, Project

SHA = "ab" * 32


def _names(project: Project, many: int) -> Ran:
    inputs = {f"file-{number}": Input(sha256=SHA) for number in range(many)}
    return watch(project.conn, lambda: project.submit(inputs=inputs))


def test_names_of_inputs_are_not_each_compared_with_all(conn, project: Project, agent: Agent):
    """Four times as many are four times the work, about."""
    project.submit()
    agent.complete(agent.claim_one(), [Artifact("model", SHA, 10, "application/octet-stream")])
    few, many = [_names(project, many).rows() for many in (50, 200)]

    assert many <= 5 * few
