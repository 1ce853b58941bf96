"""Submitting, ending, retrying after failures, being told: what a job's owner sees (Q1, Q8, Q12, Q15; I8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from queue_schema.calls import admin, agents, chores, clients
from queue_schema.errors import BadRequest, Conflict, NotFound
from queue_schema.shapes import Artifact, Input, LogChunk, Need, Released, Report, Submission
from queue_schema.states import Cause
from tests.support.verbs import Agent, Project, reaper_at_work

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


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        (["a/b", "a"], "a"),
        (["a", "a!", "a-b", "a/b", "a0"], "a"),
        (["a", "a!/b", "a/b/c/d", "a-b/c"], "a"),
        (["a!", "b/c", "b/c!", "b/c/d"], "b/c"),
        (["é", "é!", "é/日", "e/日"], "é"),
        (["a", "a!/b", "ab/c", "b/a", "aa", "A/b"], None),
    ],
)
def test_no_input_may_be_the_folder_of_another(conn, project: Project, names: list[str], folder: str | None):
    """Whatever else sorts between the two."""
    inputs = {name: Input(sha256=SHA) for name in names}
    error = refused(conn, project, Submission(kind="noop", inputs=inputs))

    if folder is None:
        assert str(error).startswith("there is no file")
    else:
        assert error.field == f"jobs[0].inputs.{folder}"
        assert "no name may be the folder of another" in error.fix


@pytest.mark.parametrize("verb", ["submit_v1", "fit_v1"])
@pytest.mark.parametrize("jobs", ["[null]", "[1]", "[[]]", '["noop", 2]'])
def test_a_job_that_is_no_object_is_refused(conn, project: Project, verb: str, jobs: str):
    """With its place, as a bad field is."""
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(f"select fleet.{verb}(p_project => %s, p_jobs => %s)", (project.id, jobs))

    assert (caught.value.sqlstate, caught.value.diag.column_name) == ("JQ002", "jobs[0]")


@pytest.mark.parametrize("params", [{}, {"n": 1}], ids=["long way", "short way"])
def test_an_idempotency_key_is_its_projects(conn, project: Project, params: dict[str, int]):
    """Another project may use the same one, for the same jobs or others: it neither learns of these nor changes them."""
    owners = [project, Project(conn, "other")]
    jobs = [Submission(kind="noop", params=params)]
    for owner in owners:
        clients.submit(conn, owner.id, jobs)
    firsts = [clients.submit(conn, owner.id, jobs, idempotency_key="k") for owner in owners]

    again = [clients.submit(conn, owner.id, jobs, idempotency_key="k") for owner in owners]

    assert [each[0].created for each in (*firsts, *again)] == [True, True, False, False]
    assert [each[0].job_id for each in again] == [each[0].job_id for each in firsts]
    assert len({each[0].job_id for each in firsts}) == 2


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_job_that_says_nothing_of_its_needs_has_those_of_its_kind(conn, project: Project, jobs: int):
    """Also by the short way, which remembers them: a kind that is changed, and the pools of its project, are followed."""

    def needs() -> set[tuple[int, Any]]:
        submitted = project.submit_many([Submission("selftest.allocate", params={"mib": 1})] * jobs)
        return set(
            conn.execute(
                "select s.vram_mib, s.pools::text from fleet.jobs j join fleet.lanes l using (lane_id)"
                " join fleet.shapes s using (shape_id) where j.job_id = any(%s)",
                (submitted,),
            )
        )

    for _ in range(3):
        assert needs() == {(256, None)}
    assert conn.execute("select count(*) from fleet.needs where plain").fetchone() == (1,)
    conn.execute("update fleet.kinds set vram_mib = 512 where kind = 'selftest.allocate'")
    for _ in range(3):
        assert needs() == {(512, None)}
    admin.set_project(conn, "acme", trusted_pools=["mine"])
    for _ in range(2):
        assert needs() == {(512, "{mine}")}


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


@pytest.mark.parametrize("how", ["handed back", "answer lost"])
def test_a_job_that_never_ran_is_not_started_after_its_time(
    conn, clock, project: Project, agent: Agent, how: str
):
    """It was claimed in time, but came back unstarted: `or not at all` holds."""
    reaper_at_work(conn)
    job = project.submit(start_by=datetime.now(UTC) + timedelta(seconds=60))
    claimed = agent.claim_one()
    if how == "handed back":
        agents.release(conn, agent.session, [Released(job, claimed.token, "no room", started=False)])
    else:
        for _ in range(3):
            clock.advance(11)
            agent.beat()
            chores.reap(conn)
    assert project.state(job) == "ready"
    clock.advance(61)

    assert chores.promote(conn).expired == 1
    assert project.row(job)["cause"] == "expired"


def test_a_job_handed_back_unstarted_after_its_time_ends(conn, clock, project: Project, agent: Agent):
    """Its time passed while it was leased, and a promote saw that: no claim gets it again."""
    job = project.submit(start_by=datetime.now(UTC) + timedelta(seconds=60))
    clock.advance(59)
    claimed = agent.claim_one()
    clock.advance(2)
    assert chores.promote(conn).expired == 0
    agents.release(conn, agent.session, [Released(job, claimed.token, "no room", started=False)])

    assert agent.claim() == []
    assert chores.promote(conn).expired == 1
    assert (project.state(job), project.row(job)["cause"]) == ("failed", "expired")
    assert conn.execute("select from fleet.start_by").fetchone() is None


def test_a_job_that_started_in_time_may_be_handed_back_later(conn, clock, project: Project, agent: Agent):
    """Once unstarted, once not: it ran, and what became of that is no matter."""
    job = project.submit(start_by=datetime.now(UTC) + timedelta(seconds=60))
    agents.release(conn, agent.session, [Released(job, agent.claim_one().token, "no room", started=False)])
    agent.release(agent.claim_one())
    claimed = agent.claim_one()
    clock.advance(61)
    assert chores.promote(conn).expired == 0
    agents.release(conn, agent.session, [Released(job, claimed.token, "no room", started=False)])

    assert chores.promote(conn).expired == 0
    assert agent.claim_one().job_id == job


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


@pytest.mark.parametrize("end", ["complete", "fail", "release"])
def test_history_keeps_how_far_an_attempt_got(conn, project: Project, agent: Agent, end: str):
    """However it ends, and beside others that told nothing; what is told of running work goes."""
    told, silent = project.submit(retries=0), project.submit(retries=0)
    claims = [agent.claim_one(), agent.claim_one()]
    [claimed] = [each for each in claims if each.job_id == told]
    agents.report(conn, agent.session, [Report(told, claimed.token, step=3, total=9, metrics={"loss": 0.5})])

    for each in claims:
        getattr(agent, end)(each)

    kept = dict(conn.execute("select job_id, progress from fleet.attempts").fetchall())
    assert (kept[told]["step"], kept[told]["total"], kept[told]["metrics"]) == (3, 9, {"loss": 0.5})
    assert kept[silent] is None
    assert conn.execute("select count(*) from fleet.progress").fetchone() == (0,)


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


def test_nothing_is_left_of_a_job_that_was_pruned(conn, clock, project: Project, agent: Agent):
    """A row for a time to come would be met, and found to be nobody's, by each promote from then on."""
    job = project.submit(start_by=datetime.now(UTC) + timedelta(days=400))
    agent.complete(agent.claim_one(), loss=0.1)
    clock.advance(100 * 86400)
    tables = conn.execute(
        "select c.oid::regclass::text from pg_class as c join pg_attribute as a on a.attrelid = c.oid"
        " where c.relnamespace = 'fleet'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition"
        " and a.attname = 'job_id'"
    ).fetchall()
    assert len(tables) > 10

    chores.prune(conn, keep_days=90)

    left = [
        name for (name,) in tables if conn.execute(f"select from {name} where job_id = %s", (job,)).rowcount
    ]
    assert left == []


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
