"""The contract as a whole: one vocabulary, comments everywhere, and no right more than needed."""

from __future__ import annotations

from enum import StrEnum

import psycopg
import pytest

from queue_schema import errors, sql
from queue_schema.calls import admin
from queue_schema.states import Cause, Command, JobEnd, JobState, Priority
from tests.support.verbs import Project

VERBS = {
    "fleet_agent": "join leave claim heartbeat health report checkpoint complete fail release wake erasures erased",
    "fleet_api": "submit cancel retry pause drain put_blob grant authenticate wake"
    " create_schedule enable_schedule delete_schedule halt quarantine bulk policy amend why eta fit"
    " reserve_blob erase waive_erasure remove_blobs blobs_removed",
    "fleet_scheduler": "reap promote rank reserve learn prune make_partitions due_webhooks webhook_done wake"
    " due_schedules tick forecast erase_on",
    "fleet_admin": "create_key list_keys revoke_key rotate_key label_node drain configure project halt quarantine wake"
    " policy waive_erasure",
    "fleet_reader": "",
}


@pytest.mark.parametrize(
    ("words", "enum"),
    [
        (JobState, "job_state"),
        (JobEnd, "job_end"),
        (Cause, "cause"),
        (Priority, "priority"),
        (Command, "lease_command"),
    ],
)
def test_sql_and_python_say_the_same_words(conn, words: type[StrEnum], enum: str):
    """One vocabulary, in the same order."""
    row = conn.execute(f"select enum_range(null::fleet.{enum})::text[]").fetchone()

    assert row[0] == [str(word) for word in words]


def test_every_sqlstate_has_its_exception():
    """An error raised in SQL is never a surprise in Python."""
    raised = {
        word.strip("'(),;")
        for _, text in sql.statements()
        for word in text.replace("=", " ").split()
        if word.startswith("'JQ0")
    }

    assert raised <= set(errors.BY_SQLSTATE)


def test_every_table_column_and_view_has_a_comment(conn):
    """Q13: psql alone explains the queue."""
    missing = conn.execute(
        """
        select c.relname, a.attname
          from pg_class as c
          left join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and c.relkind <> 'v'
         where c.relnamespace = 'fleet'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
           and (obj_description(c.oid) is null
                or (a.attnum is not null and col_description(c.oid, a.attnum) is null))
        """
    ).fetchall()

    assert missing == []


def test_no_verb_takes_a_lock_that_any_login_may_take(conn):
    """Advisory locks are everybody's: whoever keeps one would stop whoever waits for it."""
    found = conn.execute(
        "select proname from pg_proc where pronamespace in ('fleet'::regnamespace, 'rehearsal'::regnamespace)"
        " and prosrc ~ 'advisory'"
    ).fetchall()

    assert found == []


def test_each_role_may_call_its_own_verbs_and_nothing_else(conn):
    """Least privilege: read off the server, not off the grants file."""
    granted: dict[str, set[str]] = {role: set() for role in VERBS}
    for role in VERBS:
        for (name,) in conn.execute(
            """select p.proname from pg_proc p
                where p.pronamespace = 'fleet'::regnamespace and has_function_privilege(%s, p.oid, 'execute')""",
            (role,),
        ):
            granted[role].add(name)
    reads = {"state_of", "now", "_held", "why_v1", "eta_v1"}
    wanted = {role: {f"{verb}_v1" for verb in verbs.split()} for role, verbs in VERBS.items()}
    for role in ("fleet_api", "fleet_admin", "fleet_scheduler", "fleet_reader"):
        wanted[role] |= reads

    assert granted == wanted


def test_no_role_may_touch_a_table(conn):
    """Everything goes through the verbs and the views."""
    open_tables = conn.execute(
        """select r.rolname, c.relname from pg_class c, pg_roles r
            where c.relnamespace = 'fleet'::regnamespace and c.relkind in ('r', 'p')
              and r.rolname = any(%s)
              and has_table_privilege(r.oid, c.oid, 'select, insert, update, delete, truncate')""",
        (list(VERBS),),
    ).fetchall()

    assert open_tables == []


def test_verbs_run_with_a_fixed_search_path(conn):
    """A definer function whose names could be captured would be a way in."""
    loose = conn.execute(
        """select proname from pg_proc where pronamespace = 'fleet'::regnamespace
            and (proconfig is null or not 'search_path=pg_catalog, pg_temp' = any(proconfig))
            and prosqlbody is null  -- else its names were resolved when it was made"""
    ).fetchall()
    definers = conn.execute(
        "select proname from pg_proc where pronamespace = 'fleet'::regnamespace and prosecdef and proname !~ '_v1$'"
        " and proname <> 'state_of'"
    ).fetchall()

    assert (loose, definers) == ([], [])


@pytest.mark.parametrize(
    "statement",
    [
        "select * from fleet.jobs",
        "select * from fleet.v_jobs",
        "update fleet.leases set token = gen_random_uuid()",
        "select fleet._settle(null, '[]', 'failed', 'agent')",
        "select fleet.reap_v1(1)",
        "select fleet.create_key_v1('x', 'x', '[\"admin\"]')",
        "create table fleet.mine (x int)",
        "create function fleet.now2() returns int language sql as 'select 1'",
        "set role fleet_exec",
        "set role fleet_owner",
    ],
)
def test_an_agents_login_can_do_nothing_but_its_verbs(conn, database_url, statement: str):
    """What a stolen agent login is worth: its verbs, and they ask for a session's secret."""
    conn.execute("set role fleet_agent")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute(statement if not statement.startswith("set role") else _as_login(conn, statement))


def _as_login(conn, statement: str) -> str:
    """A superuser's `set role` may always switch back, so that one is tried by a real login."""
    conn.execute("reset role")
    conn.execute("drop role if exists a_login")
    conn.execute("create role a_login in role fleet_agent")
    conn.execute("set session authorization a_login")
    return statement


def test_a_reader_may_ask_where_a_job_is(conn, project: Project):
    """state_of works for whoever may read."""
    job = project.submit()
    conn.execute("set role fleet_reader")

    assert conn.execute("select fleet.state_of(%s)", (job,)).fetchone() == ("ready",)


@pytest.mark.parametrize("settings", [{"lease_s": float("inf")}, {"lease_s": 5.0}, {"nonsense": 1.0}])
def test_settings_that_cannot_be_are_refused(conn, settings: dict[str, float]):
    """Three heartbeats must fit into a lease, and a lease is a number of seconds."""
    with pytest.raises(errors.BadRequest):
        admin.configure(conn, **settings)
