"""An upgrade as docs/upgrade.md has it: the database and the server first, agents of the last release beside new ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from argosy import Job, JobSpec
from queue_schema import migrate
from queue_schema.calls import admin, clients
from queue_schema.shapes import Submission
from queue_schema.states import Scope
from tests.acceptance.conftest import Fleet
from tests.agent.daemons import Daemon
from tests.drills import past
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)
APART = "argosy_apart"
NOW = past.head()
UPGRADE = "from argosy.cli.app import main; main()"
IMPATIENT = (
    "from functools import partial; from queue_schema import migrate;"
    " migrate.upgrade = partial(migrate.upgrade, patience_s=0)"
)
NEXT = '''"""A column more on each table that the hot verbs read, and a verb made anew."""

import psycopg

from alembic import op

revision = "next"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """As an expanding migration does it: what is there stays as it is."""
    driver = op.get_bind().connection.dbapi_connection
    assert isinstance(driver, psycopg.Connection)
    for table in ("jobs", "ready", "leases", "sessions", "lanes", "devices"):
        driver.execute(f"alter table fleet.{{table}} add column of_next text")
    row = driver.execute("select pg_get_functiondef('fleet.heartbeat_v1'::regproc)").fetchone()
    assert row is not None
    driver.execute(row[0])
'''


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of the last release's programs."""
    try:
        return past.unpack(past.last_release(), tmp_path_factory.mktemp("old"))
    except past.NoHistory as reason:
        pytest.skip(str(reason))


def on(node: str, kind: str, params: dict[str, Any], **more: Any) -> JobSpec:
    """A job for one node."""
    return JobSpec(kind=kind, params=params, need={"labels": {"host": node}}, **more)


def ran_on(fleet: Fleet, job: Job) -> list[tuple[str, str]]:
    """Where its attempts were, and how they ended."""
    return fleet.conn.execute(
        "select node, coalesce(cause::text, outcome::text) from fleet.v_attempts where job_id = %s order by attempt",
        (job.id,),
    ).fetchall()


def test_agents_of_the_last_release_work_beside_new_ones(fleet: Fleet, old: dict[str, str], tmp_path: Path):
    """Files from one to the other, a cancel, a failure, a drain and a goodbye: all the verbs of an agent."""
    for node, environment in (("old", old), ("new", None)):
        fleet.agent(node, environment=environment, drain_s=0.2, stop_s=1.0)
        admin.label_node(fleet.conn, node, labels={"host": node}, pools=[])
    copy = {"argv": ["sh", "-c", "cat inputs/a.txt inputs/a.txt >outputs/b.txt; echo said"]}
    spoken = on("old", "noop", {"values": {"answer": 42}})
    first = on("old", "command", copy, inputs={"a.txt": b"one "})
    second = on("new", "command", copy, inputs={"a.txt": first.output("b.txt")})
    third = on("old", "command", copy, inputs={"a.txt": second.output("b.txt")})
    wrong = on("old", "command", {"argv": ["false"]})
    said, one, two, three, failed = fleet.client.submit_many([spoken, first, second, third, wrong])
    fleet.until(
        lambda: all(job.refresh().state in {"succeeded", "failed"} for job in (said, one, two, three, failed))
    )
    [got] = three.download(tmp_path / "got")
    long = on("old", "noop", {"seconds": 600})
    [cancelled] = fleet.client.submit_many([long])
    fleet.until(lambda: fleet.running(cancelled.id))
    cancelled.cancel()
    fleet.until(lambda: cancelled.refresh().state == "cancelled")

    assert (said.state, said.result) == ("succeeded", {"answer": 42})
    assert got.read_text() == "one " * 8
    assert "".join(chunk.text for chunk in three.logs()) == "said\n"
    assert [ran_on(fleet, job) for job in (one, two, three)] == [
        [("old", "succeeded")],
        [("new", "succeeded")],
        [("old", "succeeded")],
    ]
    assert (failed.state, ran_on(fleet, failed)) == ("failed", [("old", "user_error")])

    [ending] = fleet.client.submit_many([on("old", "noop", {"seconds": 2})])
    fleet.until(lambda: fleet.running(ending.id))
    fleet.client.drain("old")
    [elsewhere] = fleet.client.submit_many([JobSpec(kind="noop")])
    fleet.until(lambda: all(job.refresh().state == "succeeded" for job in (ending, elsewhere)))

    assert ran_on(fleet, ending) == [("old", "succeeded")]
    assert ran_on(fleet, elsewhere) == [("new", "succeeded")]

    fleet.client.drain("old", on=False)
    [back] = fleet.client.submit_many([on("old", "noop", {"seconds": 600})])
    fleet.until(lambda: fleet.running(back.id))
    leaving = fleet.local.agents["old"]
    fleet.local.forget_agent("old")
    leaving.signal(signal.SIGTERM)
    assert leaving.process is not None
    assert leaving.process.wait(30) == 0

    assert (back.refresh().state, back.info.retries_used) == ("ready", 0)
    assert {node.node: node.state for node in fleet.client.nodes()} == {"old": "gone", "new": "live"}


