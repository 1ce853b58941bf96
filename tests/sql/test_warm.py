"""Jobs whose model rests loaded on a node: they come first there, within a patience, and never for another project."""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
import pytest

from queue_schema.calls import admin, agents, chores
from queue_schema.errors import BadRequest
from queue_schema.shapes import Need, Sample, WarmModel
from tests.support.clock import Clock
from tests.support.verbs import Agent, Project

KINDS = ["diffusion.generate", "noop"]
GIB = 1024


@pytest.fixture
def node(conn: psycopg.Connection[Any]) -> Agent:
    """With four GPUs."""
    return Agent(conn, gpus=[24 * GIB] * 4, kinds=KINDS)


def portrait(project: Project, model: str, **fields: Any):
    need = Need(vram_mib=2 * GIB, cpu_milli=1, ram_mib=0, disk_mib=0)
    params = {"prompt": "x", "base_model": model}
    return project.submit("diffusion.generate", params=params, need=need, **fields)


def warm(agent: Agent, *models: WarmModel, free: dict[int, int] | None = None) -> Sample:
    """A sample of a node where these rest."""
    return msgspec.structs.replace(agent.sample(free), warm=list(models))


def resting(project: Project, model: str, *devices: int, kind: str = "diffusion.generate") -> WarmModel:
    return WarmModel(project.id, kind, model, list(devices))


def claimed(agent: Agent, want: int, *models: WarmModel) -> list[Any]:
    return [job.job_id for job in agent.claim(want, sample=warm(agent, *models))]


def test_a_warm_model_pulls_its_job_forward(clock: Clock, project: Project, node: Agent):
    """By the patience, and no more: who waits for longer than that goes first all the same."""
    old = portrait(project, "cold")
    clock.advance(9)
    hot = portrait(project, "warm")

    assert claimed(node, 1, resting(project, "warm", 0)) == [hot]
    clock.advance(60)
    late = portrait(project, "warm")
    assert claimed(node, 1, resting(project, "warm", 0)) == [old]
    assert claimed(node, 1, resting(project, "warm", 0)) == [late]


def test_a_warm_model_does_not_take_what_a_cap_keeps_for_another(
    conn, clock: Clock, project: Project, node: Agent
):
    """I10: the only job its project may run is the one that waits; it goes where it would have gone."""
    admin.set_project(conn, "acme", max_running=1)
    project.submit()
    lease = node.claim_one()
    big = project.submit(
        "diffusion.generate", need=Need(vram_mib=20 * GIB), params={"prompt": "x", "base_model": "cold"}
    )
    clock.advance(2)
    portrait(project, "warm")
    clock.advance(4)
    node.beat(lease.token)
    chores.reserve(conn)
    node.complete(lease)

    assert claimed(node, 1, resting(project, "warm", 0)) == [big]


def test_the_patience_is_a_setting(conn, clock: Clock, project: Project, node: Agent):
    """Without any, age alone decides."""
    admin.configure(conn, warm_patience_s=0)
    old = portrait(project, "cold")
    clock.advance(1.5)
    portrait(project, "warm")

    assert claimed(node, 1, resting(project, "warm", 0)) == [old]


def test_one_runner_pulls_one_job(clock: Clock, project: Project, node: Agent):
    """The second of its model would start cold like any other: age decides."""
    old = portrait(project, "cold")
    clock.advance(3)
    one, two, three = (portrait(project, "warm") for _ in range(3))

    assert claimed(node, 2, resting(project, "warm", 0)) == [one, old]
    assert claimed(node, 2, resting(project, "warm", 0), resting(project, "warm", 1)) == [two, three]


def test_it_goes_where_the_runner_is(project: Project, node: Agent):
    """Though another device is fuller; the next of its kind goes where any would."""
    portrait(project, "warm")
    portrait(project, "warm")
    sample = warm(node, resting(project, "warm", 2), free={1: 4 * GIB})

    one, two = node.claim(2, sample=sample)

    assert (one.grant.devices, two.grant.devices) == ([2], [1])
    assert {one.model, two.model} == {"warm"}


def test_it_goes_elsewhere_where_the_runner_has_no_room(project: Project, node: Agent):
    """A warm model is a wish: a full device is not overbooked for it (I3)."""
    portrait(project, "warm")

    [job] = node.claim(4, sample=warm(node, resting(project, "warm", 2), free={2: GIB}))

    assert job.grant.devices != [2]


def test_never_for_another_project(conn, clock: Clock, project: Project, node: Agent):
    """Nor for another kind, nor another model."""
    other = Project(conn, "other")
    first = portrait(project, "m")
    clock.advance(2)
    portrait(project, "n")
    strangers = [resting(other, "n", 0), resting(project, "n", 0, kind="diffusion.train_lora")]

    assert claimed(node, 1, *strangers, resting(project, "o", 0)) == [first]


def test_whose_turn_it_is_comes_first(conn, clock: Clock, project: Project, node: Agent):
    """A model that is warm for one project does not take another's turn, nor a class's."""
    other = Project(conn, "other")
    urgent = other.submit("noop", priority="urgent")
    clock.advance(2)
    hot = portrait(project, "warm")

    assert claimed(node, 1, resting(project, "warm", 0)) == [urgent]
    assert claimed(node, 1, resting(project, "warm", 0)) == [hot]


def test_a_kind_without_a_model_can_be_warm_too(clock: Clock, project: Project, node: Agent):
    """Then it is the process that is there already; a job without devices needs none of the runner's."""
    old = portrait(project, "cold")
    clock.advance(2)
    hot = project.submit("noop")

    assert claimed(node, 1, resting(project, "", kind="noop")) == [hot]
    assert claimed(node, 1, resting(project, "", kind="noop")) == [old]


def test_a_sample_that_is_none_is_refused(project: Project, node: Agent):
    """With the field, and the fix."""
    portrait(project, "m")

    with pytest.raises(BadRequest) as refused:
        node.claim(1, sample=msgspec.structs.replace(node.sample(), warm={"m": 1}))  # type: ignore[arg-type]

    assert refused.value.field == "sample.warm"


def test_who_has_the_model_is_woken(database_url: str, conn, project: Project):
    """Though others have been there for longer."""
    cold, hot = (Agent(conn, name, gpus=[24 * GIB], kinds=KINDS) for name in ("cold", "hot"))
    assert not cold.claim(waiting=True)
    sample = warm(hot, resting(project, "m", 0))
    assert not hot.claim(sample=sample, waiting=True)

    with psycopg.connect(database_url, autocommit=True) as listener:
        for agent in (cold, hot):
            listener.execute(f"listen {agents.channel_of(agent.session)}")
        portrait(project, "m")
        first = [note.channel for note in listener.notifies(timeout=1, stop_after=1)]
        portrait(project, "another")
        second = [note.channel for note in listener.notifies(timeout=1, stop_after=1)]

    assert first == [agents.channel_of(hot.session)]
    assert second == [agents.channel_of(cold.session)]
