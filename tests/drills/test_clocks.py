"""API, scheduler and agents with clocks that are an hour off: all that is timed is timed by the database (I4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from standardwebhooks import Webhook

from argosy import JobSpec
from argosy.local.children import Child
from bench.chaos.checker import Journal, violations
from queue_schema.calls import admin
from queue_schema.states import Scope
from tests.acceptance.conftest import LEASE_S, Fleet
from tests.scheduler.conftest import Receiver
from tests.support import wrong_clock

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        wrong_clock.COMPILER is None, reason="needs a C compiler (apt-get install gcc libc6-dev)"
    ),
]
AHEAD, BEHIND = 3600, -3600
SMALL = {"ram_mib": 64, "cpu_milli": 100}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where jobs, who are other users, can read it, too."""
    folder = tmp_path_factory.mktemp("clock")
    for each in (folder, folder.parent):
        each.chmod(0o755)
    return wrong_clock.build(folder)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.close()


def start_wrong(child: Child, library: Path, off_s: int) -> None:
    """From now on it lives at another time."""
    child.stop()
    with wrong_clock.wrong(library, off_s):
        child.start()


def clock_of(child: Child) -> float:
    """By how many seconds the clock was ahead of ours by which it wrote the last line of its log."""
    stamped = [json.loads(line) for line in child.log.read_text().splitlines() if '"timestamp"' in line]
    return datetime.fromisoformat(stamped[-1]["timestamp"]).timestamp() - child.log.stat().st_mtime


@pytest.mark.parametrize(("server", "node"), [(AHEAD, BEHIND), (BEHIND, AHEAD)])
def test_a_wrong_clock_changes_nothing(
    fleet: Fleet, receiver: Receiver, library: Path, server: int, node: int, tmp_path: Path
):
    """Leases, time limits, pauses, `run_at`, `start_by`, schedules, keys, files and webhooks: as with a right one."""
    fleet.conn.execute("update fleet.retry_policies set base_s = 2 where cause = 'user_error'")
    for name in ("api", "scheduler"):
        start_wrong(fleet.child(name), library, server)
    fleet.until(lambda: _ready(fleet))
    wrong, right = (
        fleet.agent("wrong", label="clock=wrong", environment=wrong_clock.environment(library, node)),
        fleet.agent("right", label="clock=right"),
    )
    for child, off_s in (
        (fleet.child("api"), server),
        (fleet.child("scheduler"), server),
        (wrong, node),
        (right, 0),
    ):
        assert clock_of(child) == pytest.approx(off_s, abs=60), child.name
    now = fleet.conn.execute("select clock_timestamp()").fetchone()
    assert now is not None
    soon = now[0] + timedelta(seconds=4)
    long = [
        JobSpec(kind="noop", params={"seconds": 1.5 * LEASE_S}, need={**SMALL, "labels": {"clock": name}})
        for name in ("wrong", "right")
    ]
    on_both = fleet.client.submit_many(long)
    stuck = fleet.client.submit("noop", {"seconds": 60}, need=SMALL, timeout_s=3)
    later = fleet.client.submit("noop", need=SMALL, run_at=soon, webhook=receiver.url)
    never = fleet.client.submit("noop", need={"ram_mib": 500_000}, start_by=soon)
    again = fleet.client.submit("command", {"argv": ["false"]}, need=SMALL, retries=1)
    copied = fleet.client.submit(
        "command", {"argv": ["cp", "inputs/x", "outputs/y"]}, inputs={"x": b"of today"}
    )
    with httpx.Client(base_url=fleet.local.url, headers=_as(fleet.local.api_key)) as http:
        jobs = [{"kind": "noop", "need": SMALL}]
        made = http.post("/v1/schedules", json={"name": "minutely", "cron": "* * * * *", "jobs": jobs})
        assert made.status_code == 201, made.text
        valid = [
            http.get("/v1/jobs", headers=_as(_key(fleet, **for_s))).status_code
            for for_s in ({"for_s": 1800.0}, {})
        ]
    assert valid == [200, 200]
    tick = fleet.conn.execute("select next_tick - fleet.now() from fleet.schedules").fetchone()
    assert tick is not None
    assert timedelta(0) < tick[0] <= timedelta(minutes=1)
    fleet.conn.execute("update fleet.schedules set next_tick = fleet.now()")
    fleet.until(lambda: receiver.got)
    fleet.until(fleet.all_ended)

    assert {job.refresh().state for job in on_both} == {"succeeded"}
    assert _attempts(fleet, stuck.id) == [("failed", "timeout")]
    assert timedelta(seconds=3) <= _lasted(fleet, stuck.id) < timedelta(seconds=20)
    assert soon <= _when(fleet, "started_at", later.id) < soon + timedelta(seconds=20)
    assert never.refresh().cause == "expired"
    assert soon <= _when(fleet, "ended_at", never.id) < soon + timedelta(seconds=20)
    assert _attempts(fleet, again.id) == [("failed", "user_error")] * 2
    [path] = copied.download(tmp_path / "got")
    assert path.read_bytes() == b"of today"
    [(ticks,)] = fleet.conn.execute(
        "select count(*) from fleet.jobs where tags ->> 'schedule' = 'minutely'"
    ).fetchall()
    assert ticks >= 1
    headers, body = receiver.got[0]
    assert Webhook(_webhook_secret(fleet)).verify(
        body.decode(), headers
    )  # which refuses what is five minutes off
    assert fleet.conn.execute("select from fleet.sessions where end_reason = 'silent'").fetchall() == []
    assert violations(fleet.conn, [], Journal(), told_tokens=False) == []


