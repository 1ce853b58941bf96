"""A dump of a fleet at work, restored beside it: what docs/backup.md promises."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from argosy.embedded import BIN
from queue_schema import doctor, migrate
from tests.acceptance.conftest import Fleet
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)
RESTORED = "argosy_restored"


def run(program: str, *words: str) -> None:
    """One program of PostgreSQL, to its end."""
    done = subprocess.run([BIN / program, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def restored(database_url: str, postgres: str) -> Iterator[str]:
    """The address of the database that the dump goes into."""
    with psycopg.connect(postgres, autocommit=True) as conn:
        told = subprocess.run(
            [BIN / "pg_dump", "--version"], capture_output=True, text=True, check=True
        ).stdout
        ours = int(re.findall(r"\d+", told)[0])
        if conn.info.server_version // 10_000 > ours:
            pytest.skip(
                f"the server is of version {conn.info.server_version // 10_000}, pg_dump here of {ours}"
            )
        conn.execute(f"drop database if exists {RESTORED} with (force)")
        conn.execute(f"create database {RESTORED}")
        yield make_url(database_url).set(database=RESTORED).render_as_string(hide_password=False)
        conn.execute(f"drop database {RESTORED} with (force)")


def test_a_restored_fleet_goes_on_where_the_dump_was_taken(
    fleet: Fleet, database_url: str, restored: str, tmp_path: Path
):
    """Ended work stays ended, what waited waits, what ran is taken back and runs again; who may do what is as it was."""
    fleet.agent("left")
    ended = fleet.client.submit("noop", {"values": {"answer": 42}})
    ended.wait(60)
    running = fleet.client.submit("noop", {"seconds": 3})
    fleet.until(lambda: running.refresh().state == "running")
    waiting = fleet.client.submit("noop", {"values": {"late": True}}, after=[running])

    dump = str(tmp_path / "argosy.dump")
    run("pg_dump", "--format", "custom", "--file", dump, database_url)
    fleet.local.stop()
    run("pg_restore", "--exit-on-error", "--dbname", restored, dump)
    migrate.upgrade(restored)

    again = Fleet(restored, tmp_path / "again", psycopg.connect(restored, autocommit=True))
    try:
        again.agent("right")
        kept = again.conn.execute(
            "select state, result from fleet.v_jobs where job_id = %s", (ended.id,)
        ).fetchone()
        assert kept == ("succeeded", {"answer": 42})
        ids = [ended.id, running.id, waiting.id]
        eventually(
            lambda: (
                again.conn.execute(
                    "select count(*) from fleet.v_jobs where state = 'succeeded' and job_id::text = any(%s)",
                    (ids,),
                ).fetchone()
                == (3,)
            ),
            60,
        )
        attempts = dict(
            again.conn.execute(
                """
                select job_id::text, array_agg(coalesce(cause::text, outcome::text) order by attempt)
                  from fleet.v_attempts group by 1
                """
            ).fetchall()
        )
        assert attempts == {
            ended.id: ["succeeded"],
            running.id: ["lost", "succeeded"],
            waiting.id: ["succeeded"],
        }
        findings = doctor.examine(again.conn, newest=migrate.versions(restored)[1])
        assert [one for one in findings if one.state == "bad"] == []
        with psycopg.connect(restored, autocommit=True) as thief:
            thief.execute("set role fleet_agent")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                thief.execute("select * from fleet.jobs")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                thief.execute("create temporary table mine (x int)")
    finally:
        again.client.close()
        again.local.stop()
        again.conn.close()
