"""Submitting, waiting, ending, cancelling, retrying: what a job's owner sees (Q1, Q8, Q9, Q12; I1, I7, I8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from queue_schema.calls import agents, chores, clients
from queue_schema.errors import BadRequest, Conflict, NotAllowed, NotFound
from queue_schema.shapes import Artifact, Completion, Input, LogChunk, Need, Report, Submission
from queue_schema.states import Cause
from tests.support.verbs import Agent, Project, place_of

SHA = "ab" * 32
PNG = Artifact("picture.png", SHA, 10, "image/png")


def refused(conn, project: Project, *jobs: Submission) -> BadRequest:
    """The error of a submission that must be refused, after which nothing is there."""
    with pytest.raises((BadRequest, NotFound, Conflict)) as caught:
        clients.submit(conn, project.id, jobs)
    assert conn.execute("select count(*) from fleet.jobs").fetchone() == (0,)
    return caught.value  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("job", "field"),
    [
        (Submission(kind="nothing"), "kind"),
        (Submission(kind="noop", timeout_s=0), "timeout_s"),
        (Submission(kind="noop", retries=101), "retries"),
        (Submission(kind="noop", need=Need(vram_mib=-1)), "need.vram_mib"),
        (Submission(kind="noop", need=Need(gpus=65)), "need.gpus"),
        (Submission(kind="noop", need=Need(cpu_milli=-1)), "need.cpu_milli"),
        (Submission(kind="noop", webhook="ftp://x"), "webhook"),
        (Submission(kind="noop", ref="no spaces"), "ref"),
        (Submission(kind="noop", after=["nobody"]), "after[0]"),
        (Submission(kind="noop", after=[str(uuid4())]), "after[0]"),
        (Submission(kind="noop", inputs={"x": Input(sha256=SHA)}), "inputs.x.sha256"),
        (Submission(kind="noop", inputs={"x": Input()}), "inputs.x"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_job_is_refused_by_field_and_none_is_added(conn, project: Project, job: Submission, field: str):
    """The error names the job's place, the field and the fix; a submission is all or nothing."""
    error = refused(conn, project, Submission(kind="noop"), job)

    assert error.field == f"jobs[1].{field}"
    assert error.fix


def test_a_submission_may_be_repeated(conn, project: Project):
    """The same key gives the first answer again; another submission under it is refused."""
    jobs = [Submission(kind="noop"), Submission(kind="noop", name="b")]
    first = clients.submit(conn, project.id, jobs, idempotency_key="k")
    again = clients.submit(conn, project.id, jobs, idempotency_key="k")

    assert [job.job_id for job in again] == [job.job_id for job in first]
    assert [job.created for job in again] == [False, False]
    with pytest.raises(Conflict):
        clients.submit(conn, project.id, jobs[:1], idempotency_key="k")


def test_ids_are_time_ordered(project: Project):
    """Ids sort by age, within one submission too, and are uuids of version 7."""
    ids = project.submit_many([Submission(kind="noop")] * 20) + [project.submit() for _ in range(5)]

    assert ids == sorted(ids)
    assert {job.version for job in ids} == {7}


def chain(project: Project, links: int) -> list[UUID]:
    """Jobs that wait for each other in a row."""
    return project.submit_many(
        [Submission(kind="noop", ref=f"j{n}", after=[f"j{n - 1}"] if n else []) for n in range(links)]
    )


def test_complete_itself_unblocks_what_waited(project: Project, agent: Agent):
    """Q9: a graph goes on without any scheduler."""
    a, b, c = chain(project, 3)
    assert [project.state(job) for job in (a, b, c)] == ["ready", "waiting", "waiting"]

    agent.complete(agent.claim_one())
    assert [project.state(job) for job in (a, b, c)] == ["succeeded", "ready", "waiting"]
    agent.complete(agent.claim_one())
    agent.complete(agent.claim_one())
    assert project.state(c) == "succeeded"


def test_a_job_waits_for_all_it_names(project: Project, agent: Agent):
    """Fan-in: the last of them unblocks it."""
    *parts, last = project.submit_many(
        [Submission(kind="noop", ref=f"p{n}") for n in range(3)]
        + [Submission(kind="noop", after=["p0", "p1", "p2"])]
    )
    for claimed in agent.claim():
        assert project.state(last) == "waiting"
        agent.complete(claimed)

    assert project.state(last) == "ready"
    assert project.row(last)["after"] == parts


