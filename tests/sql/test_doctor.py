"""Each disease is seen, named, and has a cure that can be typed; a fleet that is well is said to be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from queue_schema import doctor
from queue_schema.calls import chores, oncall
from queue_schema.doctor import Finding
from tests.support.verbs import Agent, Project

NEWEST = "0001"
Conn = psycopg.Connection[Any]


def found(conn: Conn, check: str) -> list[Finding]:
    """What one check says."""
    return [one for one in doctor.examine(conn, newest=NEWEST) if one.check == check]


@pytest.fixture
def well(conn: Conn, project: Project, agent: Agent) -> Conn:
    """A fleet with a node, whose chores are done."""
    del project, agent
    chores.reap(conn)
    return conn


def test_a_fleet_that_is_well_is_said_to_be(well: Conn):
    """Everything that was looked at is there, with what was seen."""
    findings = doctor.examine(well, newest=NEWEST)
    assert [one for one in findings if one.state != "ok"] == []
    assert len({one.check for one in findings}) >= 12
    assert all(one.fix is None for one in findings)


def halted(conn: Conn) -> None:
    """By hand."""
    oncall.halt(conn, on=True, reason="a bad driver")


def no_chores(conn: Conn) -> None:
    """The last round was long ago."""
    conn.execute("update fleet.reaper set ran_at = ran_at - interval '2 minutes'")


def alarm(conn: Conn) -> None:
    """Many fell silent at once."""
    conn.execute("update fleet.reaper set alarm = '9 sessions fell silent at once', alarm_since = now()")


def no_partition(conn: Conn) -> None:
    """Of tomorrow."""
    row = conn.execute("select to_char(now() at time zone 'UTC' + interval '1 day', 'YYYYMMDD')").fetchone()
    assert row is not None
    conn.execute(f"drop table fleet.logs_{row[0]}".encode())


def no_node(conn: Conn) -> None:
    """It left."""
    conn.execute("update fleet.sessions set ended_at = now(), end_reason = 'left'")


def sick(conn: Conn) -> None:
    """A device."""
    conn.execute("update fleet.devices set fault = 'XID 79', fault_since = now() - interval '1 minute'")


def loose(conn: Conn) -> None:
    """Everybody may make temporary tables again."""
    conn.execute(
        "do $$ begin execute format('grant temporary on database %I to public', current_database()); end $$"
    )


def given_up(conn: Conn) -> None:
    """A webhook."""
    conn.execute(
        "insert into fleet.webhook_deliveries (project_id, job_id, url, body, state, tries, due_at, detail, created_at)"
        " select project_id, gen_random_uuid(), 'http://x', '{}', 'dead', 9, now(), 'HTTP 500', now() from fleet.projects"
    )


def not_gone(conn: Conn) -> None:
    """A node does not come back."""
    conn.execute(
        """
        with asked as (
          insert into fleet.erasures (project_id, asked, asked_at, state)
          select project_id, '{"everything": true}', now() - interval '30 hours', 'removing' from fleet.projects
          returning erasure_id
        )
        insert into fleet.erasure_nodes (erasure_id, node_id) select erasure_id, node_id from asked, fleet.nodes
        """
    )


DISEASES: dict[str, tuple[Callable[[Conn], None], str, str, str]] = {
    "halted": (halted, "brakes", "warn", "a bad driver"),
    "nobody does the chores": (no_chores, "scheduler", "bad", "nobody does the chores"),
    "the reaper holds back": (alarm, "scheduler", "bad", "9 sessions"),
    "no partition for tomorrow": (no_partition, "partitions", "bad", "logs_"),
    "no node": (no_node, "nodes", "bad", "1 gone"),
    "a sick device": (sick, "devices", "warn", "host memory: XID 79, for 6"),
    "temporary tables for all": (loose, "roles", "warn", "temporary tables"),
    "a webhook given up": (given_up, "webhooks", "warn", "HTTP 500"),
    "an erasure that waits": (not_gone, "erasures", "warn", "after 30 h, and waits for node-1"),
}


@pytest.mark.parametrize("disease", sorted(DISEASES))
def test_a_disease_is_seen_and_has_a_cure(well: Conn, disease: str):
    """In its own check, and in no other."""
    infect, check, state, text = DISEASES[disease]
    infect(well)
    try:
        [ill] = [one for one in doctor.examine(well, newest=NEWEST) if one.state != "ok"]
    finally:
        well.execute(
            "do $$ begin execute format('revoke temporary on database %I from public', current_database()); end $$"
        )
    assert (ill.check, ill.state) == (check, state)
    assert text in ill.found
    assert ill.fix


def test_a_transaction_that_was_left_open_is_found(
    well: Conn, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    """It keeps dead rows from being removed; the cure names its process."""
    monkeypatch.setattr(doctor, "SNAPSHOT_WARN_S", 0.0)
    with psycopg.connect(database_url, application_name="a report") as other:
        other.execute("set transaction isolation level repeatable read")
        other.execute("select 1")
        [ill] = found(well, "old snapshots")
        assert (ill.state, ill.fix) == ("warn", f"select pg_terminate_backend({other.info.backend_pid});")
        assert "a report" in ill.found


def test_a_superuser_that_runs_an_agent_is_found(well: Conn):
    """And one that may take every connection."""
    well.execute("create role doctors_agent login in role fleet_agent")
    try:
        assert [(one.state, "every connection" in one.found) for one in found(well, "roles")] == [
            ("warn", True)
        ]
        well.execute("alter role doctors_agent superuser")
        assert [(one.state, "superuser" in one.found) for one in found(well, "roles")] == [("bad", True)]
    finally:
        well.execute("drop role doctors_agent")


def test_an_older_contract_ends_the_examination(well: Conn):
    """The rest would read what is not there."""
    findings = doctor.examine(well, newest="9999")
    assert (findings[-1].check, findings[-1].state, findings[-1].fix) == (
        "contract",
        "bad",
        "argosy db upgrade",
    )


def test_what_a_login_may_not_see_is_said(well: Conn):
    """Not that it is well."""
    well.execute("set role fleet_reader")
    states = {one.check: one.state for one in doctor.examine(well, newest=NEWEST)}
    assert states["old snapshots"] == "unknown"
    assert states["webhooks"] == "unknown"
    assert states["contract"] == "unknown"
    assert states["nodes"] == "ok"
