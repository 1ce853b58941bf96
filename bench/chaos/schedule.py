"""One schedule: a seed says what goes wrong, when and where; at its end the fleet comes to rest and is checked.

The seed decides what each node and the operator do, one after the other; how their verbs meet is up to the machine. So a
seed that found something finds it again soon, if not at once.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from bench.chaos.checker import Journal, look, violations
from bench.chaos.nodes import Node
from queue_schema.calls import admin, chores, clients, oncall
from queue_schema.errors import FleetError
from queue_schema.shapes import After, Need, Submission
from queue_schema.states import Priority, Scope
from tests.support.verbs import reaper_at_work

NODES, JOBS = 4, 30
TROUBLE_S = 2.0
REST_S = 15.0
LOOK_S = 0.03


class NotAtRest(Exception):
    """Something did not end; so nothing can be said of it."""


def play(url: str, seed: int) -> list[str]:
    """Run the schedule of a seed in an empty, migrated database.

    Args:
        url: As superuser: the schedule kills connections.
        seed: Decides what goes wrong.

    Returns:
        What was violated; nothing, if all is well.

    Raises:
        NotAtRest: A program of the schedule failed, or jobs did not end in time.
    """
    chance = random.Random(seed)  # noqa: S311  # the same troubles each time
    journal = Journal()
    with psycopg.connect(url, autocommit=True) as conn:
        project = _prepare(conn)
        submitted = clients.submit(conn, project, [_job(chance) for _ in range(JOBS)])
        jobs = [job.job_id for job in submitted]
        nodes = [
            Node(
                url,
                name,
                random.Random(seed * 1000 + at),  # noqa: S311
                journal,
                machine=f"machine-{at}",
                has_twin=names(seed).count(name) > 1,
            )
            for at, name in enumerate(names(seed))
        ]
        over = threading.Event()
        calm = threading.Event()
        helpers = [
            _Repeated(url, over, 0.05, _chores),
            _Repeated(url, over, 0.05, _chores),
            _Repeated(url, over, LOOK_S, lambda conn: look(conn, journal)),
            _Repeated(url, calm, 0.1, _operator(random.Random(seed * 1000 + 999), project, jobs)),  # noqa: S311
        ]
        threads: list[Node | _Repeated] = [*nodes, *helpers]
        for thread in threads:
            thread.start()
        try:
            time.sleep(TROUBLE_S)
            calm.set()
            helpers[-1].join()
            oncall.halt(conn, on=False)
            for node in nodes:
                node.calm.set()
                clients.drain(conn, node.name, on=False)
            _rest(conn, threads)
        finally:
            over.set()
            for node in nodes:
                node.over.set()
            for thread in threads:
                thread.join()
        return violations(conn, jobs, journal)


def names(seed: int) -> list[str]:
    """Of the nodes. In every second schedule two machines have one name, and it changes hands."""
    twins = seed % 2 == 1
    return [f"node-{0 if twins and at == 1 else at}" for at in range(NODES)]


def _prepare(conn: psycopg.Connection[Any]) -> UUID:
    """Leases of a second, short pauses, no alarm: here nodes do die by the dozen."""
    conn.execute(
        "update fleet.settings set (lease_s, heartbeat_s, alarm_min_nodes, max_infra_retries) = (1, 0.3, 1000, 100)"
    )
    conn.execute("update fleet.retry_policies set (base_s, max_s) = (0.02, 0.1)")
    project = admin.create_key(conn, "chaos", name="chaos", scopes=[Scope.SUBMIT]).project_id
    conn.execute(
        "insert into fleet.blobs (project_id, sha256, size, media_type, visible) values (%s, %s, 1, 'text/plain', true)",
        (project, "0" * 64),
    )
    reaper_at_work(conn)
    return project


def _job(chance: random.Random) -> Submission:
    need = Need(gpus=0, ram_mib=chance.choice((200, 600, 1100)), cpu_milli=100)
    return Submission(kind="noop", need=need, priority=chance.choice(list(Priority)[:3]), retries=3)


def _chores(conn: psycopg.Connection[Any]) -> None:
    chores.reap(conn, limit=3)
    chores.promote(conn)
    chores.reserve(conn)


def _operator(
    chance: random.Random, project: UUID, jobs: list[UUID]
) -> Callable[[psycopg.Connection[Any]], None]:
    """Somebody who cancels, halts and drains."""

    def act(conn: psycopg.Connection[Any]) -> None:
        what = chance.random()
        if what < 0.3:
            clients.cancel(conn, project, [chance.choice(jobs)])
        elif what < 0.5:
            oncall.halt(conn, on=chance.random() < 0.4)
        elif what < 0.7:
            clients.drain(conn, f"node-{chance.randrange(NODES)}", on=chance.random() < 0.4)
        else:
            after: list[str | After] = [str(chance.choice(jobs))]
            [more] = clients.submit(
                conn, project, [Submission(kind="noop", after=after, need=Need(gpus=0, ram_mib=200))]
            )
            jobs.append(more.job_id)

    return act


class _Repeated(threading.Thread):
    """Does something again and again, over a connection of its own, until it is over."""

    def __init__(
        self, url: str, over: threading.Event, every_s: float, act: Callable[[psycopg.Connection[Any]], None]
    ) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._over = over
        self._every_s = every_s
        self._act = act
        self.failed: BaseException | None = None

    def run(self) -> None:
        """Until it is over, or fails."""
        with psycopg.connect(self._url, autocommit=True) as conn:
            while not self._over.wait(self._every_s):
                try:
                    self._act(conn)
                except FleetError:
                    continue  # refused: a job that has ended, for example
                except BaseException as exc:  # noqa: BLE001  # the schedule fails with it
                    self.failed = exc
                    return


def _rest(conn: psycopg.Connection[Any], threads: list[Node | _Repeated]) -> None:
    end = time.monotonic() + REST_S
    while True:
        failed = next((thread.failed for thread in threads if thread.failed is not None), None)
        if failed is not None:
            raise NotAtRest(f"{type(failed).__name__}: {failed}") from failed
        row = conn.execute("select count(*) from fleet.jobs where outcome is null").fetchone()
        assert row is not None
        if row[0] == 0:
            return
        if time.monotonic() > end:
            raise NotAtRest(f"{row[0]} jobs have not ended {REST_S:.0f} s after the last trouble")
        time.sleep(0.05)