def test_a_failure_ends_everything_downstream(project: Project, agent: Agent):
    """Q9: what waits for it, however far down, ends as failed, cause dependency."""
    a, b, c = chain(project, 3)
    agent.fail(agent.claim_one())

    assert [project.row(job)["cause"] for job in (a, b, c)] == ["user_error", "dependency", "dependency"]
    assert str(a) in project.row(b)["error"]["message"]
    assert [project.state(job) for job in (b, c)] == ["failed", "failed"]


def test_after_a_job_that_already_succeeded_nothing_is_waited_for(project: Project, agent: Agent):
    """It may be named any time later."""
    a = project.submit()
    agent.complete(agent.claim_one())

    assert project.state(project.submit(after=[str(a)])) == "ready"


def test_after_a_job_that_failed_a_submission_is_refused(conn, project: Project, agent: Agent):
    """It would wait for ever."""
    a = project.submit()
    agent.fail(agent.claim_one())

    with pytest.raises(Conflict) as caught:
        project.submit(after=[str(a)])
    assert caught.value.field == "jobs[0].after[0]"


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


def test_a_users_failure_uses_up_the_users_retries(conn, clock, project: Project, agent: Agent):
    """Q8: retried as often as asked, with a pause, then it ends with its message and traceback."""
    job = project.submit(retries=1)
    agent.fail(agent.claim_one(), message="first")
    assert project.state(job) == "waiting"
    clock.advance(3)
    assert chores.promote(conn).ready == 1
    agent.fail(agent.claim_one(), message="second")

    row = project.row(job)
    assert (row["state"], row["cause"], row["error"]["message"]) == ("failed", "user_error", "second")
    assert (row["retries_used"], row["attempts"]) == (1, 2)


def test_infrastructure_does_not_use_up_the_users_retries(conn, clock, project: Project, agent: Agent):
    """I8: it has a cap of its own, so that a job that kills its node cannot tour the fleet."""
    conn.execute("update fleet.settings set max_infra_retries = 2")
    job = project.submit(retries=5)
    for _ in range(3):
        agent.fail(agent.claim_one(), Cause.INFRASTRUCTURE)
        clock.advance(200)
        chores.promote(conn)

    row = project.row(job)
    assert (row["state"], row["cause"]) == ("failed", "infrastructure")
    assert (row["retries_used"], row["infra_retries"]) == (0, 2)


def test_a_released_job_is_ready_again_at_its_old_place(project: Project, agent: Agent):
    """Handing back costs a job neither retries nor its place."""
    first, _ = project.submit(), project.submit()
    agent.release(agent.claim_one())

    assert agent.claim_one().job_id == first
    assert project.row(first)["retries_used"] == 0


def test_cancel_ends_a_job_wherever_it_is(conn, project: Project, agent: Agent):
    """Q12: ready, waiting and running; what waits for them ends too."""
    running = project.submit()
    claimed = agent.claim_one()
    ready, waiting = chain(project, 2)
    answers = clients.cancel(conn, project.id, [running, waiting, ready])

    assert [answer.outcome for answer in answers] == ["cancelling", "cancelled", "cancelled"]
    assert [project.state(job) for job in (running, ready, waiting)] == ["running", "cancelled", "cancelled"]
    [command] = agent.beat(claimed.token).commands
    assert (command.token, command.command) == (claimed.token, "cancel")

    agent.fail(claimed, Cause.CANCELLED)
    assert project.state(running) == "cancelled"
    assert clients.cancel(conn, project.id, [running])[0].outcome == "already_ended"


def test_a_result_that_came_before_the_cancel_stands(conn, project: Project, agent: Agent):
    """Work that is done is not thrown away."""
    job = project.submit()
    claimed = agent.claim_one()
    clients.cancel(conn, project.id, [job])
    agent.complete(claimed)

    assert project.state(job) == "succeeded"


def test_a_cancelled_job_that_is_handed_back_does_not_run_again(conn, project: Project, agent: Agent):
    """Whatever ends the attempt, a cancel that was asked holds."""
    job = project.submit()
    claimed = agent.claim_one()
    clients.cancel(conn, project.id, [job])
    agent.release(claimed)

    assert project.state(job) == "cancelled"