def test_doctor_tells_of_a_wrong_clock(fleet: Fleet, library: Path, database_url: str):
    """By how much this machine and the server differ, and what to do."""
    found = {off_s: _clock(fleet, library, database_url, off_s) for off_s in (AHEAD, BEHIND, 0)}

    for off_s in (AHEAD, BEHIND):
        assert found[off_s]["state"] == "bad"
        assert float(found[off_s]["found"].split()[0]) == pytest.approx(3600, abs=60)
        assert "NTP" in found[off_s]["fix"]
    assert found[0]["state"] == "ok"


def _clock(fleet: Fleet, library: Path, url: str, off_s: int) -> dict[str, str]:
    told = subprocess.run(
        [
            sys.executable,
            "-c",
            "from argosy.cli.app import main; main()",
            "doctor",
            "--json",
            "--url",
            fleet.local.url,
        ],
        env={**os.environ, "ARGOSY_DATABASE_URL": url, **wrong_clock.environment(library, off_s)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.stdout, told.stderr
    found: list[dict[str, str]] = json.loads(told.stdout)
    return next(each for each in found if each["check"] == "clock")


def _ready(fleet: Fleet) -> bool:
    try:
        return httpx.get(f"{fleet.local.url}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def _as(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _key(fleet: Fleet, for_s: float | None = None) -> str:
    return admin.create_key(fleet.conn, "default", name="a key", scopes=list(Scope), for_s=for_s).key


def _attempts(fleet: Fleet, job: str) -> list[tuple[str, str | None]]:
    return fleet.conn.execute(
        "select outcome::text, cause::text from fleet.attempts where job_id = %s order by attempt", (job,)
    ).fetchall()


def _lasted(fleet: Fleet, job: str) -> timedelta:
    row = fleet.conn.execute(
        "select ended_at - started_at from fleet.attempts where job_id = %s", (job,)
    ).fetchone()
    assert row is not None
    lasted: timedelta = row[0]
    return lasted


def _when(fleet: Fleet, what: str, job: str) -> datetime:
    table = "attempts" if what == "started_at" else "jobs"
    row = fleet.conn.execute(f"select {what} from fleet.{table} where job_id = %s", (job,)).fetchone()
    assert row is not None
    at: datetime = row[0]
    return at


def _webhook_secret(fleet: Fleet) -> str:
    row = fleet.conn.execute("select webhook_secret from fleet.projects where name = 'default'").fetchone()
    assert row is not None
    return str(row[0])
