"""PostgreSQL without connections, without disk, and killed again and again: nothing is lost, nothing settles twice."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from argosy import Client, JobSpec
from argosy.embedded import EmbeddedServer
from argosy.local.fleet import LocalFleet, LocalFleetSettings
from tests.agent.proxy import Proxy
from tests.api.serving import serving
from tests.drills.watching import assert_each_succeeded_once, at_rest, until
from tests.support.ports import free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(180)
LEASE_S = 6.0
MOST_CONNECTIONS = 40
OUT_S = 17.0
"""Nearly three leases; and right after a try of a pool that doubles its pauses (at 1, 3, 7, 15, 31 s)."""
BACK_S = 6.0
DISK_MIB = 160
_NUMBERS = itertools.count()
SMALL = {"ram_mib": 64, "cpu_milli": 100}


class Database:
    """The server of one local fleet."""

    def __init__(self, local: LocalFleet) -> None:
        assert local._embedded is not None
        self.server: EmbeddedServer = local._embedded
        self.url = self.server.url("argosy")

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """As superuser, over a connection of its own: some of them are always kept for him."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            return conn.execute(query.encode(), values).fetchall()

    def set(self, **settings: str) -> None:
        """Change the server's settings; it starts anew."""
        self.server._settings |= settings
        self.server.stop()
        self.server.start()

    def die(self) -> None:
        """At once, without a checkpoint, as if it had crashed."""
        self.server._pg_ctl("stop", "-m", "immediate")

    def log(self) -> str:
        """All it said."""
        return (self.server.folder / "log").read_text(errors="replace")

    def log_to(self, path: Path) -> None:
        """From a new start on its log is there: on its own disk its last words would find no room."""
        log = self.server.folder / "log"
        shutil.copy(log, path)
        shutil.chown(path, log.stat().st_uid)
        log.unlink()
        log.symlink_to(path)
        self.set()


class Stranger:
    """Takes every connection there is, and each that comes free, until it is told to go."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._held: list[psycopg.Connection[Any]] = []
        self._over = threading.Event()
        self.refused = threading.Event()
        """Set when there was none left."""
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def go(self) -> None:
        """Give them all back."""
        self._over.set()
        self._thread.join()
        for conn in self._held:
            conn.close()

    def _take(self) -> None:
        while not self._over.is_set():
            try:
                self._held.append(psycopg.connect(self._url))
            except psycopg.OperationalError:
                self.refused.set()
                self._over.wait(0.005)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for UNIX sockets lie below; never one twice, for a server's library remembers it."""
    found = Path(f"/tmp/argosy-troubles-{os.getpid()}-{next(_NUMBERS)}")
    found.mkdir(mode=0o755)
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture
def local(folder: Path) -> Iterator[LocalFleet]:
    found = LocalFleet(LocalFleetSettings(home=folder, port=free_port(), lease_s=LEASE_S), print)
    found.start()
    yield found
    found.stop()


def add_agents(local: LocalFleet, count: int, **options: Any) -> None:
    """Nodes with four slots each; returns when they have joined."""
    for number in range(count):
        local.add_agent(
            f"node-{number}",
            **{"slots": 4, "ram_mib": 2000, "cpu_milli": 4000, "preload": "workloads.runner"} | options,
        )
    with Client(local.url, local.api_key) as client:
        until(local, lambda: sum(node.state == "live" for node in client.nodes()) == count, 60)


def noops(count: int, seconds: float) -> list[JobSpec]:
    """Jobs that only wait."""
    return [JobSpec(kind="noop", params={"seconds": seconds}, need=SMALL) for _ in range(count)]


class Submitting:
    """Somebody who submits one job after the other, four at a time, and repeats none."""

    def __init__(self, local: LocalFleet) -> None:
        self._http = httpx.Client(
            base_url=local.url, headers={"Authorization": f"Bearer {local.api_key}"}, timeout=60
        )
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(4)
        self.answers: list[tuple[str, httpx.Response]] = []
        """With the idempotency key of each."""
        self._loops = [self._pool.submit(self._loop) for _ in range(4)]

    def post(self, key: str) -> httpx.Response:
        """Submit one, or hear again what was answered."""
        body = {"kind": "noop", "params": {"seconds": 0.1}, "need": SMALL}
        answer = self._http.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
        self.answers.append((key, answer))
        return answer

    def refusals(self) -> list[httpx.Response]:
        """Answers that were not a job."""
        return [answer for _, answer in self.answers if answer.status_code != 201]

    def stop(self) -> None:
        """No more of them; what went wrong is raised."""
        self._over.set()
        for loop in self._loops:
            loop.result(60)
        self._pool.shutdown()

    def repeat(self) -> list[str]:
        """Submit again what was refused, or taken (200) by a server that died before it said so: the ids of all."""
        taken = {key: answer.json()["job_id"] for key, answer in self.answers if answer.status_code == 201}
        for key in {key for key, _ in self.answers} - set(taken):
            answer = self.post(key)
            assert answer.status_code in (200, 201), answer.text
            taken[key] = answer.json()["job_id"]
        self._http.close()
        return list(taken.values())

    def _loop(self) -> None:
        while not self._over.wait(0.05):
            self.post(str(uuid4()))


def assert_told_to_come_again(answers: list[httpx.Response], code: str | None = None) -> None:
    """Each a problem with a time to come again; and at least one has this code."""
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
    assert answers
    if code is not None:
        assert code in {answer.json()["code"] for answer in answers}


