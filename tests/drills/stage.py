"""One fleet on which job after job is brought to a point of its life, for something to be killed there."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import psycopg

from argosy.local.children import Child
from argosy.local.fleet import PROJECT, LocalFleet, LocalFleetSettings
from bench.chaos.checker import Journal, violations
from queue_schema.calls import agents, clients
from queue_schema.shapes import Input, Need, Submission
from tests.agent.daemons import LIGHT
from tests.agent.proxy import Proxy
from tests.support.ports import free_port

LEASE_S = 6.0
WITHIN_S = 40.0
NODES = {"plain": "workloads.entry:start", "saver": "tests.agent.entries:checkpointing"}
"""What runners of a node begin with. The second one's wait to be stopped, and write a checkpoint then."""


class Stage:
    """A database, an API, a scheduler and two agents, who reach both by way of proxies; what dies is started again."""

    def __init__(self, folder: Path) -> None:
        self.local = LocalFleet(LocalFleetSettings(home=folder, port=free_port(), lease_s=LEASE_S), print)
        self.local.start()
        assert self.local._embedded is not None
        self.url = self.local._embedded.url("argosy")
        self.database = Proxy(self.local._urls["argosy_agent"])
        self.files = Proxy(self.local.url)
        self.local._urls["argosy_agent"] = self.database.url
        self._run("update fleet.retry_policies set (base_s, max_s) = (0.02, 0.1)")
        [(self.project,)] = self.ask("select project_id from fleet.projects where name = %s", PROJECT)
        self.jobs: list[UUID] = []
        for node, entry in NODES.items():
            self.local.add_agent(
                node,
                api_url=self.files.url,
                entry=entry,
                label=f"does={node}",
                slots=4,
                ram_mib=2000,
                cpu_milli=4000,
                preload=",".join(LIGHT),
                cache_mib=0,
                poll_s=0.3,
                grace_s=1.0,
                stop_s=2.0,
            )

    def close(self) -> None:
        """End it."""
        self.local.stop()
        self.database.close()
        self.files.close()

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """As superuser; over a connection of its own, for they are killed, too."""
        with psycopg.connect(self.url, autocommit=True) as conn:
            return conn.execute(query.encode(), values).fetchall()

    def _run(self, query: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(query.encode())

    def until(self, true: Callable[[], object], within_s: float = WITHIN_S) -> None:
        """Look until it is so. What dies is started again at once, and a database that recovers is waited for."""
        end = time.monotonic() + within_s
        while True:
            with suppress(psycopg.OperationalError):
                if true():
                    return
            assert time.monotonic() < end, f"not within {within_s} s; {self.last_words()}"
            self.revive()
            time.sleep(0.03)

    def last_words(self) -> str:
        """The ends of all logs, for a failing test."""
        return "\n".join(f"== {child.name}\n{child.last_words()}" for child in self.local._children)

    def revive(self) -> None:
        """Start what is dead, with no pause before it."""
        for child in self.local._children:
            if child.process is not None and child.process.poll() is not None:
                child.start()

    def ready(self) -> None:
        """Both agents live and wait for work, and have nothing left to tell."""
        self.until(
            lambda: (
                not any(self.spooled(node) for node in NODES)
                and self.ask(
                    "select (select count(*) from fleet.idle_sessions), (select count(*) from fleet.leases),"
                    " (select count(*) from pg_stat_activity where application_name = 'argosy-agent-claims')"
                )
                == [(2, 0, 2)]
            )
        )

    def submit(
        self,
        kind: str,
        params: dict[str, Any],
        *,
        node: str = "plain",
        inputs: Mapping[str, Input] | None = None,
    ) -> UUID:
        """One job for a node, without the API: it may be just starting."""
        need = Need(gpus=0, ram_mib=64, cpu_milli=100, labels={"does": node})
        job = Submission(kind, params, need=need, retries=3, inputs=dict(inputs or {}))
        with psycopg.connect(self.url, autocommit=True) as conn:
            [made] = clients.submit(conn, self.project, [job])
            agents.wake(conn)
        self.jobs.append(made.job_id)
        return made.job_id

    def upload(self, data: bytes) -> Input:
        """A file of the project, as the API would have stored it."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.local.home / "blobs" / str(self.project) / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(
                "insert into fleet.blobs (project_id, sha256, size, media_type, visible)"
                " values (%s, %s, %s, 'application/octet-stream', true)",
                (self.project, sha256, len(data)),
            )
        return Input(sha256=sha256)

    def flag(self) -> tuple[str, Callable[[], bool]]:
        """A name that is a job's own, and whether a job has made a file of that name in its folder."""
        name = f"flag-{uuid4().hex}"
        return name, lambda: any(self.local.home.glob(f"agents/*/work/*/*/job/{name}"))

    def spooled(self, node: str) -> str:
        """All that waits on a node's disk to be told."""
        found = ""
        for path in (self.local.home / "agents" / node / "spool").glob("*.json"):
            with suppress(FileNotFoundError):  # told meanwhile
                found += path.read_text()
        return found

    def child(self, name: str) -> Child:
        """One program."""
        return next(child for child in self.local._children if child.name == name)

    def kill(self, victim: str, node: str) -> None:
        """SIGKILL of a program, of a node's runners, or of the server's process that serves that node best."""
        if victim == "runner":
            agent = self.child(f"agent-{node}").process
            assert agent is not None
            for process in psutil.Process(agent.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if not process.children() and "forkserver import" not in " ".join(process.cmdline()[:3]):
                        process.kill()
        elif victim in ("backend", "connection"):
            [(pid,)] = self.ask(
                "select pid from pg_stat_activity where application_name like 'argosy-agent-%%'"
                " order by state = 'active' desc, application_name like '%%settler' desc limit 1"
            )
            if victim == "connection":
                self.ask("select pg_terminate_backend(%s)", pid)
            else:
                os.kill(pid, signal.SIGKILL)  # the server ends all the others, and recovers
                self.until(lambda: self.ask("select 1"))
        else:
            child = self.child(f"agent-{node}" if victim == "agent" else victim)
            assert child.process is not None
            child.process.kill()
            child.process.wait()

    def ends(self, job: UUID, *outcomes: str) -> None:
        """It does, once, as it should; and the history of all that ever ran here has nothing that must not be."""
        self.until(lambda: self.outcome(job) is not None)
        assert self.outcome(job) in outcomes, self.last_words()
        self.until(lambda: self.ask("select count(*) from fleet.leases") == [(0,)])
        with psycopg.connect(self.url, autocommit=True) as conn:
            found = violations(conn, self.jobs, Journal(), told_tokens=False)
        assert found == []

    def outcome(self, job: UUID) -> str | None:
        """How it ended; None: it has not."""
        [(outcome,)] = self.ask("select outcome::text from fleet.jobs where job_id = %s", job)
        return None if outcome is None else str(outcome)

    @contextmanager
    def locked(self, job: UUID) -> Iterator[None]:
        """Nobody settles this job meanwhile."""
        with psycopg.connect(self.url) as holder:
            holder.execute("select from fleet.jobs where job_id = %s for update", (job,))
            try:
                yield
            finally:
                with suppress(psycopg.OperationalError):
                    holder.rollback()