def test_retry_runs_an_ended_job_again_and_its_graph_with_it(conn, project: Project, agent: Agent):
    """Q12: with fresh retries; alone it is refused while what it waits for has failed."""
    a, b = chain(project, 2)
    agent.fail(agent.claim_one())
    with pytest.raises(Conflict):
        clients.retry(conn, project.id, [b])

    clients.retry(conn, project.id, [b, a])
    assert [project.state(job) for job in (a, b)] == ["ready", "waiting"]
    agent.complete(agent.claim_one())
    agent.complete(agent.claim_one())
    assert [project.state(job) for job in (a, b)] == ["succeeded", "succeeded"]


def test_retrying_a_success_does_not_unblock_twice(conn, project: Project, agent: Agent):
    """A prerequisite counts once, however often it succeeds."""
    a, _, c = project.submit_many(
        [
            Submission(kind="noop", ref="a"),
            Submission(kind="noop", ref="b"),
            Submission(kind="noop", after=["a", "b"]),
        ]
    )
    agent.complete(agent.claim_one())
    clients.retry(conn, project.id, [a])
    again = next(job for job in agent.claim() if job.job_id == a)
    agent.complete(again)

    assert project.state(c) == "waiting"
    assert project.row(c)["waits_for"] == 1


def test_a_job_for_later_waits_for_its_time(conn, clock, project: Project, agent: Agent):
    """Q9: run_at."""
    job = project.submit(run_at=datetime.now(UTC) + timedelta(hours=1))
    chores.promote(conn)
    assert project.state(job) == "waiting"
    clock.advance(3601)

    assert chores.promote(conn).ready == 1
    assert agent.claim_one().job_id == job


def test_a_job_not_started_in_time_ends(conn, clock, project: Project, agent: Agent):
    """Q15: start by six or not at all; one that started goes on."""
    soon = datetime.now(UTC) + timedelta(seconds=60)
    started = project.submit(start_by=soon)
    agent.claim_one()
    late = project.submit(start_by=soon)
    clock.advance(61)

    assert chores.promote(conn).expired == 1
    assert project.row(late)["cause"] == "expired"
    assert project.state(started) == "running"


def test_logs_and_progress_reach_the_views(conn, project: Project, agent: Agent):
    """Lines keep their order, and the log of an attempt is bounded with a last line that says so."""
    conn.execute("update fleet.settings set log_bytes = 20")
    job = project.submit()
    claimed = agent.claim_one()
    chunks = [LogChunk("stdout", "one\n"), LogChunk("stderr", "two\n"), LogChunk("stdout", "x" * 30 + "\n")]
    agents.report(
        conn, agent.session, [Report(job, claimed.token, step=3, total=9, metrics={"loss": 0.5}, logs=chunks)]
    )
    agents.report(conn, agent.session, [Report(job, claimed.token, logs=[LogChunk("stdout", "more\n")])])

    lines = conn.execute("select stream, text from fleet.v_logs order by log_id").fetchall()
    assert lines[:2] == [("stdout", "one\n"), ("stderr", "two\n")]
    assert [stream for stream, _ in lines[2:]] == ["agent"]
    assert "ends here" in lines[2][1]
    progress = project.row(job)["progress"]
    assert (progress["step"], progress["total"], progress["metrics"]) == (3, 9, {"loss": 0.5})


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


def test_the_end_of_a_job_is_delivered_until_it_is_taken(conn, clock, project: Project, agent: Agent):
    """Q15: a webhook is written in the commit that ends the job, tried again, and given up after eight tries."""
    project.submit(webhook="https://example.org/hook", tags={"order": "7"})
    agent.complete(agent.claim_one())
    [due] = chores.due_webhooks(conn)
    assert (due.body["type"], due.body["data"]["tags"], due.attempt) == ("job.succeeded", {"order": "7"}, 1)
    assert chores.due_webhooks(conn) == []

    for attempt in range(2, 9):
        chores.webhook_done(conn, due.delivery_id, delivered=False, detail="HTTP 500")
        clock.advance(3600)
        [due] = chores.due_webhooks(conn)
        assert due.attempt == attempt
    chores.webhook_done(conn, due.delivery_id, delivered=False, detail="HTTP 500")
    clock.advance(3600)
    assert chores.due_webhooks(conn) == []


