"""Learned needs: what attempts took decides what the next ones book."""

from __future__ import annotations

import pytest

from queue_schema.calls import admin, agents, chores
from queue_schema.shapes import Completion, Need, Submission
from tests.support.clock import Clock
from tests.support.needs import SMALL_TOP_MIB, booked, done, needs, out_of_memory, runs
from tests.support.verbs import Agent, Project

GENERATE_MIB = 1536
"""What kind diffusion.generate declares."""


def test_a_need_is_learned_after_five_runs(conn, project: Project, small: Agent):
    """Four are not enough; then the largest of them and a tenth, rounded up, for what is queued as well."""
    runs(project, small, 600, 700, 800, 400)
    waiting = project.submit("diffusion.generate")
    assert needs(conn)[0]["learned_mib"] is None
    assert booked(conn) == GENERATE_MIB

    done(small, small.claim_one(), 500)
    project.submit("diffusion.generate")
    assert chores.learn(conn).moved == 1

    [need] = needs(conn)
    assert (need["declared_mib"], need["learned_mib"], need["vram_mib"]) == (GENERATE_MIB, 1024, 1024)
    assert (need["runs"], need["peak_mib"]) == (5, 800)
    assert small.claim_one().grant.vram_mib == 1024
    assert project.state(waiting) == "succeeded"


def test_no_peak_is_too_large_to_learn_from(conn, project: Project, small: Agent):
    """What is learned asks for no more than some node has, also of a peak that was kept before peaks were limited."""
    runs(project, small, 600, 700, 800, 400)
    project.submit("diffusion.generate")
    done(small, small.claim_one(), 500)
    conn.execute("update fleet.observations set peak_mib = array[2000000000]")
    chores.learn(conn)

    [need] = needs(conn)
    assert need["peak_mib"] == 2_000_000_000
    assert need["vram_mib"] <= SMALL_TOP_MIB


def test_what_was_not_measured_teaches_its_time_only(conn, clock: Clock, project: Project, small: Agent):
    """From five runs on, nine of ten take less than run_s; the last fifty are kept, oldest first."""
    for seconds in range(1, 61):
        project.submit("diffusion.generate")
        claimed = small.claim_one()
        clock.advance(seconds)
        small.beat(claimed.token)
        done(small, claimed, None)
        if seconds in (4, 5):
            chores.learn(conn)
            known = conn.execute("select run_s from fleet.needs").fetchone()[0]
            assert (known is None) == (seconds == 4)
    chores.learn(conn)

    run_s, recent, peaks = conn.execute(
        "select run_s, recent_run_s, recent_peak_mib from fleet.needs"
    ).fetchone()
    assert [round(each) for each in recent] == list(range(11, 61))
    assert 55 < run_s < 57
    assert peaks == []


def test_a_need_grows_at_once_and_shrinks_only_by_a_fifth(conn, project: Project, small: Agent):
    """So that it does not flap between two sizes; what is long ago does not count."""
    runs(project, small, *[1400] * 5)
    assert booked(conn) == 1792
    runs(project, small, 1700)
    assert booked(conn) == 2048
    runs(project, small, *[1600] * 25)
    assert booked(conn) == 2048, "1792 is less by an eighth alone"
    runs(project, small, *[1000] * 19)
    assert booked(conn) == 2048, "the window still has a large one"
    runs(project, small, 1000)
    assert booked(conn) == 1280


def test_each_size_is_learned_by_itself(conn, project: Project, small: Agent):
    """Width and height make another need; a name or a seed does not; of a list its length counts; long values are cut."""
    sizes = [
        {"width": 512},
        {"width": 1024},
        {"width": 512, "seed": 7},
        {"prompts": ["a", "b"]},
        {"width": "x" * 9999},
    ]
    for params in sizes:
        project.submit("diffusion.generate", params=params, name=str(params)[:20])

    found = [need["size"] for need in needs(conn)]
    assert found[:3] == ["width=512", "width=1024", "prompts=[2]"]
    assert [len(size) for size in found[3:]] == [32]

    project.submit("diffusion.generate", params={"width": 512}, need=Need(gpus=2))
    assert needs(conn)[-1]["size"] == "gpus=2 width=512"


