"""Reasons and changes of single situations that the random states of test_why do not come to (Q10)."""

from __future__ import annotations

import pytest

from queue_schema.calls import chores, clients, questions
from queue_schema.errors import Conflict
from queue_schema.shapes import After, Need
from tests.support.verbs import Agent, Project, place_of

GIB = 1024


def test_a_node_without_the_label_does_not_make_a_job_small_enough(conn, project: Project):
    """Busy is what would have room one day; larger than all that may run it is too big."""
    Agent(conn, "small", gpus=[8 * GIB], labels={"zone": "a"}).claim()
    Agent(conn, "big", gpus=[24 * GIB]).claim()
    need = Need(gpus=1, vram_mib=16 * GIB, labels={"zone": "a"})
    job = project.submit("selftest.allocate", need=need)

    told = questions.why(conn, project.id, job)

    assert {cause.cause for cause in told.causes} <= {"too_big", "label"}
    assert told.proved


def test_what_an_input_needs_cannot_be_let_go_of(conn, project: Project, agent: Agent):
    """The job would start without its file: no such change is proposed, or taken. Other edges may go."""
    source, other = project.submit(), project.submit()
    job = project.submit(
        "command", inputs={"x": {"job": str(source), "output": "out"}}, after=[After(str(other))]
    )

    [cause] = questions.why(conn, project.id, job).causes

    assert (cause.cause, cause.change) == ("dependency", None)
    assert str(source) in cause.message
    with pytest.raises(Conflict, match="reads an output") as caught:
        clients.amend(conn, project.id, job, after=[])
    assert caught.value.field == "after"
    assert place_of(conn, job) == ["waiting"]


def test_urgent_work_is_not_told_to_wait_for_a_place_of_another_class(conn, clock, project: Project):
    """The claim lets it pass, and so `why` does."""
    agent = Agent(conn, gpus=[80 * GIB])
    project.gpu_job(40 * GIB, timeout_s=100)
    lease = agent.claim_one()
    project.gpu_job(78 * GIB)
    clock.advance(5)
    agent.beat(lease.token)
    normal, urgent = project.gpu_job(10 * GIB), project.gpu_job(10 * GIB, priority="urgent")
    assert chores.reserve(conn).kept == 1

    assert [cause.cause for cause in questions.why(conn, project.id, normal).causes] == ["reservation"]
    assert questions.why(conn, project.id, urgent).causes == []