def test_a_job_is_in_exactly_one_place(conn, project: Project, agent: Agent):
    """I1, along one life: waiting, ready, leased, waiting again, ended."""
    a, b = chain(project, 2)
    places = [place_of(conn, b)]
    agent.complete(agent.claim_one())
    places.append(place_of(conn, b))
    claimed = agent.claim_one()
    places.append(place_of(conn, b))
    agent.fail(claimed, Cause.INFRASTRUCTURE)
    places.append(place_of(conn, b))
    clients.cancel(conn, project.id, [b])
    places.append(place_of(conn, b))

    assert places == [["waiting"], ["ready"], ["leased"], ["waiting"], ["ended"]]
    assert place_of(conn, a) == ["ended"]


def test_each_end_is_announced_once(conn, project: Project, agent: Agent):
    """A job that had ended before its prerequisite failed again is not announced again."""
    hook = "https://example.org/hook"
    a, b = project.submit_many(
        [
            Submission(kind="noop", ref="a", webhook=hook),
            Submission(kind="noop", after=["a"], webhook=hook),
        ]
    )
    clients.cancel(conn, project.id, [a, b])
    for _ in range(2):
        clients.retry(conn, project.id, [a])
        agent.fail(agent.claim_one())

    counts = dict(conn.execute("select job_id, count(*) from fleet.webhook_deliveries group by 1").fetchall())
    assert counts == {a: 3, b: 1}


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


def test_what_cannot_be_stored_is_refused_and_can_still_end(conn, project: Project, agent: Agent):
    """A NUL in a result is an error of the call, not of the connection; the failure that follows is kept."""
    job = project.submit()
    claimed = agent.claim_one()
    with pytest.raises(BadRequest):
        agent.complete(claimed, text="a\0b")
    agent.fail(claimed, message="a\0b")

    assert project.row(job)["error"]["message"] == "a\ufffdb"


def test_a_retry_forgets_when_the_first_life_had_to_start(conn, clock, project: Project):
    """start_by was a promise about the first life."""
    job = project.submit(start_by=datetime.now(UTC) + timedelta(seconds=60))
    clients.cancel(conn, project.id, [job])
    clients.retry(conn, project.id, [job])
    clock.advance(61)

    assert chores.promote(conn).expired == 0
    assert project.state(job) == "ready"


def test_a_job_that_started_in_time_may_be_retried_later(conn, clock, project: Project, agent: Agent):
    """Start by six or not at all: it did."""
    job = project.submit(retries=3, start_by=datetime.now(UTC) + timedelta(seconds=60))
    agent.fail(agent.claim_one())
    clock.advance(61)

    assert chores.promote(conn).expired == 0
    assert project.state(job) in ("waiting", "ready")


def test_a_graph_that_is_retried_whole_keeps_its_order(conn, project: Project, agent: Agent):
    """What waited for a success waits for the next one."""
    a, b = chain(project, 2)
    agent.complete(agent.claim_one())
    agent.fail(agent.claim_one())
    clients.retry(conn, project.id, [a, b])

    assert [project.state(job) for job in (a, b)] == ["ready", "waiting"]


def test_a_job_whose_prerequisite_was_pruned_is_not_left_waiting(conn, project: Project, agent: Agent):
    """It says so instead."""
    a, b = chain(project, 2)
    agent.fail(agent.claim_one())
    conn.execute("delete from fleet.jobs where job_id = %s", (a,))

    with pytest.raises(Conflict, match="pruned"):
        clients.retry(conn, project.id, [b])


def test_pruning_keeps_what_somebody_still_needs(conn, clock, project: Project, agent: Agent):
    """Old jobs go, with their outputs, but not while a job that reads them has yet to run."""
    a = project.submit()
    agent.complete(agent.claim_one(), [PNG])
    gone = project.submit()
    agent.complete(agent.claim_one())
    clock.advance(100 * 86400)
    reader = project.submit(inputs={"x": Input(job=str(a), output="picture.png")})

    assert chores.prune(conn).jobs == 1
    assert conn.execute("select job_id from fleet.jobs order by 1").fetchall() == [(a,), (reader,)]
    assert gone not in (a, reader)


def test_history_is_dropped_by_partitions(conn, clock):
    """Retention costs nothing per row, and new days are there before they come."""
    count = "select count(*) from pg_class where relispartition and relkind = 'r' and relname ~ '_[0-9]{8}$'"
    chores.make_partitions(conn)
    before = conn.execute(count).fetchone()[0]
    clock.advance(200 * 86400)
    pruned = chores.prune(conn)

    assert before >= 3 * 15
    assert conn.execute(count).fetchone()[0] == before - pruned.partitions == 0
    assert chores.make_partitions(conn) == 3 * 15
    assert chores.make_partitions(conn) == 0
