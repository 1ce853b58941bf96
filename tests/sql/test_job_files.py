"""Inputs, outputs and checkpoints: who sees which file, and when (I7, I15)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from queue_schema.calls import agents, chores, clients, schedules
from queue_schema.calls.schedules import Schedule
from queue_schema.errors import LeaseLost, NotAllowed, NotFound
from queue_schema.shapes import Artifact, Claimed, Completion, Input, Submission
from tests.support.verbs import Agent, Project

SHA = "ab" * 32
PNG = Artifact("picture.png", SHA, 10, "image/png")


def test_outputs_are_visible_with_the_completion_only(conn, project: Project, agent: Agent):
    """I7: nobody sees a file of an attempt that has not succeeded."""
    job = project.submit()
    claimed = agent.claim_one()
    clients.grant(
        conn,
        session_id=agent.session.session_id,
        secret=agent.session.secret,
        job_id=job,
        token=claimed.token,
        sha256=SHA,
        write=True,
        size=10,
    )
    assert conn.execute("select count(*) from fleet.v_blobs").fetchone() == (0,)

    agent.complete(claimed, [PNG])

    assert conn.execute("select count(*) from fleet.v_blobs").fetchone() == (1,)
    assert conn.execute("select name, sha256 from fleet.v_artifacts").fetchall() == [("picture.png", SHA)]


def test_a_failed_attempts_files_never_show(conn, project: Project, agent: Agent):
    """I7: not even when a later attempt succeeds with others."""
    project.submit(retries=1)
    claimed = agent.claim_one()
    clients.grant(
        conn,
        session_id=agent.session.session_id,
        secret=agent.session.secret,
        job_id=claimed.job_id,
        token=claimed.token,
        sha256=SHA,
        write=True,
        size=10,
    )
    agent.fail(claimed)

    assert conn.execute("select count(*) from fleet.v_blobs").fetchone() == (0,)


def test_an_output_of_one_job_is_an_input_of_the_next(project: Project, agent: Agent):
    """Files travel along the graph by reference; naming the job is waiting for it."""
    a, b = project.submit_many(
        [
            Submission(kind="noop", ref="a"),
            Submission(kind="noop", inputs={"in.png": Input(job="a", output="picture.png")}),
        ]
    )
    agent.complete(agent.claim_one(), [PNG])
    claimed = agent.claim_one()

    assert claimed.job_id == b
    assert [(found.name, found.sha256, found.size) for found in claimed.inputs] == [("in.png", SHA, 10)]
    assert str(a) in claimed.inputs[0].source


def test_an_output_that_is_not_there_is_said(project: Project, agent: Agent):
    """The agent can then tell the user which input is missing."""
    project.submit_many(
        [
            Submission(kind="noop", ref="a"),
            Submission(kind="noop", inputs={"x": Input(job="a", output="nothing.bin")}),
        ]
    )
    agent.complete(agent.claim_one())

    [found] = agent.claim_one().inputs
    assert found.sha256 is None
    assert "nothing.bin" in found.source


def test_a_lease_opens_its_own_inputs_only(conn, project: Project, agent: Agent):
    """I15: nodes have no way round the project."""
    clients.put_blob(conn, project.id, sha256=SHA, size=10, media_type="image/png")
    clients.put_blob(conn, project.id, sha256="cd" * 32, size=10, media_type="image/png")
    job = project.submit(inputs={"x": Input(sha256=SHA)})
    claimed = agent.claim_one()
    who = {
        "session_id": agent.session.session_id,
        "secret": agent.session.secret,
        "job_id": job,
        "token": claimed.token,
        "write": False,
    }

    assert clients.grant(conn, sha256=SHA, **who).project_id == project.id
    with pytest.raises(NotAllowed):
        clients.grant(conn, sha256="cd" * 32, **who)


def test_a_lease_opens_files_for_its_own_session_alone(conn, project: Project, agent: Agent):
    """I15: whoever knows its token."""
    clients.put_blob(conn, project.id, sha256=SHA, size=10, media_type="image/png")
    job = project.submit(inputs={"x": Input(sha256=SHA)})
    claimed = agent.claim_one()
    thief = Agent(conn, "thief").session

    for write in (False, True):
        with pytest.raises(LeaseLost):
            clients.grant(
                conn,
                session_id=thief.session_id,
                secret=thief.secret,
                job_id=job,
                token=claimed.token,
                sha256=SHA,
                write=write,
            )


def test_another_projects_files_and_jobs_do_not_exist(conn, project: Project):
    """I15: neither by hash nor by id."""
    other = Project(conn, "other")
    clients.put_blob(conn, project.id, sha256=SHA, size=10, media_type="image/png")
    job = project.submit()

    with pytest.raises(NotFound):
        other.submit(inputs={"x": Input(sha256=SHA)})
    with pytest.raises(NotFound):
        other.submit(after=[str(job)])
    with pytest.raises(NotFound):
        clients.cancel(conn, other.id, [job])
    with pytest.raises(NotFound):
        clients.retry(conn, other.id, [job])


def test_a_checkpoint_travels_to_the_next_attempt(conn, project: Project, agent: Agent):
    """A killed training goes on instead of starting over."""
    project.submit()
    claimed = agent.claim_one()
    agents.checkpoint(
        conn, agent.session, job_id=claimed.job_id, token=claimed.token, sha256=SHA, size=5, step=40
    )
    agent.release(claimed)

    again = agent.claim_one().checkpoint
    assert again is not None
    assert (again.sha256, again.step) == (SHA, 40)


def test_a_checkpoint_goes_with_the_success_of_its_job(conn, project: Project, agent: Agent):
    """Nobody will go on from it, and its file need not be kept; of another job it stays."""
    project.submit()
    project.submit()
    done, runs = agent.claim_one(), agent.claim_one()
    for claimed in (done, runs):
        agents.checkpoint(
            conn, agent.session, job_id=claimed.job_id, token=claimed.token, sha256=SHA, size=5, step=40
        )

    agent.complete(done)

    assert conn.execute("select job_id from fleet.checkpoints").fetchall() == [(runs.job_id,)]


def test_outputs_named_with_a_stale_token_are_not_published(conn, project: Project, agent: Agent):
    """I2, I7: not even in one batch with the live token of the same job."""
    job = project.submit()
    stale = agent.claim_one()
    agent.release(stale)
    live = agent.claim_one()
    other = Artifact("picture.png", "cd" * 32, 10, "image/png")
    agents.complete(
        conn,
        agent.session,
        [Completion(job, stale.token, artifacts=[PNG]), Completion(job, live.token, artifacts=[other])],
    )

    assert conn.execute("select sha256 from fleet.v_artifacts").fetchall() == [("cd" * 32,)]


def test_files_that_nothing_names_leave_in_time(conn, project: Project, agent: Agent):
    """Uploads and outputs with the history; what never showed after a day, but not while its attempt runs."""
    used, planned, made, unused, dropped, coming = (digit * 64 for digit in "123456")
    for sha256 in (used, planned, unused):
        clients.put_blob(conn, project.id, sha256=sha256, size=1, media_type="text/plain")

    def store(claimed: Claimed, sha256: str) -> None:
        clients.grant(
            conn,
            session_id=agent.session.session_id,
            secret=agent.session.secret,
            job_id=claimed.job_id,
            token=claimed.token,
            sha256=sha256,
            write=True,
        )

    project.submit(inputs={"x": Input(sha256=used)})
    project.submit()
    first, second = agent.claim()
    store(first, made)
    store(first, dropped)
    store(second, coming)
    agent.complete(first, [Artifact("out", made, 1, "text/plain")])
    tick = Schedule("nightly", "@daily", [Submission(kind="noop", inputs={"x": Input(sha256=planned)})])
    schedules.create(conn, project.id, tick, next_tick=datetime.now(UTC))

    def left(*, after_days: int) -> set[str]:
        conn.execute("update fleet.blobs set created_at = now() - make_interval(days => %s)", (after_days,))
        chores.prune(conn, keep_days=90)
        return {row[0] for row in conn.execute("select sha256 from fleet.blobs where leaving_at is null")}

    assert left(after_days=2) == {used, planned, made, unused, coming}
    assert left(after_days=91) == {used, planned, made, coming}
    agent.complete(second)
    assert left(after_days=2) == {used, planned, made}
    conn.execute("update fleet.jobs set ended_at = ended_at - interval '91 days'")
    schedules.delete(conn, project.id, "nightly")
    assert left(after_days=91) == set()