def test_a_stated_need_is_a_promise(conn, project: Project, small: Agent):
    """It is never lowered; once it was outgrown, what was learned counts where it is more."""
    stated = Need(vram_mib=4000)
    runs(project, small, *[600] * 5, need=stated)
    assert booked(conn, stated=True) == 4000
    project.submit("diffusion.generate")
    assert booked(conn, stated=False) == 768, "what another one of this size has taken is known"

    small.claim()
    runs(project, small, *[3900] * 5, need=stated)
    assert booked(conn, stated=True) == 4000


def test_an_end_without_memory_teaches_more_and_never_less(conn, project: Project, small: Agent):
    """What an attempt had when it ran out is the least that is needed."""
    runs(project, small, *[1000] * 5)
    for vram_mib, peak_mib in ((500, 490), (1500, 1490)):
        project.submit("diffusion.generate", need=Need(vram_mib=vram_mib))
        out_of_memory(small, small.claim_one(), peak_mib)
        chores.learn(conn)
        done(small, small.claim_one(), None)

    assert conn.execute("select recent_peak_mib from fleet.needs limit 1").fetchone()[0] == [
        *[1000] * 5,
        1490,
    ]


def test_host_memory_is_never_learned_down(conn, project: Project, agent: Agent):
    """It is cheap, and its limit counts more than what is seen of it; user code of one kind is not alike."""
    runs(project, agent, *[20] * 6, kind="command")
    [need] = needs(conn)

    assert (need["learned_mib"], need["ram_mib"]) == (256, 512)


@pytest.mark.parametrize(("kind", "shared"), [("diffusion.generate", True), ("selftest.allocate", False)])
def test_what_is_learned_is_shared_for_our_code_only(
    conn, project: Project, small: Agent, kind: str, *, shared: bool
):
    """Of kinds that ship with Argosy all projects learn together, also one that comes later; of user code none does."""
    Project(conn, "other").submit(kind)
    done(small, small.claim_one(), 10)
    runs(project, small, *[3000] * 5, kind=kind)
    project.submit(kind)
    out_of_memory(small, small.claim_one(), 6000)
    Project(conn, "late").submit(kind)

    found = [(need["project"], need["runs"], need["learned_mib"], need["raised_mib"]) for need in needs(conn)]
    if shared:
        assert found == [("other", 6, 3328, 7526), ("acme", 6, 3328, 7526), ("late", 0, 3328, 7526)]
    else:
        assert found == [("other", 1, None, None), ("acme", 5, 3328, 7526), ("late", 0, None, None)]


def test_what_is_learned_asks_for_no_more_than_there_is(conn, project: Project, small: Agent):
    """A tenth on top of a peak near the whole device would fit nowhere."""
    runs(project, small, *[1400] * 5)
    project.submit("diffusion.generate", need=Need(vram_mib=7500))
    done(small, small.claim_one(), 7400)
    chores.learn(conn)

    assert booked(conn, stated=False) == SMALL_TOP_MIB
    assert booked(conn, stated=True) == 7500


def test_a_change_of_pools_keeps_what_was_learned(conn, project: Project, small: Agent):
    """The need is the same, wherever it may run."""
    runs(project, small, *[600] * 5)
    admin.set_project(conn, "acme", trusted_pools=["a"])
    assert booked(conn) == 768
    admin.set_project(conn, "acme", trusted_pools=None)
    runs(project, small, *[3000] * 5)

    assert booked(conn) == 3328


def test_learning_is_bounded_and_settles_only_append(conn, project: Project, small: Agent):
    """One row for each lane and call; a round takes up no more than asked."""
    for _ in range(2):
        project.submit_many([Submission(kind="noop")] * 10 + [Submission(kind="diffusion.generate")])
        claimed = small.claim()
        agents.complete(
            conn, small.session, [Completion(job.job_id, job.token, peak_mib=9) for job in claimed]
        )
    told = "select runs, cardinality(run_s), peak_mib from fleet.observations order by runs desc"
    assert conn.execute(told).fetchall() == [(10, 8, [9] * 8)] * 2 + [(1, 1, [9])] * 2

    assert [chores.learn(conn, limit=3).observations for _ in range(3)] == [3, 1, 0]
    assert {need["kind"]: need["runs"] for need in needs(conn)} == {"noop": 20, "diffusion.generate": 2}
