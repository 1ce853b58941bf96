"""What may stand around the jobs that are drained without slowing them down: each case makes its own clutter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import psycopg

from bench.mass import multiply
from bench.queues.base import PER_CALL
from bench.queues.ours import claim_all, noop, project_id, submit, wide_node
from bench.server import Conn
from bench.sizes import Size
from queue_schema.calls import admin, clients
from queue_schema.shapes import Need, Submission
from tests.support.verbs import Project

TOO_BIG_MIB = (32_000, 40_000, 64_000, 80_000)
"""The node that drains has one GPU of `GPU_MIB`."""
GPU_MIB = 24_000


@dataclass(frozen=True)
class Case:
    """No clutter: the queue that all others are compared with. The jobs that are measured are no-ops everywhere."""

    name: ClassVar[str] = "empty"

    @property
    def clutter(self) -> str:
        """What there is besides the measured jobs, in words with numbers."""
        return "nothing"

    def prepare(self, conn: Conn) -> None:
        """Make the clutter, once."""

    def fill(self, conn: Conn, jobs: int) -> None:
        """Submit the jobs of one round."""
        submit(conn, project_id(conn), jobs)

    def throughout(self, url: str) -> AbstractContextManager[None]:
        """What is held, and done, from the preparation to the end of the last round."""
        del url
        return nullcontext()

    def right_before(self, url: str) -> None:
        """What is done right before the measurement, with the jobs of the round submitted."""


@dataclass(frozen=True)
class Unfit(Case):
    """Older jobs too big for the node."""

    jobs: int
    name = "unfit_1m"

    @property
    def clutter(self) -> str:
        """In words."""
        return f"{self.jobs} older ready jobs in {len(TOO_BIG_MIB)} lanes, too big for the node"

    def prepare(self, conn: Conn) -> None:
        """One real job a lane, and its copies."""
        project = Project(conn, "unfit")
        for vram_mib in TOO_BIG_MIB:
            multiply(conn, project.gpu_job(vram_mib), self.jobs // len(TOO_BIG_MIB))


@dataclass(frozen=True)
class Future(Case):
    """Jobs of the same project and lane that may not start before tomorrow."""

    jobs: int
    name = "future_1m"

    @property
    def clutter(self) -> str:
        """In words."""
        return f"{self.jobs} jobs waiting for tomorrow"

    def prepare(self, conn: Conn) -> None:
        """Copies of one."""
        tomorrow = datetime.now(tz=UTC) + timedelta(days=1)
        [first] = clients.submit(conn, project_id(conn), [Submission(kind="noop", run_at=tomorrow)])
        multiply(conn, first.job_id, self.jobs)


@dataclass(frozen=True)
class Finished(Case):
    """Jobs of the same project and lane that have ended."""

    jobs: int
    name = "finished_1m"

    @property
    def clutter(self) -> str:
        """In words."""
        return f"{self.jobs} jobs that have succeeded, with their attempts and events"

    def prepare(self, conn: Conn) -> None:
        """Copies of one that really ran."""
        [first] = clients.submit(conn, project_id(conn), [noop()])
        agent = wide_node(conn, "before", slots=1)
        agent.complete(agent.claim_one())
        multiply(conn, first.job_id, self.jobs)


@dataclass(frozen=True)
class Capped(Case):
    """Older jobs of a project that already runs all it may."""

    jobs: int
    name = "capped_100k"

    @property
    def clutter(self) -> str:
        """In words."""
        return f"{self.jobs} older ready jobs of a project at its cap"

    def prepare(self, conn: Conn) -> None:
        """Copies of one; another one runs for as long as this lasts, so that the cap is reached."""
        project = Project(conn, "capped")
        admin.set_project(conn, "capped", max_running=1)
        running, ready = project.submit_many([noop(), noop()])
        agent = wide_node(conn, "busy", slots=1)
        assert agent.claim_one().job_id == running
        multiply(conn, ready, self.jobs)


@dataclass(frozen=True)
class Lanes(Case):
    """Many projects with several shapes each; the measured jobs are spread over all of them."""

    projects: int
    shapes: int = 4
    name = "lanes_4000"

    @property
    def clutter(self) -> str:
        """In words."""
        return f"the jobs spread over {self.projects} projects x {self.shapes} shapes"

    def prepare(self, conn: Conn) -> None:
        """Enough for all lanes to have work to the end of the last round."""
        for number in range(self.projects):
            Project(conn, _tenant(number))
        self.fill(conn, 10 * self.projects * self.shapes)

    def fill(self, conn: Conn, jobs: int) -> None:
        """As many to each lane, rounded up."""
        self._fill(conn, range(self.projects), math.ceil(jobs / self.projects / self.shapes))

    def _fill(self, conn: Conn, tenants: Sequence[int], jobs_a_lane: int) -> None:
        ids = dict(conn.execute("select name, project_id from fleet.projects").fetchall())
        for number in tenants:
            jobs = [_shaped(shape) for shape in range(self.shapes)] * jobs_a_lane
            for done in range(0, len(jobs), PER_CALL):
                clients.submit(conn, ids[_tenant(number)], jobs[done : done + PER_CALL])


@dataclass(frozen=True)
class DryLanes(Lanes):
    """The same lanes, but of most projects the last job has just been taken."""

    dry: int = 950
    name = "lanes_dry"

    @property
    def clutter(self) -> str:
        """In words."""
        return f"{super().clutter}, of which {self.dry} projects have just run dry"

    def prepare(self, conn: Conn) -> None:
        """The projects; the jobs come with each round."""
        for number in range(self.projects):
            Project(conn, _tenant(number))

    def fill(self, conn: Conn, jobs: int) -> None:
        """One to each lane that will run dry, the rest to the others, which are paused until then."""
        self._fill(conn, range(self.dry), 1)
        left = range(self.dry, self.projects)
        self._fill(conn, left, math.ceil(jobs / len(left) / self.shapes))
        self._pause(conn, paused=True)

    def right_before(self, url: str) -> None:
        """Real claims empty the lanes."""
        with psycopg.connect(url, autocommit=True) as conn:
            agent = wide_node(conn, "drier", slots=3000)
            claim_all(agent, url, 1000, _unseen)
            self._pause(conn, paused=False)

    def _pause(self, conn: Conn, *, paused: bool) -> None:
        ids = dict(conn.execute("select name, project_id from fleet.projects").fetchall())
        for number in range(self.dry, self.projects):
            clients.pause(conn, ids[_tenant(number)], paused=paused)


@dataclass(frozen=True)
class OldSnapshot(Case):
    """A transaction that has been open since before many jobs came and went: nothing of them can be vacuumed."""

    jobs: int
    name = "old_snapshot"

    @property
    def clutter(self) -> str:
        """In words."""
        return f"a REPEATABLE READ snapshot held through {self.jobs} jobs that came and went"

    @contextmanager
    def throughout(self, url: str) -> Iterator[None]:
        """Open the snapshot, then churn."""
        with psycopg.connect(url) as old, psycopg.connect(url, autocommit=True) as conn:
            old.execute("set transaction isolation level repeatable read")
            old.execute("select count(*) from fleet.jobs")
            agent = wide_node(conn, "churn", slots=3000)
            for done in range(0, self.jobs, 10_000):
                submit(conn, project_id(conn), min(10_000, self.jobs - done))
                claim_all(agent, url, 1000, _unseen)
            yield


def _unseen(jobs: int) -> None:
    """Nobody counts these."""


def _tenant(number: int) -> str:
    return f"tenant-{number}"


def _shaped(number: int) -> Submission:
    return Submission(kind="noop", need=Need(ram_mib=64 + number))


def cases(size: Size) -> list[Case]:
    """All of them."""
    return [
        Unfit(size.clutter_jobs),
        Future(size.clutter_jobs),
        Lanes(size.projects),
        DryLanes(size.projects, dry=size.projects * 95 // 100),
        Capped(size.clutter_jobs // 10),
        Finished(size.clutter_jobs),
        OldSnapshot(size.clutter_jobs // 10),
    ]