def test_an_agent_that_is_upgraded_in_place_goes_on_with_its_node(fleet: Fleet, old: dict[str, str]):
    """Killed amid work and started again as the new one on the same folder: its job ends, once."""
    killed = fleet.agent("host", environment=old)
    job = fleet.client.submit("noop", {"seconds": 3})
    fleet.until(lambda: fleet.running(job.id))
    fleet.local.forget_agent("host")
    killed.signal(signal.SIGKILL)
    assert killed.process is not None
    killed.process.wait(30)
    fleet.agent("host")
    fleet.until(fleet.all_ended)

    fleet.assert_each_ended_once(1)
    assert ran_on(fleet, job)[-1] == ("host", "succeeded")


@pytest.fixture
def apart(postgres: str) -> Iterator[str]:
    """An empty database, for schemas that are not today's."""
    with psycopg.connect(postgres, autocommit=True) as conn:
        conn.execute(f"drop database if exists {APART} with (force)")
        conn.execute(f"create database {APART}")
        yield make_url(postgres).set(database=APART).render_as_string(hide_password=False)
        conn.execute(f"drop database {APART} with (force)")


def upgrade(url: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Begin `argosy db upgrade`, of whichever release that environment has."""
    return subprocess.Popen(
        [sys.executable, "-c", UPGRADE, "db", "upgrade"],
        env={**os.environ, **environment, "ARGOSY_DATABASE_URL": url},
    )


@pytest.fixture
def apart_fleet(apart: str, tmp_path: Path) -> Iterator[Fleet]:
    """Today's fleet on a database of its own."""
    with psycopg.connect(apart, autocommit=True) as conn:
        fleet = Fleet(apart, tmp_path / "home", conn)
        try:
            yield fleet
        finally:
            fleet.client.close()
            fleet.local.stop()


@pytest.mark.parametrize("release", ["old", "new"])
def test_the_next_migration_comes_amid_work(
    apart_fleet: Fleet, apart: str, request: pytest.FixtureRequest, tmp_path: Path, release: str
):
    """One that expands, by the release to come, while an agent works on: nothing is lost, and no attempt is."""
    environment = request.getfixturevalue("old") if release == "old" else None
    apart_fleet.agent("host", slots=8, environment=environment)
    long = apart_fleet.client.submit("noop", {"seconds": 30})
    apart_fleet.until(lambda: apart_fleet.running(long.id))
    came = 1
    coming = upgrade(apart, past.with_migration(NEXT, tmp_path / "next"))
    while coming.poll() is None:
        apart_fleet.client.submit("noop")
        came += 1
    at_work = apart_fleet.running(long.id)
    apart_fleet.until(apart_fleet.all_ended)

    assert coming.returncode == 0
    assert migrate.versions(apart)[0] == "next"
    assert at_work
    apart_fleet.assert_each_ended_once(came)
    assert ran_on(apart_fleet, long) == [("host", "succeeded")]


def test_a_migration_that_must_wait_lets_heartbeats_by(apart_fleet: Fleet, apart: str, tmp_path: Path):
    """Amid a dump, which reads every table: no lease is lost meanwhile, and the migration comes when the dump is done."""
    apart_fleet.agent("host")
    long = apart_fleet.client.submit("noop", {"seconds": 15})
    apart_fleet.until(lambda: apart_fleet.running(long.id))
    environment = past.with_migration(NEXT, tmp_path / "next")
    beats: set[Any] = set()

    def waited() -> bool:
        return (
            apart_fleet.conn.execute(
                "select from pg_locks where locktype = 'relation' and not granted and mode = 'AccessExclusiveLock'"
            ).fetchone()
            is not None
        )

    def beat_often() -> bool:
        beats.add(apart_fleet.conn.execute("select max(beat_at) from fleet.session_beats").fetchone())
        return len(beats) > 4

    with psycopg.connect(apart) as dump:
        dump.execute("lock table fleet.sessions in access share mode")  # which heartbeats read
        coming = upgrade(apart, environment)
        apart_fleet.until(waited, 30)
        apart_fleet.until(beat_often, 30)
        assert coming.poll() is None
    assert coming.wait(60) == 0
    apart_fleet.until(apart_fleet.all_ended)

    assert migrate.versions(apart)[0] == "next"
    apart_fleet.assert_each_ended_once(1)
    assert ran_on(apart_fleet, long) == [("host", "succeeded")]


def test_a_migration_that_cannot_have_a_table_says_so_and_changes_nothing(apart: str, tmp_path: Path):
    """With what to do; here its patience is over at once."""
    migrate.upgrade(apart)
    environment = past.with_migration(NEXT, tmp_path / "next")
    with psycopg.connect(apart) as forgotten:
        forgotten.execute("lock table fleet.lanes in access share mode")
        told = subprocess.run(
            [sys.executable, "-c", f"{IMPATIENT}; {UPGRADE}", "db", "upgrade"],
            env={**os.environ, **environment, "ARGOSY_DATABASE_URL": apart},
            capture_output=True,
            text=True,
            check=False,
        )

    assert told.returncode == 1
    assert "no lock within 0 s" in told.stderr
    assert "Nothing has changed: try again later" in told.stderr
    assert migrate.versions(apart)[0] == NOW


def test_the_last_releases_schema_is_migrated_under_its_agent(
    apart: str, old: dict[str, str], tmp_path: Path
):
    """Made by the last release, brought to today's by today's `argosy db upgrade`, with a job in flight."""
    if not past.released():
        pytest.skip(
            "nothing is released yet: migration 0001 has been rewritten since, and is until the first tag"
        )
    assert upgrade(apart, old).wait(60) == 0
    with psycopg.connect(apart, autocommit=True) as conn:
        project = admin.create_key(conn, "tests", name="t", scopes=[Scope.SUBMIT]).project_id
        daemon = Daemon(apart, "http://127.0.0.1:9", tmp_path / "state", environment=old)
        try:
            daemon.wait("agent.ready")
            [job] = clients.submit(conn, project, [Submission("noop", {"seconds": 5})])
            daemon.wait("runner.started")
            assert upgrade(apart, {}).wait(60) == 0
            eventually(
                lambda: conn.execute("select fleet.state_of(%s)", (job.job_id,)).fetchone() == ("succeeded",),
                30,
            )

            assert conn.execute("select attempt, outcome::text from fleet.v_attempts").fetchall() == [
                (1, "succeeded")
            ]
            current, newest = migrate.versions(apart)
            assert current == newest
        finally:
            daemon.end()
