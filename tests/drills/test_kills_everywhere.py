"""Every process, killed at every named point of a job's life: the job ends as it should, once.

Ten points and six victims on one fleet. A point is reached when a proxy holds the bytes that would take the job further,
a lock is waited for, or the job says so: never by waiting long enough.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from queue_schema.calls import clients, oncall
from queue_schema.calls.oncall import Selection
from queue_schema.states import JobState
from tests.drills.stage import Stage

pytestmark = pytest.mark.timeout(120)
VICTIMS = ["agent", "runner", "scheduler", "api", "connection", "backend"]
FILE_BYTES = 1 << 20
PASSED_BYTES = 100_000
"""Of a file, before the rest is held."""
At = Iterator[UUID]


def _copy(stage: Stage) -> UUID:
    """Reads a file that is on no node yet, and writes one."""
    data = stage.upload(os.urandom(FILE_BYTES))
    return stage.submit("command", {"argv": ["cp", "inputs/x", "outputs/y"]}, inputs={"x": data})


def _held(stage: Stage, job: UUID, event: threading.Event) -> UUID:
    stage.until(event.is_set)
    return job


@contextmanager
def claimed(stage: Stage) -> At:
    """It has a lease; the request for its input is on its way."""
    held = stage.files.hold(b"GET /")
    yield _held(stage, _copy(stage), held)


@contextmanager
def downloading(stage: Stage) -> At:
    """Part of its input is there."""
    held = stage.files.hold(b"GET /", answer=True, after=PASSED_BYTES)
    yield _held(stage, _copy(stage), held)


@contextmanager
def running(stage: Stage) -> At:
    """Its runner is at work."""
    name, is_there = stage.flag()
    job = stage.submit("command", {"argv": ["sh", "-c", f"touch {name}; sleep 0.5"]})
    stage.until(is_there)
    yield job


@contextmanager
def uploading(stage: Stage) -> At:
    """Part of its output has been sent."""
    held = stage.files.hold(b"PUT /", after=PASSED_BYTES)
    yield _held(stage, _copy(stage), held)


@contextmanager
def spooled(stage: Stage) -> At:
    """Its result is on the node's disk; the settle is on its way."""
    held = stage.database.hold(b"complete_v1")
    job = stage.submit("noop", {})
    stage.until(held.is_set)
    assert str(job) in stage.spooled("plain")
    yield job


@contextmanager
def settling(stage: Stage) -> At:
    """The settle waits in the database, for a lock on the job."""
    held = stage.database.hold(b"complete_v1")
    job = stage.submit("noop", {})
    stage.until(held.is_set)
    with stage.locked(job):
        stage.database.release()
        stage.until(
            lambda: stage.ask(
                "select from pg_stat_activity where wait_event_type = 'Lock' and query like '%%complete_v1%%'"
            )
        )
        yield job


@contextmanager
def settled(stage: Stage) -> At:
    """The settle is committed, its answer on its way."""
    held = stage.database.hold(b"complete_v1", answer=True)
    job = _held(stage, stage.submit("noop", {}), held)
    assert stage.outcome(job) == "succeeded"
    yield job


@contextmanager
def checkpointing(stage: Stage) -> At:
    """Its runner was asked to stop, and its checkpoint is stored; the database has not heard of it."""
    job = stage.submit("noop", {}, node="saver")
    stage.until(lambda: _at_work(stage, job))
    held = stage.database.hold(b"checkpoint_v1")
    _ask_back(stage)
    yield _held(stage, job, held)


def _at_work(stage: Stage, job: UUID) -> bool:
    return bool(
        stage.ask("select from fleet.leases join fleet.progress using (job_id) where job_id = %s", job)
    )


def _ask_back(stage: Stage) -> None:
    """Whoever runs is asked for a checkpoint, and comes back to go on from it."""
    with psycopg.connect(stage.url, autocommit=True) as conn:
        oncall.bulk(conn, "requeue", stage.project, Selection(states=[JobState.RUNNING]))


@contextmanager
def cancelling(stage: Stage) -> At:
    """It was asked to end, and takes its time."""
    (began, has_begun), (asked, is_asked) = stage.flag(), stage.flag()
    script = f"trap 'touch {asked}' TERM; touch {began}; while :; do sleep 0.1; done"
    job = stage.submit("command", {"argv": ["sh", "-c", script]})
    stage.until(has_begun)
    with psycopg.connect(stage.url, autocommit=True) as conn:
        clients.cancel(conn, stage.project, [job])
    stage.until(is_asked)
    yield job


@contextmanager
def draining(stage: Stage) -> At:
    """Its node was told to leave, and lets it finish."""
    name, is_there = stage.flag()
    job = stage.submit("command", {"argv": ["sh", "-c", f"touch {name}; sleep 1"]})
    stage.until(is_there)
    agent = stage.child("agent-plain")
    drains = agent.log.read_text().count("agent.draining")
    agent.signal(signal.SIGTERM)
    stage.until(lambda: agent.log.read_text().count("agent.draining") > drains)
    yield job


Point = Callable[[Stage], AbstractContextManager[UUID]]
POINTS: list[Point] = [
    claimed,
    downloading,
    running,
    uploading,
    spooled,
    settling,
    settled,
    checkpointing,
    cancelling,
    draining,
]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Stage]:
    folder = Path(f"/tmp/argosy-kills-{os.getpid()}")  # short: UNIX sockets lie below
    found = Stage(folder)
    yield found
    found.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stage(fleet: Stage) -> Iterator[Stage]:
    """The one fleet, at rest."""
    fleet.ready()
    yield fleet
    fleet.database.release()
    fleet.files.release()


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.__name__)
def test_killed(stage: Stage, point: Point, victim: str):
    """Whoever it was: as if nothing had been."""
    with point(stage) as job:
        stage.kill(victim, "saver" if point is checkpointing else "plain")
    stage.database.release()
    stage.files.release()
    if point is checkpointing:
        # An attempt that did not find its checkpoint waits to be stopped, as the first one did.
        stage.until(lambda: stage.outcome(job) or (_at_work(stage, job) and _ask_back(stage)))

    stage.ends(job, "cancelled" if point is cancelling else "succeeded")