def assert_no_traceback(local: LocalFleet) -> None:
    """The API knew what it met."""
    log = (local.home / "logs" / "api.log").read_text()
    assert "Traceback" not in log, log[-4000:]


def test_out_of_connections(local: LocalFleet):
    """A stranger has every connection, the fleet's own too: 503 until he goes; what ran keeps its attempt."""
    database = Database(local)
    database.set(max_connections=str(MOST_CONNECTIONS))
    with psycopg.connect(database.url, autocommit=True) as conn:
        conn.execute("create role stranger login")
    add_agents(local, 3)
    with Client(local.url, local.api_key) as client:
        running = [job.id for job in client.submit_many(noops(9, OUT_S / 2))]
    until(local, lambda: database.ask("select count(*) from fleet.leases") == [(9,)], 60)
    submitting = Submitting(local)
    until(local, lambda: submitting.answers, 20)

    stranger = Stranger(database.server.url("argosy", user="stranger"))
    try:
        ours = "from pg_stat_activity where usename like 'argosy%' and datname = 'argosy'"
        with psycopg.connect(database.url, autocommit=True) as conn:  # one that is kept for superusers
            until(
                local,
                lambda: (
                    stranger.refused.is_set()
                    and conn.execute(f"select pg_terminate_backend(pid) {ours}").rowcount == 0
                ),
                30,
            )
        end = time.monotonic() + OUT_S
        until(local, lambda: time.monotonic() > end, OUT_S + 5)
    finally:
        stranger.go()
    until(local, lambda: httpx.get(f"{local.url}/readyz", timeout=10).is_success, BACK_S)
    submitting.stop()

    assert_told_to_come_again(submitting.refusals())
    assert_no_traceback(local)
    jobs = [*running, *submitting.repeat()]
    until(local, lambda: at_rest(database.url), 60)
    assert_each_succeeded_once(database.url, jobs)
    attempts = database.ask("select max(attempts) from fleet.jobs where job_id::text = any(%s)", running)
    assert attempts == [(1,)]


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """Where the server of `local` will have its data: a disk of its own, that a test can fill."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk to fill")
    disk = folder / "postgres"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "argosy-troubles", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Take all that is left of a disk; removing the file gives it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(disk).free == 0
    return ballast


def test_out_of_disk(small_disk: Path, local: LocalFleet):
    """First a row finds no room, then not even the log of what was written: the server dies. With room all settles."""
    database = Database(local)
    database.log_to(local.home / "logs" / "postgres.log")
    add_agents(local, 3)
    with Client(local.url, local.api_key) as client:
        running = [job.id for job in client.submit_many(noops(9, 10.0))]
    until(local, lambda: database.ask("select count(*) from fleet.leases") == [(9,)], 60)
    ballast = fill(small_disk)
    submitting = Submitting(local)
    until(local, lambda: len(submitting.refusals()) >= 3, 60)

    with psycopg.connect(database.url, autocommit=True) as conn, suppress(psycopg.OperationalError):
        while True:  # a segment of the write-ahead log is there before it is needed; the next is not
            conn.execute("select pg_logical_emit_message(false, 'filler', repeat('x', 1000000))")
    spools = lambda: list(local.home.glob("agents/*/spool/*.json"))  # noqa: E731
    until(local, lambda: len(spools()) >= len(running), 60)
    assert "PANIC" in database.log()
    submitting.stop()

    ballast.unlink()
    database.server.start()
    until(local, lambda: httpx.get(f"{local.url}/readyz", timeout=10).is_success, BACK_S)
    assert_told_to_come_again(submitting.refusals(), "database_full")
    assert_no_traceback(local)
    jobs = [*running, *submitting.repeat()]
    until(local, lambda: at_rest(database.url), 60)
    assert_each_succeeded_once(database.url, jobs)
    assert not spools()


def test_killed_again_and_again(local: LocalFleet):
    """Four crashes in the middle of claims and settles; what was answered is there, what was not is done again."""
    database = Database(local)
    add_agents(local, 3, in_process="noop", slots=8)
    submitting = Submitting(local)
    with Client(local.url, local.api_key) as client:
        first = [job.id for job in client.submit_many(noops(60, 0.2))]
    for crash in range(4):
        ended = "select count(*) from fleet.attempts"
        before = database.ask(ended)[0][0]
        until(local, lambda: database.ask(ended)[0][0] > before + 20, 60)  # noqa: B023  # called at once
        database.die()
        database.server.start()
        assert crash == database.log().count("automatic recovery in progress") - 1
    submitting.stop()

    assert_no_traceback(local)
    until(local, lambda: httpx.get(f"{local.url}/readyz", timeout=10).is_success, BACK_S)
    jobs = [*first, *submitting.repeat()]
    until(local, lambda: at_rest(database.url), 60)
    assert_each_succeeded_once(database.url, jobs)


def test_the_api_is_back_soon_after_its_database(
    database_url: str, conn: psycopg.Connection[Any], tmp_path: Path
):
    """However long that was away: the pause between two tries to connect does not grow with it."""
    proxy = Proxy(database_url)
    with serving(proxy.url, conn, tmp_path, pool_size=1, pool_timeout_s=1.0) as api:
        client = api.client()
        assert client.get("/v1/jobs").status_code == 200
        proxy.cut()
        end = time.monotonic() + OUT_S
        while time.monotonic() < end:
            assert client.get("/v1/jobs").status_code == 503
        proxy.heal()
        eventually(lambda: client.get("/v1/jobs").status_code == 200, BACK_S)
    proxy.close()
