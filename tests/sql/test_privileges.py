"""What a stolen login is worth: each of these is tried as a real login, and refused by PostgreSQL itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from queue_schema import errors
from queue_schema.calls import agents, chores, questions
from queue_schema.shapes import Beat, Completion, Failed, LogChunk, Released, Report, Session, Settled
from queue_schema.states import Cause
from tests.support.verbs import Agent, Project

ROLES = ("fleet_agent", "fleet_api", "fleet_scheduler", "fleet_admin", "fleet_reader")
SECRET = "only-in-tests"
FILE = "/tmp/argosy-was-here"  # nobody may write it


@pytest.fixture
def logins(conn: psycopg.Connection[Any]) -> Iterator[None]:
    """One for each capability, as an administrator makes them."""
    for role in ROLES:
        login = sql.Identifier(f"login_of_{role}")
        conn.execute(sql.SQL("drop role if exists {}").format(login))
        conn.execute(
            sql.SQL("create role {} login password {} connection limit 4 in role {}").format(
                login, SECRET, sql.Identifier(role)
            )
        )
    yield
    for role in ROLES:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", (f"login_of_{role}",)
        )
        conn.execute(sql.SQL("drop role {}").format(sql.Identifier(f"login_of_{role}")))


def as_login(database_url: str, role: str) -> psycopg.Connection[Any]:
    """A connection with no more rights than that."""
    url = make_url(database_url).set(username=f"login_of_{role}", password=SECRET)
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


BY_AGENT = [
    # Others' work, and whatever shows it.
    *(
        f"select * from fleet.{name}"
        for name in ("jobs", "ready", "leases", "lanes", "needs", "attempts", "logs")
    ),
    *(
        f"select * from fleet.{name}"
        for name in ("sessions", "nodes", "devices", "blobs", "artifacts", "checkpoints")
    ),
    *(
        f"select * from fleet.{name}"
        for name in ("api_keys", "projects", "webhook_deliveries", "idempotency", "settings")
    ),
    *(f"select * from fleet.{name}" for name in ("v_jobs", "v_running", "v_nodes", "v_queue", "v_events")),
    f"copy fleet.jobs to '{FILE}'",
    "copy fleet.leases to stdout",
    # Writing past the verbs.
    "insert into fleet.leases (job_id) values (gen_random_uuid())",
    "update fleet.leases set deadline = 'infinity'",
    "update fleet.sessions set secret_hash = null",
    "delete from fleet.job_events",
    "truncate fleet.jobs",
    "do 'begin lock table fleet.leases; end'",
    "select * from fleet.turns for update",
    # Helpers behind the verbs, and the verbs of others.
    "select fleet._settle(null, '[]', 'failed', 'agent')",
    "select fleet.reap_v1(1)",
    "select fleet.prune_v1(1, 1)",
    "select fleet.submit_v1(gen_random_uuid(), '[]')",
    "select fleet.cancel_v1(gen_random_uuid(), array[gen_random_uuid()])",
    "select fleet.create_key_v1('x', 'x', '[\"admin\"]')",
    "select fleet.authenticate_v1('x')",
    "select fleet.label_node_v1('x', '{}', '[]')",
    "select fleet.project_v1('x', '{}')",
    "select fleet.configure_v1('{}')",
    "select fleet.halt_v1(true, 'x')",
    "select rehearsal._set_stage(now(), 1)",
    "truncate rehearsal.jobs",
    # Changing the contract, or shadowing it.
    "create table fleet.mine (x int)",
    "create table public.mine (x int)",
    "create temporary table jobs (x int)",
    "create schema mine",
    "create function fleet.now2() returns int language sql as 'select 1'",
    "create or replace function fleet.now() returns timestamptz language sql as 'select null::timestamptz'",
    "alter function fleet.claim_v1 set search_path = public",
    "alter table fleet.jobs disable trigger all",
    "drop function fleet.now()",
    "drop schema fleet cascade",
    "grant fleet_admin to login_of_fleet_agent",
    "grant select on fleet.jobs to login_of_fleet_agent",
    "create extension dblink",
    "create publication all_of_it for all tables",
    # Becoming somebody else.
    *(f"set role {role}" for role in ("fleet_owner", "fleet_exec", "fleet_admin", "fleet_api", "postgres")),
    "set session authorization login_of_fleet_admin",
    "create role mine",
    "alter role login_of_fleet_agent superuser",
    "alter role login_of_fleet_agent connection limit 1000",
    "alter role login_of_fleet_api password 'x'",
    # The server, and the host below.
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "copy (select 1) to program 'id'",
    "select * from pg_authid",
    "alter system set log_connections = on",
    "select pg_reload_conf()",
    "set session_replication_role = replica",
    "set log_statement = 'none'",
    "select pg_create_logical_replication_slot('mine', 'pgoutput')",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
]
_OTHERS = [
    ("fleet_api", "select fleet.claim_v1(null, '', gen_random_uuid(), '{}', 1)"),
    ("fleet_api", "select fleet.create_key_v1('x', 'x', '[\"admin\"]')"),
    ("fleet_api", "select fleet.label_node_v1('x', '{}', '[]')"),
    ("fleet_api", "select fleet.complete_v1(null, '', '[]')"),
    ("fleet_api", "select * from fleet.api_keys"),
    ("fleet_api", "update fleet.jobs set outcome = null"),
    ("fleet_api", "create temporary table jobs (x int)"),
    ("fleet_api", "set role fleet_admin"),
    ("fleet_scheduler", "select fleet.submit_v1(gen_random_uuid(), '[]')"),
    ("fleet_scheduler", "select fleet.create_key_v1('x', 'x', '[\"admin\"]')"),
    ("fleet_scheduler", "select * from fleet.api_keys"),
    ("fleet_scheduler", "delete from fleet.leases"),
    ("fleet_scheduler", "create table chores.mine (x int)"),
    ("fleet_admin", "select * from fleet.api_keys"),
    ("fleet_admin", "select fleet.claim_v1(null, '', gen_random_uuid(), '{}', 1)"),
    ("fleet_admin", "update fleet.projects set weight = 1000"),
    ("fleet_admin", "set role fleet_owner"),
    ("fleet_reader", "select * from fleet.jobs"),
    ("fleet_reader", "select * from fleet.api_keys"),
    ("fleet_reader", "select fleet.cancel_v1(gen_random_uuid(), array[gen_random_uuid()])"),
    ("fleet_reader", "select fleet.halt_v1(true, 'x')"),
    ("fleet_reader", "select * from chores.procrastinate_jobs"),
    ("fleet_reader", "create temporary table jobs (x int)"),
]
BY_OTHERS = {role: [act for whose, act in _OTHERS if whose == role] for role, _ in _OTHERS}


def allowed(database_url: str, role: str, acts: Sequence[str]) -> list[str]:
    """Those that PostgreSQL did not refuse for want of a right, and how it answered."""
    found = []
    with as_login(database_url, role) as conn:
        for act in acts:
            try:
                conn.execute(act.encode())
            except psycopg.errors.InsufficientPrivilege:
                continue
            except psycopg.Error as exc:
                found.append(f"{act}: {type(exc).__name__}: {exc}")
            else:
                found.append(f"{act}: done")
    return found


@pytest.mark.usefixtures("logins", "project")
def test_an_agents_login_may_nothing_but_its_verbs(database_url: str):
    """Seventy other things that come to mind."""
    assert allowed(database_url, "fleet_agent", BY_AGENT) == []


@pytest.mark.usefixtures("logins", "project")
@pytest.mark.parametrize("role", sorted(BY_OTHERS))
def test_the_other_logins_may_nothing_but_theirs(database_url: str, role: str):
    """Nor does one of them have what another has."""
    assert allowed(database_url, role, BY_OTHERS[role]) == []


@pytest.mark.usefixtures("logins")
def test_a_login_has_no_more_connections_than_it_was_given(database_url: str):
    """It cannot take those of all others."""
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(as_login(database_url, "fleet_agent"))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            as_login(database_url, "fleet_agent")


@pytest.fixture
def robbed(conn: psycopg.Connection[Any], project: Project, agent: Agent) -> tuple[UUID, UUID]:
    """Job and token of a lease of somebody else's session, known to a thief by some leak."""
    del conn
    job = project.submit()
    [claimed] = agent.claim()
    return job, claimed.token


