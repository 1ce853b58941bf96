"""The stage of rehearsals: it is the contract itself, and what happens on it stays on it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest

from queue_schema.calls import clients, questions
from queue_schema.errors import BadRequest, Conflict, NotFound
from queue_schema.shapes import After, Need, Submission
from queue_schema.states import Priority
from tests.support.verbs import Agent, Project, place_of

GIB = 1024


def test_the_stage_has_the_functions_of_the_contract(conn):
    """No second copy of the rules that could drift: each function is the same text, but for the schema's name."""
    enums = "|".join(
        row[0]
        for row in conn.execute(
            "select typname from pg_type where typnamespace = 'fleet'::regnamespace and typtype = 'e'"
        )
    )

    def of(schema: str) -> dict[str, str]:
        return dict(
            conn.execute(
                "select p.oid::regprocedure::text, coalesce(p.prosrc, '') from pg_proc as p"
                " where p.pronamespace = %s::regnamespace",
                (schema,),
            ).fetchall()
        )

    def staged(text: str) -> str:
        text = re.sub(rf"\bfleet\.(?!(?:{enums})\b)", "rehearsal.", text)
        return text.replace("pg_notify(", "rehearsal.unheard(")

    there = of("rehearsal")
    here = {
        staged(name): staged(body)
        for name, body in of("fleet").items()
        if "rehearsal." not in body + name
        and not name.startswith(("fleet.now", "fleet.make_partitions", "fleet.prune"))
    }
    missing = {name for name, body in here.items() if there.get(name) != body}

    assert len(here) > 80
    assert {name for name in missing if name in there} == set()
    # Those that only exist because of the stage are not on it.
    assert {name.split("(")[0] for name in missing} <= {
        "rehearsal._judge_forecasts",
        "rehearsal._off",
        "rehearsal._wait_class",
        "rehearsal._in",
        "rehearsal.eta_v1",
    }


def everything(conn: psycopg.Connection) -> dict[str, str]:
    """A fingerprint of each table of the fleet."""
    tables = [
        row[0]
        for row in conn.execute(
            "select relname from pg_class where relnamespace = 'fleet'::regnamespace and relkind in ('r', 'p')"
            " and relname not like '%forecast%'"
        )
    ]
    return {
        table: str(
            conn.execute(
                f"select md5(coalesce(string_agg(t::text, '' order by t::text), '')) from fleet.{table} as t"
            ).fetchone()
        )
        for table in tables
    }


def test_questions_change_nothing(conn, project, clock):
    """Every table of the fleet is as it was, and nobody was notified, urgent work and full nodes included."""
    agent = Agent(conn, "gpu", gpus=[24 * GIB, 24 * GIB])
    conn.execute("listen fleet_" + str(agent.session.session_id).replace("-", ""))
    low = [project.gpu_job(20 * GIB, priority=Priority.LOW, preemptible=True) for _ in range(3)]
    agent.claim()
    big = project.gpu_job(23 * GIB, gpus=2, priority=Priority.HIGH)
    conn.execute("update fleet.jobs set priority = 'urgent' where job_id = %s", (big,))
    project.submit(after=[After(str(big))])
    before = everything(conn)

    questions.why(conn, project.id, low[-1])
    questions.why(conn, project.id, big)
    questions.eta(conn, project.id, big)
    questions.fit(conn, project.id, [Submission(kind="noop"), Submission(kind="command")])

    assert everything(conn) == before
    assert list(conn.notifies(timeout=0)) == []


def test_claims_go_on_during_a_rehearsal(conn, database_url, project, agent):
    """A question takes no lock that a claim, a settle or a heartbeat would wait for (I13)."""
    jobs = project.submit_many([Submission(kind="noop") for _ in range(20)])
    with psycopg.connect(database_url) as other:
        questions.why(other, project.id, jobs[-1])
        questions.forecast(other)  # neither is committed: all its locks are held
        conn.execute("set lock_timeout = '2s'")

        claimed = agent.claim(20)
        agent.beat(*[job.token for job in claimed])
        settled = agent.complete(claimed[0])

    assert len(claimed) == 20
    assert settled.outcome == "settled"


def test_rehearsals_follow_each_other(database_url, conn, project, agent):
    """Asked by many at once, each is answered, one after the other, without errors."""
    jobs = project.submit_many([Submission(kind="noop") for _ in range(8)])

    def ask(job) -> bool:
        with psycopg.connect(database_url, autocommit=True) as mine:
            return questions.why(mine, project.id, job).proved

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, jobs)) == [True] * 8


def test_fit_says_what_would_start_and_submits_nothing(conn, project):
    """Now, later or never; where; and bad jobs are refused as a submission would refuse them (item `fit`)."""
    agent = Agent(conn, "gpu", gpus=[24 * GIB])
    project.gpu_job(16 * GIB)
    agent.claim()

    def job(vram_mib: int) -> Submission:
        return Submission(kind="selftest.allocate", need=Need(vram_mib=vram_mib), ref=f"g{vram_mib // GIB}")

    small, middle, large = questions.fit(conn, project.id, [job(4 * GIB), job(20 * GIB), job(80 * GIB)])

    assert (small.starts, small.node, small.devices, small.ref) == ("now", "gpu", [0], "g4")
    assert middle.starts == "later"
    assert middle.start is not None
    assert middle.start.p50 < middle.start.p90
    assert [cause.cause for cause in middle.causes] == ["busy"]
    assert (large.starts, [cause.cause for cause in large.causes]) == ("never", ["too_big"])
    assert conn.execute("select count(*) from fleet.jobs").fetchone() == (1,)
    with pytest.raises(BadRequest) as caught:
        questions.fit(conn, project.id, [Submission(kind="noop"), Submission(kind="nonsense")])
    assert caught.value.field == "jobs[1].kind"


