"""Reasons and changes of single situations that the random states of test_why do not come to (Q10)."""

from __future__ import annotations

from uuid import UUID

import pytest

from queue_schema.calls import chores, clients, questions
from queue_schema.errors import Conflict
from queue_schema.shapes import After, Need
from tests.support.needs import BIG_MIB, out_of_memory, runs
from tests.support.verbs import HEADROOM_MIB, Agent, Conn, Project, place_of

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


@pytest.mark.parametrize(
    ("free_mib", "wants_mib", "vram_mib"),
    [
        (10 * GIB, 16 * GIB, None),
        (10 * GIB, 8 * GIB, None),
        (14 * GIB, 8 * GIB, 12 * GIB),
        (14 * GIB, 16 * GIB, 14 * GIB),
    ],
)
def test_on_fewer_gpus_a_job_is_booked_what_ran_out_there(
    conn, project: Project, big: Agent, free_mib: int, wants_mib: int, vram_mib: int | None
):
    """Another size, of which other things are known: with one GPU, that less than 12 GiB is too little."""
    project.gpu_job(8 * GIB)
    out_of_memory(big, big.claim_one(), 8 * GIB)
    big.complete(big.claim_one())
    _fill(conn, big, free_mib)
    job = project.gpu_job(wants_mib, gpus=2)

    need = None if vram_mib is None else {"gpus": 1, "vram_mib": vram_mib}
    _tell_to_shrink(conn, project, big, job, need)


def test_on_fewer_gpus_host_memory_is_what_ran_out_there(conn, project: Project, big: Agent):
    """As for VRAM: 1.2 GiB are too little."""
    project.submit("selftest.allocate", need=Need(vram_mib=GIB, ram_mib=GIB))
    out_of_memory(big, big.claim_one(), memory="ram")
    big.complete(big.claim_one())
    Project(conn, "other").submit(need=Need(ram_mib=big.total[-1] - HEADROOM_MIB - 1200))
    big.claim_one()
    job = project.submit("selftest.allocate", need=Need(gpus=2, vram_mib=GIB, ram_mib=GIB))

    _tell_to_shrink(conn, project, big, job, None)


def test_on_fewer_gpus_memory_nobody_named_is_not_what_others_learned(conn, project: Project, big: Agent):
    """It would be booked the 6.5 GiB that jobs with one GPU took, for which there is no room."""
    runs(project, big, *[6000] * 5)
    _fill(conn, big, 3000)
    job = project.submit("diffusion.generate", need=Need(gpus=2))

    _tell_to_shrink(conn, project, big, job, {"gpus": 1, "vram_mib": 1536})


def test_a_change_that_is_refused_is_none(conn, project: Project, big: Agent):
    """The queue knows more of such jobs than the proposal did: the reason is told all the same."""
    project.gpu_job(8 * GIB)
    out_of_memory(big, big.claim_one(), 8 * GIB)
    big.complete(big.claim_one())
    _fill(conn, big, 10 * GIB)
    job = project.gpu_job(16 * GIB, gpus=2)

    with conn.transaction(force_rollback=True):
        conn.execute(
            "create or replace function rehearsal._least_mib(p_job rehearsal.jobs, p_gpus integer,"
            " out vram_mib integer, out ram_mib integer) language sql as 'select 1, 0'"
        )
        told = questions.why(conn, project.id, job)

    assert [(cause.cause, cause.change) for cause in told.causes] == [("too_big", None)]
    assert not told.proved


def _fill(conn: Conn, agent: Agent, free_mib: int) -> None:
    """Leave so much of the one GPU."""
    Project(conn, "other").gpu_job(BIG_MIB - HEADROOM_MIB - free_mib)
    agent.claim_one()


def _tell_to_shrink(
    conn: Conn, project: Project, agent: Agent, job: UUID, need: dict[str, int] | None
) -> None:
    """`why` proposes this need, or none; the job starts with it."""
    told = questions.why(conn, project.id, job)
    changes = [cause.change["fields"]["need"] for cause in told.causes if cause.change is not None]
    assert {cause.cause for cause in told.causes} == {"too_big"}
    assert changes == ([] if need is None else [need])
    assert told.proved is (need is not None)
    if need is not None:
        clients.amend(conn, project.id, job, need=need)
        assert agent.claim_one().job_id == job