ON_THE_LEASE_OF_ANOTHER: dict[str, Callable[[psycopg.Connection[Any], Session, UUID, UUID], object]] = {
    "complete": lambda conn, mine, job, token: agents.complete(conn, mine, [Completion(job, token)]),
    "fail": lambda conn, mine, job, token: agents.fail(
        conn, mine, [Failed(job, token, Cause.USER_ERROR, "mine")]
    ),
    "release": lambda conn, mine, job, token: agents.release(conn, mine, [Released(job, token, "mine")]),
    "report": lambda conn, mine, job, token: agents.report(
        conn, mine, [Report(job, token, logs=[LogChunk("stdout", "forged\n")])]
    ),
    "checkpoint": lambda conn, mine, job, token: agents.checkpoint(
        conn, mine, job_id=job, token=token, sha256="0" * 64, size=1, step=1
    ),
    "heartbeat": lambda conn, mine, job, token: agents.heartbeat(conn, mine, tokens=[token]),
}


@pytest.mark.usefixtures("logins")
@pytest.mark.parametrize("verb", sorted(ON_THE_LEASE_OF_ANOTHER))
def test_a_stolen_token_is_worth_nothing_to_another_session(
    database_url: str, conn: psycopg.Connection[Any], robbed: tuple[UUID, UUID], verb: str
):
    """A lease is its session's, whoever knows its name; nothing of it changes (I2)."""
    thief = Agent(conn, "thief")
    before = conn.execute(
        "select l.*, j.attempts, j.outcome from fleet.leases as l join fleet.jobs as j using (job_id)"
    )
    held = before.fetchall()
    with as_login(database_url, "fleet_agent") as stolen:
        try:
            answer = ON_THE_LEASE_OF_ANOTHER[verb](stolen, thief.session, *robbed)
        except errors.LeaseLost:
            pass
        else:
            assert robbed[1] in told_lost(answer)
    after = conn.execute(
        "select l.*, j.attempts, j.outcome from fleet.leases as l join fleet.jobs as j using (job_id)"
    )
    assert after.fetchall() == held
    assert conn.execute("select count(*) from fleet.logs").fetchone() == (0,)