def test_an_amended_job_is_claimed_as_what_it_is_now(conn, project):
    """Class, need and time change in place; it keeps its age, and is in one place all along (I1)."""
    agent = Agent(conn, "gpu", gpus=[24 * GIB])
    older, job = project.gpu_job(4 * GIB), project.gpu_job(80 * GIB)

    clients.amend(conn, project.id, job, need={"vram_mib": 8 * GIB}, priority="high")

    assert place_of(conn, job) == ["ready"]
    first, second = agent.claim()
    assert (first.job_id, first.grant.vram_mib) == (job, 8 * GIB)
    assert second.job_id == older
    with pytest.raises(Conflict):
        clients.amend(conn, project.id, job, priority="low")
    assert project.events(job) == ["submitted", "amended", "claimed"]


def test_an_amended_job_waits_and_stops_waiting(conn, project, agent, clock):
    """A time can be set, moved and lifted; edges can be let go, and then nothing brings them back."""
    first = project.submit()
    second = project.submit(after=[After(str(first))])
    [claimed] = agent.claim()
    assert clients.amend(conn, project.id, second, after=[]).state == "ready"
    agent.complete(claimed)
    assert place_of(conn, second) == ["ready"]

    later = clients.amend(conn, project.id, second, run_at="2100-01-01T00:00:00Z")
    assert (later.state, place_of(conn, second)) == ("waiting", ["waiting"])
    assert clients.amend(conn, project.id, second, run_at=None).state == "ready"
    assert agent.claim_one().job_id == second


def test_an_amended_job_moves_between_gpu_and_host(conn, project):
    """What was stated of one memory is not taken for the other; what was not stated stays open to learning (Q8)."""
    on_gpu = project.submit("selftest.allocate", need=Need(gpus=1, vram_mib=8 * GIB))
    on_host = project.submit("selftest.allocate", need=Need(gpus=0, ram_mib=700))
    unstated = project.submit("noop")

    clients.amend(conn, project.id, on_gpu, need={"gpus": 0})
    clients.amend(conn, project.id, on_host, need={"gpus": 1})
    clients.amend(conn, project.id, unstated, need={"cpu_milli": 7})

    assert (project.row(on_gpu)["need"]["gpus"], project.row(on_gpu)["need"]["vram_mib"]) == (0, 0)
    kinds = conn.execute("select vram_mib from fleet.kinds where kind = 'selftest.allocate'").fetchone()
    assert project.row(on_host)["need"]["vram_mib"] == kinds[0] > 0
    assert stated(conn, unstated) is False
    with pytest.raises(BadRequest) as caught:
        clients.amend(conn, project.id, unstated, need={"vram_mib": 8 * GIB})
    assert caught.value.field == "jobs[0].need.vram_mib"


def stated(conn, job):
    """Whether its memory is its owner's word."""
    found = conn.execute(
        "select n.stated from fleet.jobs as j join fleet.lanes using (lane_id) join fleet.needs as n using (need_id)"
        " where j.job_id = %s",
        (job,),
    ).fetchone()
    return found[0]


def test_what_cannot_be_amended_is_refused(conn, project):
    """By its field, and the job stays as it was."""
    job = project.submit()
    for fields, field in (
        ({"kind": "command"}, "kind"),
        ({"after": ["x"]}, "after"),
        ({"priority": "highest"}, "fields"),
        ({"need": {"vram_mib": -1}}, "jobs[0].need.vram_mib"),
        ({"run_at": "soonish"}, "fields"),
    ):
        with pytest.raises(BadRequest) as caught:
            clients.amend(conn, project.id, job, **fields)
        assert caught.value.field == field
    with pytest.raises(NotFound):
        clients.amend(conn, project.id, uuid4(), priority="low")
    assert place_of(conn, job) == ["ready"]
    assert project.events(job) == ["submitted"]


def test_a_key_cannot_amend_beyond_its_ceiling(conn, project):
    """Class urgent is not to be had by the back door."""
    job = project.submit()

    with pytest.raises(BadRequest) as caught:
        clients.amend(conn, project.id, job, key_id=project.key.key_id, priority="urgent")

    assert "up to high" in str(caught.value)


def test_a_job_cannot_be_put_off_beyond_its_own_end(conn, project: Project):
    """It would end unstarted, and what waits for it with it. Sooner, and at once, it may start."""
    job = project.submit(start_by="2100-01-01T00:00:00Z")

    with pytest.raises(BadRequest, match="before run_at"):
        clients.amend(conn, project.id, job, run_at="2100-01-02T00:00:00Z")

    assert place_of(conn, job) == ["ready"]
    assert clients.amend(conn, project.id, job, run_at="2099-01-01T00:00:00Z").state == "waiting"
    assert clients.amend(conn, project.id, job, run_at=None).state == "ready"


def test_a_job_of_another_project_cannot_be_amended(conn, project: Project):
    """It does not exist for them (I15)."""
    job = project.submit()

    with pytest.raises(NotFound):
        clients.amend(conn, Project(conn, "other").id, job, priority="low")


def test_an_amended_job_of_a_paused_class_is_paused(conn, project: Project, agent):
    """A lane that is made by the change is born as a submission's would be."""
    job = project.submit()
    clients.pause(conn, project.id, paused=True, priority=Priority.LOW)

    clients.amend(conn, project.id, job, priority="low")

    assert agent.claim() == []
    clients.pause(conn, project.id, paused=False, priority=Priority.LOW)
    assert agent.claim_one().job_id == job
