"""The database's machine dies, and another one that has all it committed takes its place."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from argosy import Client, JobSpec
from argosy.embedded import BIN, EmbeddedServer
from argosy.local.fleet import LocalFleet, LocalFleetSettings
from tests.drills.watching import until
from tests.support.ports import free_port

pytestmark = pytest.mark.timeout(180)
JOBS = 24


class Pair:
    """Two servers; nothing is committed by the first that the second has not written down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._user = "embedded_postgres" if os.geteuid() == 0 else None
        self.first = EmbeddedServer(folder / "first")
        self.first.start()
        self.first.ensure_database("argosy")
        self._standby = folder / "standby"
        self._socket = folder / "socket"
        self._socket.mkdir()
        if self._user is not None:
            shutil.chown(folder, self._user)
            shutil.chown(self._socket, self._user)
        self._run("pg_basebackup", "-R", "-X", "stream", "-c", "fast", "-d", self.first.url("postgres"))
        self._pg_ctl("start", "-l", f"{self._standby}/log", "-o", f"-h '' -k {self._socket}")
        with psycopg.connect(self.first.url("postgres"), autocommit=True) as conn:
            conn.execute("alter system set synchronous_standby_names = '*'")
            conn.execute("select pg_reload_conf()")
            hosts = f"{conn.info.host},{self._socket}"
        self.url = f"postgresql://postgres@/argosy?host={hosts}&target_session_attrs=read-write"
        """Whichever takes writes, as its owner."""

    def kill_first(self) -> None:
        """As a power failure would."""
        pid = int((self._folder / "first" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)

    def promote(self) -> None:
        """The second takes writes from now on."""
        self._pg_ctl("promote")

    def stop(self) -> None:
        """End both."""
        self._pg_ctl("stop", "-m", "immediate")
        self.first.stop()

    def _pg_ctl(self, *words: str) -> None:
        self._run("pg_ctl", "-w", *words)

    def _run(self, program: str, *words: str) -> None:
        # Never to a pipe: a server that was started holds it open.
        with (self._folder / "commands.log").open("ab") as log:
            command = [BIN / program, "-D", self._standby, *words]
            subprocess.run(
                command, check=True, user=self._user, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )


@pytest.fixture
def pair() -> Iterator[Pair]:
    folder = Path(f"/tmp/argosy-pair-{os.getpid()}")  # short: UNIX sockets lie below
    folder.mkdir(mode=0o755)
    found = Pair(folder)
    yield found
    found.stop()
    shutil.rmtree(folder)


@pytest.fixture
def local(pair: Pair, tmp_path: Path) -> Iterator[LocalFleet]:
    found = LocalFleet(
        LocalFleetSettings(home=tmp_path / "fleet", port=free_port(), lease_s=6.0, database_url=pair.url),
        print,
    )
    found.start()
    yield found
    found.stop()


def test_a_fail_over_loses_nothing_and_settles_nothing_twice(pair: Pair, local: LocalFleet):
    """Jobs that end before, amid and after it; the agents' word for a claim that the second never heard of is refused."""
    for node in ("left", "right"):
        local.add_agent(
            node, slots=4, ram_mib=2000, cpu_milli=4000, preload="workloads.runner,workloads.trivial"
        )
    with Client(local.url, local.api_key) as client:
        jobs = client.submit_many(
            [
                JobSpec(kind="noop", params={"seconds": number % 6}, need={"ram_mib": 64, "cpu_milli": 100})
                for number in range(JOBS)
            ]
        )
        with psycopg.connect(pair.first.url("argosy"), autocommit=True) as conn:
            ended = "select from fleet.jobs where outcome is not null"
            until(local, lambda: len(conn.execute(ended).fetchall()) >= JOBS // 4, 60)
            before = {
                row[0] for row in conn.execute("select job_id from fleet.jobs where outcome is not null")
            }

        pair.kill_first()
        back_at = time.monotonic() + 3.0
        until(local, lambda: time.monotonic() > back_at, 10)
        pair.promote()

        with psycopg.connect(pair.url, autocommit=True) as conn:
            until(local, lambda: len(conn.execute(ended).fetchall()) == JOBS, 90)
        assert {job.refresh().state for job in jobs} == {"succeeded"}
    with psycopg.connect(pair.url, autocommit=True) as conn:
        ends = dict(
            conn.execute(
                "select job_id, count(*) from fleet.v_events where event = 'succeeded' group by job_id"
            ).fetchall()
        )
    assert set(ends.values()) == {1}
    assert len(ends) == JOBS
    assert before <= set(ends)