def told_lost(answer: Any) -> set[UUID]:
    """The tokens that an answer says are not the caller's."""
    if isinstance(answer, Beat):
        return set(answer.lost)
    return {one.token if isinstance(one, Settled) and one.outcome == "lease_lost" else one for one in answer}


@pytest.mark.usefixtures("logins")
@pytest.mark.parametrize("secret", ["", "guess", None])
def test_a_session_is_proved_by_its_secret(database_url: str, agent: Agent, secret: str | None):
    """Its id is in every log."""
    forged = Session(agent.session.session_id, secret)  # type: ignore[arg-type]  # what a stranger would send
    with as_login(database_url, "fleet_agent") as stolen:
        for act in (
            lambda: agents.heartbeat(stolen, forged, tokens=[]),
            lambda: agents.leave(stolen, forged),
            lambda: agents.claim(stolen, forged, request_id=uuid4(), sample=agent.sample(), want=1),
            lambda: agents.health(stolen, forged, agent.sample()),
        ):
            with pytest.raises(errors.SessionLost):
                act()


@pytest.mark.usefixtures("logins")
def test_a_live_nodes_name_is_not_to_be_taken(database_url: str, agent: Agent):
    """Nor its leases, its labels or its pools."""
    with as_login(database_url, "fleet_agent") as stolen, pytest.raises(errors.NodeNameTaken):
        agents.join(stolen, msgspec.structs.replace(agent.declared, instance="another"))


@pytest.mark.usefixtures("logins", "project")
def test_nothing_rests_on_what_any_login_may_lock_or_set(
    database_url: str, conn: psycopg.Connection[Any], agent: Agent, project: Project
):
    """Advisory locks and a search path are everybody's: the chores, the questions and the verbs go on without."""
    job = project.submit()
    conn.execute("set lock_timeout = '2s'")
    with as_login(database_url, "fleet_agent") as stolen:
        for name in ("fleet.learn", "fleet.reserve", "fleet.rehearse", "fleet.make_partitions", "fleet.rank"):
            stolen.execute("select pg_advisory_lock(hashtext(%s))", (name,))
        stolen.execute("select pg_advisory_lock(at) from generate_series(0, 1000) as at")
        stolen.execute("set search_path = public, pg_temp")
        assert agents.heartbeat(stolen, agent.session, tokens=[]) is not None

        assert questions.why(conn, project.id, job).state == "ready"
        assert chores.reserve(conn) is not None
        assert chores.learn(conn) is not None
        assert chores.make_partitions(conn) == 0
        conn.execute("select fleet.rank_v1()")
        assert [each.job_id for each in agent.claim()] == [job]
